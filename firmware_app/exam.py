"""The exam: a pure state machine of five acquisitions of one patient.

    state     event                                next state
    --------  -----------------------------------  ---------------------------------------------------
    waiting   Acquired, Refused, Start, Serum      scanning, a new exam (its id is the event's)
    scanning  Acquired, 1 to 4 counted             scanning; from three on the outcome is provisional
    scanning  Acquired, 5 counted                  complete; the result is issued, once
    complete  Acquired                             complete; refused as `exam_complete`
    complete  Discard                              scanning (4); the result is withdrawn
    scanning  Finish                               closed; a result if at least three are counted
    complete  Finish                               closed; the result stands
    open      Cancel                               closed; a result is withdrawn
    any       PatientChanged                       closed (or still waiting); an unfinished exam has no result
    open      Start                                closed, and at once scanning, a new exam
    open      Tick, idle for half an hour          closed
    closed    Tick, after 20 s                     waiting
    closed    Acquired, Refused, Start             scanning, a new exam

(open: scanning or complete.) `advance` is the only way from one snapshot to the next. Nothing in here
reads a clock or draws a random number: every event carries its moment and a fresh id, which becomes the
id of the exam or of the result that the event brings about.

Two rules keep patients apart. The *barrier* is the moment at which the last exam ended: whatever was
captured before it is refused, however late the networks deliver it. And what was captured after the
banner changed is taken out of the exam that it was counted into.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from firmware_app.exam_events import (
    Acquired,
    Acquisition,
    Cancel,
    Discard,
    Event,
    Finish,
    Moment,
    PatientChanged,
    Refusal,
    Refused,
    SerumEntered,
    Start,
    Tick,
)
from firmware_app.exam_state import (
    NEEDED,
    AcquisitionAccepted,
    AcquisitionRefused,
    Barrier,
    CommandFault,
    CommandRefused,
    Effect,
    Exam,
    ExamChanged,
    Phase,
    ResultCleared,
    ResultIssued,
)
from firmware_app.wording import Closing, Reason

IDLE_NS = 30 * 60 * 1_000_000_000
"""An exam in which nothing happens for so long ends by itself."""
CLOSED_SHOWN_NS = 20 * 1_000_000_000
"""For so long a closed exam is shown before the appliance waits for the next one."""
REFUSALS_KEPT = 50
"""The latest refusals that an exam remembers."""

Step = tuple[Exam, tuple[Effect, ...]]


def advance(exam: Exam, event: Event) -> Step:  # noqa: PLR0911 -- one line per kind of event is the table
    """The next snapshot, and what is to be done about it, in this order."""
    match event:
        case Acquired():
            return _acquired(exam, event)
        case Refused():
            return _refused(exam, event, event.refusal)
        case PatientChanged():
            return _patient_changed(exam, event)
        case Start():
            return _started(exam, event)
        case Discard():
            return _discarded(exam, event)
        case Finish():
            return _finished(exam, event)
        case Cancel():
            return _closed(exam, event, Closing.CANCELLED) if exam.is_open else _no_exam(exam, event)
        case SerumEntered():
            return _serum_entered(exam, event)
        case Tick():
            return _ticked(exam, event)


def _acquired(exam: Exam, event: Acquired) -> Step:
    acquisition = event.acquisition
    objection = _objection(exam, acquisition)
    if objection is not None:
        return _refused(exam, event, _as_refusal(acquisition, objection))
    current, opening = _opened(exam, event)
    counted = (*current.acquisitions, acquisition)
    current = replace(current, acquisitions=counted, changed=event.at)
    accepted = AcquisitionAccepted(_id(current), acquisition, len(counted))
    if len(counted) < NEEDED:
        return current, (*opening, accepted, ExamChanged(current))
    current = replace(current, phase=Phase.COMPLETE, result_id=event.id)
    return current, (*opening, accepted, ResultIssued(event.id, event.at, current), ExamChanged(current))


def _objection(exam: Exam, acquisition: Acquisition) -> Reason | None:
    if _is_stale(exam, acquisition.at) and exam.barrier is not None:
        return exam.barrier.reason
    if exam.phase is Phase.COMPLETE:
        return Reason.EXAM_COMPLETE
    crops = {acquisition.crop_digests.elastogram, acquisition.crop_digests.gray}
    seen = exam.foreign_digests | exam.counted_digests
    return Reason.DUPLICATE if crops & seen else None


def _is_stale(exam: Exam, captured: Moment) -> bool:
    return exam.barrier is not None and captured.monotonic_ns < exam.barrier.monotonic_ns


def _as_refusal(acquisition: Acquisition, reason: Reason) -> Refusal:
    return Refusal(
        id=acquisition.id,
        at=acquisition.at,
        frame_number=acquisition.frame_number,
        reason=reason,
        stiffness=acquisition.stiffness,
        readout=acquisition.readout,
        q_box=acquisition.q_box,
        roi=acquisition.roi,
        crop_digests=acquisition.crop_digests,
        dropped=acquisition.dropped,
        latency_ms=acquisition.latency_ms,
    )


def _refused(exam: Exam, event: Acquired | Refused, refusal: Refusal) -> Step:
    crops = refusal.crop_digests
    seen = frozenset[str]() if crops is None else frozenset({crops.elastogram, crops.gray})
    if _is_stale(exam, refusal.at) or (seen & exam.foreign_digests and not exam.is_open):
        foreign = replace(exam, foreign_digests=exam.foreign_digests | seen)
        return foreign, (AcquisitionRefused(None, refusal),)
    current, opening = _opened(exam, event)
    kept = (*current.refusals, refusal)[-REFUSALS_KEPT:]
    current = replace(current, refusals=kept, changed=event.at)
    return current, (*opening, AcquisitionRefused(_id(current), refusal), ExamChanged(current))


def _opened(exam: Exam, event: Event) -> Step:
    if exam.is_open:
        return exam, ()
    current = Exam(
        id=event.id,
        phase=Phase.SCANNING,
        opened=event.at,
        changed=event.at,
        barrier=exam.barrier,
        foreign_digests=exam.foreign_digests | exam.seen_digests,
    )
    return current, (ResultCleared(exam.result_id),)


def _closed(exam: Exam, event: Event, closing: Closing) -> Step:
    withdrawn = closing is Closing.CANCELLED and exam.result_id is not None
    reason = Reason.PATIENT_CHANGED if closing is Closing.PATIENT_CHANGED else Reason.BEFORE_EXAM
    closed = replace(
        exam,
        phase=Phase.CLOSED,
        changed=event.at,
        closing=closing,
        result_id=None if withdrawn else exam.result_id,
        barrier=Barrier(event.at.monotonic_ns, reason),
        foreign_digests=exam.seen_digests if exam.is_open else exam.foreign_digests | exam.seen_digests,
    )
    effects: tuple[Effect, ...] = (ResultCleared(exam.result_id),) if withdrawn else ()
    return closed, (*effects, ExamChanged(closed))


def _patient_changed(exam: Exam, event: PatientChanged) -> Step:
    if exam.phase is Phase.WAITING:
        return replace(exam, barrier=Barrier(event.at.monotonic_ns, Reason.PATIENT_CHANGED)), ()
    own, effects = _without_the_next_patient(exam, event)
    closed, closing = _closed(own, event, Closing.PATIENT_CHANGED)
    return closed, (*effects, *closing)


def _without_the_next_patient(exam: Exam, event: PatientChanged) -> Step:
    """Take out what was captured after the banner had changed, and the result that rests on it."""
    own = tuple(a for a in exam.acquisitions if a.at.monotonic_ns < event.at.monotonic_ns)
    if len(own) == len(exam.acquisitions):
        return exam, ()
    foreign = tuple(a for a in exam.acquisitions if a not in own)
    trimmed = replace(
        exam, phase=Phase.SCANNING, acquisitions=own, discarded=(*exam.discarded, *foreign), result_id=None
    )
    return trimmed, () if exam.result_id is None else (ResultCleared(exam.result_id),)


def _started(exam: Exam, event: Start) -> Step:
    closed, closing = _closed(exam, event, Closing.RESTARTED) if exam.is_open else (exam, ())
    current, opening = _opened(closed, event)
    return current, (*closing, *opening, ExamChanged(current))


def _discarded(exam: Exam, event: Discard) -> Step:
    if not exam.is_open:
        return _no_exam(exam, event)
    wanted = event.acquisition_id or (exam.acquisitions[-1].id if exam.acquisitions else None)
    gone = tuple(a for a in exam.acquisitions if a.id == wanted)
    if not gone:
        return exam, (CommandRefused(event.id, CommandFault.NO_SUCH_ACQUISITION),)
    current = replace(
        exam,
        phase=Phase.SCANNING,
        changed=event.at,
        acquisitions=tuple(a for a in exam.acquisitions if a.id != wanted),
        discarded=(*exam.discarded, *gone),
        result_id=None,
    )
    withdrawn: tuple[Effect, ...] = () if exam.result_id is None else (ResultCleared(exam.result_id),)
    return current, (*withdrawn, ExamChanged(current))


def _finished(exam: Exam, event: Finish) -> Step:
    if not exam.is_open:
        return _no_exam(exam, event)
    if exam.phase is Phase.COMPLETE:
        return _closed(exam, event, Closing.FINISHED)
    if not exam.is_provisional:
        return _closed(exam, event, Closing.UNFINISHED)
    closed, closing = _closed(replace(exam, result_id=event.id), event, Closing.FINISHED)
    return closed, (ResultIssued(event.id, event.at, closed), *closing)


def _serum_entered(exam: Exam, event: SerumEntered) -> Step:
    if exam.phase is Phase.CLOSED:
        return _no_exam(exam, event)
    current, opening = _opened(exam, event)
    current = replace(current, serum=event.serum, changed=event.at)
    if current.phase is not Phase.COMPLETE:
        return current, (*opening, ExamChanged(current))
    current = replace(current, result_id=event.id)
    reissued = (ResultCleared(exam.result_id), ResultIssued(event.id, event.at, current))
    return current, (*reissued, ExamChanged(current))


def _ticked(exam: Exam, event: Tick) -> Step:
    if exam.changed is None:
        return exam, ()
    quiet_ns = event.at.monotonic_ns - exam.changed.monotonic_ns
    if exam.is_open and quiet_ns >= IDLE_NS:
        return _closed(exam, event, Closing.IDLE)
    if exam.phase is Phase.CLOSED and quiet_ns >= CLOSED_SHOWN_NS:
        waiting = Exam(result_id=exam.result_id, barrier=exam.barrier, foreign_digests=exam.foreign_digests)
        return waiting, (ExamChanged(waiting),)
    return exam, ()


def _no_exam(exam: Exam, event: Event) -> Step:
    return exam, (CommandRefused(event.id, CommandFault.NO_EXAM),)


def _id(exam: Exam) -> UUID:
    if exam.id is None:
        raise ValueError("an open exam has an id")
    return exam.id
