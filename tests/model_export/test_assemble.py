"""A bundle is written when its graph says what float32 says, and not otherwise."""

from __future__ import annotations

import json
import shutil
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

_WHY = "training needs the extra `train`, which is not installed"
torch = pytest.importorskip("torch", reason=_WHY)
onnx = pytest.importorskip("onnx", reason=_WHY)

from firmware_app.inference.golden import read_golden  # noqa: E402 - after the check that the extra is there
from model_export import agree  # noqa: E402
from model_export.assemble import export_bundle  # noqa: E402
from model_export.calibrate import Calibration  # noqa: E402
from model_export.errors import GateError, WrongInputError  # noqa: E402
from model_export.graph_tail import apply_to_graph  # noqa: E402
from model_export.graphs import Exported, golden_of  # noqa: E402
from model_export.int8 import load_choices  # noqa: E402
from model_export.trained import TrainedRun, load_run, save_run  # noqa: E402
from tests.model_export.tiny_bundle import write_graph  # noqa: E402

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def draw(folder: Path, split: str, patients: int, seed: int) -> None:
    """Patients with two acquisitions each, brighter with the stage, as `draw_cohort` leaves them."""
    rng = np.random.default_rng(seed)
    stage = np.arange(patients) % 5
    for name in ("gray", "elastogram"):
        tone = 60 + 25 * stage + rng.integers(-30, 30, patients)
        texture = rng.integers(-20, 20, (patients, 2, 299, 299, 3))
        np.save(folder / f"{split}_{name}.npy", (tone[:, None, None, None, None] + texture).astype(np.uint8))
    lsm_kpa = 4.0 + stage[:, np.newaxis] + rng.uniform(0, 3, (patients, 2))
    np.savez(folder / f"{split}.npz", stage=stage, lsm_kpa=lsm_kpa, latents=np.zeros((patients, 2)))


def _keep_scores(run: TrainedRun, folder: Path) -> None:
    """Log-odds of the training patients by the graph, with features that vary like those of a network."""
    train = run.patients("train")
    logits = np.stack(
        [
            agree.score_graph(folder / "fp32.onnx", *pair)
            for pair in zip(train.gray, train.elastogram, strict=True)
        ]
    )
    features = np.random.default_rng(3).normal(size=(2, 30, 2, 2048)).astype(np.float32)
    np.savez(folder / "fp32_train.npz", logits=logits, gm=features[0], em=features[1])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """A finished export whose networks are the brightness of the pictures."""
    work = tmp_path_factory.mktemp("work")
    cohort, folder = work / "cohort-1", work / "graphs-1"
    cohort.mkdir()
    folder.mkdir()
    draw(cohort, "train", 30, 1)
    draw(cohort, "test", 20, 2)
    (cohort / "done.json").write_text('{"no_q_box": 3}', encoding="utf-8")
    write_graph(folder / "fp32.onnx")
    run = TrainedRun(
        work=work,
        cohort="cohort-1",
        network="network-1",
        name="test",
        weights="none",
        licence="None needed.",
        seed=1,
        validation_share=0.3,
        image_sd=0.5,
        training={"seed": 1},
    )
    _keep_scores(run, folder)
    golden = agree.score_graph(folder / "fp32.onnx", *golden_of(run.patients("test")))
    return Exported(run, folder, folder / "fp32.onnx", 0.0, golden)


def test_bundle_that_passes_its_gate_is_written_with_everything_in_it(
    exported: Exported, tmp_path: Path
) -> None:
    """The same graph passes; manifest, card, metrics and golden crops speak of it."""
    shutil.copyfile(exported.exact, exported.folder / "fp16.onnx")
    bundle = export_bundle(exported, "fp16", load_choices(), tmp_path / "bundle", NOW)
    manifest = bundle.manifest
    assert manifest.graph.precision == "fp16"
    assert manifest.calibration.patients == exported.run.held_out().size
    scales = {one.scale for by_key in manifest.calibration.parameters.values() for one in by_key.values()}
    assert scales == {1.0}
    for point in manifest.operating_points.values():
        assert point.rule_out <= point.cutoff <= point.rule_in
    metrics = json.loads((bundle.folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["agreement_with_float32"]["flips"] == 0
    assert set(metrics["calibration_of_held_out_patients"]["GM+EM"]) == {"none", "temperature", "isotonic"}
    assert "float16" in (bundle.folder / "model_card.md").read_text(encoding="utf-8")
    golden = read_golden(bundle)
    np.testing.assert_allclose(golden.logits_engine, golden.logits_torch, atol=1e-3)


def test_bundle_that_fails_its_gate_is_not_written(exported: Exported, tmp_path: Path) -> None:
    """A graph whose log-odds are shifted by one stops with a sentence, and leaves no folder behind."""
    model = onnx.load(str(exported.exact))
    apply_to_graph(model, {"GM+EM": Calibration(1.0, (1.0, 1.0, 1.0))})
    onnx.save(model, str(exported.folder / "fp16.onnx"))
    for scores in exported.folder.glob("fp16_*.npz"):
        scores.unlink()
    with pytest.raises(GateError, match=r"fp16: the mean probability changes by .* no bundle is written"):
        export_bundle(exported, "fp16", load_choices(), tmp_path / "bundle", NOW)
    assert list(tmp_path.iterdir()) == []
    (exported.folder / "fp16.onnx").unlink()
    for scores in exported.folder.glob("fp16_*.npz"):
        scores.unlink()


def test_a_finished_training_is_found_again(exported: Exported, tmp_path: Path) -> None:
    """What was recorded is read back; a folder without it, or with half of it, is refused by name."""
    run = exported.run
    with pytest.raises(WrongInputError, match="holds no finished training"):
        load_run(tmp_path)
    save_run(run)
    with pytest.raises(WrongInputError, match=r"lacks network-1/network\.safetensors"):
        load_run(run.work)
    (run.work / "network-1").mkdir()
    run.parameters.write_bytes(b"")
    assert load_run(run.work) == run
    (run.work / "trained.json").write_text('{"cohort": 1}', encoding="utf-8")
    with pytest.raises(WrongInputError, match=r"trained\.json cannot be read"):
        load_run(run.work)


def test_nobody_is_fitted_and_held_out(exported: Exported) -> None:
    """Calibrating patients and training patients are apart, and together everybody."""
    held_out, fitted = exported.run.held_out(), exported.run.fitted()
    assert not set(held_out) & set(fitted)
    assert sorted([*held_out, *fitted]) == list(range(30))
