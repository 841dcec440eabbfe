"""The outcome of an exam: stage, probabilities, stiffness, the other methods beside them, reliability.

Methods (Xue et al., Eur Radiol 2020, 30:2973-2983): GM and EM are the networks on the gray-scale picture
and on the elastogram, GM+EM both fused, GM+LSM a logistic regression on the confidences of GM and of the
stiffness, LSM the stiffness against published cut-offs, APRI and FIB-4 serum scores. The stage comes from
GM+EM. A patient's log-odds are the mean of the log-odds of the images; they are calibrated in the graph.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from firmware_app.exam.events import Acquisition
from firmware_app.exam.state import NEEDED
from firmware_app.inference.bundle import THRESHOLDS, LsmCutoffs, Manifest, OperatingPoint, Threshold
from firmware_app.journey import ImageScores, Logits
from firmware_app.serum import Serum, apri, fib4
from firmware_app.wording import Doubt

STAGE_OF_PASSED = (0, 2, 3, 4)
"""Scheuer stage by the number of thresholds passed; S0 and S1 are not told apart and count as 0."""
STAGE_TEXTS = {0: "S0-S1", 2: "S2", 3: "S3", 4: "S4"}
SPREAD_LIMIT = 0.30
"""Reliable stiffness has IQR/median <= 30 % in kPa (SRU consensus 2020)."""
ZHUANG_2017 = LsmCutoffs(source="Zhuang et al. 2017", ge_s2=7.6, ge_s3=9.2, s4=10.4)
"""Cut-offs of the stiffness that stand in where no bundle brings its own."""


@dataclass(frozen=True, slots=True)
class Probabilities:
    """P(>=S2), P(>=S3) and P(S4), never increasing from left to right."""

    ge_s2: float
    ge_s3: float
    s4: float


@dataclass(frozen=True, slots=True)
class LsmSummary:
    """Stiffness over the acquisitions; quartiles by linear interpolation (Hyndman and Fan, type 7)."""

    mean_kpa: float
    median_kpa: float
    iqr_kpa: float
    iqr_over_median: float


@dataclass(frozen=True, slots=True)
class LsmStage:
    """The stage by stiffness alone, and whose cut-offs say so."""

    mean_kpa: float
    stage: int
    cutoffs: str


@dataclass(frozen=True, slots=True)
class Methods:
    """What each method says; None: not to be had (no bundle, or no serum values)."""

    gm: Probabilities | None
    em: Probabilities | None
    gm_em: Probabilities | None
    gm_lsm: Probabilities | None
    lsm: LsmStage
    apri: float | None
    fib4: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the exam says about the patient.

    Attributes:
        n_acquisitions: how many acquisitions it rests on.
        stage: Scheuer stage 0, 2, 3 or 4 (0 stands for S0-S1); None: indeterminate.
        stage_interval: the lowest and the highest stage that the probabilities leave open.
        probabilities: of GM+EM; None: no model.
        lsm: stiffness.
        methods: every method beside the others.
        doubts: why the outcome is not reliable; empty: reliable.
    """

    n_acquisitions: int
    stage: int | None
    stage_interval: tuple[int, int]
    probabilities: Probabilities | None
    lsm: LsmSummary
    methods: Methods
    doubts: tuple[Doubt, ...]

    @property
    def indeterminate(self) -> bool:
        """Whether no single stage is named."""
        return self.stage is None

    @property
    def stage_text(self) -> str:
        """For people: "S3", or "S2-S3" where indeterminate, "S0-S1" for the lowest."""
        low, high = self.stage_interval
        return STAGE_TEXTS[low] if low == high else f"S{low}-S{high}"


def decide(acquisitions: Sequence[Acquisition], serum: Serum | None, manifest: Manifest | None) -> Outcome:
    """The outcome of these acquisitions.

    Args:
        acquisitions: at least one.
        serum: entered values, or None.
        manifest: of the bundle that scored them; None: no bundle, stiffness only.

    Raises:
        ValueError: there is no acquisition, or a stiffness is not positive.
    """
    lsm = summarise_stiffness([a.stiffness.mean_kpa for a in acquisitions])
    scores = [a.scores for a in acquisitions if a.scores is not None]
    cutoffs = ZHUANG_2017 if manifest is None else manifest.lsm_cutoffs
    by_stiffness = LsmStage(lsm.mean_kpa, stage_by_stiffness(lsm.mean_kpa, cutoffs), cutoffs.source)
    serum_scores = (None, None) if serum is None else (apri(serum), fib4(serum))
    if manifest is None or len(scores) < len(acquisitions):
        methods = Methods(None, None, None, None, by_stiffness, *serum_scores)
        doubts = (Doubt.NO_MODEL, *_doubts(acquisitions, lsm))
        return Outcome(len(acquisitions), None, (0, 4), None, lsm, methods, doubts)
    gm, em, fused = _patient_logits(scores)
    probabilities = probabilities_of(fused)
    methods = Methods(
        gm=probabilities_of(gm),
        em=probabilities_of(em),
        gm_em=probabilities,
        gm_lsm=gm_lsm_of(gm, lsm.mean_kpa, manifest),
        lsm=by_stiffness,
        apri=serum_scores[0],
        fib4=serum_scores[1],
    )
    low, high = stage_interval_of(probabilities, manifest.operating_points)
    stage = low if low == high else None
    doubts = _doubts(acquisitions, lsm)
    return Outcome(len(acquisitions), stage, (low, high), probabilities, lsm, methods, doubts)


def summarise_stiffness(means_kpa: Sequence[float]) -> LsmSummary:
    """Mean (as in the paper), median, interquartile range and their ratio.

    Raises:
        ValueError: there is none, or one is not positive.
    """
    if not means_kpa or not all(math.isfinite(m) and m > 0 for m in means_kpa):
        raise ValueError(f"a stiffness summary needs positive values, not {list(means_kpa)}")
    q1, median, q3 = (float(q) for q in np.quantile(means_kpa, (0.25, 0.5, 0.75)))
    return LsmSummary(math.fsum(means_kpa) / len(means_kpa), median, q3 - q1, (q3 - q1) / median)


def stage_by_stiffness(mean_kpa: float, cutoffs: LsmCutoffs) -> int:
    """Scheuer stage by the cut-offs of the stiffness; a value on a cut-off passes it."""
    return STAGE_OF_PASSED[sum(mean_kpa >= cutoff for cutoff in (cutoffs.ge_s2, cutoffs.ge_s3, cutoffs.s4))]


def probabilities_of(logits: Logits) -> Probabilities:
    """Sigmoid of log-odds, made monotone by the cumulative minimum (the graph is; rounding may not be)."""
    first, second, third = (_sigmoid(logit) for logit in logits)
    second = min(first, second)
    return Probabilities(first, second, min(second, third))


def gm_lsm_of(gm: Logits, mean_kpa: float, manifest: Manifest) -> Probabilities:
    """GM+LSM: a logistic regression on the confidences of GM and of the stiffness, per threshold.

    The formula stands at `bundle.LsmConfidence`; the confidence of GM is the sigmoid of its log-odds.
    """
    logits: list[float] = []
    for threshold, gm_logit in zip(THRESHOLDS, gm, strict=True):
        model = manifest.gm_lsm[threshold]
        confidence = _sigmoid((math.log(mean_kpa) - model.ln_cutoff_kpa) / model.scale)
        logits.append(model.intercept + model.w_gm * _sigmoid(gm_logit) + model.w_lsm * confidence)
    return probabilities_of((logits[0], logits[1], logits[2]))


def stage_interval_of(
    probabilities: Probabilities, operating_points: Mapping[Threshold, OperatingPoint]
) -> tuple[int, int]:
    """The lowest and the highest stage that the probabilities leave open; equal: determinate.

    A probability inside [low, high] of its operating point leaves its threshold open, unless another
    threshold settles it: who passes >=S3 passes >=S2, who fails >=S2 fails S4.
    """
    values = (probabilities.ge_s2, probabilities.ge_s3, probabilities.s4)
    verdicts = [_verdict(p, operating_points[t]) for p, t in zip(values, THRESHOLDS, strict=True)]
    for index, verdict in enumerate(verdicts):
        if verdict is _Verdict.OPEN and _Verdict.PASSED in verdicts[index + 1 :]:
            verdicts[index] = _Verdict.PASSED
        elif verdict is _Verdict.OPEN and _Verdict.FAILED in verdicts[:index]:
            verdicts[index] = _Verdict.FAILED
    passed = verdicts.count(_Verdict.PASSED)
    return STAGE_OF_PASSED[passed], STAGE_OF_PASSED[passed + verdicts.count(_Verdict.OPEN)]


class _Verdict(Enum):
    PASSED = "passed"
    OPEN = "open"
    FAILED = "failed"


def _verdict(probability: float, point: OperatingPoint) -> _Verdict:
    if point.low <= probability <= point.high and point.low < point.high:
        return _Verdict.OPEN
    return _Verdict.PASSED if probability >= point.cutoff else _Verdict.FAILED


def _patient_logits(scores: Sequence[ImageScores]) -> tuple[Logits, Logits, Logits]:
    def mean(rows: Sequence[Logits]) -> Logits:
        first, second, third = (math.fsum(column) / len(rows) for column in zip(*rows, strict=True))
        return first, second, third

    return mean([s.gm for s in scores]), mean([s.em for s in scores]), mean([s.gm_em for s in scores])


def _doubts(acquisitions: Sequence[Acquisition], lsm: LsmSummary) -> tuple[Doubt, ...]:
    found = (
        (Doubt.FEWER_THAN_FIVE, len(acquisitions) < NEEDED),
        (Doubt.SPREAD, lsm.iqr_over_median > SPREAD_LIMIT),
        (Doubt.NO_READOUT, any(a.readout is None for a in acquisitions)),
    )
    return tuple(doubt for doubt, applies in found if applies)


def _sigmoid(logit: float) -> float:
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    odds = math.exp(logit)
    return odds / (1.0 + odds)
