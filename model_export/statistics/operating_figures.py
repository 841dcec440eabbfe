"""What a cut-off does: sensitivity, specificity, predictive values and likelihood ratios with intervals.

A patient is called positive when the score is at or above the cut-off. Intervals, all 95 %:

- sensitivity, specificity: exact binomial (Clopper & Pearson, Biometrika 1934;26:404-413), from SciPy;
- LR+ and LR-: log method (Simel, Samsa & Matchar, J Clin Epidemiol 1991;44:763-770);
- PPV, NPV: logit method at the prevalence of the cohort (Mercaldo, Lau & Zhou, Stat Med 2007;26:2170-2183);
  where that is undefined (no false or no true one among those called so) the exact binomial one, and the note
  says so.

Checked against the worked 2x2 table of R's epiR and against plain counting.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from model_export.errors import WrongInputError
from model_export.statistics.figure import (
    CONFIDENCE,
    BoolArray,
    Figure,
    FloatArray,
    expit,
    logit,
    normal_quantile,
)


@dataclass(frozen=True, slots=True)
class TwoByTwo:
    """Patients by truth and call: true positives, false negatives, false positives, true negatives."""

    true_positive: int
    false_negative: int
    false_positive: int
    true_negative: int


@dataclass(frozen=True, slots=True)
class OperatingFigures:
    """The six figures of the paper's Tables 2 and 3 at one cut-off, as fractions and ratios."""

    sensitivity: Figure
    specificity: Figure
    ppv: Figure
    npv: Figure
    lr_pos: Figure
    lr_neg: Figure


@dataclass(frozen=True, slots=True)
class YoudenCutoff:
    """The cut-off with the largest sensitivity + specificity - 1.

    Attributes:
        cutoff: a score at or above it is called positive.
        youden: sensitivity + specificity - 1 on the data it was chosen on; 0 when no cut-off beats "all
            positive".
        n_tied: how many cut-offs reach the same value.
    """

    cutoff: float
    youden: float
    n_tied: int


def youden_cutoff(scores: FloatArray, positive: BoolArray) -> YoudenCutoff:
    """Choose the cut-off by Youden's index (Cancer 1950;3:32-35).

    Candidates are the midpoints between neighbouring distinct scores, as in pROC, and the lowest score ("all
    positive"). The index is compared in whole numbers of pairs, so ties are exact and do not depend on
    rounding; among tied cut-offs the lowest is taken, which has the highest sensitivity.

    Args:
        scores: (n,) finite, higher means worse.
        positive: (n,) True where the stage is at or above the threshold; both classes must be present.

    Raises:
        WrongInputError: one of the classes is empty.
    """
    levels, level_of = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    positives_at = np.bincount(level_of, weights=positive, minlength=levels.size).astype(np.int64)
    all_at = np.bincount(level_of, minlength=levels.size).astype(np.int64)
    n_positive = int(positives_at.sum())
    n_negative = int(all_at.sum()) - n_positive
    if not n_positive or not n_negative:
        raise WrongInputError("a cut-off needs patients on both sides of the threshold")
    # Called positive from level i upwards: all those not strictly below level i.
    true_positive = n_positive - np.concatenate([[0], np.cumsum(positives_at)[:-1]])
    false_positive = n_negative - np.concatenate([[0], np.cumsum(all_at - positives_at)[:-1]])
    index = true_positive * n_negative - false_positive * n_positive
    best = int(np.argmax(index))
    return YoudenCutoff(
        cutoff=_midpoint_below(levels, best),
        youden=float(index[best]) / (n_positive * n_negative),
        n_tied=int(np.count_nonzero(index == index[best])),
    )


def _midpoint_below(levels: FloatArray, index: int) -> float:
    """Midpoint between a level and the one below; the level itself where there is none."""
    here = float(levels[index])
    if index == 0:
        return here
    below = float(levels[index - 1])
    middle = below / 2.0 + here / 2.0  # halved first: the sum may overflow
    return middle if below < middle <= here else here


def two_by_two(scores: FloatArray, positive: BoolArray, cutoff: float) -> TwoByTwo:
    """Count truth against call at a cut-off (positive means score >= cutoff)."""
    called = np.asarray(scores) >= cutoff
    return TwoByTwo(
        true_positive=int(np.count_nonzero(called & positive)),
        false_negative=int(np.count_nonzero(~called & positive)),
        false_positive=int(np.count_nonzero(called & ~positive)),
        true_negative=int(np.count_nonzero(~called & ~positive)),
    )


def proportion(successes: int, trials: int, empty: str) -> Figure:
    """A proportion with its Clopper-Pearson interval; `empty` is the reason when there was no trial."""
    if not trials:
        return Figure(None, note=empty)
    interval = binomtest(successes, trials).proportion_ci(confidence_level=CONFIDENCE, method="exact")
    return Figure(successes / trials, float(interval.low), float(interval.high))


def _likelihood_ratio(among_positive: int, among_negative: int, n_positive: int, n_negative: int) -> Figure:
    """(among_positive / n_positive) / (among_negative / n_negative) with its log interval."""
    if not n_positive or not n_negative:
        return Figure(None, note="no patient on one side of the threshold")
    if not among_negative:
        both = not among_positive
        return Figure(None, note="undefined: 0 / 0" if both else "infinite: the denominator is zero")
    ratio = (among_positive / n_positive) / (among_negative / n_negative)
    if not among_positive:
        return Figure(0.0, note="no interval: the numerator is zero")
    spread = normal_quantile() * math.sqrt(
        1.0 / among_positive - 1.0 / n_positive + 1.0 / among_negative - 1.0 / n_negative
    )
    return Figure(ratio, ratio * math.exp(-spread), ratio * math.exp(spread))


def _predictive_value(right: int, wrong: int, n_right: int, n_wrong: int, empty: str) -> Figure:
    """Share of the right among those called so, right / (right + wrong), with Mercaldo's logit interval.

    Args:
        right: patients called so and truly so, of `n_right` who truly are.
        wrong: patients called so who are not, of `n_wrong` who truly are not.
        n_right: size of the class that the call names.
        n_wrong: size of the other class.
        empty: the reason when nobody was called so.
    """
    exact = proportion(right, right + wrong, empty)
    if exact.value is None:
        return exact
    if not right or not wrong:
        return Figure(
            exact.value, exact.low, exact.high, "exact binomial interval: the logit one is undefined here"
        )
    spread = normal_quantile() * math.sqrt(1.0 / right - 1.0 / n_right + 1.0 / wrong - 1.0 / n_wrong)
    centre = logit(exact.value)
    return Figure(exact.value, expit(centre - spread), expit(centre + spread))


def operating_figures(table: TwoByTwo) -> OperatingFigures:
    """All six figures of a 2x2 table; what is undefined has a value of None and the reason."""
    n_positive = table.true_positive + table.false_negative
    n_negative = table.false_positive + table.true_negative
    return OperatingFigures(
        sensitivity=proportion(table.true_positive, n_positive, "no patient at or above the threshold"),
        specificity=proportion(table.true_negative, n_negative, "no patient below the threshold"),
        ppv=_predictive_value(
            table.true_positive, table.false_positive, n_positive, n_negative, "nobody is called positive"
        ),
        npv=_predictive_value(
            table.true_negative, table.false_negative, n_negative, n_positive, "nobody is called negative"
        ),
        lr_pos=_likelihood_ratio(table.true_positive, table.false_positive, n_positive, n_negative),
        lr_neg=_likelihood_ratio(table.false_negative, table.true_negative, n_positive, n_negative),
    )
