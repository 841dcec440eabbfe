"""Training: patients are kept apart, the stem is left alone, what was done is not done again."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from model_export.checkpoint import CURVES, Checkpoint, Epoch  # noqa: E402 - after the check that torch is there
from model_export.cohort import load_cohort, stage_counts  # noqa: E402
from model_export.epochs import BestState, ordinal_loss  # noqa: E402
from model_export.features import Features, Views, augment, cache_features, views_of  # noqa: E402
from model_export.network import FibrosisNetwork  # noqa: E402
from model_export.task import Task, TrainingOptions, divide  # noqa: E402
from model_export.train import network_logits, train  # noqa: E402
from model_export.weights import random_trunk  # noqa: E402

STAGES = np.array([0, 0, 2, 2, 3, 3, 4, 4])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients with one acquisition each, brighter with the stage, as `draw_cohort` leaves them."""
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(1)
    shape = (len(STAGES), 1, 299, 299, 3)
    for name in ("gray", "elastogram"):
        pictures = rng.integers(0, 90, shape) + 40 * STAGES[:, None, None, None, None]
        np.save(folder / f"train_{name}.npy", pictures.astype(np.uint8))
    lsm_kpa = 4.0 + STAGES[:, np.newaxis].astype(float)
    np.savez(folder / "train.npz", stage=STAGES, lsm_kpa=lsm_kpa, latents=np.zeros((len(STAGES), 2)))
    return folder


@pytest.mark.parametrize("seed", range(5))
def test_no_patient_trains_and_validates(seed: int) -> None:
    """Training and validation share no patient, together they are everybody, and every stage is in both."""
    stage = np.repeat(np.arange(5), (79, 42, 53, 43, 147))
    division = divide(stage, 0.15, seed)
    assert not set(division.train) & set(division.validation)
    assert sorted([*division.train, *division.validation]) == list(range(364))
    assert set(stage[division.train]) == set(stage[division.validation]) == set(range(5))
    assert division.validation.size == pytest.approx(0.15 * 364, abs=3)


def test_stage_counts_are_the_papers_and_scale() -> None:
    """The paper's sizes give the paper's counts; other sizes keep the shares and lose nobody."""
    assert stage_counts("train", 364) == (79, 42, 53, 43, 147)
    assert stage_counts("test", 102) == (20, 13, 15, 13, 41)
    for patients in (20, 33, 57):
        assert sum(stage_counts("train", patients)) == patients


def test_augmentation_crops_and_mirrors_but_keeps_colours_and_depth() -> None:
    """A view is never upside down, and no colour appears that was not there."""
    depth = np.tile((np.arange(299) // 2).astype(np.uint8)[:, None, None], (1, 299, 3))
    rng = np.random.default_rng(2)
    for _ in range(50):
        view = augment(depth, rng).astype(int)
        assert view.shape == (299, 299, 3)
        assert (np.diff(view[:, 0, 0]) >= 0).all()
        assert view[0, 0, 0] <= 0.13 * 150
        assert view[-1, 0, 0] >= 0.86 * 149
    assert (views_of(depth, 3, rng)[0] == depth).all()


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Features:
    """Maps of the eight patients that tell the stage, 5x5 instead of 17x17 and two views."""
    features = Features(tmp_path_factory.mktemp("features"), "train")
    rng = np.random.default_rng(3)
    for path in features.files:
        maps = rng.random((len(STAGES), 1, 2, 5, 5, 768))
        maps[..., ::2] *= 1 + STAGES[:, None, None, None, None, None]
        np.save(path, maps.astype(np.float16))
    return features


TASK = Task(STAGES, divide(STAGES, 0.5, 1), TrainingOptions(seed=1, epochs=1, batch=4, head_epochs=4))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the uninterrupted training leaves its files."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="module")
def trained(features: Features, folder: Path) -> FibrosisNetwork:
    """A network trained without interruption."""
    network = FibrosisNetwork(random_trunk(7)).eval()
    train(network, features, TASK, folder, processes=1)
    return network


@pytest.mark.timeout(180)
def test_training_learns_and_leaves_the_stem_alone(trained: FibrosisNetwork, features: Features) -> None:
    """Heads and tops change, the stem does not; what comes out tells the stages."""
    before = FibrosisNetwork(random_trunk(7)).state_dict()
    changed = {
        name.split(".")[0]
        for name, value in trained.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"gm_top", "em_top", "gm_head", "em_head", "fusion_head"}
    logits = network_logits(trained, features, np.arange(8))
    assert logits.shape == (8, 1, 3, 3)
    assert (np.diff(logits, axis=3) <= 0).all()
    assert np.corrcoef(logits[:, 0, 2, 0], STAGES)[0, 1] > 0.5


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("trained")
def test_curves_tell_every_epoch_of_every_method(folder: Path) -> None:
    """The start and each epoch have a validation loss and AUCs; only the start has no training loss."""
    curves = json.loads((folder / CURVES).read_text(encoding="utf-8"))
    assert {method: sorted(parts) for method, parts in curves.items()} == {
        "GM": ["head", "top"],
        "EM": ["head", "top"],
        "GM+EM": ["head"],
    }
    head = curves["GM"]["head"]
    assert [row["epoch"] for row in head] == list(range(5))
    assert head[0]["train_loss"] is None
    assert head[-1]["train_loss"] < head[1]["train_loss"]
    assert all(0 <= auc <= 1 for row in head for auc in row["validation_auc"].values())
    assert len(curves["EM"]["top"]) == 2
    assert not list(folder.glob("*.checkpoint"))


@pytest.mark.timeout(180)
def test_a_training_that_breaks_off_ends_with_the_same_weights(
    trained: FibrosisNetwork,
    features: Features,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken off before or after saving a head, a top or the fusion, it gives what one run gives."""
    save, saved = Checkpoint.save, itertools.count(1)
    before, after = {3, 13, 18}, {7, 16}
    # 5 epochs of GM's head, 2 of its top, likewise EM, then 5 of the fusion; what is broken off comes again

    def breaking(checkpoint: Checkpoint, curve: list[Epoch]) -> None:
        number = next(saved)
        if number in before:
            raise KeyboardInterrupt
        save(checkpoint, curve)
        if number in after:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", breaking)
    for _ in range(len(before | after)):
        with pytest.raises(KeyboardInterrupt):
            train(FibrosisNetwork(random_trunk(7)).eval(), features, TASK, tmp_path, processes=1)
    network = FibrosisNetwork(random_trunk(7)).eval()
    train(network, features, TASK, tmp_path, processes=1)
    expected = trained.state_dict()
    different = [
        name for name, value in network.state_dict().items() if not torch.equal(value, expected[name])
    ]
    assert different == []
    assert (tmp_path / CURVES).read_bytes() == (folder / CURVES).read_bytes()


def test_features_are_those_of_the_stem(cohort: Path, tmp_path: Path) -> None:
    """The cached maps are what the stem gives in float32, but for the rounding of float16 or bfloat16."""
    network = FibrosisNetwork(random_trunk(8)).eval()
    features = Features(tmp_path, "train")
    cache_features(network, cohort, features, Views(1, 1), processes=1)
    picture = np.array(load_cohort(cohort, "train").elastogram[5, 0])
    with torch.inference_mode():
        signed = torch.from_numpy(picture[np.newaxis]).permute(0, 3, 1, 2) / 127.5 - 1
        expected = network.stem(signed)[0].permute(1, 2, 0).numpy()
    found = features.maps()[1][5, 0, 0].astype(np.float32)
    assert np.abs(found - expected).mean() < 0.02 * np.abs(expected).mean()


def test_best_state_comes_back() -> None:
    """After worse epochs the parameters of the best one are put back."""
    layer = torch.nn.Linear(1, 1)
    best = BestState(layer)
    for value, loss in ((1.0, 0.5), (2.0, 0.3), (3.0, 0.9)):
        torch.nn.init.constant_(layer.weight, value)
        best.offer(loss)
    best.restore()
    assert layer.weight.item() == 2.0


def test_a_binary_network_sees_its_threshold_alone() -> None:
    """The loss at one threshold is the cross-entropy of that column; of all three, their mean."""
    logits = torch.tensor([[2.0, 0.5, -1.0], [1.0, -3.0, -4.0]])
    stage = torch.tensor([3, 1])
    probability = torch.sigmoid(logits)
    expected = -(torch.log(probability[0, 1]) + torch.log(1 - probability[1, 1])) / 2
    torch.testing.assert_close(ordinal_loss(logits, stage, 1), expected)
    columns = torch.stack([ordinal_loss(logits, stage, k) for k in range(3)])
    torch.testing.assert_close(ordinal_loss(logits, stage), columns.mean())
