"""The appliance: one loop from the cable to the ward. Read this file first.

`follow` is the whole journey as one generator; `fibrostage run` feeds it from a live source and publishes
its steps, `fibrostage replay` feeds it from a recording and prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from firmware_app.exam.events import Acquired, FreezeEvidence, Moment, PatientChanged, Refused, Tick
from firmware_app.exam.events import Event as ExamEvent
from firmware_app.exam.machine import advance
from firmware_app.exam.state import Effect, Exam
from firmware_app.examination import Examiner, Subject, examine, refuse
from firmware_app.health.stopwatch import Stage
from firmware_app.journey import Frame, Rejected, ScreenReading
from firmware_app.screen.watch import (
    BannerChanged,
    ExamineNow,
    FreezeEndedWithoutQBox,
    Watch,
    interrupted,
    judged,
    watch,
)
from firmware_app.screen.watch import Moment as ScreenMoment
from firmware_app.video.stream_events import SignalLost, StreamEnded
from firmware_app.wording import Reason

TICK_NS = 1_000_000_000
"""The exam learns once a second that time passes."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one event of the video brought about.

    Attributes:
        event: a frame, the loss of the signal or the end of the stream.
        reading: of the frame; None without one.
        at: when the frame was captured; None without one.
        exam: as it stands afterwards.
        effects: what to publish, in this order.
    """

    event: Frame | SignalLost | StreamEnded
    reading: ScreenReading | None
    at: Moment | None
    exam: Exam
    effects: tuple[Effect, ...] = ()


def follow(
    video: Iterable[Frame | SignalLost | StreamEnded],
    examiner: Examiner,
    moment_of: Callable[[Frame], Moment],
) -> Iterator[Step]:
    """Follow the video frame by frame: read, watch, examine, advance.

    Args:
        video: frames in order, and what became of the signal.
        examiner: screen reader and engine.
        moment_of: the clock: when a frame was captured.
    """
    exam, watched = Exam(), Watch()
    dropped, ticked_ns = 0, 0
    for event in video:
        if not isinstance(event, Frame):
            watched = interrupted(watched)
            yield Step(event, None, None, exam)
            continue
        dropped += event.dropped
        with examiner.stopwatch.timing(Stage.READ):
            reading = examiner.reader.read(event)
        at = moment_of(event)
        watched, moment = watch(watched, event, reading)
        freeze = FreezeEvidence(at.monotonic_ns, watched.freeze.verdict if watched.freeze else None)
        subject = Subject(event, reading, at, freeze, dropped)
        happened = _what_happened(examiner, subject, moment)
        if happened is None and at.monotonic_ns - ticked_ns >= TICK_NS:
            happened, ticked_ns = Tick(examiner.new_id(), at), at.monotonic_ns
        effects: tuple[Effect, ...] = ()
        if happened is not None:
            exam, effects = advance(exam, happened)
            dropped = dropped if isinstance(happened, Tick) else 0
        match happened:
            case Acquired():
                watched = judged(watched, happened.acquisition.id)
            case Refused():
                watched = judged(watched, happened.refusal.id)
        yield Step(event, reading, at, exam, effects)


def _what_happened(examiner: Examiner, subject: Subject, moment: ScreenMoment | None) -> ExamEvent | None:
    match moment:
        case ExamineNow(since_ns=since_ns):
            return examine(examiner, _since(subject, since_ns))
        case FreezeEndedWithoutQBox(since_ns=since_ns):
            return refuse(examiner, _since(subject, since_ns), Rejected(Reason.NO_Q_BOX))
        case BannerChanged(since_ns=since_ns):
            return PatientChanged(examiner.new_id(), _earlier(subject.at, since_ns))
        case _:
            return None


def _since(subject: Subject, pts_ns: int) -> Subject:
    """The subject, told when its freeze began."""
    began_ns = _earlier(subject.at, pts_ns).monotonic_ns
    return replace(subject, freeze=replace(subject.freeze, since_ns=began_ns))


def _earlier(at: Moment, pts_ns: int) -> Moment:
    """The moment at which an earlier frame of the same stream was captured."""
    ago_ns = at.pts_ns - pts_ns
    return Moment(at.utc - timedelta(microseconds=ago_ns // 1000), at.monotonic_ns - ago_ns, pts_ns)
