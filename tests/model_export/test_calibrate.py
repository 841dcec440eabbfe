"""Calibrated log-odds mean what they say, and the graph that holds them says the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

_WHY = "making models needs the extra `train`, which is not installed"
onnx = pytest.importorskip("onnx", reason=_WHY)

from onnx import ModelProto  # noqa: E402 - after the check that the extra is there
from scipy.optimize import minimize  # noqa: E402

from firmware_app.inference.bundle import NetworkMethod  # noqa: E402
from model_export.calibrate import (  # noqa: E402
    PRIOR_STRENGTH,
    Calibration,
    align,
    brier,
    cross_validated,
    ece,
    fit_binary_calibration,
    fit_calibration,
)
from model_export.errors import WrongInputError  # noqa: E402
from model_export.graph_tail import (  # noqa: E402
    MAPS,
    METHODS,
    SCORES,
    Tail,
    add_tails,
    apply_to_graph,
    read_tails,
)
from model_export.patient_scores import positives, sigmoid  # noqa: E402

GAPS = np.array([0.0, 3.0, 5.0])


def bold(patients: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds three times too bold, and the stages."""
    rng = np.random.default_rng(seed)
    stage = rng.integers(0, 5, patients)
    true = rng.normal(size=patients) + 1.2 * (stage - 2)
    return 3.0 * true[:, np.newaxis] - GAPS, stage


def test_bold_log_odds_are_cut_down_to_the_prevalence() -> None:
    """The factor falls below one, and the mean probability meets the share of the positives."""
    logits, stage = bold(4000, 3)
    fitted = fit_calibration(logits, stage)
    assert 0.2 < fitted.factor < 0.8
    found = sigmoid(fitted.apply(logits)).mean(axis=0)
    np.testing.assert_allclose(found, positives(stage).mean(axis=0), atol=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_fit_is_the_optimum_that_a_plain_search_finds(seed: int) -> None:
    """A derivative-free search over the same likelihood gets no further."""
    logits, stage = bold(60, seed)
    fitted, truth = fit_calibration(logits, stage), positives(stage)

    def loss(parameters: np.ndarray) -> float:
        found = np.exp(parameters[0]) * logits + parameters[1:]
        chances = np.clip(sigmoid(found), 1e-12, 1 - 1e-12)
        likelihood = np.where(truth, np.log(chances), np.log(1 - chances)).sum()
        return float(-likelihood + PRIOR_STRENGTH * parameters[0] ** 2)

    ours = np.array([np.log(fitted.factor), *fitted.offsets])
    searched = minimize(loss, ours, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-6})
    assert loss(ours) <= searched.fun + 1e-3


@pytest.mark.parametrize("seed", range(20))
def test_order_survives_any_labels(seed: int) -> None:
    """Even for labels that contradict the scores, >=S2 stays at least as likely as >=S3, and that as S4."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(30, 1)) * 10 - np.sort(rng.uniform(0, 5, 3))
    fitted = fit_calibration(logits, rng.integers(0, 5, 30))
    assert fitted.factor > 0
    assert (np.diff(fitted.apply(logits), axis=1) <= 1e-9).all()


def test_alignment_takes_a_shift_and_a_stretch_out() -> None:
    """Log-odds that another graph stretched and shifted come back exactly."""
    logits, _ = bold(50, 1)
    moved = 1.1 * logits + 0.3
    np.testing.assert_allclose(align(moved, logits).apply(moved), logits, atol=1e-9)
    constant = np.zeros((5, 3))
    assert align(constant, constant).factor == 1.0


def test_cross_validation_prefers_calibrated_log_odds() -> None:
    """Bold log-odds are worse than calibrated ones by both figures, on patients left out of the fit."""
    fits = cross_validated(*bold(400, 2), seed=1)
    assert fits["temperature"].brier < fits["none"].brier
    assert fits["temperature"].ece < fits["none"].ece
    assert fits["isotonic"].brier < fits["none"].brier


def test_figures_of_fit_are_what_their_names_say() -> None:
    """Sure and right is 0, sure and wrong is 1, always one half is calibrated when half are positive."""
    truth = np.array([[True], [False]])
    assert brier(np.array([[1.0], [0.0]]), truth) == ece(np.array([[1.0], [0.0]]), truth) == 0.0
    assert brier(np.array([[0.0], [1.0]]), truth) == ece(np.array([[0.0], [1.0]]), truth) == 1.0
    half = np.full((2, 1), 0.5)
    assert (brier(half, truth), ece(half, truth)) == (0.25, 0.0)


def scores_only() -> ModelProto:
    """A graph whose raw scores and maps are its inputs, with the end of a bundle's graph."""
    make = onnx.helper.make_tensor_value_info
    inputs = [make(name, onnx.TensorProto.FLOAT, ["n", 1]) for name in SCORES]
    inputs += [make(name, onnx.TensorProto.FLOAT, ["n", 8, 8]) for name in MAPS]
    graph = onnx.helper.make_graph([], "scores", inputs, [])
    add_tails(graph, {method: Tail(1.5, (-1.0, 0.5, 2.0)) for method in METHODS})
    graph.output.extend(
        make(name, onnx.TensorProto.FLOAT, None)
        for name in ("logits_gm", "logits_em", "logits_gm_em", "probabilities_gm_em", "activation_em")
    )
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)


def run(model: ModelProto, score: float) -> dict[str, np.ndarray]:
    """What the end of a graph makes of one score."""
    import onnxruntime  # noqa: PLC0415 - after the check that the extra is there

    session = onnxruntime.InferenceSession(model.SerializeToString())
    inputs = {name: np.full((2, 1), score, dtype=np.float32) for name in SCORES}
    inputs |= {name: np.full((2, 8, 8), score, dtype=np.float32) for name in MAPS}
    names = [value.name for value in model.graph.output]
    return dict(zip(names, session.run(names, inputs), strict=True))


def test_a_calibration_in_the_graph_is_the_calibration_of_its_log_odds() -> None:
    """Log-odds, probabilities and maps of a recalibrated graph are those calculated outside it."""
    model = scores_only()
    before = run(model, 0.7)
    calibrations: dict[NetworkMethod, Calibration] = {
        "EM": Calibration(0.5, (0.3, 0.1, -0.4)),
        "GM+EM": Calibration(2.0, (0.0, 0.0, 0.0)),
    }
    apply_to_graph(model, calibrations)
    after = run(model, 0.7)
    np.testing.assert_array_equal(after["logits_gm"], before["logits_gm"])
    for calibration, name in zip(calibrations.values(), ("logits_em", "logits_gm_em"), strict=True):
        np.testing.assert_allclose(after[name], calibration.apply(before[name]), atol=1e-6)
    np.testing.assert_allclose(after["probabilities_gm_em"], sigmoid(after["logits_gm_em"]), atol=1e-6)
    np.testing.assert_allclose(after["activation_em"], 0.5 * before["activation_em"], atol=1e-6)
    tail = read_tails(model)["EM"]
    assert tail.factor == pytest.approx(0.75)
    np.testing.assert_allclose(tail.offsets, 0.5 * np.array([-1.0, 0.5, 2.0]) - [0.3, 0.1, -0.4], atol=1e-6)


def test_graph_without_a_calibration_is_refused_by_name() -> None:
    """A graph of other software is wrong input, in one sentence that says what is missing."""
    model = scores_only()
    del model.graph.initializer[:]
    with pytest.raises(WrongInputError, match=r"calibration_gm_factor; export it anew"):
        read_tails(model)


def test_two_calibrations_one_after_the_other_add_up(tmp_path: Path) -> None:
    """A site's calibration on top of the study's, through a file, is the product of the two."""
    model = scores_only()
    first, second = Calibration(0.5, (0.3, 0.1, -0.4)), Calibration(3.0, (1.0, 1.0, 0.0))
    before = run(model, -0.2)["logits_gm"]
    apply_to_graph(model, {"GM": first})
    onnx.save(model, str(tmp_path / "graph.onnx"))
    model = onnx.load(str(tmp_path / "graph.onnx"))
    apply_to_graph(model, {"GM": second})
    np.testing.assert_allclose(run(model, -0.2)["logits_gm"], second.apply(first.apply(before)), atol=1e-5)


def test_binary_calibration_is_the_most_likely_line() -> None:
    """Factor and offset agree with a general optimiser on the penalised likelihood, written out."""
    rng = np.random.default_rng(4)
    logits = rng.normal(1.0, 2.0, 80)
    positive = rng.random(80) < sigmoid(0.6 * logits - 0.5)

    def loss(x: np.ndarray) -> float:
        chances = sigmoid(np.exp(x[0]) * logits + x[1])
        return float(PRIOR_STRENGTH * x[0] ** 2 - np.log(np.where(positive, chances, 1 - chances)).sum())

    expected = minimize(loss, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}).x
    found = fit_binary_calibration(logits, positive)
    assert found.factor == pytest.approx(float(np.exp(expected[0])), rel=1e-3)
    assert found.offsets == pytest.approx((float(expected[1]),) * 3, abs=1e-3)
