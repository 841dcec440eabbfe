"""How far a probability can be taken at its word: reliability curve, Brier score, expected calibration error.

A score in kPa is no probability. `fit_probability` turns it into one by logistic regression with Platt's
smoothed targets (Platt 1999, "Probabilistic outputs for support vector machines"), which stays finite when
the score separates the classes. It is increasing in the score unless the score points the wrong way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from model_export.statistics.figure import BoolArray, Figure, FloatArray
from model_export.statistics.operating_figures import proportion

N_BINS = 10
"""Bins of equal width over [0, 1] for the curve and for the expected calibration error."""


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Patients whose predicted probability falls in one bin.

    Attributes:
        n: patients in the bin, never zero.
        predicted: their mean predicted probability.
        observed: the share that is truly positive, with its exact interval.
    """

    n: int
    predicted: float
    observed: Figure


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of one method at one threshold.

    Attributes:
        brier: mean squared distance of probability and truth; 0 is perfect.
        brier_of_prevalence: the Brier score of saying the prevalence to everybody; a useful method is below
            it.
        expected_calibration_error: mean |observed - predicted| over bins, weighted by patients (Naeini et
            al., AAAI 2015), with `N_BINS` bins of equal width.
        bins: the reliability curve, empty bins left out.
    """

    brier: float
    brier_of_prevalence: float
    expected_calibration_error: float
    bins: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class ProbabilityFit:
    """P(positive) = 1 / (1 + exp(-(slope * score + intercept))); the slope is per unit of the score."""

    slope: float
    intercept: float

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Probabilities of scores of any shape."""
        log_odds = np.clip(self.slope * scores + self.intercept, -700.0, 700.0)  # exp stays finite
        probabilities: FloatArray = 1.0 / (1.0 + np.exp(-log_odds))
        return probabilities


def fit_probability(scores: FloatArray, positive: BoolArray) -> ProbabilityFit:
    """Fit a logistic curve from score to probability, with Platt's smoothed targets.

    Args:
        scores: (n,) finite.
        positive: (n,) truth; both classes must be present.
    """
    centre, spread = float(scores.mean()), float(scores.std()) or 1.0
    standard = ((scores - centre) / spread)[:, None]
    n_positive = int(positive.sum())
    n_negative = positive.size - n_positive
    target = np.where(positive, (n_positive + 1.0) / (n_positive + 2.0), 1.0 / (n_negative + 2.0))
    # A target between 0 and 1 is one patient split into a positive and a negative part.
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    model.fit(
        np.concatenate([standard, standard]),
        np.repeat([1, 0], positive.size),
        sample_weight=np.concatenate([target, 1.0 - target]),
    )
    slope = float(model.coef_[0, 0]) / spread
    return ProbabilityFit(slope=slope, intercept=float(model.intercept_[0]) - slope * centre)


def calibration(probabilities: FloatArray, positive: BoolArray) -> Calibration:
    """Reliability curve, Brier score and expected calibration error.

    Args:
        probabilities: (n,) in [0, 1], n at least 1.
        positive: (n,) truth.
    """
    bin_of = np.minimum((probabilities * N_BINS).astype(np.int64), N_BINS - 1)
    bins = []
    error = 0.0
    for index in np.unique(bin_of):
        inside = bin_of == index
        n, n_positive = int(inside.sum()), int(positive[inside].sum())
        observed = proportion(n_positive, n, "empty bin")
        predicted = float(probabilities[inside].mean())
        error += n * abs(n_positive / n - predicted) / positive.size
        bins.append(ReliabilityBin(n=n, predicted=predicted, observed=observed))
    prevalence = float(positive.mean())
    return Calibration(
        brier=float(np.mean((probabilities - positive) ** 2)),
        brier_of_prevalence=prevalence * (1.0 - prevalence),
        expected_calibration_error=error,
        bins=tuple(bins),
    )
