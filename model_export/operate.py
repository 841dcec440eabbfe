"""Between log-odds and a stage: cut-offs, the indeterminate zone and GM+LSM, from training data only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from firmware_app.inference.bundle import THRESHOLDS, LsmConfidence, LsmCutoffs, OperatingPoint, Threshold
from model_export.patient_scores import PatientScores, Vector, positives, sigmoid
from model_export.statistics.operating_figures import youden_cutoff

RULE_SHARE = 0.95
"""Sensitivity that ruling out asks for, and specificity that ruling in asks for."""
ZONE_FACTOR = 1.0
"""Half-width of the indeterminate zone in standard errors of a patient's mean log-odds."""

Solver = Callable[[Vector, npt.NDArray[np.bool_]], tuple[float, Vector]]
"""Logistic regression: inputs (patients, f) and truth (patients,) to the intercept and f weights."""
INVERSE_PENALTY = 1e6
"""scikit-learn's C: so weak a ridge that it only keeps weights finite where a class separates perfectly."""


def exact_solver(inputs: Vector, positive: npt.NDArray[np.bool_]) -> tuple[float, Vector]:
    """Logistic regression by scikit-learn's L-BFGS."""
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=10_000, tol=1e-8).fit(inputs, positive)
    return float(model.intercept_[0]), np.asarray(model.coef_[0], dtype=np.float64)


def operating_points(scores: PatientScores, image_sd: float, images: int) -> dict[Threshold, OperatingPoint]:
    """Cut-offs on GM+EM probabilities, and the zone where five other pictures may say the opposite.

    Args:
        scores: training patients.
        image_sd: standard deviation of the image log-odds within a patient.
        images: acquisitions that are averaged.
    """
    half_width = ZONE_FACTOR * image_sd / np.sqrt(images)
    truth = positives(scores.stage)
    points: dict[Threshold, OperatingPoint] = {}
    for k, key in enumerate(THRESHOLDS):
        logits, positive = scores.gm_em[:, k], truth[:, k]
        cutoff = youden_cutoff(logits, positive).cutoff
        # Where the two classes hardly overlap, Youden's cut-off itself rules in or out.
        rule_out = min(rule_out_cutoff(logits, positive), cutoff)
        rule_in = max(rule_in_cutoff(logits, positive), cutoff)
        wanted = np.array([cutoff, cutoff - half_width, cutoff + half_width, rule_out, rule_in])
        point, low, high, out, into = (float(chance) for chance in sigmoid(wanted))
        points[key] = OperatingPoint(cutoff=point, low=low, high=high, rule_out=out, rule_in=into)
    return points


def rule_out_cutoff(scores: Vector, positive: npt.NDArray[np.bool_]) -> float:
    """The highest cut-off that at least 95 % of the positives reach."""
    ranked = np.sort(scores[positive])
    return float(ranked[int(np.floor((1.0 - RULE_SHARE) * ranked.size + 1e-9))])


def rule_in_cutoff(scores: Vector, positive: npt.NDArray[np.bool_]) -> float:
    """The lowest cut-off that at least 95 % of the negatives stay below; midway to the next patient."""
    ranked = np.sort(scores[~positive])
    highest_allowed = ranked[int(np.ceil(RULE_SHARE * ranked.size - 1e-9)) - 1]
    above = scores[scores > highest_allowed]
    return (
        float((highest_allowed + above.min()) / 2)
        if above.size
        else float(np.nextafter(highest_allowed, np.inf))
    )


def image_sd_within_patients(image_logits: Vector) -> float:
    """Pooled standard deviation of image log-odds (patients, images) within patients."""
    return float(np.sqrt(image_logits.var(axis=1, ddof=1).mean()))


def lsm_cutoffs(scores: PatientScores) -> LsmCutoffs:
    """Youden's stiffness cut-offs of the training patients."""
    truth = positives(scores.stage)
    ge_s2, ge_s3, s4 = (youden_cutoff(scores.lsm_kpa, truth[:, k]).cutoff for k in range(3))
    return LsmCutoffs(source="Youden, training patients of this bundle", ge_s2=ge_s2, ge_s3=ge_s3, s4=s4)


def fit_gm_lsm(
    scores: PatientScores, cutoffs: LsmCutoffs, solve: Solver = exact_solver
) -> dict[Threshold, LsmConfidence]:
    """GM+LSM at each threshold: logistic regression on the confidences of GM and of the stiffness.

    Args:
        scores: training patients.
        cutoffs: of the stiffness, kPa.
        solve: finds intercept and weights.
    """
    truth = positives(scores.stage)
    fitted: dict[Threshold, LsmConfidence] = {}
    for k, key in enumerate(THRESHOLDS):
        ln_cutoff_kpa = float(np.log(getattr(cutoffs, key)))
        scale = fit_scale(np.log(scores.lsm_kpa) - ln_cutoff_kpa, truth[:, k])
        confidence = lsm_confidence(scores.lsm_kpa, ln_cutoff_kpa, scale)
        intercept, (w_gm, w_lsm) = solve(
            np.stack([sigmoid(scores.gm[:, k]), confidence], axis=1), truth[:, k]
        )
        fitted[key] = LsmConfidence(
            ln_cutoff_kpa=ln_cutoff_kpa,
            scale=scale,
            intercept=intercept,
            w_gm=float(w_gm),
            w_lsm=float(w_lsm),
        )
    return fitted


def lsm_confidence(lsm_kpa: Vector, ln_cutoff_kpa: float, scale: float) -> Vector:
    """1 / (1 + exp(-(ln LSM - ln cutoff) / scale)), which ranks patients as the stiffness does."""
    return sigmoid((np.log(lsm_kpa) - ln_cutoff_kpa) / scale)


def fit_scale(distance: Vector, positive: npt.NDArray[np.bool_]) -> float:
    """Maximum-likelihood scale s of P = 1 / (1 + exp(-distance / s))."""
    model = LogisticRegression(C=INVERSE_PENALTY, fit_intercept=False, max_iter=10_000, tol=1e-8)
    slope = float(model.fit(distance[:, np.newaxis], positive).coef_[0, 0])
    return 1.0 / max(slope, 1e-3)


def gm_lsm_logits(scores: PatientScores, weights: dict[Threshold, LsmConfidence]) -> Vector:
    """GM+LSM log-odds of patients, (patients, 3)."""
    columns = []
    for k, key in enumerate(THRESHOLDS):
        one = weights[key]
        confidence = lsm_confidence(scores.lsm_kpa, one.ln_cutoff_kpa, one.scale)
        columns.append(one.intercept + one.w_gm * sigmoid(scores.gm[:, k]) + one.w_lsm * confidence)
    return np.stack(columns, axis=1)
