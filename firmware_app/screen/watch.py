"""Freezes over time: when to examine a frame, when a freeze ended, when the patient changed.

`watch` is a pure function of what is known and one more frame; time is the frame's own `pts_ns`.

                 still for STILL_NS, or snowflake              Q-box unmoved for SETTLED_NS
    LIVE  ------------------------------------->  FROZEN  -----------------------------------> ExamineNow
      ^                                             |            (again when the Q-box moved,
      |   moving or without snowflake               |             until `accepted`)
      +---------- for more than GLITCH_NS ----------+----> LiveAgain, or FreezeEndedWithoutQBox

Frames that cannot be read, or that contradict the state for no longer than `GLITCH_NS`, change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Circle, Frame, Panes, Rect, ScreenReading, View
from firmware_app.screen.banner import BannerDigest, differs

MILLISECOND = 1_000_000
STILL_NS = 1000 * MILLISECOND
"""Both panes unchanged for this long are a frozen picture even without the snowflake."""
SETTLED_NS = 400 * MILLISECOND
"""A Q-box unmoved for this long has been placed."""
BANNER_NS = 300 * MILLISECOND
"""A banner unchanged for this long is no passing picture."""
GLITCH_NS = 120 * MILLISECOND
"""Contradicting frames of up to this long belong to the video, not to the scanner."""
MOVED = 3.0
"""Pixels by which a Q-box at the same place may appear to move."""
THUMBNAIL = (48, 32)
CHANGED_LEVEL = 12
"""Gray levels by which a thumbnail's pixel changes when the picture does."""
CHANGED_SHARE = 0.02
"""Share of a pane's thumbnail that changes when the scan is live; a cursor covers less."""

Thumbnails = npt.NDArray[np.uint8]
"""Both panes in small, one above the other."""


@dataclass(frozen=True, slots=True)
class ExamineNow:
    """This frame is frozen and its Q-box has been placed: read its text and decide."""


@dataclass(frozen=True, slots=True)
class FreezeEndedWithoutQBox:
    """A freeze of an SWE view went by without a Q-box that stood still."""


@dataclass(frozen=True, slots=True)
class LiveAgain:
    """The freeze is over; the next one may be examined."""


@dataclass(frozen=True, slots=True)
class BannerChanged:
    """Another patient's banner stands on the screen; `since_ns` is the first frame's time stamp."""

    since_ns: int


Moment = ExamineNow | FreezeEndedWithoutQBox | LiveAgain | BannerChanged


@dataclass(frozen=True, slots=True)
class Freeze:
    """The freeze in progress.

    Attributes:
        pictures: the panes as they froze.
        doubted_ns: since when frames contradict it; None: they do not.
        q_box: where the ring stands, `q_box_ns` since when.
        examined: places of the Q-box that were examined.
        accepted: whether one of them made an acquisition.
    """

    pictures: Thumbnails
    doubted_ns: int | None = None
    q_box: Circle | None = None
    q_box_ns: int = 0
    examined: tuple[Circle, ...] = ()
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known from the frames so far; `Watch()` before the first.

    Attributes:
        now_ns: time stamp of the last frame.
        pictures: both panes when they last changed, `still_ns` since when they are unchanged.
        frozen_ns: since when live frames look frozen; None: they do not.
        freeze: the freeze in progress, or None while the scan is live.
        banner: digest of the banner that counts.
        other_banner: one that differs from it, `other_banner_ns` since when it stands.
    """

    now_ns: int = 0
    pictures: Thumbnails | None = None
    still_ns: int = 0
    frozen_ns: int | None = None
    freeze: Freeze | None = None
    banner: BannerDigest | None = None
    other_banner: BannerDigest | None = None
    other_banner_ns: int = 0


def accepted(state: Watch) -> Watch:
    """Tell that the freeze in progress made an acquisition: it is not examined again."""
    return replace(state, freeze=replace(state.freeze, accepted=True)) if state.freeze else state


def watch(state: Watch, frame: Frame, reading: ScreenReading) -> tuple[Watch, Moment | None]:
    """Advance by one frame; at most one moment comes of it, a changed banner before all others."""
    if frame.pts_ns < state.now_ns:
        state = Watch(banner=state.banner)  # the stream began anew
    state = replace(state, now_ns=frame.pts_ns)
    since_ns = state.other_banner_ns
    state, changed = _watch_banner(state, frame.pts_ns, reading)
    if changed:
        # A picture that was frozen under the last patient's banner is never examined under this one's.
        return accepted(state), BannerChanged(since_ns)
    pictures = _thumbnails(frame, reading.panes)
    state = _watch_stillness(state, frame.pts_ns, pictures)
    if state.freeze is None:
        return _watch_live(state, frame.pts_ns, reading, pictures), None
    return _watch_freeze(state, state.freeze, frame.pts_ns, reading, pictures)


def _thumbnails(frame: Frame, panes: Panes | None) -> Thumbnails | None:
    if panes is None:
        return None
    return np.concatenate([_thumbnail(frame, panes.elastogram), _thumbnail(frame, panes.gray)])


def _thumbnail(frame: Frame, pane: Rect) -> Thumbnails:
    part = frame.pixels[pane.y : pane.y + pane.h, pane.x : pane.x + pane.w]
    # Four samples per cell instead of all pixels: enough to see a scan move, in a tenth of the time.
    width, height = THUMBNAIL
    coarse = cv2.resize(part, (width * 4, height * 4), interpolation=cv2.INTER_NEAREST)
    gray = cv2.cvtColor(coarse, cv2.COLOR_BGR2GRAY)
    return np.asarray(cv2.resize(gray, THUMBNAIL, interpolation=cv2.INTER_AREA), np.uint8)


def _alike(first: Thumbnails, second: Thumbnails) -> bool:
    if first.shape != second.shape:
        return False
    return float((cv2.absdiff(first, second) > CHANGED_LEVEL).mean()) < CHANGED_SHARE


def _gray_alike(first: Thumbnails, second: Thumbnails) -> bool:
    """Only the gray pane: a Q-box that is placed or moved changes the elastogram's pane."""
    return _alike(first[THUMBNAIL[1] :], second[THUMBNAIL[1] :])


def _watch_stillness(state: Watch, now_ns: int, pictures: Thumbnails | None) -> Watch:
    if pictures is None:
        return state
    if state.pictures is not None and _alike(state.pictures, pictures):
        return state
    return replace(state, pictures=pictures, still_ns=now_ns)


def _watch_live(state: Watch, now_ns: int, reading: ScreenReading, pictures: Thumbnails | None) -> Watch:
    """A freeze begins once frames have said so for longer than a glitch lasts."""
    frozen = reading.frozen or now_ns - state.still_ns >= STILL_NS
    if pictures is None or reading.view is not View.SWE_DUAL or not frozen:
        return replace(state, frozen_ns=None)
    since = state.frozen_ns if state.frozen_ns is not None else now_ns
    if now_ns - since < GLITCH_NS:
        return replace(state, frozen_ns=since)
    return replace(state, frozen_ns=None, freeze=_with_q_box(Freeze(pictures), now_ns, reading.q_box))


def _with_q_box(freeze: Freeze, now_ns: int, q_box: Circle | None) -> Freeze:
    if q_box is not None and freeze.q_box is not None and _same_place(freeze.q_box, q_box):
        return freeze
    return replace(freeze, q_box=q_box, q_box_ns=now_ns)


def _same_place(first: Circle, second: Circle) -> bool:
    apart = max(abs(first.x - second.x), abs(first.y - second.y), abs(first.r - second.r))
    return apart <= MOVED


def _watch_freeze(
    state: Watch, freeze: Freeze, now_ns: int, reading: ScreenReading, pictures: Thumbnails | None
) -> tuple[Watch, Moment | None]:
    held = (
        pictures is not None
        and reading.view is View.SWE_DUAL
        and (reading.frozen or _gray_alike(freeze.pictures, pictures))
    )
    if not held:
        since = freeze.doubted_ns if freeze.doubted_ns is not None else now_ns
        if now_ns - since <= GLITCH_NS:
            return replace(state, freeze=replace(freeze, doubted_ns=since)), None
        ended: Moment = LiveAgain() if freeze.examined else FreezeEndedWithoutQBox()
        return replace(state, freeze=None), ended
    freeze = _with_q_box(replace(freeze, doubted_ns=None), now_ns, reading.q_box)
    place = freeze.q_box
    due = place is not None and not freeze.accepted and now_ns - freeze.q_box_ns >= SETTLED_NS
    if not due or place is None or any(_same_place(place, other) for other in freeze.examined):
        return replace(state, freeze=freeze), None
    return replace(state, freeze=replace(freeze, examined=(*freeze.examined, place))), ExamineNow()


def _watch_banner(state: Watch, now_ns: int, reading: ScreenReading) -> tuple[Watch, bool]:
    banner = reading.banner
    if banner is None:
        return state, False
    if state.banner is None:
        return replace(state, banner=banner), False
    if not differs(state.banner, banner):
        return replace(state, other_banner=None), False
    if state.other_banner is None or differs(state.other_banner, banner):
        return replace(state, other_banner=banner, other_banner_ns=now_ns), False
    if now_ns - state.other_banner_ns < BANNER_NS:
        return state, False
    return replace(state, banner=banner, other_banner=None), True
