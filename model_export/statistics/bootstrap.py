"""An interval for image-level AUCs: resample patients, never images.

The five images of a patient are not five independent observations. An interval that treats them so is too
narrow; this one draws whole patients with replacement and takes percentiles (Efron & Tibshirani 1993, ch. 13;
for clustered ROC data compare Obuchowski, Biometrics 1997;53:567-578). scipy.stats.bootstrap resamples rows
only.

A patient drawn twice gives each of his images the weight 2, so the scores are sorted once and every replicate
is one weighted Mann-Whitney count in O(n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from model_export.statistics.figure import CONFIDENCE, BoolArray, Figure, FloatArray

_CHUNK = 200
"""Replicates per block: bounds the memory to 200 weights per image and sets the step of the progress bar."""


@dataclass(frozen=True, slots=True)
class ClusterBootstrap:
    """Image-level AUC with a percentile interval over resampled patients.

    Attributes:
        auc: the image-level AUC with its interval.
        standard_error: standard deviation over the replicates; None when fewer than two are valid.
        n_valid: replicates that held images of both classes; the others are left out.
        n_replicates: replicates drawn.
        seed: of the generator; the same seed gives the same interval.
    """

    auc: Figure
    standard_error: float | None
    n_valid: int
    n_replicates: int
    seed: int


def cluster_bootstrap_auc(  # noqa: PLR0913 - three arrays and three settings, each of its own kind
    scores: FloatArray,
    positive: BoolArray,
    patient: npt.NDArray[np.int64],
    *,
    replicates: int,
    seed: int,
    label: str | None = None,
) -> ClusterBootstrap:
    """Bootstrap the image-level AUC over patients.

    Args:
        scores: (n,) one per image, higher means worse.
        positive: (n,) True where the patient's stage is at or above the threshold.
        patient: (n,) number of the patient of each image, 0 to count - 1.
        replicates: how many cohorts to draw.
        seed: of the generator.
        label: text of the progress bar on stderr; None shows none. It is never shown off a terminal.
    """
    order = np.argsort(scores, kind="stable")
    _, starts = np.unique(scores[order], return_index=True)
    patient_sorted, positive_sorted = patient[order], positive[order].astype(np.float64)
    n_patients = int(patient.max()) + 1
    whole = _weighted_auc(np.ones((1, scores.size)), positive_sorted, starts)[0]
    generator = np.random.default_rng(seed)
    drawn: list[FloatArray] = []
    with tqdm(total=replicates, desc=label, unit="draw", disable=True if label is None else None) as progress:
        for begin in range(0, replicates, _CHUNK):
            size = min(_CHUNK, replicates - begin)
            picks = generator.multinomial(n_patients, np.full(n_patients, 1.0 / n_patients), size=size)
            weights = picks[:, patient_sorted].astype(np.float64)
            drawn.append(_weighted_auc(weights, positive_sorted, starts))
            progress.update(size)
    values = np.concatenate(drawn) if drawn else np.empty(0)
    values = values[np.isfinite(values)]
    return ClusterBootstrap(
        auc=_percentile_figure(float(whole), values),
        standard_error=float(values.std(ddof=1)) if values.size > 1 else None,
        n_valid=int(values.size),
        n_replicates=replicates,
        seed=seed,
    )


def _percentile_figure(whole: float, values: FloatArray) -> Figure:
    if not math.isfinite(whole):
        return Figure(None, note="no image on one side of the threshold")
    if values.size < 2:
        return Figure(whole, note="no interval: too few resampled cohorts hold both classes")
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return Figure(whole, float(low), float(high))


def _weighted_auc(weights: FloatArray, positive: FloatArray, starts: npt.NDArray[np.intp]) -> FloatArray:
    """Weighted Mann-Whitney AUC of images in ascending order of score.

    Args:
        weights: (r, n) how often each image counts in each replicate.
        positive: (n,) 1.0 for a positive image.
        starts: first index of each run of equal scores.

    Returns:
        (r,) AUCs; NaN where a replicate lacks a class.
    """
    of_positive = np.add.reduceat(weights * positive, starts, axis=1)
    of_negative = np.add.reduceat(weights * (1.0 - positive), starts, axis=1)
    below = np.cumsum(of_negative, axis=1) - of_negative
    pairs = of_positive.sum(axis=1) * of_negative.sum(axis=1)
    right = (of_positive * (below + 0.5 * of_negative)).sum(axis=1)
    auc: FloatArray = np.divide(right, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)
    return auc
