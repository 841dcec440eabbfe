"""From a frozen, stable screen to an acquisition that may be counted, or to a refusal that says why not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from firmware_app.crop import crop_pair
from firmware_app.exam_events import Acquired, Acquisition, CropDigests, Moment, Refusal, Refused
from firmware_app.inference import Engine
from firmware_app.journey import Crops, Frame, Rejected, ScreenReading
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason


@dataclass(frozen=True, slots=True)
class Examiner:
    """What an examination needs.

    Attributes:
        reader: reads the printed values of the frozen frame.
        engine: runs the networks; None: no bundle, stiffness only.
        bar_range_kpa: the colour bar's range that the networks were trained for.
        new_id: gives fresh ids.
    """

    reader: ScreenReader
    engine: Engine | None
    bar_range_kpa: float
    new_id: Callable[[], UUID]


def examine(
    examiner: Examiner, frame: Frame, reading: ScreenReading, at: Moment, dropped: int
) -> Acquired | Refused:
    """Read the text of a frozen frame, cut its crops and score them.

    Args:
        examiner: reader and engine.
        frame: frozen, with a Q-box.
        reading: of this frame, without its text.
        at: when the frame was captured.
        dropped: frames passed over since the examination before.
    """
    reading = examiner.reader.read_text(frame, reading)
    rejected = reading.rejected or _wrong_range(reading, examiner.bar_range_kpa)
    crops = None if reading.roi is None else crop_pair(frame, reading.roi)
    if rejected is None and crops is not None and reading.q_box is not None and reading.stiffness is not None:
        acquisition = Acquisition(
            id=examiner.new_id(),
            at=at,
            frame_number=frame.number,
            stiffness=reading.stiffness,
            readout=reading.readout,
            scores=None if examiner.engine is None else examiner.engine.score(crops),
            q_box=reading.q_box,
            roi=reading.roi,  # type: ignore[arg-type]  # crops exist, so the ROI does
            crop_digests=_digests_of(crops),
            dropped=dropped,
            latency_ms=_since_ms(frame),
        )
        return Acquired(examiner.new_id(), at, acquisition)
    return refuse(examiner, frame, reading, rejected or Rejected(Reason.NO_Q_BOX), at, dropped)


def refuse(  # noqa: PLR0913, PLR0917 - the evidence of a refusal
    examiner: Examiner, frame: Frame, reading: ScreenReading, rejected: Rejected, at: Moment, dropped: int
) -> Refused:
    """The refusal of a frame, with as much evidence as there is."""
    crops = None if reading.roi is None else crop_pair(frame, reading.roi)
    refusal = Refusal(
        id=examiner.new_id(),
        at=at,
        frame_number=frame.number,
        reason=rejected.reason,
        detail=rejected.detail,
        stiffness=reading.stiffness,
        readout=reading.readout,
        q_box=reading.q_box,
        roi=reading.roi,
        crop_digests=None if crops is None else _digests_of(crops),
        dropped=dropped,
        latency_ms=_since_ms(frame),
    )
    return Refused(examiner.new_id(), at, refusal)


def _wrong_range(reading: ScreenReading, trained_kpa: float) -> Rejected | None:
    bar = reading.colour_bar
    if bar is None or bar.maximum is None:
        return Rejected(Reason.BAR_UNREADABLE)
    if bar.unit == "kPa" and bar.maximum == trained_kpa:
        return None
    return Rejected(
        Reason.BAR_RANGE, f"{bar.maximum:g} {bar.unit} on the screen, {trained_kpa:g} kPa in the model"
    )


def _digests_of(crops: Crops) -> CropDigests:
    return CropDigests(
        elastogram=hashlib.sha256(crops.elastogram.tobytes()).hexdigest(),
        gray=hashlib.sha256(crops.gray.tobytes()).hexdigest(),
    )


def _since_ms(frame: Frame) -> float:
    return (time.monotonic_ns() - frame.captured_ns) / 1e6
