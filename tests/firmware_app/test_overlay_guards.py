"""What is drawn is looked at anew in each frame: lines that have moved, names that have changed."""

from __future__ import annotations

import time

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from calibration.phantom.scene import Scene as Screen
from calibration.phantom.scene import draw_scene
from calibration.phantom.truth import FrameTruth, Viewport
from firmware_app.journey import Circle, Rect
from firmware_app.overlay.guards import (
    Guard,
    PictureLuma,
    ScaledLuma,
    outline_guard,
    picture_guard,
    ring_guard,
)
from firmware_app.video.pixels import BufferLuma, Layout, luma_of

Picture = npt.NDArray[np.uint8]
SIZES = [((1440, 1080), False), ((1920, 1080), False), ((1920, 1080), True), ((720, 540), False)]


def shifted(picture: Picture, across: float, down: float) -> Picture:
    """The picture moved by a few pixels."""
    matrix = np.array([[1, 0, across], [0, 1, down]], np.float32)
    return np.asarray(cv2.warpAffine(picture, matrix, picture.shape[1::-1]), np.uint8)


def screen(size: tuple[int, int], *, stretch: bool, seed: int = 12) -> tuple[Picture, Circle, FrameTruth]:
    """A drawn screen, its Q-box and what else is on it."""
    picture, truth = draw_scene(Screen(), seed)
    viewport = Viewport.fit(*size, stretch=stretch)
    there = viewport.apply_truth(truth)
    assert there.q_box is not None
    assert truth.q_box is not None
    radius = truth.q_box.r * viewport.inner_height / 1080
    factor = (viewport.inner_width / 1440) / (viewport.inner_height / 1080)
    return viewport.apply(picture), Circle(there.q_box.x, there.q_box.y, radius, factor), there


def coded(picture: Picture) -> Picture:
    """The picture through Motion JPEG."""
    code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


@pytest.mark.parametrize(("size", "stretch"), SIZES)
def test_a_ring_that_has_moved_is_noticed(size: tuple[int, int], stretch: bool) -> None:  # noqa: FBT001 - a case
    """The guard of a ring holds where it was measured, also after coding, and not two lines away."""
    picture, circle, _ = screen(size, stretch=stretch)
    guard = ring_guard(circle, picture)
    assert guard.holds(PictureLuma(picture))
    assert guard.holds(PictureLuma(coded(picture)))
    aside = 2.0 * circle.stretch
    for across, down in ((aside, 0), (-aside, 0), (0, 2), (0, -2), (aside, 2), (30, 0)):
        assert not guard.holds(PictureLuma(shifted(picture, across, down))), (across, down)


@pytest.mark.parametrize(("size", "stretch"), SIZES)
def test_a_colour_box_that_has_moved_is_noticed(size: tuple[int, int], stretch: bool) -> None:  # noqa: FBT001
    """The guard of an outline holds where it was measured, also after coding, and not two lines away."""
    picture, circle, truth = screen(size, stretch=stretch)
    guard = outline_guard(np.asarray(truth.colour_box, np.float64).reshape(-1, 2), picture)
    assert guard.holds(PictureLuma(picture))
    assert guard.holds(PictureLuma(coded(picture)))
    aside = 2.0 * circle.stretch
    for across, down in ((aside, 0), (-aside, 0), (0, 2), (0, -2)):
        assert not guard.holds(PictureLuma(shifted(picture, across, down))), (across, down)


def test_a_place_without_a_line_never_vouches_for_anything() -> None:
    """Where no ring stands, the guard holds nowhere, not even in the picture it was measured in."""
    picture, circle, _ = screen((1440, 1080), stretch=False)
    guard = ring_guard(Circle(circle.x + 150, circle.y + 10, circle.r), picture)
    assert not guard.holds(PictureLuma(picture))
    assert not guard.holds(PictureLuma(np.full_like(picture, 128)))
    badly = ring_guard(Circle(circle.x + 2.5, circle.y, circle.r), picture)
    assert not badly.holds(PictureLuma(picture)), "a ring that was measured badly is not drawn at all"


def test_another_name_is_noticed_and_coding_is_not() -> None:
    """One other letter in the banner ends what is said about a patient; MJPEG does not."""
    area = Rect(330, 2, 800, 34)
    picture = np.full((1080, 1440, 3), 18, np.uint8)
    other = picture.copy()
    for shown, name in ((picture, "Brandt, Cem"), (other, "Brandt, Cen")):
        cv2.putText(shown, name, (640, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (200, 200, 200), 2, cv2.LINE_AA)
    guard = picture_guard((area,), picture, 2)
    assert guard.holds(PictureLuma(picture))
    assert guard.holds(PictureLuma(coded(picture)))
    assert not guard.holds(PictureLuma(other))
    assert not guard.holds(PictureLuma(np.zeros_like(picture)))


@pytest.mark.parametrize("form", ["I420", "NV12", "YUY2", "UYVY", "BGRx", "RGBA"])
def test_every_format_of_the_display_is_read_alike(form: str) -> None:
    """The luma of a buffer is that of the picture, whatever the order of its bytes and its padding."""
    rng = np.random.default_rng(5)
    gray = cv2.resize(rng.integers(0, 256, (8, 12), np.uint8), (48, 32))
    picture = np.asarray(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.uint8)
    luma, stride = np.rint(luma_of(picture)).astype(np.uint8), 256
    rows = np.zeros((32, stride), np.uint8)
    match form:
        case "I420" | "NV12":
            rows[:, :48] = luma
        case "YUY2":
            rows[:, : 2 * 48 : 2] = luma
        case "UYVY":
            rows[:, 1 : 2 * 48 : 2] = luma
        case _:
            rows[:, : 4 * 48] = np.repeat(gray, 4, axis=1)
    data = np.concatenate([np.zeros(64, np.uint8), rows.ravel()])
    seen = BufferLuma(data, Layout(form, 48, 32, (64,), (stride,)))
    points = np.stack([rng.integers(0, 48, 200), rng.integers(0, 32, 200)], axis=1)
    assert np.abs(seen.at(points) - PictureLuma(picture).at(points)).max() <= 1.0


def test_a_larger_display_is_asked_in_the_pixels_of_the_analysis() -> None:
    """A guard that was measured on 1080 lines holds on 2160, and there notices a move as well."""
    picture, circle, _ = screen((1440, 1080), stretch=False)
    guard = ring_guard(circle, picture)
    large = np.asarray(cv2.resize(picture, (2880, 2160), interpolation=cv2.INTER_LINEAR), np.uint8)
    assert guard.holds(ScaledLuma(PictureLuma(large), 2.0, 2.0))
    assert not guard.holds(ScaledLuma(PictureLuma(shifted(large, 5, 0)), 2.0, 2.0))


def test_a_look_costs_far_less_than_a_frame() -> None:
    """All guards of a frame together take less than a millisecond of processor time (best of ten)."""
    picture, circle, truth = screen((1440, 1080), stretch=False)
    outline = np.asarray(truth.colour_box, np.float64).reshape(-1, 2)
    guards: list[Guard] = [ring_guard(circle, picture), ring_guard(circle, picture)]
    guards += [outline_guard(outline, picture), outline_guard(outline + np.array([0, 451]), picture)]
    guards.append(picture_guard((Rect(330, 2, 800, 34), Rect(330, 60, 800, 36)), picture, 2))
    luma = BufferLuma(np.full(1440 * 1080, 90, np.uint8), Layout("I420", 1440, 1080, (0,), (1440,)))
    times = []
    for _ in range(10):
        began = time.thread_time()
        for guard in guards:
            guard.holds(luma)
        times.append(time.thread_time() - began)
    assert min(times) < 0.001
