"""A number with its interval, or the reason why it has none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

CONFIDENCE = 0.95
"""Level of every interval, two-sided, as in the paper."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A statistic as it is reported.

    Attributes:
        value: the estimate; None when it is undefined or infinite, and then `note` says why.
        low: lower end of the 95 % interval; None when the interval is undefined, and then `note` says why.
        high: upper end, likewise.
        note: the reason for a missing part, or a caution about the interval; empty when there is none.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""


def normal_quantile(confidence: float = CONFIDENCE) -> float:
    """Two-sided quantile of the standard normal distribution (1.959964 for 95 %)."""
    return float(norm.ppf(0.5 + confidence / 2.0))


def logit(probability: float) -> float:
    """Log odds of a probability strictly between 0 and 1."""
    return math.log(probability / (1.0 - probability))


def expit(log_odds: float) -> float:
    """The probability of these log odds, without overflow on either side."""
    if log_odds >= 0:
        return 1.0 / (1.0 + math.exp(-log_odds))
    return math.exp(log_odds) / (1.0 + math.exp(log_odds))
