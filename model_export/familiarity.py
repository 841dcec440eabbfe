"""How far training pictures lie from each other: fits the out-of-range check of a bundle.

The limit comes from patients that the cloud has not seen: the training patients are divided into folds, each
fold is measured against the cloud of the others, and the limit is a stated quantile of those distances.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh

from firmware_app.inference.familiarity import Cloud, Familiarity, Vector

AXES = 24
"""Principal axes that are kept: 0.4 MB for both networks."""
QUANTILE = 0.998
"""Share of unseen training pictures that each network must find familiar."""
FOLDS = 5
SHRINKAGE = 0.1
"""How far the variances along the axes are drawn towards their mean: the smallest are estimated too small."""
SMALLEST_DEVIATION = 1e-4
"""A feature that varies less over the training pictures says nothing."""


def fit_familiarity(gm: Vector, em: Vector) -> Familiarity:
    """The check for the features of a training cohort.

    Args:
        gm: features of the gray-scale network by the bundle's own graph, (patients, acquisitions, 2048).
        em: of the elastogram network, likewise.
    """
    return Familiarity(gm=_fit(gm), em=_fit(em))


def count_strange(familiarity: Familiarity, gm: Vector, em: Vector) -> tuple[int, int]:
    """How many pictures either network finds unfamiliar, and how many there are; features as above."""
    distances = np.maximum(familiarity.gm.distance(gm), familiarity.em.distance(em))
    return int((distances > 1).sum()), int(distances.size)


def _fit(features: Vector) -> Cloud:
    patients = np.arange(len(features))
    distances = [
        _cloud(features[patients % FOLDS != fold]).distance(features[patients % FOLDS == fold])
        for fold in range(min(FOLDS, len(features)))
    ]
    limit = np.quantile(np.concatenate(distances), QUANTILE)
    return _cloud(features, limit)


def _cloud(features: Vector, limit: npt.ArrayLike = 1.0) -> Cloud:
    """The cloud of pictures (patients, acquisitions, 2048) with a limit on the distance."""
    rows = features.reshape(-1, features.shape[-1]).astype(np.float64)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation[deviation < SMALLEST_DEVIATION] = np.inf
    standard = (rows - mean) / deviation
    # Both products have the same eigenvalues but zeros; the smaller one is quicker.
    few = len(standard) < standard.shape[1]
    product = (standard @ standard.T if few else standard.T @ standard) / len(standard)
    last = len(product) - 1
    kept = max(1, min(AXES, len(standard) - 1))
    variance, vectors = eigh(product, subset_by_index=[last - kept + 1, last])
    axes = standard.T @ vectors / np.sqrt(variance * len(standard)) if few else vectors
    shrunk = (1.0 - SHRINKAGE) * variance + SHRINKAGE * variance.mean()
    # Satterthwaite: what is off the axes, with variances v, behaves like sum(v^2) / sum(v) times chi-squared,
    # so one effective dimension of it weighs as much as one axis.
    sum_off = np.trace(product) - variance.sum()
    squares_off = (product**2).sum() - (variance**2).sum()
    left_over = max(squares_off, 0.0) / max(sum_off, np.finfo(np.float32).tiny)
    arrays = (mean, deviation, axes.T, shrunk, left_over + np.finfo(np.float32).tiny, limit)
    return Cloud(*(np.asarray(array, dtype=np.float32) for array in arrays))
