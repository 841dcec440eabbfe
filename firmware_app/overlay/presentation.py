"""What the sonographer is shown: from a step of the loop to the state of the overlay."""

from __future__ import annotations

from dataclasses import replace

from firmware_app.appliance import Step
from firmware_app.exam.state import Exam, Phase
from firmware_app.inference.bundle import Manifest
from firmware_app.journey import Circle, ScreenReading, View
from firmware_app.outcome import decide
from firmware_app.overlay.drawing import OverlayState
from firmware_app.video.stream_events import SignalLost
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Sentences, Severity, Wording


def overlay_of(step: Step, appliance: Appliance) -> OverlayState:
    """The overlay after this step."""
    manifest = appliance.manifest
    state = OverlayState(
        runtime=_runtime_of(appliance),
        bundle_id="none" if manifest is None else manifest.bundle_id,
    )
    state = _with_exam(state, step.exam, manifest, appliance.words)
    if isinstance(step.event, SignalLost):
        return replace(state, message=appliance.words.captures[step.event.state])
    return state if step.reading is None else _with_places(state, step.reading)


def _runtime_of(appliance: Appliance) -> str:
    runtime = appliance.runtime or "no model"
    return f"{runtime}, GPU failed" if appliance.runtime_degraded else runtime


def _with_places(state: OverlayState, reading: ScreenReading) -> OverlayState:
    """Outlines where the elastogram is; to whole pixels, so that noise does not draw them anew."""
    if reading.view is not View.SWE_DUAL:
        return state
    ring = reading.q_box
    steady = None if ring is None else Circle(round(ring.x), round(ring.y), round(ring.r))
    return replace(state, roi=reading.roi, q_box=steady, panes=reading.panes)


def _with_exam(state: OverlayState, exam: Exam, manifest: Manifest | None, words: Sentences) -> OverlayState:
    state = replace(
        state, accepted=len(exam.acquisitions), refused=len(exam.refusals), message=_message_of(exam, words)
    )
    if exam.acquisitions:
        latest = exam.acquisitions[-1]
        state = replace(state, latency_ms=round(latest.latency_ms))
    if not (exam.is_provisional or exam.phase is Phase.COMPLETE):
        return state
    outcome = decide(exam.acquisitions, exam.serum, manifest)
    chances = outcome.probabilities
    return replace(
        state,
        probabilities=None if chances is None else (chances.ge_s2, chances.ge_s3, chances.s4),
        provisional=exam.is_provisional,
        stage_text=f"indeterminate {outcome.stage_text}" if outcome.indeterminate else outcome.stage_text,
        lsm_mean_kpa=outcome.lsm.mean_kpa,
    )


def _message_of(exam: Exam, words: Sentences) -> Wording | None:
    if exam.phase is Phase.CLOSED and exam.closing is not None:
        return Wording(words.closings[exam.closing], Severity.NOTICE, "")
    refusal = exam.last_refusal
    if refusal is None:
        return None
    return words.refusal(refusal.reason, refusal.detail)
