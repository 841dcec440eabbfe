"""Likeness: a picture is known again through a codec and with a moved Q-box; the next one is another."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from firmware_app.journey import Frame, Panes, Picture, Rect
from firmware_app.screen.likeness import is_still, likeness_of, same_picture, same_plane

PANES = Panes(Rect(80, 60, 560, 260), Rect(80, 60, 560, 260))


def likeness(pixels: Picture) -> bytes:
    """Of the tissue in a frame of the real sweep, taken for both panes."""
    return likeness_of(Frame(np.ascontiguousarray(pixels), 0, 0, 0), PANES)


@pytest.fixture(scope="module")
def sweep(screens: Path) -> list[Picture]:
    """Frames of a real liver sweep."""
    video = cv2.VideoCapture(str(screens / "liver_bmode_sweep.h264"))
    frames: list[Picture] = []
    while len(frames) < 100:
        found, pixels = video.read()
        if not found:
            break
        frames.append(np.asarray(pixels, np.uint8))
    assert len(frames) > 50
    return frames


def test_frames_of_a_real_sweep_are_told_apart(sweep: list[Picture]) -> None:
    """Half a second apart, no frame is taken for another, nor for a still picture."""
    seen = [likeness(pixels) for pixels in sweep]
    for earlier, later in zip(seen, seen[8:], strict=False):
        assert not same_picture(earlier, later)
        assert not is_still(earlier, later)


@pytest.mark.parametrize("quality", [50, 75, 95])
def test_same_frame_is_known_through_a_codec(quality: int, sweep: list[Picture]) -> None:
    """Strong JPEG compression changes nothing."""
    for pixels in sweep[::20]:
        packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        again = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        assert is_still(likeness(pixels), likeness(again))


def test_moved_ring_leaves_the_picture_the_same(sweep: list[Picture]) -> None:
    """A Q-box elsewhere is no other picture, in a freeze or after it."""
    here, there = sweep[0].copy(), sweep[0].copy()
    for pixels, x in ((here, 250), (there, 400)):
        cv2.circle(pixels, (x, 190), 35, (235, 235, 235), 2, cv2.LINE_AA)
    assert same_picture(likeness(here), likeness(there))
    assert same_plane(likeness(here), likeness(there), 0.05)


def test_lengths_that_differ_are_no_likeness() -> None:
    """What was kept by another version is never the same."""
    assert not same_picture(b"", bytes(3072))
    assert not is_still(bytes(3072), bytes(3000))
