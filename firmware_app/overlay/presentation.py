"""What the sonographer is shown: from a step of the loop to the state of the overlay."""

from __future__ import annotations

from dataclasses import replace

from firmware_app.appliance import Step
from firmware_app.exam.state import Exam, Phase
from firmware_app.inference.bundle import Manifest
from firmware_app.journey import ScreenReading, View
from firmware_app.outcome import Outcome, Probabilities, decide, probabilities_of
from firmware_app.overlay.state import Chances, Estimate, Outlines, OverlayState
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Doubt, Sentences, Severity, Wording

_TOLD_ELSEWHERE = {Doubt.NO_MODEL, Doubt.FEWER_THAN_FIVE, Doubt.SPREAD}
"""Doubts for which the card has words of its own."""


def overlay_of(step: Step, appliance: Appliance) -> OverlayState:
    """What the cards tell after this step."""
    exam, words = step.exam, appliance.words
    capture = words.captures[step.capture]
    return OverlayState(
        runtime=_runtime_of(appliance),
        bundle_id=appliance.bundle_id or "",
        language=appliance.language,
        accepted=len(exam.acquisitions),
        refused=len(exam.refusals),
        estimate=_estimate_of(exam, appliance.manifest, words),
        preview=None if step.preview is None else _chances_of(probabilities_of(step.preview.gm_em)),
        message=capture if capture.text else _message_of(exam, words),
    )


def outlines_of(reading: ScreenReading | None) -> Outlines:
    """Where the elastogram's square and its Q-box stand; nothing on any other screen."""
    if reading is None or reading.view is not View.SWE_DUAL:
        return Outlines()
    ring = reading.q_box
    # to half a pixel, so that noise does not draw the ring anew in every frame
    steady = ring and replace(ring, x=round(2 * ring.x) / 2, y=round(2 * ring.y) / 2, r=round(2 * ring.r) / 2)
    return Outlines(reading.roi, steady)


def _runtime_of(appliance: Appliance) -> str:
    labels = appliance.words.labels
    runtime = appliance.runtime or labels.no_model
    return f"{runtime}, {labels.gpu_failed}" if appliance.runtime_degraded else runtime


def _estimate_of(exam: Exam, manifest: Manifest | None, words: Sentences) -> Estimate | None:
    if not (exam.is_provisional or exam.phase is Phase.COMPLETE):
        return None
    outcome = decide(exam.acquisitions, exam.serum, manifest)
    told = [doubt for doubt in outcome.doubts if doubt not in _TOLD_ELSEWHERE]
    return Estimate(
        stage_text=None if outcome.probabilities is None else outcome.stage_text,
        indeterminate=outcome.indeterminate,
        provisional=exam.is_provisional,
        n=outcome.n_acquisitions,
        chances=_chances_of(outcome.probabilities),
        spread_ok=Doubt.SPREAD not in outcome.doubts,
        doubts=tuple(words.doubts[doubt] for doubt in told),
        **_stiffness_of(outcome),
    )


def _stiffness_of(outcome: Outcome) -> dict[str, float]:
    lsm = outcome.lsm
    return {"mean_kpa": lsm.mean_kpa, "median_kpa": lsm.median_kpa, "spread": lsm.iqr_over_median}


def _chances_of(chances: Probabilities | None) -> Chances | None:
    if chances is None:
        return None
    return round(chances.ge_s2, 2), round(chances.ge_s3, 2), round(chances.s4, 2)


def _message_of(exam: Exam, words: Sentences) -> Wording | None:
    if exam.phase is Phase.CLOSED and exam.closing is not None:
        return Wording(words.closings[exam.closing], Severity.NOTICE, "")
    if exam.phase is Phase.HELD:
        return words.phases[exam.phase.value]
    refusal = exam.last_refusal
    if refusal is not None:
        return words.refusal(refusal.reason, refusal.detail)
    told = words.phases[exam.phase.value]
    return told if told.text or told.remedy else None
