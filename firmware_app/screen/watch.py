"""Freezes over time: when to examine a frame, when a freeze ended, when the patient changed.

`watch` is a pure function of what is known and one more frame; time is the frame's own `pts_ns`.

                 still for STILL_NS, or snowflake       picture and Q-boxes unmoved for SETTLED_NS
    LIVE  ------------------------------------->  FROZEN  -----------------------------------> ExamineNow
      ^                                             |       (again whenever others stand than were
      |   moving and without snowflake              |        examined last: the last ones count)
      +---------- for more than GLITCH_NS ----------+----> LiveAgain, or FreezeEndedWithoutQBox

Nothing is examined while the banner is another than the one that counts: whose picture it is must be known.

Frames that cannot be read, or that contradict the state for no longer than `GLITCH_NS`, change nothing. A
cine loop that is scrolled changes the picture of a freeze, not the freeze: the snowflake stays. Without the
snowflake, a picture that changes is live.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from uuid import UUID

from firmware_app.journey import Circle, Frame, ScreenReading, View
from firmware_app.screen.banner import BannerDigest, differs
from firmware_app.screen.likeness import Likeness, is_still, likeness_of, same_plane

MILLISECOND = 1_000_000
STILL_NS = 1000 * MILLISECOND
"""Both panes unchanged for this long are a frozen picture even without the snowflake."""
SETTLED_NS = 400 * MILLISECOND
"""A Q-box unmoved for this long has been placed."""
BANNER_NS = 300 * MILLISECOND
"""A banner unchanged for this long is no passing picture."""
SHARP_NS = 2000 * MILLISECOND
"""After so long a codec has drawn a new banner as sharp as it will."""
GLITCH_NS = 120 * MILLISECOND
"""Contradicting frames of up to this long belong to the video, not to the scanner."""
MOVED = 3.0
"""Pixels by which a Q-box at the same place may appear to move."""
OTHER_SHARE = 0.05
"""Share of the gray pane that changes when the cine loop is scrolled; an annotation covers half of it."""


@dataclass(frozen=True, slots=True)
class ExamineNow:
    """This frame is frozen and its Q-box has been placed: read its text and decide.

    Attributes:
        since_ns: time stamp of the first frame of this freeze.
    """

    since_ns: int


@dataclass(frozen=True, slots=True)
class FreezeEndedWithoutQBox:
    """A freeze of an SWE view went by without a Q-box that stood still; `since_ns` as in `ExamineNow`."""

    since_ns: int


@dataclass(frozen=True, slots=True)
class LiveAgain:
    """The freeze is over; the next one may be examined."""


@dataclass(frozen=True, slots=True)
class BannerChanged:
    """Another patient's banner stands on the screen.

    Attributes:
        since_ns: time stamp of the first frame without the old banner; a codec may have drawn the new one
            only some frames later.
    """

    since_ns: int


Moment = ExamineNow | FreezeEndedWithoutQBox | LiveAgain | BannerChanged


@dataclass(frozen=True, slots=True)
class Stand:
    """What stands on a frozen screen: both panes in small, and the Q-boxes."""

    pictures: Likeness
    q_boxes: tuple[Circle, ...]


class Text(Enum):
    """What became of the text of a freeze: it was read and stands, or another one stands there."""

    UNREAD = "unread"
    STANDS = "stands"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Freeze:
    """The freeze in progress.

    Attributes:
        since_ns: time stamp of its first frame.
        stand: what stands there, `stand_ns` since when.
        doubted_ns: since when frames contradict it; None: they do not.
        examined: what stood there when it was examined last; None: nothing yet.
        text: what became of the text that was read then.
        verdict: id of the first acquisition or refusal that came of it.
        void: it began under another patient's banner, and is never examined.
    """

    since_ns: int
    stand: Stand
    stand_ns: int
    doubted_ns: int | None = None
    examined: Stand | None = None
    text: Text = Text.UNREAD
    verdict: UUID | None = None
    void: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known from the frames so far; `Watch()` before the first.

    Attributes:
        now_ns: time stamp of the last frame.
        pictures: both panes when they last changed, `still_ns` since when they are unchanged.
        frozen_ns: since when live frames look frozen; None: they do not.
        freeze: the freeze in progress, or None while the scan is live.
        banner: digest of the banner that counts, `banner_ns` since when.
        other_banner: one that differs from it, `other_banner_ns` since when it stands.
        parted_ns: since when none was seen that is the one that counts; of `other_banner` only.
    """

    now_ns: int = 0
    pictures: Likeness | None = None
    still_ns: int = 0
    frozen_ns: int | None = None
    freeze: Freeze | None = None
    banner: BannerDigest | None = None
    banner_ns: int = 0
    other_banner: BannerDigest | None = None
    other_banner_ns: int = 0
    parted_ns: int = 0


def interrupted(state: Watch) -> Watch:
    """The signal was lost: what stands there afterwards is no scroll of the freeze before.

    A freeze that is void stays: whatever is frozen when the signal is back may be the last patient's.
    """
    if state.freeze is not None and state.freeze.void:
        return state
    return replace(state, pictures=None, frozen_ns=None, freeze=None)


def judged(state: Watch, verdict: UUID) -> Watch:
    """Tell the id of the acquisition or refusal that came of the freeze in progress; the first is kept."""
    freeze = state.freeze
    if freeze is None or freeze.verdict is not None:
        return state
    return replace(state, freeze=replace(freeze, verdict=verdict))


def watch(state: Watch, frame: Frame, reading: ScreenReading) -> tuple[Watch, Moment | None]:
    """Advance by one frame; at most one moment comes of it, a changed banner before all others."""
    if frame.pts_ns < state.now_ns:
        state = Watch(banner=state.banner, banner_ns=-SHARP_NS)  # the stream began anew
    state = replace(state, now_ns=frame.pts_ns)
    since_ns = state.parted_ns
    state, changed = _watch_banner(state, frame.pts_ns, reading)
    if changed:
        # A picture that was frozen under the last patient's banner is never examined under this one's.
        void = replace(state.freeze, void=True) if state.freeze else None
        return replace(state, freeze=void), BannerChanged(since_ns)
    pictures = None if reading.panes is None else likeness_of(frame, reading.panes)
    state = _watch_stillness(state, frame.pts_ns, pictures)
    if state.freeze is None:
        return _watch_live(state, frame.pts_ns, reading, pictures), None
    return _watch_freeze(state, state.freeze, frame.pts_ns, reading, pictures)


def _watch_stillness(state: Watch, now_ns: int, pictures: Likeness | None) -> Watch:
    if pictures is None:
        return state
    if state.pictures is not None and is_still(state.pictures, pictures):
        return state
    return replace(state, pictures=pictures, still_ns=now_ns)


def _watch_live(state: Watch, now_ns: int, reading: ScreenReading, pictures: Likeness | None) -> Watch:
    """A freeze begins once frames have said so for longer than a glitch lasts."""
    frozen = reading.frozen or now_ns - state.still_ns >= STILL_NS
    if pictures is None or reading.view is not View.SWE_DUAL or not frozen:
        return replace(state, frozen_ns=None)
    since = state.frozen_ns if state.frozen_ns is not None else now_ns
    if now_ns - since < GLITCH_NS:
        return replace(state, frozen_ns=since)
    stand = Stand(pictures, _q_boxes(reading))
    return replace(state, frozen_ns=None, freeze=Freeze(since, stand, now_ns))


def _q_boxes(reading: ScreenReading) -> tuple[Circle, ...]:
    if reading.q_boxes or reading.q_box is None:
        return reading.q_boxes
    return (reading.q_box,)


def _same(first: Stand, second: Stand) -> bool:
    """Whether the same picture stands there, with the Q-boxes at the same places."""
    return (
        len(first.q_boxes) == len(second.q_boxes)
        and all(any(_same_place(a, b) for b in second.q_boxes) for a in first.q_boxes)
        and same_plane(first.pictures, second.pictures, OTHER_SHARE)
    )


def _same_place(first: Circle, second: Circle) -> bool:
    apart = max(abs(first.x - second.x), abs(first.y - second.y), abs(first.r - second.r))
    return apart <= MOVED


def _watch_freeze(
    state: Watch, freeze: Freeze, now_ns: int, reading: ScreenReading, pictures: Likeness | None
) -> tuple[Watch, Moment | None]:
    if pictures is None or reading.view is not View.SWE_DUAL:
        return _watch_doubt(state, freeze, now_ns)
    if not reading.frozen and not same_plane(freeze.stand.pictures, pictures, OTHER_SHARE):
        return _watch_doubt(state, freeze, now_ns)
    stand = Stand(pictures, _q_boxes(reading))
    freeze = replace(freeze, doubted_ns=None)
    text = _text(freeze, reading)
    if text is Text.CHANGED is not freeze.text or not _same(freeze.stand, stand):
        freeze = replace(freeze, stand=stand, stand_ns=now_ns)
    freeze = replace(freeze, text=text)
    known = freeze.examined is not None and _same(freeze.examined, stand) and text is not Text.CHANGED
    due = bool(stand.q_boxes) and not known and now_ns - freeze.stand_ns >= SETTLED_NS
    if not due or freeze.void or state.other_banner is not None:
        return replace(state, freeze=freeze), None
    freeze = replace(freeze, examined=stand, text=Text.UNREAD)
    return replace(state, freeze=freeze), ExamineNow(freeze.since_ns)


def _text(freeze: Freeze, reading: ScreenReading) -> Text:
    """What was read counts for the reader as long as it stands: then the bar's maximum is known."""
    known = reading.colour_bar is not None and reading.colour_bar.maximum is not None
    if freeze.text is Text.STANDS and not known:
        return Text.CHANGED
    return Text.STANDS if known and freeze.examined is not None else freeze.text


def _watch_doubt(state: Watch, freeze: Freeze, now_ns: int) -> tuple[Watch, Moment | None]:
    since = freeze.doubted_ns if freeze.doubted_ns is not None else now_ns
    if now_ns - since <= GLITCH_NS:
        return replace(state, freeze=replace(freeze, doubted_ns=since)), None
    told = freeze.examined is not None or freeze.void
    return replace(state, freeze=None), LiveAgain() if told else FreezeEndedWithoutQBox(freeze.since_ns)


def _watch_banner(state: Watch, now_ns: int, reading: ScreenReading) -> tuple[Watch, bool]:
    banner = reading.banner
    if banner is None:
        return state, False
    if state.banner is not None and not differs(state.banner, banner):
        # A codec sharpens a new banner over some frames; from then on the reference never follows.
        sharper = banner if now_ns - state.banner_ns < SHARP_NS else state.banner
        return replace(state, banner=sharper, other_banner=None), False
    if state.other_banner is None:
        return replace(state, other_banner=banner, other_banner_ns=now_ns, parted_ns=now_ns), False
    if differs(state.other_banner, banner):
        return replace(state, other_banner=banner, other_banner_ns=now_ns), False
    if now_ns - state.other_banner_ns < BANNER_NS:
        return state, False
    told = state.banner is not None
    return replace(state, banner=banner, banner_ns=now_ns, other_banner=None), told
