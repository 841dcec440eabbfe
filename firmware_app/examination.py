"""From a frozen, stable screen to an acquisition that may be counted, or to a refusal that says why not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field, replace
from uuid import UUID

from firmware_app.crop import crop_pair
from firmware_app.exam.events import (
    Acquired,
    Acquisition,
    CropDigests,
    FreezeEvidence,
    Moment,
    Refused,
    Sight,
    refusal_of,
)
from firmware_app.health.stopwatch import Stage, Stopwatch
from firmware_app.inference import Engine
from firmware_app.inference.familiarity import Familiarity
from firmware_app.journey import Crops, Frame, ImageScores, Rejected, Roi, ScreenReading
from firmware_app.screen import ScreenReader
from firmware_app.screen.likeness import likeness_of
from firmware_app.wording import Reason


@dataclass(frozen=True, slots=True)
class Examiner:
    """What an examination needs.

    Attributes:
        reader: reads the printed values of the frozen frame.
        engine: runs the networks; None: no bundle, stiffness only.
        bar_range_kpa: the colour bar's range that the networks were trained for.
        new_id: gives fresh ids.
        familiarity: tells pictures that the networks cannot know; None: nobody does.
        stopwatch: times reading, cutting and scoring.
        previews: whether live pictures are scored now and then, see `preview`.
        texts: reads the printed values while the networks score; None: they are read first, and then scored.
    """

    reader: ScreenReader
    engine: Engine | None
    bar_range_kpa: float
    new_id: Callable[[], UUID]
    familiarity: Familiarity | None = None
    stopwatch: Stopwatch = field(default_factory=Stopwatch)
    previews: bool = False
    texts: Executor | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """What is examined.

    Attributes:
        frame: frozen.
        reading: of this frame, without its text.
        at: when the frame was captured.
        freeze: which freeze it belongs to; its likeness is filled in here.
        dropped: frames passed over since the examination before.
    """

    frame: Frame
    reading: ScreenReading
    at: Moment
    freeze: FreezeEvidence
    dropped: int


def examine(examiner: Examiner, subject: Subject) -> Acquired | Refused:
    """Read the text of a frozen frame with a Q-box, cut its crops and score them."""
    timing = examiner.stopwatch.timing
    reading, ahead = _read_and_score(examiner, subject)
    subject = replace(subject, reading=reading)
    with timing(Stage.CROP):
        crops = _crops_of(subject)
    seen = _sight(examiner, subject, crops)
    rejected = reading.rejected or _wrong_range(reading, examiner.bar_range_kpa)
    if (
        rejected is not None
        or crops is None
        or seen.q_box is None
        or seen.stiffness is None
        or seen.roi is None
        or seen.crop_digests is None
    ):
        return _refused(examiner, seen, rejected or Rejected(Reason.NO_Q_BOX))
    scores = ahead.scores if ahead is not None and ahead.roi == reading.roi else _scored(examiner, crops)
    strange = _strange(examiner.familiarity, scores)
    if strange is not None:
        return _refused(examiner, seen, strange)
    acquisition = Acquisition(
        id=seen.id,
        at=seen.at,
        frame_number=seen.frame_number,
        stiffness=seen.stiffness,
        readout=seen.readout,
        scores=scores,
        q_box=seen.q_box,
        roi=seen.roi,
        crop_digests=seen.crop_digests,
        dropped=seen.dropped,
        latency_ms=_since_ms(subject.frame),
        freeze=seen.freeze,
    )
    return Acquired(examiner.new_id(), seen.at, acquisition)


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Scores of the square that was seen before any text was read; good for this very square of the frame."""

    roi: Roi
    scores: ImageScores | None


def _read_and_score(examiner: Examiner, subject: Subject) -> tuple[ScreenReading, _Ahead | None]:
    """The reading with its text, and the scores if somebody else reads meanwhile.

    What was scored for nothing, as the text refuses the picture, costs no time: texts take longer.
    """

    def read() -> ScreenReading:
        with examiner.stopwatch.timing(Stage.TEXT):
            return examiner.reader.read_text(subject.frame, subject.reading)

    ready = examiner.texts is not None and examiner.engine is not None and subject.reading.rejected is None
    roi = examiner.reader.square(subject.frame) if ready else None
    if examiner.texts is None or roi is None:
        return read(), None
    reading = examiner.texts.submit(read)
    try:
        ahead = _Ahead(roi, _scored(examiner, crop_pair(subject.frame, roi)))
    finally:
        wait((reading,))  # the reader belongs to this thread again
    return reading.result(), ahead


def _scored(examiner: Examiner, crops: Crops) -> ImageScores | None:
    if examiner.engine is None:
        return None
    with examiner.stopwatch.timing(Stage.SCORE):
        return examiner.engine.score(crops)


def refuse(examiner: Examiner, subject: Subject, rejected: Rejected) -> Refused:
    """The refusal of a frame that is not worth an examination, with as much evidence as there is."""
    return _refused(examiner, _sight(examiner, subject, _crops_of(subject)), rejected)


def _refused(examiner: Examiner, seen: Sight, rejected: Rejected) -> Refused:
    return Refused(examiner.new_id(), seen.at, refusal_of(seen, rejected.reason, rejected.detail))


def _crops_of(subject: Subject) -> Crops | None:
    roi = subject.reading.roi
    return None if roi is None else crop_pair(subject.frame, roi)


def _sight(examiner: Examiner, subject: Subject, crops: Crops | None) -> Sight:
    frame, reading = subject.frame, subject.reading
    likeness = None if reading.panes is None else likeness_of(frame, reading.panes)
    return Sight(
        id=examiner.new_id(),
        at=subject.at,
        frame_number=frame.number,
        stiffness=reading.stiffness,
        readout=reading.readout,
        q_box=reading.q_box,
        roi=reading.roi,
        crop_digests=None if crops is None else crop_digests_of(crops),
        dropped=subject.dropped,
        latency_ms=_since_ms(frame),
        freeze=replace(subject.freeze, likeness=likeness),
    )


def _strange(familiarity: Familiarity | None, scores: ImageScores | None) -> Rejected | None:
    if familiarity is None or scores is None or scores.features is None:
        return None
    complaint = familiarity.complaint(scores.features)
    return None if complaint is None else Rejected(Reason.PICTURE_QUALITY, complaint)


def _wrong_range(reading: ScreenReading, trained_kpa: float) -> Rejected | None:
    bar = reading.colour_bar
    if bar is None or bar.maximum is None:
        return Rejected(Reason.BAR_UNREADABLE)
    if bar.unit == "kPa" and bar.maximum == trained_kpa:
        return None
    return Rejected(
        Reason.BAR_RANGE, f"{bar.maximum:g} {bar.unit} on the screen, {trained_kpa:g} kPa in the model"
    )


def crop_digests_of(crops: Crops) -> CropDigests:
    """SHA-256 of the pixels of both crops."""
    return CropDigests(
        elastogram=hashlib.sha256(crops.elastogram.tobytes()).hexdigest(),
        gray=hashlib.sha256(crops.gray.tobytes()).hexdigest(),
    )


def _since_ms(frame: Frame) -> float:
    return (time.monotonic_ns() - frame.captured_ns) / 1e6
