"""The study's methods: LSM's confidence, GM+LSM by gradient descent, serum scores, the tables of scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from firmware_app.inference.bundle import THRESHOLDS
from firmware_app.serum import Serum
from model_export import operate
from model_export.errors import WrongInputError
from model_export.evaluate_scores import THRESHOLDS as EVALUATED
from model_export.evaluate_scores import read_scores
from model_export.patient_scores import Vector, positives
from model_export.statistics.auc import delong_auc
from model_export.statistics.figure import BoolArray
from model_export.study.gm_lsm import Descent
from model_export.study.methods import Measured, columns_of, fit_methods, write_scores
from model_export.study.patients import StudyPatient, read_patients

SERUM = Serum(ast_u_l=80.0, ast_uln_u_l=40.0, platelets_g_l=200.0, alt_u_l=100.0, age_years=50.0)
"""APRI 1, FIB-4 2."""


def measured(patients: int, seed: int, prefix: str) -> Measured:
    """Patients whose stiffness and log-odds follow the stage, with noise between and within patients."""
    rng = np.random.default_rng(seed)
    stage = np.arange(patients) % 5
    latent = stage + rng.normal(size=patients)
    noise = rng.normal(size=(2, patients, 5, 3))
    logits = (latent[:, None, None] + 0.4 * noise - 2.0)[..., None] - np.array([0.0, 1.0, 2.0])
    return Measured(
        patients=tuple(StudyPatient(f"{prefix}{index}", int(one), SERUM) for index, one in enumerate(stage)),
        lsm_kpa=np.exp(1.7 + 0.25 * stage + 0.3 * rng.normal(size=patients))[:, None]
        * np.exp(0.05 * rng.normal(size=(patients, 5))),
        transfer=logits[0],
        twin=logits[1],
    )


@pytest.fixture(scope="module")
def train() -> Measured:
    """Training patients."""
    return measured(364, 1, "a")


@pytest.fixture(scope="module")
def test_patients() -> Measured:
    """Other patients."""
    return measured(102, 2, "b")


def confidences(separation: float, seed: int) -> tuple[Vector, BoolArray]:
    """Two correlated confidences of 364 patients, half of them positive."""
    rng = np.random.default_rng(seed)
    positive = rng.random(364) < 0.5
    latent = rng.normal(size=364) + separation * positive
    logits = 2 * (latent[:, None] + 0.7 * rng.normal(size=(364, 2))) - separation
    return 1 / (1 + np.exp(-logits)), positive


@pytest.mark.parametrize("separation", [0.0, 1.0, 3.0, 5.0])
def test_gradient_descent_finds_the_exact_solution(separation: float) -> None:
    """Intercept and weights are scikit-learn's to 1e-3, from no signal to nearly perfect separation."""
    inputs, positive = confidences(separation, 3)
    exact = LogisticRegression(C=operate.INVERSE_PENALTY, tol=1e-12, max_iter=100_000).fit(inputs, positive)
    intercept, weights = Descent(seed=1)(inputs, positive)
    assert intercept == pytest.approx(exact.intercept_[0], abs=1e-3)
    np.testing.assert_allclose(weights, exact.coef_[0], atol=1e-3)


def test_gradient_descent_goes_by_batches_and_is_reproducible() -> None:
    """Two seeds take different ways; one seed takes the same way twice."""
    inputs, positive = confidences(1.0, 4)
    short = {"epochs_per_size": 1, "last_steps": 0}
    ways = [Descent(seed, **short)(inputs, positive)[0] for seed in (1, 1, 2)]
    assert ways[0] == ways[1] != ways[2]


def test_a_constant_or_repeated_input_does_not_matter() -> None:
    """A confidence that never varies, or that repeats the other, leaves the fit finite and as good."""
    inputs, positive = confidences(1.0, 5)
    alone = Descent(1)(inputs[:, :1], positive)
    for second in (np.full(364, 0.5), inputs[:, 0]):
        both = np.column_stack([inputs[:, 0], second])
        intercept, weights = Descent(1)(both, positive)
        np.testing.assert_allclose(
            intercept + both @ weights, alone[0] + inputs[:, 0] * alone[1][0], atol=1e-3
        )


def test_confidence_of_the_stiffness_ranks_as_the_stiffness_does(train: Measured) -> None:
    """Its AUC is the stiffness's at every threshold, and it is one half at the cut-off."""
    scores, fitted = train.patient_scores(), fit_methods(train, train, 1).gm_lsm
    for k, key in enumerate(THRESHOLDS):
        truth, one = positives(scores.stage)[:, k], fitted[key]
        confidence = operate.lsm_confidence(scores.lsm_kpa, one.ln_cutoff_kpa, one.scale)
        assert delong_auc(confidence, truth) == delong_auc(scores.lsm_kpa, truth)
        at_cutoff = np.array([getattr(operate.lsm_cutoffs(scores), key)])
        assert operate.lsm_confidence(at_cutoff, one.ln_cutoff_kpa, one.scale) == pytest.approx(0.5)


def test_the_scale_is_the_most_likely_one(train: Measured) -> None:
    """No other scale makes the training patients more likely."""
    scores = train.patient_scores()
    truth = positives(scores.stage)[:, 1]
    distance = np.log(scores.lsm_kpa) - np.log(operate.lsm_cutoffs(scores).ge_s3)
    scale = operate.fit_scale(distance, truth)

    def likelihood(s: float) -> float:
        return float(-np.logaddexp(0.0, np.where(truth, -1.0, 1.0) * distance / s).sum())

    grid = np.geomspace(scale / 3, scale * 3, 601)
    assert likelihood(scale) >= max(map(likelihood, grid)) - 1e-6


def test_gm_lsm_is_fitted_on_training_patients_and_equals_the_bundles(
    train: Measured, test_patients: Measured
) -> None:
    """Other test patients change nothing; gradient descent gives what the bundle's exact solver gives."""
    fitted = fit_methods(train, test_patients, 1).gm_lsm
    assert fitted == fit_methods(train, measured(30, 9, "c"), 1).gm_lsm
    scores = train.patient_scores()
    exact = operate.fit_gm_lsm(scores, operate.lsm_cutoffs(scores))
    for key in THRESHOLDS:
        for name in ("ln_cutoff_kpa", "scale", "intercept", "w_gm", "w_lsm"):
            assert getattr(fitted[key], name) == pytest.approx(getattr(exact[key], name), abs=1e-3)


def test_scores_are_read_by_evaluate(train: Measured, test_patients: Measured, tmp_path: Path) -> None:
    """Evaluate finds every method, and its patients' scores are the means of their pictures'."""
    fitted = fit_methods(train, test_patients, 1)
    for name, one in (("train", train), ("test", test_patients)):
        write_scores(tmp_path / f"{name}_scores.csv", one, columns_of(one, fitted))
    table, reference = read_scores(tmp_path / "test_scores.csv", tmp_path / "train_scores.csv", None)
    assert reference is not None
    assert table.methods() == (
        *("LSM", "APRI", "FIB-4", "GM", "EM", "GM+EM", "GM+LSM", "GM non-TL", "EM non-TL"),
    )
    assert table.patient_ids == tuple(f"b{index}" for index in range(102))
    scores = test_patients.patient_scores()
    np.testing.assert_array_equal(table.stage, scores.stage)
    for method, expected in (("GM", scores.gm), ("EM", scores.em), ("GM+EM", scores.gm_em)):
        for k, threshold in enumerate(EVALUATED):
            column = table.column(method, threshold)
            assert column is not None
            np.testing.assert_allclose(column.patients, expected[:, k], rtol=1e-12)
    np.testing.assert_allclose(table.columns["LSM"].patients, scores.lsm_kpa, rtol=1e-12)
    np.testing.assert_allclose(table.columns["APRI"].patients, 1.0)
    np.testing.assert_allclose(table.columns["FIB-4"].patients, 2.0)
    by_weights = operate.gm_lsm_logits(scores, fitted.gm_lsm)
    np.testing.assert_allclose(table.columns["GM+LSM@S4"].patients, by_weights[:, 2], rtol=1e-12)


def test_a_method_whose_values_are_missing_is_left_out_by_name(
    train: Measured, test_patients: Measured
) -> None:
    """One patient without ALT costs FIB-4, one without serum APRI too; no twin costs its columns."""
    first, *others = test_patients.patients
    no_alt = replace(first, serum=replace(SERUM, alt_u_l=None))
    lacking = replace(test_patients, patients=(no_alt, *others))
    assert fit_methods(train, lacking, 1).left_out == {
        "FIB-4": "1 of 466 patients have no AST, ALT, platelets or age"
    }
    nothing = replace(test_patients, patients=(replace(first, serum=None), *others), twin=None)
    fitted = fit_methods(train, nothing, 1)
    assert set(fitted.left_out) == {"APRI", "FIB-4", "GM non-TL", "EM non-TL"}
    assert {name.partition("@")[0] for name in columns_of(nothing, fitted)} == {
        *("LSM", "GM", "EM", "GM+EM", "GM+LSM"),
    }


HEADER = "id,stage,age,sex,ast_u_l,ast_uln_u_l,alt_u_l,platelets_10e9_l\n"


def test_patients_are_read_from_the_prepared_table(tmp_path: Path) -> None:
    """Serum values where they are given, none where they are not."""
    (tmp_path / "test_patients.csv").write_text(HEADER + "p1,4,50,f,80,40,100,200\np2,0,61,m,,,,\n")
    assert read_patients(tmp_path, "test") == (
        StudyPatient("p1", 4, SERUM),
        StudyPatient("p2", 0, None),
    )


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (HEADER + "p1,4,50,f,80,40,100,200000\n", "patient p1: platelets of 200000"),
        (HEADER + "p1,four,50,f,80,40,100,200\n", "cannot be read"),
        ("id,age\np1,50\n", "cannot be read"),
        (None, "missing"),
    ],
)
def test_a_damaged_table_of_patients_is_told(tmp_path: Path, table: str | None, words: str) -> None:
    """What is wrong is told in one line that names the table."""
    if table is not None:
        (tmp_path / "test_patients.csv").write_text(table)
    with pytest.raises(WrongInputError, match=words) as told:
        read_patients(tmp_path, "test")
    assert "test_patients.csv" in str(told.value)
