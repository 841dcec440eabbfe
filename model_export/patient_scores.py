"""How well a method tells the stages apart, patient by patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score, roc_curve

from firmware_app.inference.bundle import THRESHOLDS, Threshold

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
    """
    columns = scores if scores.ndim == 2 else np.repeat(scores[:, np.newaxis], len(THRESHOLDS), axis=1)
    truth = positives(stage)
    return {key: float(roc_auc_score(truth[:, k], columns[:, k])) for k, key in enumerate(THRESHOLDS)}


def youden_cutoff(positive: npt.NDArray[np.bool_], score: Vector) -> float:
    """The cut-off with the greatest sensitivity + specificity; midway to the next lower score.

    Args:
        positive: who is positive, (patients,).
        score: higher is worse, (patients,).
    """
    false_rate, true_rate, cutoffs = roc_curve(positive, score, drop_intermediate=False)
    best = float(cutoffs[int(np.argmax(true_rate[1:] - false_rate[1:])) + 1])
    below = score[score < best]
    return (best + float(below.max())) / 2 if below.size else best


def sigmoid(logits: Vector) -> Vector:
    """Probabilities of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float64)
