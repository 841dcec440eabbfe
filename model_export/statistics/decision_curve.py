"""Is acting on the score better than acting on everybody or on nobody?

Net benefit (Vickers & Elkin, Med Decis Making 2006;26:565-574) at a threshold probability t, the risk at
which one would act: true positives / n - false positives / n * t / (1 - t). Nobody has net benefit 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from model_export.statistics.figure import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class DecisionCurve:
    """Net benefit over threshold probabilities; all arrays are (k,), in patients per patient.

    Attributes:
        threshold_probability: the risks at which one would act, inside (0, 1).
        net_benefit: of acting on those whose predicted probability is at or above the threshold probability.
        net_benefit_of_all: of acting on everybody.
    """

    threshold_probability: FloatArray
    net_benefit: FloatArray
    net_benefit_of_all: FloatArray


def decision_curve(
    probabilities: FloatArray, positive: BoolArray, threshold_probability: FloatArray | None = None
) -> DecisionCurve:
    """Net benefit of a method.

    Args:
        probabilities: (n,) in [0, 1], n at least 1.
        positive: (n,) truth.
        threshold_probability: (k,) inside (0, 1); by default 0.01 to 0.99 in steps of 0.01.
    """
    at = np.arange(1, 100) / 100.0 if threshold_probability is None else threshold_probability
    called = probabilities[None, :] >= at[:, None]
    true_positive = (called & positive).sum(axis=1) / positive.size
    false_positive = (called & ~positive).sum(axis=1) / positive.size
    odds = at / (1.0 - at)
    prevalence = float(positive.mean())
    return DecisionCurve(
        threshold_probability=at,
        net_benefit=true_positive - false_positive * odds,
        net_benefit_of_all=prevalence - (1.0 - prevalence) * odds,
    )
