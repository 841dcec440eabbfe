"""The twin, the paper's binary networks and their log-odds, from pictures to a study's columns."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from model_export.cohort import load_cohort  # noqa: E402 - after the check that torch is there
from model_export.errors import WrongInputError  # noqa: E402
from model_export.stages import Request, make_twin  # noqa: E402
from model_export.study.image_logits import image_logits, methods_of  # noqa: E402
from model_export.task import Task, TrainingOptions, as_in_the_paper, divide  # noqa: E402
from model_export.train import MODALITIES  # noqa: E402
from model_export.trained import TrainedRun, load_run, save_run  # noqa: E402
from model_export.weights import InputRange, random_trunk, settle  # noqa: E402
from model_export.whole import WholeRun, train_whole  # noqa: E402


def _draw(folder: Path, split: str, stage: list[int]) -> None:
    """Patients with two acquisitions each, brighter with the stage, as a prepared cohort."""
    rng = np.random.default_rng(len(stage))
    for name in ("gray", "elastogram"):
        pictures = rng.integers(0, 90, (len(stage), 2, 299, 299, 3))
        pictures += 30 * np.array(stage)[:, None, None, None, None]
        np.save(folder / f"{split}_{name}.npy", pictures.astype(np.uint8))
    lsm_kpa, latents = np.full((len(stage), 2), 7.0), np.zeros((len(stage), 2))
    np.savez(folder / f"{split}.npz", stage=np.array(stage), lsm_kpa=lsm_kpa, latents=latents)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder whose cohort has four training and two test patients."""
    work = tmp_path_factory.mktemp("work")
    (work / "cohort-own").mkdir()
    _draw(work / "cohort-own", "train", [0, 0, 4, 4])
    _draw(work / "cohort-own", "test", [0, 4])
    return work


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_binary_networks_of_the_twin_are_trained_and_scored(work: Path) -> None:
    """Each threshold has its own network; log-odds of both splits are kept; no bundle can be made of them."""
    options = as_in_the_paper(TrainingOptions(seed=1, epochs=0, head_epochs=2, heads="three"))
    request = Request(
        weights=None,
        input_range=InputRange.SIGNED,
        licence="",
        work=work,
        name="twin",
        patients_train=4,
        patients_test=2,
        views=1,
        options=options,
        processes=1,
        cohort="cohort-own",
    )
    run = make_twin(request)
    assert isinstance(run, TrainedRun)
    assert methods_of(run) == ("GM", "EM", "GM+EM")
    test = image_logits(run, "test", processes=1)
    assert test.shape == (2, 2, 3, 3)
    assert np.isfinite(test).all()
    assert np.isfinite(image_logits(run, "train", processes=1)).all()
    (run.folder / "logits_test.npy").unlink()
    np.testing.assert_array_equal(image_logits(run, "test", processes=1), test)
    curves = json.loads((run.folder / "s4" / "curves.json").read_text(encoding="utf-8"))
    assert list(curves["GM"]["head"][0]["validation_auc"]) == ["s4"]
    save_run(run)
    assert load_run(work) == run
    with pytest.raises(WrongInputError, match="three binary networks"):
        run.load_network()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_all_layers_are_trained_from_the_pictures(work: Path) -> None:
    """Without a frozen layer the first convolution changes too, and both modalities have log-odds."""
    patients = load_cohort(work / "cohort-own", "train")
    patients = replace(patients, gray=patients.gray[:, :1], elastogram=patients.elastogram[:, :1])
    task = Task(patients.stage, divide(patients.stage, 0.5, 1), TrainingOptions(seed=3, epochs=1, batch=2))
    run = WholeRun(work=work, cohort="cohort-own", network="whole-1")
    (work / run.network).mkdir()
    train_whole(patients, task, work / run.network)
    start = random_trunk(3).Conv2d_1a_3x3.conv.weight
    curves = json.loads((work / run.network / "curves.json").read_text(encoding="utf-8"))
    assert {name: list(parts) for name, parts in curves.items()} == {name: ["whole"] for name in MODALITIES}
    assert np.isfinite(curves["GM"]["whole"][1]["train_loss"])
    logits = image_logits(run, "test", processes=1)
    assert logits.shape == (2, 2, 2, 3)
    assert np.isfinite(logits).all()
    best = min(range(2), key=lambda epoch: curves["GM"]["whole"][epoch]["validation_loss"])
    first = next(run.load_networks()[0].parameters())
    assert torch.equal(first, start) == (best == 0)


def test_a_settled_random_trunk_tells_pictures_apart() -> None:
    """With the statistics of the pictures, the features of different ones are not all but the same."""
    pictures = torch.rand(8, 3, 107, 107) * 2 - 1
    pictures *= torch.linspace(0.1, 1, 8)[:, None, None, None]
    trunk = random_trunk(1)
    trunk.fc = torch.nn.Identity()

    def variation() -> float:
        with torch.inference_mode():
            features = trunk(pictures)
        return float((features.std(dim=0) / features.abs().mean(dim=0).clamp_min(1e-9)).mean())

    before = variation()
    settle(trunk, torch.split(pictures, 8))
    assert variation() > 1.5 * before
