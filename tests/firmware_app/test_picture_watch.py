"""What is wrong with pictures that arrive: told once it is sure, over at once, no false alarm on a freeze."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from firmware_app.journey import Frame, Picture, Rejected, ScreenReading, View
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.picture_watch import (
    CLOCK_NS,
    LEARNED_NS,
    LOOK_NS,
    NOISY_STILL_NS,
    SURE_NS,
    PictureWatch,
    see,
)
from firmware_app.wording import Reason

RATE_NS = 1_000_000_000 // 60
SHAPE = (270, 360, 3)
GOOD = ScreenReading(360, 270, View.SWE_DUAL)
FROZEN = ScreenReading(360, 270, View.SWE_DUAL, frozen=True)
BLUE = ScreenReading(360, 270, View.OTHER, colours="tinted")
CARD = ScreenReading(360, 270, View.OTHER, Rejected(Reason.NO_SIGNAL, "colour bars"))
TINY = ScreenReading(90, 90, View.OTHER, Rejected(Reason.UNREADABLE_PICTURE, "90x90 pixels"))
MENU = ScreenReading(360, 270, View.OTHER, Rejected(Reason.OTHER_SCREEN, "no stiffness bar"))


class Scanner:
    """Plays pictures into the watch."""

    def __init__(self, seed: int = 5) -> None:
        self.watched = PictureWatch()
        self._rng = np.random.default_rng(seed)
        self._still = self.noise()
        self.number = 0

    def noise(self) -> Picture:
        """A picture of which every row is new."""
        return np.asarray(self._rng.integers(0, 256, SHAPE, np.uint8))

    def still(self) -> Picture:
        """The same picture to the last bit, though not the same memory."""
        return np.array(self._still)

    def blinking(self) -> Picture:
        """The same picture with a cursor that blinks twice a second, in step with the looks."""
        picture = self.still()
        if self.number * RATE_NS // LOOK_NS % 2:
            picture[100:104, 50:53] ^= 255
        return picture

    def play(
        self, length_ns: int, reading: ScreenReading, picture: Callable[[], Picture]
    ) -> set[CaptureState]:
        """The states that were told meanwhile."""
        told = set()
        for _ in range(length_ns // RATE_NS):
            frame = Frame(picture(), self.number, self.number * RATE_NS, self.number * RATE_NS)
            self.watched = see(self.watched, frame, reading)
            self.number += 1
            told.add(self.watched.state)
        return told


@pytest.mark.parametrize(
    ("reading", "state"),
    [
        (BLUE, CaptureState.BAD_COLOURS),
        (CARD, CaptureState.NO_SIGNAL),
        (TINY, CaptureState.UNSUPPORTED_TIMING),
    ],
)
def test_a_fault_is_told_when_it_is_sure_and_is_over_at_once(
    reading: ScreenReading, state: CaptureState
) -> None:
    """A passing picture is no fault; one that stands is told within a second; a good frame ends it."""
    scanner = Scanner()
    assert scanner.play(SURE_NS // 2, reading, scanner.noise) == {CaptureState.LIVE}
    scanner.play(RATE_NS, GOOD, scanner.noise)
    assert scanner.play(SURE_NS // 2, reading, scanner.noise) == {CaptureState.LIVE}
    assert state in scanner.play(SURE_NS, reading, scanner.noise)
    assert scanner.play(RATE_NS, GOOD, scanner.noise) == {CaptureState.LIVE}


def test_another_screen_is_no_fault_of_the_video() -> None:
    """Menus and other views are the scanner's business."""
    scanner = Scanner()
    assert scanner.play(2 * SURE_NS, MENU, scanner.noise) == {CaptureState.LIVE}


def test_a_freeze_is_no_frozen_source() -> None:
    """Through a clean link a freeze is the same to the last bit for a minute, again and again: no alarm."""
    scanner = Scanner()
    for _ in range(3):
        assert scanner.play(CLOCK_NS // 5 * 4, FROZEN, scanner.still) == {CaptureState.LIVE}
        assert scanner.play(SURE_NS * 2, GOOD, scanner.noise) == {CaptureState.LIVE}


def test_a_picture_without_a_clock_that_runs_is_a_frozen_source() -> None:
    """Nothing changes for longer than a clock with minutes leaves it: told, until it moves again."""
    scanner = Scanner()
    scanner.play(SURE_NS, GOOD, scanner.noise)
    assert scanner.play(CLOCK_NS - SURE_NS, FROZEN, scanner.still) == {CaptureState.LIVE}
    assert CaptureState.FROZEN_SOURCE in scanner.play(4 * LOOK_NS, FROZEN, scanner.still)
    scanner.play(2 * LOOK_NS, GOOD, scanner.noise)
    assert scanner.watched.state is CaptureState.LIVE


def test_a_blinking_cursor_is_a_picture_that_moves() -> None:
    """Whatever the rhythm, a change is seen before the alarm."""
    scanner = Scanner()
    assert scanner.play(2 * CLOCK_NS, MENU, scanner.blinking) == {CaptureState.LIVE}


def test_where_there_is_noise_a_still_picture_is_told_soon() -> None:
    """A chain whose freezes were noisy is never quite still: three seconds are enough."""
    scanner = Scanner()
    scanner.play(LEARNED_NS + SURE_NS, FROZEN, scanner.noise)
    assert scanner.play(NOISY_STILL_NS - LOOK_NS, FROZEN, scanner.still) == {CaptureState.LIVE}
    assert CaptureState.FROZEN_SOURCE in scanner.play(4 * LOOK_NS, FROZEN, scanner.still)


def test_a_cursor_on_a_freeze_is_no_noise() -> None:
    """A Q-box that is moved for a while in a clean freeze teaches nothing; the pause after it is no alarm."""
    scanner = Scanner()
    scanner.play(2 * LEARNED_NS, FROZEN, scanner.blinking)
    assert scanner.play(3 * NOISY_STILL_NS, FROZEN, scanner.still) == {CaptureState.LIVE}


def test_a_live_scan_teaches_nothing() -> None:
    """A moving picture is no noise: a freeze after a long scan is still no alarm."""
    scanner = Scanner()
    scanner.play(2 * LEARNED_NS, GOOD, scanner.noise)
    assert scanner.play(3 * NOISY_STILL_NS, FROZEN, scanner.still) == {CaptureState.LIVE}
