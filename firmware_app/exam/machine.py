"""The exam: a pure state machine of five acquisitions of one patient.

    state     event                                next state
    --------  -----------------------------------  ---------------------------------------------------
    waiting   Acquired, Refused, Start, Serum      scanning, a new exam (its id is the event's)
    scanning  Acquired, 1 to 4 counted             scanning; from three on the outcome is provisional
    scanning  Acquired, 5 counted                  complete; the result is issued, once
    complete  Acquired                             complete; refused as `exam_complete`
    complete  Acquired, of the fifth's own freeze  complete; the result is withdrawn, another one issued
    open      Acquired, of a counted one's freeze  takes that one's place; as many are counted as before
    open      Refused, of a counted one's freeze   scanning, that one is taken out; a result is withdrawn
    complete  Discard                              scanning (4); the result is withdrawn
    scanning  Finish                               closed; a result if at least three are counted
    complete  Finish                               closed; the result stands
    open/held Cancel                               closed; a result is withdrawn
    any       PatientChanged                       closed (or still waiting); an unfinished exam has no result
    open/held Start                                closed, and at once scanning, a new exam
    open/held Tick, idle for half an hour          closed
    closed    Tick, after 20 s                     waiting
    closed    Acquired, Refused, Start             scanning, a new exam
    held      Identified, Resume                   scanning or complete, as before the interruption
    held      Acquired or Refused, a picture of it scanning or complete: it is the same patient's screen
    held      Acquired, any other picture          closed as interrupted, and at once scanning, a new exam
    held      Refused, any other picture           held

(open: scanning or complete.) An exam is held after the appliance went down in the middle of it, until it is
known that the patient is the same (see `resumption`).

`advance` is the only way from one snapshot to the next. Nothing in here reads a clock or draws a random
number: every event carries its moment and a fresh id, which becomes the id of the exam or of the result that
the event brings about.

One freeze is at most one acquisition: the last verdict on it stands (ADR 10).

Two rules keep patients apart. The *barrier* is the moment at which the last exam ended: whatever was
frozen before it is refused, however late the networks deliver it. And what was captured after the
banner changed is taken out of the exam that it was counted into.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from firmware_app.exam.events import (
    Acquired,
    Acquisition,
    Cancel,
    Discard,
    Event,
    Finish,
    Identified,
    PatientChanged,
    Refusal,
    Refused,
    Resume,
    SerumEntered,
    Start,
    Tick,
    refusal_of,
    same_freeze,
)
from firmware_app.exam.state import (
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
    digests_of,
    pictures_of,
)
from firmware_app.screen.likeness import Likeness, same_picture
from firmware_app.wording import Closing, Reason

IDLE_NS = 30 * 60 * 1_000_000_000
"""An exam in which nothing happens for so long ends by itself."""
CLOSED_SHOWN_NS = 20 * 1_000_000_000
"""For so long a closed exam is shown before the appliance waits for the next one."""
REFUSALS_KEPT = 50
"""The latest refusals that an exam remembers."""

Step = tuple[Exam, tuple[Effect, ...]]


def advance(exam: Exam, event: Event) -> Step:  # noqa: C901, PLR0911 -- one line per kind of event is the table
    """The next snapshot, and what is to be done about it, in this order."""
    match event:
        case Acquired():
            return _acquired(exam, event)
        case Refused():
            return _refused(exam, event, event.refusal)
        case PatientChanged():
            return _patient_changed(exam, event)
        case Identified():
            return _resumed(exam, event) if exam.phase is Phase.HELD else (exam, ())
        case Resume():
            return _resumed(exam, event) if exam.phase is Phase.HELD else _not_held(exam, event)
        case Start():
            return _started(exam, event)
        case Discard():
            return _discarded(exam, event)
        case Finish():
            return _finished(exam, event)
        case Cancel():
            return _closed(exam, event, Closing.CANCELLED) if exam.is_current else _no_exam(exam, event)
        case SerumEntered():
            return _serum_entered(exam, event)
        case Tick():
            return _ticked(exam, event)


def _acquired(exam: Exam, event: Acquired) -> Step:
    acquisition = event.acquisition
    if exam.phase is Phase.HELD:
        return _acquired_while_held(exam, event)
    objection = _objection(exam, acquisition)
    if objection is not None:
        return _refused(exam, event, refusal_of(acquisition, objection))
    current, opening = _opened(exam, event)
    current, replaced, withdrawn = _superseded(current, acquisition)
    counted = (*current.acquisitions, acquisition)
    current = replace(current, acquisitions=counted, changed=event.at)
    accepted = AcquisitionAccepted(_id(current), acquisition, len(counted), replaced)
    if len(counted) < NEEDED:
        return current, (*opening, accepted, *withdrawn, ExamChanged(current))
    current = replace(current, phase=Phase.COMPLETE, result_id=event.id)
    issued = ResultIssued(event.id, event.at, current, exam.result_id if withdrawn else None)
    return current, (*opening, accepted, *withdrawn, issued, ExamChanged(current))


def _acquired_while_held(exam: Exam, event: Acquired) -> Step:
    if exam.barrier is not None and _is_stale(exam, event.acquisition):
        return exam, (AcquisitionRefused(None, refusal_of(event.acquisition, exam.barrier.reason)),)
    if _is_own_picture(exam, event.acquisition):
        current, resuming = _resumed(exam, event)
    else:
        current, resuming = _closed(exam, event, Closing.INTERRUPTED)
        # This freeze may have begun before the restart and belongs to whoever is on the screen now.
        current = replace(current, barrier=exam.barrier)
    following, effects = _acquired(current, event)
    return following, (*resuming, *effects)


def _refused_while_held(exam: Exam, event: Acquired | Refused, refusal: Refusal) -> Step:
    if not _is_own_picture(exam, refusal):
        return exam, (AcquisitionRefused(None, refusal),)
    current, resuming = _resumed(exam, event)
    following, effects = _refused(current, event, refusal)
    return following, (*resuming, *effects)


def _is_own_picture(exam: Exam, verdict: Acquisition | Refusal) -> bool:
    """Whether the screen still shows a picture that this exam has judged: then the patient is the same."""
    again = digests_of(verdict.crop_digests) & exam.seen_digests
    return bool(again) or _shows_one_of(verdict, exam.seen_pictures)


def _resumed(exam: Exam, event: Event) -> Step:
    phase = Phase.COMPLETE if len(exam.acquisitions) == NEEDED else Phase.SCANNING
    current = replace(exam, phase=phase, changed=event.at)
    return current, (ExamChanged(current),)


def _not_held(exam: Exam, event: Event) -> Step:
    return exam, (CommandRefused(event.id, CommandFault.NOT_HELD),)


def _objection(exam: Exam, acquisition: Acquisition) -> Reason | None:
    if exam.barrier is not None and _is_stale(exam, acquisition):
        return exam.barrier.reason
    counted = any(same_freeze(a, acquisition) for a in exam.acquisitions)
    if exam.phase is Phase.COMPLETE and not counted:
        return Reason.EXAM_COMPLETE
    return Reason.DUPLICATE if _is_duplicate(exam, acquisition) else None


def _is_duplicate(exam: Exam, acquisition: Acquisition) -> bool:
    """Whether the picture was seen before, but for earlier verdicts on the same freeze."""
    others = [a for a in (*exam.acquisitions, *exam.discarded) if not same_freeze(a, acquisition)]
    crops = {acquisition.crop_digests.elastogram, acquisition.crop_digests.gray}
    if crops & (exam.foreign_digests | digests_of(*(a.crop_digests for a in others))):
        return True
    return _shows_one_of(acquisition, exam.foreign_pictures | pictures_of(*others))


def _shows_one_of(verdict: Acquisition | Refusal, pictures: frozenset[Likeness]) -> bool:
    likeness = None if verdict.freeze is None else verdict.freeze.likeness
    return likeness is not None and any(same_picture(likeness, other) for other in pictures)


def _is_stale(exam: Exam, verdict: Acquisition | Refusal) -> bool:
    began_ns = verdict.at.monotonic_ns if verdict.freeze is None else verdict.freeze.since_ns
    return exam.barrier is not None and began_ns < exam.barrier.monotonic_ns


def _superseded(
    exam: Exam, verdict: Acquisition | Refusal
) -> tuple[Exam, UUID | None, tuple[ResultCleared, ...]]:
    """Take out what the same freeze has counted already: its id, and the result that rests on it."""
    former = tuple(a for a in exam.acquisitions if same_freeze(a, verdict))
    if not former:
        return exam, None, ()
    withdrawn = () if exam.result_id is None else (ResultCleared(exam.result_id),)
    current = replace(
        exam,
        phase=Phase.SCANNING,
        acquisitions=tuple(a for a in exam.acquisitions if a not in former),
        discarded=(*exam.discarded, *former),
        result_id=None,
    )
    return current, former[-1].id, withdrawn


def _refused(exam: Exam, event: Acquired | Refused, refusal: Refusal) -> Step:
    if exam.phase is Phase.HELD:
        return _refused_while_held(exam, event, refusal)
    crops = digests_of(refusal.crop_digests)
    again = crops & exam.foreign_digests or _shows_one_of(refusal, exam.foreign_pictures)
    if _is_stale(exam, refusal) or (again and not exam.is_open):
        foreign = exam.foreign_pictures | pictures_of(refusal)
        kept = replace(exam, foreign_digests=exam.foreign_digests | crops, foreign_pictures=foreign)
        return kept, (AcquisitionRefused(None, refusal),)
    current, opening = _opened(exam, event)
    current, replaced, withdrawn = _superseded(current, refusal)
    latest = (*current.refusals, refusal)[-REFUSALS_KEPT:]
    current = replace(current, refusals=latest, changed=event.at)
    refused = AcquisitionRefused(_id(current), refusal, replaced)
    return current, (*opening, refused, *withdrawn, ExamChanged(current))


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
        foreign_pictures=exam.foreign_pictures | exam.seen_pictures,
    )
    return current, (ResultCleared(exam.result_id),)


def _closed(exam: Exam, event: Event, closing: Closing) -> Step:
    withdrawn = closing is Closing.CANCELLED and exam.result_id is not None
    before = Exam() if exam.is_current else exam
    reason = Reason.PATIENT_CHANGED if closing is Closing.PATIENT_CHANGED else Reason.BEFORE_EXAM
    closed = replace(
        exam,
        phase=Phase.CLOSED,
        changed=event.at,
        closing=closing,
        result_id=None if withdrawn else exam.result_id,
        barrier=Barrier(event.at.monotonic_ns, reason),
        foreign_digests=before.foreign_digests | exam.seen_digests,
        foreign_pictures=before.foreign_pictures | exam.seen_pictures,
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
    closed, closing = _closed(exam, event, Closing.RESTARTED) if exam.is_current else (exam, ())
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
    if exam.phase is Phase.HELD:
        exam, _ = _resumed(exam, event)
    if not exam.is_open:
        return _no_exam(exam, event)
    if exam.phase is Phase.COMPLETE:
        return _closed(exam, event, Closing.FINISHED)
    if not exam.is_provisional:
        return _closed(exam, event, Closing.UNFINISHED)
    closed, closing = _closed(replace(exam, result_id=event.id), event, Closing.FINISHED)
    return closed, (ResultIssued(event.id, event.at, closed), *closing)


def _serum_entered(exam: Exam, event: SerumEntered) -> Step:
    if exam.phase in {Phase.CLOSED, Phase.HELD}:
        return _no_exam(exam, event)
    current, opening = _opened(exam, event)
    current = replace(current, serum=event.serum, changed=event.at)
    if current.phase is not Phase.COMPLETE:
        return current, (*opening, ExamChanged(current))
    current = replace(current, result_id=event.id)
    reissued = (
        ResultCleared(exam.result_id),
        ResultIssued(event.id, event.at, current, exam.result_id),
    )
    return current, (*reissued, ExamChanged(current))


def _ticked(exam: Exam, event: Tick) -> Step:
    if exam.changed is None:
        return exam, ()
    quiet_ns = event.at.monotonic_ns - exam.changed.monotonic_ns
    if exam.is_current and quiet_ns >= IDLE_NS:
        return _closed(exam, event, Closing.IDLE)
    if exam.phase is Phase.CLOSED and quiet_ns >= CLOSED_SHOWN_NS:
        waiting = Exam(
            result_id=exam.result_id,
            barrier=exam.barrier,
            foreign_digests=exam.foreign_digests,
            foreign_pictures=exam.foreign_pictures,
        )
        return waiting, (ExamChanged(waiting),)
    return exam, ()


def _no_exam(exam: Exam, event: Event) -> Step:
    return exam, (CommandRefused(event.id, CommandFault.NO_EXAM),)


def _id(exam: Exam) -> UUID:
    if exam.id is None:
        raise ValueError("an open exam has an id")
    return exam.id
