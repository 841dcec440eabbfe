"""Log-odds that mean what they say: one factor and three ordered offsets, fitted on patients not trained on.

A patient's log-odds are the mean of the images', and an affine map of the mean is the mean of the mapped: the
fit goes into the graph (`graph_tail.apply_to_graph`), and the appliance averages and is done. A step function
such as isotonic regression would not survive the averaging; `cross_validated` measures both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import StratifiedKFold

from model_export.patient_scores import Vector, positives, sigmoid

PRIOR_STRENGTH = 1.0
"""Pull of the factor's logarithm towards none, in units of patients' log-likelihood."""
FOLDS = 5
ECE_BINS = 10
"""Bins of equal width for the expected calibration error (Guo et al., ICML 2017)."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """New log-odds of the three thresholds: factor * old + offsets, never increasing to the right."""

    factor: float
    offsets: tuple[float, float, float]

    def apply(self, logits: Vector) -> Vector:
        """Calibrated log-odds (..., 3)."""
        return np.asarray(self.factor * logits + np.array(self.offsets), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Fit:
    """How well probabilities fit: mean over the three thresholds, patients left out of the fit.

    Attributes:
        brier: mean squared error of the probabilities.
        ece: expected calibration error, ten bins.
    """

    brier: float
    ece: float


def fit_calibration(logits: Vector, stage: npt.NDArray[np.int64]) -> Calibration:
    """The most likely factor and ordered offsets.

    Args:
        logits: of one method, (patients, 3), mean of a patient's images; the columns differ by constants.
        stage: Scheuer stages 0-4, (patients,).

    Returns:
        A calibration of these log-odds.
    """
    score, gaps = logits[:, 0], (logits[:, :1] - logits).mean(axis=0)
    truth = positives(stage).astype(np.float64)

    def loss(parameters: Vector) -> tuple[float, Vector]:
        factor, biases, steps = np.exp(parameters[0]), _ordered(parameters[1:]), np.exp(parameters[2:])
        found = factor * score[:, np.newaxis] - biases
        value = np.logaddexp(0.0, found) - truth * found
        residual = (sigmoid(found) - truth).sum(axis=0)
        by_factor = ((sigmoid(found) - truth).sum(axis=1) * score).sum() * factor
        by_biases = np.array([residual.sum(), residual[1:].sum() * steps[0], residual[2] * steps[1]])
        total = value.sum() + PRIOR_STRENGTH * parameters[0] ** 2
        return float(total), np.concatenate([[by_factor + 2 * PRIOR_STRENGTH * parameters[0]], -by_biases])

    start = np.array([0.0, 0.0, *np.log(np.maximum(np.diff(gaps), 1e-2))])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-50, 50), (-9, 4), (-9, 4)])
    factor, biases = float(np.exp(found.x[0])), _ordered(found.x[1:])
    first, second, third = (float(value) for value in factor * gaps - biases)
    return Calibration(factor, (first, second, third))


def fit_binary_calibration(logits: Vector, positive: npt.NDArray[np.bool_]) -> Calibration:
    """The most likely factor and offset of a binary network; the three offsets are the same.

    Args:
        logits: of one method at one threshold, (patients,), mean of a patient's images.
        positive: at that threshold, (patients,).
    """
    truth = positive.astype(np.float64)

    def loss(parameters: Vector) -> tuple[float, Vector]:
        factor = np.exp(parameters[0])
        found = factor * logits + parameters[1]
        residual = sigmoid(found) - truth
        value = (np.logaddexp(0.0, found) - truth * found).sum() + PRIOR_STRENGTH * parameters[0] ** 2
        by_factor = (residual * logits).sum() * factor + 2 * PRIOR_STRENGTH * parameters[0]
        return float(value), np.array([by_factor, residual.sum()])

    found = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5, 5), (-50, 50)])
    offset = float(found.x[1])
    return Calibration(float(np.exp(found.x[0])), (offset, offset, offset))


def align(found: Vector, wanted: Vector) -> Calibration:
    """The least-squares factor and offsets that bring log-odds near those of another graph.

    Args:
        found: of one method, (patients, 3); the columns differ by constants.
        wanted: of the same patients by the other graph.
    """
    centred = found[:, 0] - found[:, 0].mean()
    spread = float(centred @ centred)
    factor = float(centred @ wanted[:, 0]) / spread if spread > 0 else 1.0
    if factor <= 0:
        factor = 1.0  # nothing in common; the gate will say so
    first, second, third = (float(value) for value in (wanted - factor * found).mean(axis=0))
    return Calibration(factor, (first, second, third))


def _ordered(parameters: Vector) -> Vector:
    """Three biases in ascending order from the first and the logarithms of two steps."""
    return np.cumsum([parameters[0], *np.exp(parameters[1:])])


def cross_validated(logits: Vector, stage: npt.NDArray[np.int64], seed: int) -> dict[str, Fit]:
    """Brier score and calibration error without calibration, with ours and with isotonic regression.

    Every patient is judged by a fit that has not seen him.

    Args:
        logits: of one method, (patients, 3).
        stage: (patients,); folds hold the same share of each stage as far as there are patients.
        seed: of the folds.
    """
    truth = positives(stage)
    found = {name: sigmoid(logits) for name in ("none", "temperature", "isotonic")}
    smallest = int(np.bincount(stage)[np.unique(stage)].min())
    folds = StratifiedKFold(max(2, min(FOLDS, smallest)), shuffle=True, random_state=seed)
    for fitted, left_out in folds.split(logits, stage):
        ours = fit_calibration(logits[fitted], stage[fitted])
        found["temperature"][left_out] = sigmoid(ours.apply(logits[left_out]))
        for k in range(truth.shape[1]):
            steps = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
            steps.fit(logits[fitted, k], truth[fitted, k])
            found["isotonic"][left_out, k] = steps.predict(logits[left_out, k])
    return {name: Fit(brier(chances, truth), ece(chances, truth)) for name, chances in found.items()}


def brier(chances: Vector, truth: npt.NDArray[np.bool_]) -> float:
    """Mean squared error of probabilities, of any one shape."""
    return float(((chances - truth) ** 2).mean())


def ece(chances: Vector, truth: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error: mean distance of probability and frequency, over bins of equal width."""
    which = np.minimum((chances * ECE_BINS).astype(int), ECE_BINS - 1).ravel()
    gaps = np.bincount(which, weights=(chances - truth).ravel(), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / chances.size)
