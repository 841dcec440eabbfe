"""Area under the ROC curve, its variance and the paired test, after DeLong.

AUC is the Mann-Whitney probability that a random positive patient scores higher than a random negative one, a
tie counting one half. Its variance and the covariance of two AUCs on the same patients come from the
placements of DeLong, DeLong & Clarke-Pearson (Biometrics 1988;44:837-845). As Sun & Xu showed (IEEE Signal
Process Lett 2014;21:1389-1393), ranks give them in O(n log n); here one sort per method does, with the
patients of each class counted per distinct score.

Why our own: scikit-learn and SciPy give the AUC but no variance. A package that does give DeLong's test,
MLstatkit 0.1.91, was tried: it answers p = 0 for two identical scores and silently changes to a bootstrap
when the variance is zero. The reference is R's pROC; the tests run it beside this module (marker `oracle`).

Precision: placements are kept as whole numbers of half pairs, which float64 holds exactly, and the variance
of a difference is taken from the differences of the placements instead of from S11 + S22 - 2 S12. So models
that rank alike differ by exactly zero, and nearly identical ones lose no digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from model_export.errors import WrongInputError
from model_export.statistics.figure import BoolArray, Figure, FloatArray, expit, logit, normal_quantile


@dataclass(frozen=True, slots=True)
class Placements:
    """For each patient, how many of the other class it is ordered rightly against (a tie counts one half).

    Attributes:
        positive: (m,) for each positive the number of negatives below it.
        negative: (n,) for each negative the number of positives above it.
    """

    positive: FloatArray
    negative: FloatArray


@dataclass(frozen=True, slots=True)
class AucEstimate:
    """An AUC and DeLong's variance of it.

    Attributes:
        auc: None when one of the classes is empty.
        variance: None when one of the classes has fewer than two patients. It is 0 when every patient of a
            class has the same placement, as in perfect separation; the true variance is not.
        n_positive: patients at or above the threshold.
        n_negative: patients below it.
    """

    auc: float | None
    variance: float | None
    n_positive: int
    n_negative: int


@dataclass(frozen=True, slots=True)
class PairedTest:
    """DeLong's test of two methods on the same patients.

    Attributes:
        difference: AUC of a minus AUC of b; None when one of the classes is empty.
        variance: of the difference; None when one of the classes has fewer than two patients.
        z: difference / sqrt(variance); 0 when the difference is 0; infinite when only the variance is.
        p: two-sided; 1 for methods that rank alike, never NaN; None where z is None.
    """

    difference: float | None
    variance: float | None
    z: float | None
    p: float | None

    def turned(self) -> PairedTest:
        """The test of b against a."""
        difference = None if self.difference is None else -self.difference
        return PairedTest(difference, self.variance, None if self.z is None else -self.z, self.p)


def placements(scores: FloatArray, positive: BoolArray) -> Placements:
    """Placement counts of one method.

    Args:
        scores: (n,) finite, higher means worse.
        positive: (n,) True where the stage is at or above the threshold.

    Raises:
        WrongInputError: the shapes differ or a score is not finite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    positive = np.asarray(positive, dtype=bool)
    if scores.ndim != 1 or scores.shape != positive.shape:
        raise WrongInputError(
            f"one score per patient is needed, not {scores.shape} for {positive.shape} patients"
        )
    if not np.isfinite(scores).all():
        raise WrongInputError("a score is not a finite number; remove the patient or give the score")
    levels, level_of = np.unique(scores, return_inverse=True)
    positives_at = np.bincount(level_of, weights=positive, minlength=levels.size)
    negatives_at = np.bincount(level_of, minlength=levels.size) - positives_at
    negatives_below = np.cumsum(negatives_at) - negatives_at
    positives_above = positives_at.sum() - np.cumsum(positives_at)
    return Placements(
        positive=(negatives_below + 0.5 * negatives_at)[level_of[positive]],
        negative=(positives_above + 0.5 * positives_at)[level_of[~positive]],
    )


def _variance(counts: Placements, n_positive: int, n_negative: int) -> float | None:
    """DeLong's variance S10/m + S01/n, or that of a difference when the counts are differences."""
    if min(n_positive, n_negative) < 2:
        return None
    of_positives = float(np.var(counts.positive, ddof=1)) / (n_negative**2 * n_positive)
    of_negatives = float(np.var(counts.negative, ddof=1)) / (n_positive**2 * n_negative)
    return of_positives + of_negatives


def auc_of_placements(counts: Placements) -> AucEstimate:
    """AUC and DeLong's variance of one method from its placements."""
    n_positive, n_negative = counts.positive.size, counts.negative.size
    if not n_positive or not n_negative:
        return AucEstimate(None, None, n_positive, n_negative)
    auc = float(counts.positive.sum()) / (n_positive * n_negative)
    return AucEstimate(auc, _variance(counts, n_positive, n_negative), n_positive, n_negative)


def paired_test_of_placements(a: Placements, b: Placements) -> PairedTest:
    """DeLong's two-sided test of two methods from their placements on the same patients."""
    n_positive, n_negative = a.positive.size, a.negative.size
    if not n_positive or not n_negative:
        return PairedTest(None, None, None, None)
    gap = Placements(a.positive - b.positive, a.negative - b.negative)
    difference = float(gap.positive.sum()) / (n_positive * n_negative)
    variance = _variance(gap, n_positive, n_negative)
    if variance is None:
        return PairedTest(difference, None, None, None)
    if difference == 0.0:
        return PairedTest(0.0, variance, 0.0, 1.0)
    if variance == 0.0:
        return PairedTest(difference, 0.0, math.copysign(math.inf, difference), 0.0)
    z = difference / math.sqrt(variance)
    return PairedTest(difference, variance, z, math.erfc(abs(z) / math.sqrt(2.0)))


def delong_auc(scores: FloatArray, positive: BoolArray) -> AucEstimate:
    """AUC with DeLong's variance.

    Args:
        scores: (n,) finite, higher means worse.
        positive: (n,) True where the stage is at or above the threshold.

    Raises:
        WrongInputError: the shapes differ or a score is not finite.
    """
    return auc_of_placements(placements(scores, positive))


def delong_test(scores_a: FloatArray, scores_b: FloatArray, positive: BoolArray) -> PairedTest:
    """DeLong's paired test of two methods on the same patients.

    Args:
        scores_a: (n,) finite, higher means worse.
        scores_b: (n,) of the other method, same patients in the same order.
        positive: (n,) True where the stage is at or above the threshold.

    Raises:
        WrongInputError: the shapes differ or a score is not finite.
    """
    return paired_test_of_placements(placements(scores_a, positive), placements(scores_b, positive))


def delong_covariance(counts: list[Placements]) -> FloatArray:
    """(k, k) covariance of the AUCs of k methods on the same patients; each class needs two patients."""
    of_positives = np.atleast_2d(np.cov(np.stack([method.positive for method in counts])))
    of_negatives = np.atleast_2d(np.cov(np.stack([method.negative for method in counts])))
    n_positive, n_negative = counts[0].positive.size, counts[0].negative.size
    covariance: FloatArray = of_positives / (n_negative**2 * n_positive) + of_negatives / (
        n_positive**2 * n_negative
    )
    return covariance


def auc_figure(estimate: AucEstimate, *, on_logit_scale: bool = False) -> Figure:
    """An AUC with its 95 % interval.

    Args:
        estimate: of one method.
        on_logit_scale: compute the interval on the logit scale, where it cannot leave [0, 1]; by default it
            is DeLong's symmetric one, clipped to [0, 1], as pROC prints it.
    """
    if estimate.auc is None:
        missing = "at or above" if not estimate.n_positive else "below"
        return Figure(None, note=f"no patient {missing} the threshold")
    if estimate.variance is None:
        return Figure(estimate.auc, note="no interval: a class has only one patient")
    spread = normal_quantile() * math.sqrt(estimate.variance)
    caution = (
        "" if estimate.variance else "the interval has no width because no placement varies; do not trust it"
    )
    if not on_logit_scale:
        low, high = max(0.0, estimate.auc - spread), min(1.0, estimate.auc + spread)
        return Figure(estimate.auc, low, high, caution)
    if estimate.auc in (0.0, 1.0):
        return Figure(estimate.auc, note="no logit interval: the AUC is at its limit")
    spread /= estimate.auc * (1.0 - estimate.auc)
    low, high = expit(logit(estimate.auc) - spread), expit(logit(estimate.auc) + spread)
    return Figure(estimate.auc, low, high, caution)
