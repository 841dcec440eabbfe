"""The results as `tables.json`: plain numbers, null with a reason where there is none, never NaN.

A figure stands as `name` beside `name_ci`, [low, high]; a null has its reason under `reasons`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

from firmware_app.wording import NOTICE
from model_export.evaluate_results import CohortResult, Comparison, MethodResult, Probability
from model_export.evaluate_scores import THRESHOLDS
from model_export.statistics.agreement import Agreement
from model_export.statistics.figure import Figure, normal_quantile

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

FIGURES = ("sensitivity", "specificity", "ppv", "npv", "lr_pos", "lr_neg")


def tables(
    result: CohortResult, training: CohortResult | None, provenance: Mapping[str, str | int | float | None]
) -> dict[str, Json]:
    """The whole content of `tables.json`.

    Args:
        result: of the cohort to evaluate.
        training: of the training cohort, on which the figures are optimistic; None when there was none.
        provenance: command, digests, versions, seed.
    """
    content = _cohort(result)
    content["training"] = None if training is None else _cohort(training)
    return {"notice": NOTICE, **content, "provenance": dict(provenance)}


def _cohort(result: CohortResult) -> dict[str, Json]:
    return {
        "cohort": {
            "n_patients": result.n_patients,
            "n_images": result.n_images,
            "stages": {f"S{stage}": count for stage, count in enumerate(result.stage_counts)},
        },
        "optimistic": result.optimistic,
        "thresholds": {
            threshold.name: {
                "n_positive": sum(result.stage_counts[threshold.stage :]),
                "n_negative": sum(result.stage_counts[: threshold.stage]),
                "methods": {
                    name: _method(method, optimistic=result.optimistic)
                    for name, method in result.methods[threshold.name].items()
                },
            }
            for threshold in THRESHOLDS
        },
        "comparisons": [_comparison(comparison) for comparison in result.comparisons],
        "agreement": {name: _agreement(value) for name, value in result.agreement.items()},
    }


def _interval(figure: Figure) -> Json:
    return None if figure.low is None or figure.high is None else [figure.low, figure.high]


def _method(method: MethodResult, *, optimistic: bool) -> dict[str, Json]:
    reasons: dict[str, Json] = {}

    def put(name: str, figure: Figure) -> dict[str, Json]:
        if figure.note:
            reasons[name] = figure.note
        return {name: figure.value, f"{name}_ci": _interval(figure)}

    content = put("auc", method.auc)
    for name in FIGURES:
        absent = Figure(None, note=method.note)
        content |= put(name, absent if method.figures is None else getattr(method.figures, name))
    if method.cutoff is None:
        reasons["cutoff"] = method.note
    counts = method.counts
    content |= {
        "cutoff": method.cutoff,
        "cutoff_optimistic": optimistic,
        "counts": None
        if counts is None
        else {
            "true_positive": counts.true_positive,
            "false_negative": counts.false_negative,
            "false_positive": counts.false_positive,
            "true_negative": counts.true_negative,
        },
        "calibration": None if method.probability is None else _probability(method.probability),
        "image_level": _image_level(method),
        "reasons": reasons,
    }
    return content


def _image_level(method: MethodResult) -> Json:
    drawn = method.image_level
    if drawn is None:
        return None
    return {
        "auc": drawn.auc.value,
        "auc_ci": _interval(drawn.auc),
        "interval": "percentiles over resampled patients",
        "standard_error": drawn.standard_error,
        "replicates": drawn.n_replicates,
        "replicates_valid": drawn.n_valid,
        "reason": drawn.auc.note or None,
    }


def _probability(probability: Probability) -> dict[str, Json]:
    judged, decision = probability.calibration, probability.decision
    return {
        "probability": probability.source,
        "optimistic": probability.optimistic,
        "brier": judged.brier,
        "brier_of_prevalence": judged.brier_of_prevalence,
        "expected_calibration_error": judged.expected_calibration_error,
        "reliability": [
            {
                "n": one.n,
                "predicted": one.predicted,
                "observed": one.observed.value,
                "observed_ci": _interval(one.observed),
            }
            for one in judged.bins
        ],
        "decision_curve": {
            "threshold_probability": decision.threshold_probability.tolist(),
            "net_benefit": decision.net_benefit.tolist(),
            "net_benefit_of_all": decision.net_benefit_of_all.tolist(),
        },
    }


def _comparison(comparison: Comparison) -> dict[str, Json]:
    test = comparison.test
    interval: Json = None
    if test.difference is not None and test.variance is not None:
        reach = normal_quantile() * math.sqrt(test.variance)
        interval = [test.difference - reach, test.difference + reach]
    return {
        "threshold": comparison.threshold,
        "a": comparison.a,
        "b": comparison.b,
        "z": test.z if test.z is not None and math.isfinite(test.z) else None,
        "p": test.p,
        "difference": test.difference,
        "difference_ci": interval,
        "reason": comparison.note or None,
    }


def _agreement(agreement: Agreement) -> dict[str, Json]:
    return {
        "form": "ICC(1), one-way random effects",
        "icc_single": agreement.single.value,
        "icc_single_ci": _interval(agreement.single),
        "icc_mean": agreement.mean.value,
        "icc_mean_ci": _interval(agreement.mean),
        "acquisitions_per_patient": agreement.acquisitions_per_patient,
        "within_patient_sd": agreement.within_patient_sd,
        "reason": agreement.single.note or agreement.mean.note or None,
    }
