"""The engine runs the demonstration bundle as it was when it was written; nothing odd comes in or out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import firmware_app
from firmware_app.errors import BundleError, EngineError
from firmware_app.inference import Engine, load_bundle, open_engine
from firmware_app.inference.golden import largest_difference
from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.inference.prepare import prepare
from firmware_app.journey import Crops, ImageScores
from firmware_app.processor import sums_int8_exactly

DEMO = Path(firmware_app.__file__).parent / "bundles" / "demo"
TOLERANCE = 0.03
"""Of a probability, between processors: INT8 kernels differ in how they round (measured: .021, ADR 24)."""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The demonstration bundle's engine."""
    opened = open_engine(load_bundle(DEMO))
    yield opened
    opened.close()


def golden() -> dict[str, np.ndarray]:
    """Golden crops and expected log-odds of the demonstration bundle."""
    with np.load(DEMO / "golden.npz", allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def as_array(scores: ImageScores) -> np.ndarray:
    """Log-odds (method, threshold)."""
    return np.array([scores.gm, scores.em, scores.gm_em])


def probability(logits: np.ndarray) -> np.ndarray:
    """Sigmoid."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


def test_demo_bundle_is_small_enough_to_be_committed() -> None:
    """The demonstration bundle stays below 45 MB."""
    assert sum(file.stat().st_size for file in DEMO.iterdir()) <= 45_000_000


def test_golden_crops_give_what_they_gave_when_the_bundle_was_written(engine: Engine) -> None:
    """Every golden crop reproduces its probabilities, by the engine then and by the network before INT8."""
    arrays = golden()
    for index, (gray, elastogram) in enumerate(zip(arrays["gray"], arrays["elastogram"], strict=True)):
        found = probability(as_array(engine.score(Crops(elastogram=elastogram, gray=gray))))
        np.testing.assert_allclose(found, probability(arrays["logits_engine"][index]), atol=TOLERANCE)
        np.testing.assert_allclose(found, probability(arrays["logits_torch"][index]), atol=0.15)


def test_golden_crops_rise_with_the_stage(engine: Engine) -> None:
    """The golden crops are one of each stage; the S4 patient scores above the S0 patient."""
    arrays = golden()
    scores = [
        engine.score(Crops(elastogram=elastogram, gray=gray)).gm_em[1]
        for gray, elastogram in zip(arrays["gray"], arrays["elastogram"], strict=True)
    ]
    assert scores[-1] > scores[0]


def test_log_odds_never_rise_to_the_right(engine: Engine) -> None:
    """Whatever the pictures, >=S2 is at least as likely as >=S3, and that as S4."""
    rng = np.random.default_rng(1)
    for side in (299, 120, 411):
        crops = Crops(*(rng.integers(0, 256, (side, side, 3), dtype=np.uint8) for _ in range(2)))
        logits = as_array(engine.score(crops))
        assert np.isfinite(logits).all()
        assert (np.diff(logits, axis=1) <= 1e-6).all()


def test_same_crops_give_the_same_answer(engine: Engine) -> None:
    """The engine keeps nothing from one acquisition to the next."""
    arrays = golden()
    first = Crops(elastogram=arrays["elastogram"][0], gray=arrays["gray"][0])
    other = Crops(elastogram=arrays["elastogram"][-1], gray=arrays["gray"][-1])
    before = engine.score(first)
    engine.score(other)
    assert engine.score(first) == before


def test_modalities_are_not_mixed_up(engine: Engine) -> None:
    """Another elastogram leaves the gray-scale score as it is, and the other way round."""
    arrays = golden()
    base = engine.score(Crops(elastogram=arrays["elastogram"][0], gray=arrays["gray"][0]))
    other = engine.score(Crops(elastogram=arrays["elastogram"][-1], gray=arrays["gray"][0]))
    assert other.gm == pytest.approx(base.gm, abs=1e-5)
    assert other.em != pytest.approx(base.em, abs=1e-5)


def test_name_tells_runtime_version_processor_and_precision(engine: Engine) -> None:
    """The name is what every screen and message shows."""
    runtime, version, processor, precision = engine.name.split(maxsplit=3)
    assert (runtime, processor) == ("OpenVINO", "CPU")
    assert precision == ("INT8" if sums_int8_exactly() else "INT8 in FP32")
    assert version.count(".") == 1


def test_int8_in_float32_scores_alike(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that cannot sum INT8 products exactly computes the same graph in float32 (ADR 24)."""
    monkeypatch.setattr("firmware_app.inference.openvino_engine.sums_int8_exactly", lambda: False)
    bundle = load_bundle(DEMO)
    careful = open_engine(bundle)
    try:
        assert careful.name.endswith("CPU INT8 in FP32")
        assert largest_difference(bundle, careful) <= TOLERANCE
        assert largest_difference(bundle, engine) <= TOLERANCE
    finally:
        careful.close()


def test_closed_engine_says_so() -> None:
    """A closed engine raises its own error; closing twice is harmless."""
    engine = open_engine(load_bundle(DEMO), threads=1)
    engine.close()
    engine.close()
    blank = np.zeros((50, 50, 3), dtype=np.uint8)
    with pytest.raises(EngineError, match="closed"):
        engine.score(Crops(elastogram=blank, gray=blank))


def test_graph_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    """A file that is no graph, or half of one, gives one sentence with its name."""
    sound = load_bundle(DEMO).graph_path.read_bytes()
    for content in (b"no graph", b"", sound[: len(sound) // 2]):
        (tmp_path / "graph.onnx").write_bytes(content)
        with pytest.raises(BundleError, match=r"graph\.onnx"):
            OpenVinoEngine(tmp_path / "graph.onnx", "int8")


@pytest.mark.parametrize("side", [1, 64, 298, 299, 300, 1000])
def test_prepared_crop_has_the_networks_size(side: int) -> None:
    """Any crop becomes 299x299, uint8, contiguous."""
    prepared = prepare(np.full((side, side, 3), 77, dtype=np.uint8))
    assert prepared.shape == (INPUT_SIDE, INPUT_SIDE, 3)
    assert prepared.dtype == np.uint8
    assert prepared.flags.c_contiguous
    assert (prepared == 77).all()


def test_prepared_crop_is_the_mean_when_shrunk() -> None:
    """Shrinking averages areas: a fine checkerboard becomes its mean, not a moiré."""
    fine = np.indices((598, 598)).sum(axis=0) % 2 * 200
    prepared = prepare(np.repeat(fine[:, :, np.newaxis], 3, axis=2).astype(np.uint8))
    assert (prepared == 100).all()


def test_crop_of_full_size_is_left_as_it_is() -> None:
    """A crop of 299x299 is not touched, even when it is not contiguous."""
    crop = np.random.default_rng(2).integers(0, 256, (299, 299, 3), dtype=np.uint8)[:, ::-1]
    assert (prepare(crop) == crop).all()


@pytest.mark.parametrize(
    "crop",
    [
        np.zeros((9, 9), dtype=np.uint8),
        np.zeros((9, 9, 4), dtype=np.uint8),
        np.zeros((9, 9, 3), dtype=np.float32),
        np.zeros((0, 0, 3), dtype=np.uint8),
    ],
)
def test_crop_of_another_kind_is_refused(crop: np.ndarray) -> None:
    """Gray pictures, four channels, floats and nothing at all are programming errors."""
    with pytest.raises(ValueError, match="a crop is uint8"):
        prepare(crop)
