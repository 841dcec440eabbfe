"""From scores to results: every figure of every method at every threshold, and every pair compared.

The patient is the unit of analysis. Image-level AUCs are secondary, with an interval from resampled patients.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from model_export.errors import WrongInputError
from model_export.evaluate_scores import THRESHOLDS, ScoreColumn, ScoreTable, Threshold
from model_export.statistics.agreement import Agreement, agreement
from model_export.statistics.auc import (
    PairedTest,
    Placements,
    auc_figure,
    auc_of_placements,
    paired_test_of_placements,
    placements,
)
from model_export.statistics.bootstrap import ClusterBootstrap, cluster_bootstrap_auc
from model_export.statistics.calibration_curve import Calibration, calibration, fit_probability
from model_export.statistics.decision_curve import DecisionCurve, decision_curve
from model_export.statistics.figure import BoolArray, Figure, FloatArray
from model_export.statistics.operating_figures import (
    OperatingFigures,
    TwoByTwo,
    operating_figures,
    two_by_two,
    youden_cutoff,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How to evaluate.

    Attributes:
        seed: of the patient-cluster bootstrap.
        replicates: cohorts that it draws; 0 leaves the image-level figures out.
        on_logit_scale: AUC intervals on the logit scale instead of DeLong's symmetric ones.
    """

    seed: int
    replicates: int
    on_logit_scale: bool


@dataclass(frozen=True, slots=True)
class Probability:
    """A method's score read as a probability, and how good that is.

    Attributes:
        source: where the probability comes from, in words.
        optimistic: the curve from score to probability was fitted on the very patients it is judged on.
        calibration: reliability curve, Brier score, expected calibration error.
        decision: net benefit.
    """

    source: str
    optimistic: bool
    calibration: Calibration
    decision: DecisionCurve


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method at one threshold.

    Attributes:
        auc: area under the curve, patients as the unit.
        cutoff: a score at or above it is called positive; None when it is undefined, and `note` says why.
        counts: patients by truth and call at the cut-off.
        figures: sensitivity and the others at the cut-off.
        roc: (k, 2) false-positive and true-positive rates from (0, 0) to (1, 1).
        probability: calibration and decision curve.
        image_level: image-level AUC; None when every patient has one row or none was asked for.
        note: why what is None is None.
    """

    auc: Figure
    cutoff: float | None = None
    counts: TwoByTwo | None = None
    figures: OperatingFigures | None = None
    roc: FloatArray | None = None
    probability: Probability | None = None
    image_level: ClusterBootstrap | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """DeLong's test of two methods at one threshold; `note` says why a number is missing."""

    threshold: str
    a: str
    b: str
    test: PairedTest
    note: str


@dataclass(frozen=True, slots=True)
class CohortResult:
    """Everything about one cohort.

    Attributes:
        n_patients: in the cohort.
        n_images: rows of its file; equal to `n_patients` without a patient column.
        stage_counts: patients of S0 to S4.
        methods: by threshold name, then by method name, in the order of the file.
        comparisons: every pair of methods at every threshold.
        agreement: of a patient's acquisitions, by column name; empty when every patient has one row.
        optimistic: cut-offs and fitted probabilities come from these very patients.
    """

    n_patients: int
    n_images: int
    stage_counts: tuple[int, ...]
    methods: dict[str, dict[str, MethodResult]]
    comparisons: tuple[Comparison, ...]
    agreement: dict[str, Agreement]
    optimistic: bool


def evaluate_cohort(table: ScoreTable, train: ScoreTable | None, settings: Settings) -> CohortResult:
    """Compute every figure of a cohort.

    Args:
        table: the patients to judge on.
        train: the patients that give cut-offs and probabilities; None takes them from `table`,
            optimistically.
        settings: intervals and bootstrap.
    """
    methods: dict[str, dict[str, MethodResult]] = {}
    comparisons: list[Comparison] = []
    for threshold in THRESHOLDS:
        methods[threshold.name] = {
            method: _method(table, train, method, threshold, settings) for method in table.methods()
        }
        comparisons += _comparisons(table, threshold)
    agreements = {}
    if table.has_images:
        agreements = {
            name: agreement(column.images, table.patient_of_image) for name, column in table.columns.items()
        }
    return CohortResult(
        n_patients=table.stage.size,
        n_images=table.patient_of_image.size,
        stage_counts=tuple(int(n) for n in np.bincount(table.stage, minlength=5)),
        methods=methods,
        comparisons=tuple(comparisons),
        agreement=agreements,
        optimistic=train is None,
    )


def _method(
    table: ScoreTable, train: ScoreTable | None, method: str, threshold: Threshold, settings: Settings
) -> MethodResult:
    """Every figure of one method at one threshold."""
    column = table.column(method, threshold)
    if column is None:
        reason = f"the file has no column {method}@{threshold.name}"
        return MethodResult(auc=Figure(None, note=reason), note=reason)
    positive = table.positive(threshold)
    estimate = auc_of_placements(placements(column.patients, positive))
    auc = auc_figure(estimate, on_logit_scale=settings.on_logit_scale)
    if auc.value is None:
        return MethodResult(auc=auc, note=auc.note)
    cutoff, note = _cutoff(train or table, method, threshold)
    counts = None if cutoff is None else two_by_two(column.patients, positive, cutoff)
    return MethodResult(
        auc=auc,
        cutoff=cutoff,
        counts=counts,
        figures=None if counts is None else operating_figures(counts),
        roc=roc_points(column.patients, positive),
        probability=_probability(column, positive, train, method, threshold),
        image_level=_image_level(table, column, method, threshold, settings),
        note=note,
    )


def _cutoff(source: ScoreTable, method: str, threshold: Threshold) -> tuple[float | None, str]:
    """Youden's cut-off from the patients of `source`, or None with the reason."""
    column = source.column(method, threshold)
    if column is None:
        return None, f"no cut-off: {source.name} has no column {method}@{threshold.name}"
    try:
        return youden_cutoff(column.patients, source.positive(threshold)).cutoff, ""
    except WrongInputError as error:
        return None, f"no cut-off from {source.name}: {error}"


def _probability(
    column: ScoreColumn, positive: BoolArray, train: ScoreTable | None, method: str, threshold: Threshold
) -> Probability | None:
    """The score as a probability: as given, or by a logistic curve from training patients or these."""
    if column.is_probability:
        return _judged(column.patients, positive, "as given")
    if column.is_log_odds:
        return _judged(expit(column.patients), positive, "of the log-odds as given")
    if train is None:
        own = fit_probability(column.patients, positive)(column.patients)
        return _judged(own, positive, "logistic curve fitted on these very patients", optimistic=True)
    source_column, truth = train.column(method, threshold), train.positive(threshold)
    if source_column is None or not 0 < truth.sum() < truth.size:
        return None
    fitted = fit_probability(source_column.patients, truth)(column.patients)
    return _judged(fitted, positive, "logistic curve fitted on the training patients")


def _judged(
    probabilities: FloatArray, positive: BoolArray, source: str, *, optimistic: bool = False
) -> Probability:
    return Probability(
        source, optimistic, calibration(probabilities, positive), decision_curve(probabilities, positive)
    )


def roc_points(scores: FloatArray, positive: BoolArray) -> FloatArray:
    """(k, 2) false-positive and true-positive rates, one point per distinct score, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    rates = [np.cumsum(hit)[last_of_tie] / hit.sum() for hit in (~positive[order], positive[order])]
    return np.vstack([[0.0, 0.0], np.column_stack(rates)])


def _image_level(
    table: ScoreTable, column: ScoreColumn, method: str, threshold: Threshold, settings: Settings
) -> ClusterBootstrap | None:
    """Image-level AUC with the patient-cluster bootstrap; None where there is nothing to resample."""
    if not table.has_images or not settings.replicates:
        return None
    return cluster_bootstrap_auc(
        column.images,
        table.positive(threshold)[table.patient_of_image],
        table.patient_of_image,
        replicates=settings.replicates,
        seed=settings.seed,
        label=f"bootstrap {method} {threshold.name}",
    )


def _comparisons(table: ScoreTable, threshold: Threshold) -> list[Comparison]:
    """DeLong's test of every pair of methods at one threshold."""
    positive = table.positive(threshold)
    counted: dict[str, Placements | None] = {}
    for method in table.methods():
        column = table.column(method, threshold)
        counted[method] = None if column is None else placements(column.patients, positive)
    found = []
    for (a, of_a), (b, of_b) in itertools.combinations(counted.items(), 2):
        if of_a is None or of_b is None:
            empty = PairedTest(None, None, None, None)
            found.append(Comparison(threshold.name, a, b, empty, "one of the methods has no column here"))
            continue
        test = paired_test_of_placements(of_a, of_b)
        found.append(Comparison(threshold.name, a, b, test, _missing(test)))
    return found


def _missing(test: PairedTest) -> str:
    """Why Z is missing or is not a finite number."""
    if test.difference is None:
        return "no patient on one side of the threshold"
    if test.z is None:
        return "no test: a class has only one patient"
    if np.isinf(test.z):
        return "Z is infinite: the AUCs differ but their estimated variance is zero; do not trust p"
    return ""
