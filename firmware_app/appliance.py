"""The appliance: one loop from the cable to the ward. Read this file first.

`follow` is the whole journey as one generator; `fibrostage run` feeds it from a live source and publishes
its steps, `fibrostage replay` feeds it from a recording and prints them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from firmware_app.exam.events import (
    Acquired,
    FreezeEvidence,
    Identified,
    Moment,
    PatientChanged,
    Refused,
    Tick,
)
from firmware_app.exam.events import Event as ExamEvent
from firmware_app.exam.machine import advance
from firmware_app.exam.state import CommandRefused, Effect, Exam, Phase
from firmware_app.examination import Examiner, Subject, examine, refuse
from firmware_app.health.stopwatch import Stage
from firmware_app.journey import Frame, ImageScores, Rejected, ScreenReading
from firmware_app.preview import NOTHING, previewed
from firmware_app.screen.banner import BannerDigest, differs
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
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.picture_watch import PictureWatch, see
from firmware_app.video.stream_events import SignalLost, StreamEnded
from firmware_app.ward.commands import CommandError, event_of
from firmware_app.ward.inbox import Request
from firmware_app.wording import Reason

TICK_NS = 1_000_000_000
"""The exam learns once a second that time passes."""
Video = Frame | SignalLost | StreamEnded


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is known when the loop begins.

    Attributes:
        exam: as it was left, see `exam.resumption`.
        banner: the one that stood on the screen then; None: nobody remembers.
    """

    exam: Exam = field(default_factory=Exam)
    banner: BannerDigest | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of a request; `error` is None when it was carried out."""

    request: Request
    error: CommandError | None


@dataclass(frozen=True, slots=True)
class Step:
    """What one event of the video brought about.

    Attributes:
        event: a frame, the loss of the signal or the end of the stream.
        reading: of the frame; None without one.
        at: when the frame was captured, or the event noticed.
        exam: as it stands afterwards.
        effects: what to publish, in this order.
        answered: the commands that were carried out or not.
        preview: what the networks say about a recent live frame; counts for nothing.
        banner: of the patient on the screen, comparable in this process only; None: none was seen.
        picture: what is wrong with the pictures that arrive; LIVE: nothing.
    """

    event: Video
    reading: ScreenReading | None
    at: Moment
    exam: Exam
    effects: tuple[Effect, ...] = ()
    answered: tuple[Answered, ...] = ()
    preview: ImageScores | None = None
    banner: BannerDigest | None = None
    picture: CaptureState = CaptureState.LIVE

    @property
    def capture(self) -> CaptureState:
        """The state of the video."""
        match self.event:
            case Frame():
                return self.picture
            case SignalLost(state=state):
                return state
            case StreamEnded():
                return CaptureState.ENDED


def follow(
    video: Iterable[Video],
    examiner: Examiner,
    moment_of: Callable[[Video], Moment],
    beginning: Beginning = Beginning(),
    requests: Callable[[], Sequence[Request]] = tuple,
) -> Iterator[Step]:
    """Follow the video frame by frame: read, watch, examine, advance.

    Args:
        video: frames in order, and what became of the signal.
        examiner: screen reader and engine.
        moment_of: the clock: when a frame was captured, or what else is told happened.
        beginning: where to go on.
        requests: takes the commands that have come in since it was called last.
    """
    exam, watched = beginning.exam, Watch(banner=beginning.banner)
    preview, dropped, ticked_ns = NOTHING, 0, 0
    pictures = PictureWatch()
    for event in video:
        at, reading = moment_of(event), None
        exam, effects, answered = _carried_out(exam, requests(), examiner, at)
        happened: ExamEvent | None = None
        if isinstance(event, Frame):
            dropped += event.dropped
            with examiner.stopwatch.timing(Stage.READ):
                reading = examiner.reader.read(event)
                pictures = see(pictures, event, reading)
            watched, moment = watch(watched, event, reading)
            freeze = FreezeEvidence(at.monotonic_ns, watched.freeze.verdict if watched.freeze else None)
            happened = _what_happened(examiner, Subject(event, reading, at, freeze, dropped), moment)
            preview = previewed(preview, examiner, event, reading, exam)
        else:
            watched, pictures = interrupted(watched), PictureWatch()
        if happened is None and _is_same_patient(exam, beginning, watched, reading):
            happened = Identified(examiner.new_id(), at)
        if happened is None and at.monotonic_ns - ticked_ns >= TICK_NS:
            happened, ticked_ns = Tick(examiner.new_id(), at), at.monotonic_ns
        if happened is not None:
            exam, brought_about = advance(exam, happened)
            effects = (*effects, *brought_about)
            dropped = dropped if isinstance(happened, Tick) else 0
            watched = _judged(watched, happened)
        shown, banner = preview.shown(at), watched.banner
        yield Step(event, reading, at, exam, effects, answered, shown, banner, pictures.state)


def _carried_out(
    exam: Exam, requests: Sequence[Request], examiner: Examiner, at: Moment
) -> tuple[Exam, tuple[Effect, ...], tuple[Answered, ...]]:
    """The exam after these commands, their effects, and what became of each."""
    effects: list[Effect] = []
    answered: list[Answered] = []
    for request in requests:
        if isinstance(request.command, CommandError):
            answered.append(Answered(request, request.command))
            continue
        try:
            exam, brought_about = advance(exam, event_of(request.command, exam, examiner.new_id(), at))
        except CommandError as error:
            answered.append(Answered(request, error))
            continue
        faults = [CommandError(e.fault) for e in brought_about if isinstance(e, CommandRefused)]
        answered.append(Answered(request, faults[0] if faults else None))
        effects += brought_about
    return exam, tuple(effects), tuple(answered)


def _is_same_patient(exam: Exam, beginning: Beginning, watched: Watch, reading: ScreenReading | None) -> bool:
    """Whether a held exam may go on: the banner from before the interruption stands on the screen."""
    if exam.phase is not Phase.HELD or beginning.banner is None or watched.banner is None:
        return False
    banner = None if reading is None else reading.banner
    return banner is not None and not differs(watched.banner, banner)


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


def _judged(watched: Watch, happened: ExamEvent) -> Watch:
    match happened:
        case Acquired():
            return judged(watched, happened.acquisition.id)
        case Refused():
            return judged(watched, happened.refusal.id)
        case _:
            return watched


def _since(subject: Subject, pts_ns: int) -> Subject:
    """The subject, told when its freeze began."""
    began_ns = _earlier(subject.at, pts_ns).monotonic_ns
    return replace(subject, freeze=replace(subject.freeze, since_ns=began_ns))


def _earlier(at: Moment, pts_ns: int) -> Moment:
    """The moment at which an earlier frame of the same stream was captured."""
    ago_ns = at.pts_ns - pts_ns
    return Moment(at.utc - timedelta(microseconds=ago_ns // 1000), at.monotonic_ns - ago_ns, pts_ns)
