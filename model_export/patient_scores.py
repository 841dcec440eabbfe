"""What every patient of a cohort got, and the figures of it at each threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from firmware_app.inference.bundle import THRESHOLDS, Threshold
from model_export.errors import WrongInputError
from model_export.statistics.auc import delong_auc

Vector = npt.NDArray[np.float64]
LOWEST_STAGE: dict[Threshold, int] = {"ge_s2": 2, "ge_s3": 3, "s4": 4}
"""The least stage that counts as positive at each threshold."""


@dataclass(frozen=True, slots=True)
class PatientScores:
    """What every patient of a cohort got; log-odds (patients, 3) are the mean of the image log-odds."""

    stage: npt.NDArray[np.int64]
    lsm_kpa: Vector
    gm: Vector
    em: Vector
    gm_em: Vector


def positives(stage: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which patients are positive at each threshold, (patients, 3)."""
    return np.stack([stage >= LOWEST_STAGE[key] for key in THRESHOLDS], axis=1)


def auc_by_threshold(stage: npt.NDArray[np.int64], scores: Vector) -> dict[Threshold, float]:
    """Area under the ROC curve at each threshold.

    Args:
        stage: Scheuer stages 0-4, (patients,).
        scores: higher is worse, (patients,) or one column per threshold.

    Raises:
        WrongInputError: at one threshold all patients are on one side.
    """
    columns = scores if scores.ndim == 2 else np.repeat(scores[:, np.newaxis], len(THRESHOLDS), axis=1)
    truth = positives(stage)
    found: dict[Threshold, float] = {}
    for k, key in enumerate(THRESHOLDS):
        estimate = delong_auc(columns[:, k], truth[:, k]).auc
        if estimate is None:
            raise WrongInputError(f"no AUC at {key}: all patients are on one side of the threshold")
        found[key] = estimate
    return found


def sigmoid(logits: Vector) -> Vector:
    """Probabilities of log-odds."""
    return np.asarray(expit(logits), dtype=np.float64)
