"""Freezes over time, from readings and small pictures whose times are written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
import pytest

from firmware_app.journey import Circle, ColourBar, Frame, Panes, Rect, Rejected, ScreenReading, View
from firmware_app.screen.watch import (
    BannerChanged,
    ExamineNow,
    FreezeEndedWithoutQBox,
    LiveAgain,
    Moment,
    Watch,
    interrupted,
    judged,
    watch,
)
from firmware_app.wording import Reason

FRAME_NS = 1_000_000_000 // 50
PANES = Panes(Rect(0, 0, 96, 64), Rect(0, 64, 96, 64))
RING = Circle(40.0, 30.0, 9.0)
FIRST_BANNER, SECOND_BANNER = bytes(960), np.full(480, 1000, np.int16).tobytes()


@dataclass(frozen=True)
class Shot:
    """What one frame shows; `picture` seeds its panes, so that equal numbers are a still picture."""

    picture: int
    frozen: bool = True
    q_box: Circle | None = None
    view: View = View.SWE_DUAL
    banner: bytes | None = FIRST_BANNER
    second_q_box: Circle | None = None
    text_known: bool = False


def frame_of(shot: Shot, number: int) -> tuple[Frame, ScreenReading]:
    """A frame at 50 Hz and its reading."""
    rng = np.random.default_rng(shot.picture)
    pixels = np.repeat(np.repeat(rng.integers(0, 200, (16, 12, 3), np.uint8), 8, axis=0), 8, axis=1)
    refused = None if shot.view is View.SWE_DUAL else Rejected(Reason.OTHER_SCREEN)
    panes = PANES if shot.view is View.SWE_DUAL else None
    reading = ScreenReading(
        96,
        128,
        shot.view,
        refused,
        panes=panes,
        colour_bar=ColourBar(Rect(90, 4, 4, 40), 40.0, "kPa") if shot.text_known else None,
        q_box=shot.q_box,
        q_boxes=tuple(ring for ring in (shot.q_box, shot.second_q_box) if ring is not None),
        frozen=shot.frozen,
        banner=shot.banner,
    )
    return Frame(pixels, number, number * FRAME_NS, 0), reading


def play(shots: Iterable[Shot]) -> list[tuple[int, Moment]]:
    """The moments of a sequence, with the number of the frame at which each came."""
    state, moments = Watch(), []
    for number, shot in enumerate(shots):
        state, moment = watch(state, *frame_of(shot, number))
        if moment is not None:
            moments.append((number, moment))
    return moments


def live(count: int, start: int = 1000) -> list[Shot]:
    """A moving picture."""
    return [Shot(start + number, frozen=False) for number in range(count)]


def kinds(moments: list[tuple[int, Moment]]) -> list[type]:
    """The moments without their times."""
    return [type(moment) for _, moment in moments]


def test_placed_q_box_is_examined_once() -> None:
    """A frozen Q-box is examined 0.4 s after it came to rest, and only once."""
    frozen = [Shot(1)] * 25 + [Shot(1, q_box=RING)] * 100
    moments = play(live(50) + frozen + live(30, 5000))
    assert kinds(moments) == [ExamineNow, LiveAgain]
    waited = (moments[0][0] - 75) * FRAME_NS
    assert 400_000_000 <= waited <= 440_000_000


def test_stillness_is_a_freeze_without_a_snowflake() -> None:
    """A picture that stands still for a second is frozen whatever sign is shown."""
    still = [Shot(1, frozen=False, q_box=RING)] * 120
    moments = play(live(50) + still + live(30, 5000))
    assert kinds(moments) == [ExamineNow, LiveAgain]
    assert moments[0][0] >= 50 + 50


def test_moving_picture_is_never_examined() -> None:
    """A live scan with a Q-box on it makes no moment."""
    assert play([replace(shot, q_box=RING) for shot in live(200)]) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_glitch_does_not_split_a_freeze(length: int) -> None:
    """One to three bad frames within a freeze change nothing."""
    glitch = [Shot(77, frozen=False, view=View.OTHER)] * length
    frozen = [Shot(1, q_box=RING)] * 60
    moments = play(live(50) + frozen + glitch + frozen + live(30, 5000))
    assert kinds(moments) == [ExamineNow, LiveAgain]


def test_short_flash_of_the_snowflake_is_no_freeze() -> None:
    """Three frames with a snowflake in a live scan are a glitch."""
    assert play(live(50) + [Shot(1)] * 3 + live(50, 5000)) == []


def test_moved_q_box_is_examined_again() -> None:
    """Another place of the Q-box in the same freeze is examined again, and so is the first one after it."""
    moved = [Shot(1, q_box=replace(RING, x=60.0))] * 60
    shots = live(20) + [Shot(1, q_box=RING)] * 60 + moved
    moments = play(shots)
    assert kinds(moments) == [ExamineNow, ExamineNow]
    assert len({moment for _, moment in moments}) == 1  # both tell the beginning of the same freeze
    assert kinds(play(shots + [Shot(1, q_box=RING)] * 60)) == [ExamineNow] * 3


def test_q_box_under_the_cursor_is_not_examined_again() -> None:
    """A Q-box that is not seen for a while, and then stands where it stood, was examined there."""
    ring = [Shot(1, q_box=RING)] * 60
    assert kinds(play(live(20) + ring + [Shot(1)] * 30 + ring)) == [ExamineNow]


def test_second_q_box_is_examined() -> None:
    """A second Q-box is another stand of the same freeze, and so is its removal."""
    one, two = [Shot(1, q_box=RING)] * 60, [Shot(1, q_box=RING, second_q_box=replace(RING, x=70.0))] * 60
    assert kinds(play(live(20) + one + two + one)) == [ExamineNow] * 3


def test_scrolled_cine_loop_is_the_same_freeze() -> None:
    """Pictures that change under the snowflake make no live phase; the one that stands still is examined."""
    scrolled = [Shot(100 + step // 5, q_box=RING) for step in range(50)]
    moments = play(live(20) + [Shot(1, q_box=RING)] * 60 + scrolled + [Shot(7, q_box=RING)] * 60)
    assert kinds(moments) == [ExamineNow, ExamineNow]
    assert moments[1][0] >= 130 + 20
    assert moments[0][1] == moments[1][1]


def test_other_text_is_examined_again() -> None:
    """Values that are printed anew over an unmoved Q-box are read anew, once."""
    ring = Shot(1, q_box=RING)
    read = [ring] * 22 + [replace(ring, text_known=True)] * 30
    assert kinds(play(live(20) + read)) == [ExamineNow]
    assert kinds(play(live(20) + read + [ring] * 60)) == [ExamineNow, ExamineNow]


def test_freeze_without_q_box_is_told() -> None:
    """A freeze that ends without a Q-box says so."""
    assert kinds(play(live(20) + [Shot(1)] * 60 + live(30, 5000))) == [FreezeEndedWithoutQBox]


def test_each_freeze_needs_a_live_phase_before() -> None:
    """Two freezes with a live phase between are two; without it they are one."""
    first, second = [Shot(1, q_box=RING)] * 60, [Shot(2, q_box=RING)] * 60
    apart = play(live(20) + first + live(30, 5000) + second)
    assert kinds(apart) == [ExamineNow, LiveAgain, ExamineNow]
    assert apart[0][1] != apart[2][1]
    together = play(live(20) + first + second)
    assert kinds(together) == [ExamineNow, ExamineNow]
    assert together[0][1] == together[1][1]


def test_first_verdict_names_the_freeze() -> None:
    """The id of the first verdict is kept until the freeze is over; a live scan keeps none."""
    assert judged(Watch(), UUID(int=1)) == Watch()
    state = Watch()
    for number, shot in enumerate(live(20) + [Shot(1, q_box=RING)] * 60):
        state, moment = watch(state, *frame_of(shot, number))
        if isinstance(moment, ExamineNow):
            state = judged(judged(state, UUID(int=1)), UUID(int=2))
    assert state.freeze is not None
    assert state.freeze.verdict == UUID(int=1)
    for number, shot in enumerate(live(20, 5000), 80):
        state, _ = watch(state, *frame_of(shot, number))
    assert state.freeze is None


def test_changed_banner_is_told_once_it_stands() -> None:
    """Another banner counts after 0.3 s, a passing one does not."""
    passing = [replace(shot, banner=SECOND_BANNER) for shot in live(10, 3000)]
    assert play(live(20) + passing + live(20, 4000)) == []
    standing = [replace(shot, banner=SECOND_BANNER) for shot in live(60, 3000)]
    moments = play(live(20) + standing)
    assert kinds(moments) == [BannerChanged]
    assert (moments[0][0] - 20) * FRAME_NS >= 300_000_000


def test_old_picture_is_not_examined_under_a_new_banner() -> None:
    """A picture frozen before the patient changed is never taken for the next patient."""
    frozen = [Shot(1)] * 30
    other = [Shot(1, banner=SECOND_BANNER)] * 30 + [Shot(1, q_box=RING, banner=SECOND_BANNER)] * 80
    after = [replace(shot, banner=SECOND_BANNER) for shot in live(30, 5000)]
    assert kinds(play(live(20) + frozen + other + after)) == [BannerChanged, LiveAgain]


def test_new_banner_that_a_codec_draws_slowly_is_the_next_patient_s_from_its_first_frame() -> None:
    """One that changes with every frame for a second is told from the first; nothing is examined before."""
    drawing = [
        replace(shot, banner=np.full(480, 2000 + 300 * number, np.int16).tobytes())
        for number, shot in enumerate([Shot(2, q_box=RING)] * 50)
    ]
    drawn = [Shot(2, q_box=RING, banner=SECOND_BANNER)] * 50
    moments = play([*live(50), *drawing, *drawn])
    assert kinds(moments) == [BannerChanged]
    assert moments[0][1] == BannerChanged(50 * FRAME_NS)


def over_an_outage(before: list[Shot], after: list[Shot]) -> list[tuple[int, Moment]]:
    """The moments of two sequences between which the signal was lost; each verdict has a fresh id."""
    state, moments = Watch(), []
    for number, shot in enumerate([*before, *after]):
        state = interrupted(state) if number == len(before) else state
        state, moment = watch(state, *frame_of(shot, number))
        if moment is not None:
            moments.append((number, moment))
        if isinstance(moment, ExamineNow):
            state = judged(state, UUID(int=number))
    if state.freeze is not None and not state.freeze.void and state.freeze.verdict is not None:
        assert state.freeze.verdict.int >= len(before)
    return moments


def test_picture_after_an_outage_is_a_freeze_of_its_own() -> None:
    """A frozen picture after a lost signal is examined anew, and takes the place of nothing."""
    first, other = [Shot(1, q_box=RING)] * 60, [Shot(2, q_box=RING)] * 60
    assert kinds(over_an_outage(live(50) + first, other)) == [ExamineNow, ExamineNow]


def test_outage_does_not_wash_the_last_patient_s_picture() -> None:
    """A picture that was frozen when the banner changed is not examined after an outage either."""
    old = [Shot(1, q_box=RING)] * 60
    foreign = [replace(shot, banner=SECOND_BANNER) for shot in old]
    assert kinds(over_an_outage(live(50) + old + foreign, foreign)) == [ExamineNow, BannerChanged]


def test_time_that_starts_anew_is_survived() -> None:
    """After a restart of the stream, with smaller time stamps, freezes are seen as before."""
    state = Watch()
    for number, shot in enumerate(live(100)):
        state, _ = watch(state, *frame_of(shot, number + 100_000))
    moments = []
    for number, shot in enumerate(live(20) + [Shot(1, q_box=RING)] * 60):
        state, moment = watch(state, *frame_of(shot, number))
        moments += [moment] if moment else []
    assert [type(moment) for moment in moments] == [ExamineNow]
