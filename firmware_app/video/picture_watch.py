"""What is wrong with pictures that do arrive: a card's own picture, wrong colours, one that stands still.

`see` is a pure function of what is known and one more frame; time is the frame's own `pts_ns`. A fault is
told once it has stood for `SURE_NS`, and is over with the first frame without it.

**A picture that stands still** is told in two ways, since a frozen scanner shows the very same picture for as
long as it likes, and must never be taken for a broken card:

- Where the chain adds noise, every row of a frozen scanner's picture still changes. Once that was seen for
  `LEARNED_NS` of freezes, a picture that is the same to the last bit for `NOISY_STILL_NS` comes from a card
  that repeats itself.
- Everywhere else the scanner's clock must change the picture once a minute. The same picture for `CLOCK_NS`
  is no picture of a scanner that runs.

A card that says by its stamps that it repeats itself is told within a second, see `frame_meter`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from firmware_app.journey import Frame, Picture, ScreenReading
from firmware_app.video.capture_state import CaptureState
from firmware_app.wording import Reason

MILLISECOND = 1_000_000
SURE_NS = 400 * MILLISECOND
"""A fault of the picture that stands for so long is no passing picture."""
LOOK_NS = 250 * MILLISECOND
"""Between two comparisons with the picture that may stand still, at least; up to twice as much."""
LEARNED_NS = 10_000 * MILLISECOND
"""Of freezes in which every row changed, before stillness means anything."""
NOISY_STILL_NS = 3_000 * MILLISECOND
"""The same picture for so long, where there is noise."""
CLOCK_NS = 75_000 * MILLISECOND
"""The same picture for so long, where there is none: a clock that shows minutes changes it before."""
_SPARSE = 64
"""Every so many rows are compared first."""


@dataclass(frozen=True, slots=True)
class Stillness:
    """How long the picture has been the same to the last bit, and what is known of this chain.

    Attributes:
        picture: the one that may stand still, `since_ns` since when.
        looked_ns: time stamp of the last comparison.
        noisy_ns: for how long every row changed although the scanner was frozen.
    """

    picture: Picture | None = None
    since_ns: int = 0
    looked_ns: int = 0
    noisy_ns: int = 0

    @property
    def is_too_long(self) -> bool:
        """Whether the picture has been the same for longer than a scanner's may be."""
        allowed_ns = NOISY_STILL_NS if self.noisy_ns >= LEARNED_NS else CLOCK_NS
        return self.picture is not None and self.looked_ns - self.since_ns > allowed_ns


@dataclass(frozen=True, slots=True)
class PictureWatch:
    """What is known from the frames so far.

    Attributes:
        state: what is told.
        suspected: what the last frame looks like, `since_ns` since when.
        stillness: whether the picture moves.
    """

    state: CaptureState = CaptureState.LIVE
    suspected: CaptureState = CaptureState.LIVE
    since_ns: int = 0
    stillness: Stillness = Stillness()


def see(watched: PictureWatch, frame: Frame, reading: ScreenReading) -> PictureWatch:
    """Advance by one frame."""
    stillness = _looked(watched.stillness, frame, frozen=reading.frozen)
    suspected = _suspected(reading)
    since_ns = watched.since_ns
    if suspected is not watched.suspected or frame.pts_ns < since_ns:
        since_ns = frame.pts_ns
    state = watched.state
    if suspected is CaptureState.LIVE:
        state = CaptureState.FROZEN_SOURCE if stillness.is_too_long else CaptureState.LIVE
    elif frame.pts_ns - since_ns >= SURE_NS:
        state = suspected
    return PictureWatch(state, suspected, since_ns, stillness)


def _suspected(reading: ScreenReading) -> CaptureState:
    if reading.colours is not None:
        return CaptureState.BAD_COLOURS
    match None if reading.rejected is None else reading.rejected.reason:
        case Reason.NO_SIGNAL:
            return CaptureState.NO_SIGNAL
        case Reason.UNREADABLE_PICTURE:
            return CaptureState.UNSUPPORTED_TIMING
        case _:
            return CaptureState.LIVE


def _looked(still: Stillness, frame: Frame, *, frozen: bool) -> Stillness:
    now_ns = frame.pts_ns
    if still.picture is None or now_ns < still.looked_ns:
        return replace(still, picture=frame.pixels, since_ns=now_ns, looked_ns=now_ns)
    # Never in the rhythm of a blinking cursor, which would look still.
    due_ns = LOOK_NS + LOOK_NS * (frame.number % 7) // 7
    passed_ns = now_ns - still.looked_ns
    if passed_ns < due_ns:
        return still
    changed = _changed_rows(still.picture, frame.pixels)
    if changed == 0.0 and np.array_equal(still.picture, frame.pixels):
        return replace(still, looked_ns=now_ns)
    noisy_ns = still.noisy_ns + (passed_ns if frozen and changed == 1.0 else 0)
    return Stillness(frame.pixels, now_ns, now_ns, noisy_ns)


def _changed_rows(first: Picture, second: Picture) -> float:
    """Share of some rows that are not the same to the last bit."""
    if first.shape != second.shape:
        return 1.0
    return float((first[::_SPARSE] != second[::_SPARSE]).any(axis=(1, 2)).mean())
