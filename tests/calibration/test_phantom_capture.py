from __future__ import annotations

import cv2
import numpy as np
import pytest

from calibration.colour_map import supersonic_table
from calibration.phantom.capture import (
    STEPS,
    STILLS_PER_PROCESS,
    Chain,
    capture,
    capture_h264,
    capture_many,
    capture_pictures,
)
from calibration.phantom.properties import Scene
from calibration.phantom.scene import draw_scene
from calibration.phantom.truth import FrameTruth, Picture

Screen = tuple[Picture, FrameTruth]
SIZES = {
    Chain.HALF: (720, 540),
    Chain.PILLAR_BOXED: (1920, 1080),
    Chain.STRETCHED: (1920, 1080),
    Chain.SXGA: (1280, 1024),
    Chain.NATIVE: (1440, 1080),
}


@pytest.fixture(scope="session")
def screen() -> Screen:
    """One elastography screen with two Q-boxes and free text."""
    picture, truth = draw_scene(Scene(q_boxes=2, annotated=True, level=0.4), 8)
    picture.flags.writeable = False
    return picture, truth


@pytest.mark.parametrize("chain", list(Chain), ids=lambda chain: chain.value)
def test_the_truth_follows_the_chain(screen: Screen, chain: Chain) -> None:
    """After any chain the bar shows its colours and the rings are bright where the mapped truth says."""
    picture, truth = screen
    out, there = capture(picture, truth, chain, 3)
    assert there.size == out.shape[1::-1]
    assert there.chain == chain.value
    assert SIZES.get(chain, there.size) == there.size
    assert there.colour_bar is not None
    x, y, w, h = there.colour_bar
    rows = np.arange(int(y) + 6, int(y + h) - 6)
    values = 1 - (rows + 0.5 - y) / h
    expected = supersonic_table(1001)[np.rint(values * 1000).astype(int)].astype(float)
    expected = there.black + expected * (there.white - there.black) / 255
    error = np.abs(out[rows, round(x + w / 2 - 0.5)] - expected).mean()
    assert error < (14 if STEPS[chain].wrong_matrix else 7)
    if not STEPS[chain].stretch:  # a stretched ring is an ellipse
        turn = np.linspace(0, 2 * np.pi, 72)
        for c in (box.circle for box in there.q_boxes):
            ys, xs = np.rint(c.y + c.r * np.sin(turn)), np.rint(c.x + c.r * np.cos(turn))
            assert np.median(out[ys.astype(int), xs.astype(int)]) > 150
    assert there.q_box == there.q_boxes[0].circle
    assert len(there.annotations) == 1


def test_a_cropped_picture_misses_rows_or_columns(screen: Screen) -> None:
    """Over a few seeds every side is cropped, filled up or not; pixels are where the truth says."""
    picture, truth = screen
    assert truth.colour_bar is not None
    moves, sizes = set(), set()
    for seed in range(16):
        out, there = capture(picture, truth, Chain.CROPPED, seed)
        assert there.colour_bar is not None
        dx, dy = (round(there.colour_bar[i] - truth.colour_bar[i]) for i in (0, 1))
        assert np.array_equal(out[400:500, 500:700], picture[400 - dy : 500 - dy, 500 - dx : 700 - dx])
        moves.add((np.sign(dx), np.sign(dy)))
        sizes.add(out.shape[:2] == picture.shape[:2])
    assert {(-1, 0), (0, -1), (0, 0)} <= moves
    assert sizes == {True, False}


def test_limited_range_lifts_black_and_lowers_white(screen: Screen) -> None:
    """0 becomes 16 and 255 becomes 235."""
    out, there = capture(*screen, Chain.LIMITED_RANGE, 0)
    assert (out.min(), out.max()) == (16, 235)
    assert (there.black, there.white) == (16.0, 235.0)


def test_the_wrong_matrix_keeps_gray_and_shifts_colour(screen: Screen) -> None:
    """Gray stays gray to one level; the colours of the bar move by several levels, either way."""
    gray = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(16, 16, 3)
    out = capture_pictures([gray], Chain.WRONG_MATRIX, [0])[0]
    assert np.ptp(out.astype(int), axis=2).max() <= 1
    picture, truth = screen
    bar = picture[141:361, 1390].astype(int)
    moved = [capture(picture, truth, Chain.WRONG_MATRIX, s)[0][141:361, 1390].astype(int) for s in range(6)]
    assert len({m.tobytes() for m in moved}) == 2
    assert all(np.abs(m - bar).mean() > 3 for m in moved)


def test_many_stills_are_coded_in_order() -> None:
    """More stills than one process takes come back in order, each recognisable, at any bit rate of a card."""
    stills = [np.full((240, 320, 3), 10 * n + 30, dtype=np.uint8) for n in range(STILLS_PER_PROCESS + 3)]
    for n, still in enumerate(stills):
        cv2.circle(still, (20 + 15 * n, 120), 12, (0, 0, 255), -1)
    coded = capture_h264(stills, kbit_per_s=8000)
    assert len(coded) == len(stills)
    for still, out in zip(stills, coded, strict=True):
        assert np.abs(still.astype(int) - out).mean() < 4
    assert capture_h264([]) == []


def test_many_screens_go_through_as_one_does(screen: Screen) -> None:
    """`capture_many` gives each screen what `capture` gives it."""
    picture, truth = screen
    pictures, truths = capture_many([picture, picture], [truth, truth], Chain.SXGA_LIMITED_MJPEG, [4, 5])
    for seed, out, there in zip((4, 5), pictures, truths, strict=True):
        alone, its_truth = capture(picture, truth, Chain.SXGA_LIMITED_MJPEG, seed)
        assert np.array_equal(out, alone)
        assert there == its_truth


def test_any_picture_is_brought_to_the_native_screen_first() -> None:
    """A negative of another size goes through a chain too."""
    small = np.full((480, 640, 3), 90, dtype=np.uint8)
    assert capture_pictures([small], Chain.STRETCHED, [0])[0].shape == (1080, 1920, 3)
