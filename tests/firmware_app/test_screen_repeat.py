"""Frames that repeat the last one's panes: read alike, and never mistaken for others."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.phantom import Viewport, draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.journey import Frame, Picture, Rect, ScreenReading
from firmware_app.screen import ScreenReader

_SCREEN = Viewport.fit(720, 540).apply(
    draw_acquisition(draw_patient(np.random.default_rng(8), stage=1), 0, 8)[0]
)


def read(reader: ScreenReader, pixels: Picture, number: int) -> ScreenReading:
    """Read a picture as a frame of its own memory, as every source delivers it."""
    return reader.read(Frame(pixels.copy(), number, number * 16_666_667, 0))


@pytest.fixture
def reader() -> ScreenReader:
    """A reader that has seen the screen once."""
    reader = ScreenReader(load_profile("aixplorer"))
    read(reader, _SCREEN, 0)
    return reader


def panes_of(reading: ScreenReading) -> tuple[Rect, Rect]:
    """Both panes of a reading that found them."""
    assert reading.panes is not None
    return reading.panes.elastogram, reading.panes.gray


def test_the_same_picture_is_read_alike_to_the_last_digit(reader: ScreenReader) -> None:
    """What is read of an unchanged picture stands still: a box or ring that jitters would look alive."""
    first, second = read(reader, _SCREEN, 1), read(reader, _SCREEN, 2)
    assert first.q_box is not None
    assert (first.q_boxes, first.roi, first.stiffness) == (second.q_boxes, second.roi, second.stiffness)
    assert np.array_equal(np.asarray(first.colour_box), np.asarray(second.colour_box))


@pytest.mark.parametrize("pane", [0, 1])
def test_one_pixel_that_differs_is_another_picture(reader: ScreenReader, pane: int) -> None:
    """A single changed level in either pane, on any row, makes the reader look again."""
    place = panes_of(read(reader, _SCREEN, 1))[pane]
    track = reader._track
    assert track is not None
    assert track.shown is not None
    shown = track.shown
    for row in (1, 31, place.h - 1):
        changed = _SCREEN.copy()
        changed[place.y + row, place.x + place.w - 1, 2] ^= 1
        assert not shown.holds(changed, track.anchor, track.printed, track.opacity)
    assert shown.holds(_SCREEN.copy(), track.anchor, track.printed, track.opacity)


def test_a_map_that_is_gone_is_gone_at_once(reader: ScreenReader) -> None:
    """The reading of a repeated picture ends with the picture."""
    read(reader, _SCREEN, 1)
    upper, lower = panes_of(read(reader, _SCREEN, 2))
    without = _SCREEN.copy()
    gray = _SCREEN[lower.y : lower.y + lower.h, lower.x : lower.x + lower.w]
    without[upper.y : upper.y + upper.h, upper.x : upper.x + upper.w] = gray
    assert read(reader, without, 3).colour_box is None
    assert read(reader, _SCREEN, 4).colour_box is not None


def test_another_name_above_the_same_panes_is_noticed(reader: ScreenReader) -> None:
    """The banner is looked at in every frame, also above a picture that did not change."""
    before = read(reader, _SCREEN, 1).banner
    other = _SCREEN.copy()
    other[: other.shape[0] // 12] = 255 - other[: other.shape[0] // 12]
    assert read(reader, other, 2).banner != before


def test_text_that_changes_beside_the_same_panes_counts_no_more(reader: ScreenReader) -> None:
    """A new number above the bar ends the old range, whatever the panes show."""
    frame = Frame(_SCREEN.copy(), 1, 16_666_667, 0)
    known = reader.inspect(frame)
    assert known.colour_bar is not None
    assert known.colour_bar.maximum == 40.0
    assert read(reader, _SCREEN, 2).stiffness is not None
    area = known.colour_bar.rect
    other = _SCREEN.copy()
    above = other[max(area.y - 30, 0) : area.y - 4, area.x - 20 : area.x + area.w + 30]
    above[:] = 255 - above
    assert read(reader, other, 3).stiffness is None
