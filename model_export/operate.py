"""Between log-odds and a stage: cut-offs, the indeterminate zone and GM+LSM, from training data only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from firmware_app.inference.bundle import THRESHOLDS, LsmConfidence, LsmCutoffs, OperatingPoint, Threshold
from model_export.patient_scores import PatientScores, Vector, positives, sigmoid, youden_cutoff

ZONE_FACTOR = 1.0
"""Half-width of the indeterminate zone in standard errors of a patient's mean log-odds."""


def operating_points(scores: PatientScores, image_sd: float, images: int) -> dict[Threshold, OperatingPoint]:
    """Youden's cut-off on GM+EM probabilities, and the zone where five other pictures may say the opposite.

    Args:
        scores: training patients.
        image_sd: standard deviation of the image log-odds within a patient.
        images: acquisitions that are averaged.
    """
    half_width = ZONE_FACTOR * image_sd / np.sqrt(images)
    truth = positives(scores.stage)
    points: dict[Threshold, OperatingPoint] = {}
    for k, key in enumerate(THRESHOLDS):
        logit = youden_cutoff(truth[:, k], scores.gm_em[:, k])
        low, cutoff, high = sigmoid(np.array([logit - half_width, logit, logit + half_width]))
        points[key] = OperatingPoint(cutoff=float(cutoff), low=float(low), high=float(high))
    return points


def image_sd_within_patients(image_logits: Vector) -> float:
    """Pooled standard deviation of image log-odds (patients, images) within patients."""
    return float(np.sqrt(image_logits.var(axis=1, ddof=1).mean()))


def lsm_cutoffs(scores: PatientScores) -> LsmCutoffs:
    """Youden's stiffness cut-offs of the training patients."""
    truth = positives(scores.stage)
    ge_s2, ge_s3, s4 = (youden_cutoff(truth[:, k], scores.lsm_kpa) for k in range(3))
    return LsmCutoffs(source="Youden, training patients of this bundle", ge_s2=ge_s2, ge_s3=ge_s3, s4=s4)


def fit_gm_lsm(scores: PatientScores, cutoffs: LsmCutoffs) -> dict[Threshold, LsmConfidence]:
    """GM+LSM at each threshold: logistic regression on the confidences of GM and of the stiffness.

    Args:
        scores: training patients.
        cutoffs: of the stiffness, kPa.
    """
    truth = positives(scores.stage)
    fitted: dict[Threshold, LsmConfidence] = {}
    for k, key in enumerate(THRESHOLDS):
        distance = np.log(scores.lsm_kpa) - np.log(getattr(cutoffs, key))
        scale = fit_scale(distance, truth[:, k])
        confidences = np.stack([sigmoid(scores.gm[:, k]), sigmoid(distance / scale)], axis=1)
        model = LogisticRegression(C=1e6, max_iter=10_000, tol=1e-8).fit(confidences, truth[:, k])
        fitted[key] = LsmConfidence(
            ln_cutoff_kpa=float(np.log(getattr(cutoffs, key))),
            scale=scale,
            intercept=float(model.intercept_[0]),
            w_gm=float(model.coef_[0, 0]),
            w_lsm=float(model.coef_[0, 1]),
        )
    return fitted


def fit_scale(distance: Vector, positive: npt.NDArray[np.bool_]) -> float:
    """Maximum-likelihood scale s of P = 1 / (1 + exp(-distance / s))."""
    model = LogisticRegression(C=1e6, fit_intercept=False, max_iter=10_000, tol=1e-8)
    slope = float(model.fit(distance[:, np.newaxis], positive).coef_[0, 0])
    return 1.0 / max(slope, 1e-3)


def gm_lsm_logits(scores: PatientScores, weights: dict[Threshold, LsmConfidence]) -> Vector:
    """GM+LSM log-odds of patients, (patients, 3)."""
    columns = []
    for k, key in enumerate(THRESHOLDS):
        one = weights[key]
        lsm_confidence = sigmoid((np.log(scores.lsm_kpa) - one.ln_cutoff_kpa) / one.scale)
        columns.append(one.intercept + one.w_gm * sigmoid(scores.gm[:, k]) + one.w_lsm * lsm_confidence)
    return np.stack(columns, axis=1)
