"""Box, Q-boxes, opacity and stiffness on scenes of all kinds, against their truth."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from calibration.phantom.capture import Chain, capture
from calibration.phantom.scene import Scene, draw_scene
from calibration.phantom.truth import FrameTruth
from calibration.profile import load_profile
from firmware_app.journey import Frame, Picture, ScreenReading
from firmware_app.screen import ScreenReader
from firmware_app.screen.elastogram import Elastogram, read_elastogram
from firmware_app.screen.measure import Meter, believed_opacity, estimate_opacity, measure
from firmware_app.screen.panes import cut_panes, locate_panes
from firmware_app.screen.registration import Registration, register
from firmware_app.screen.search import find_apex, search_rectangle
from firmware_app.stiffness import colour_scale
from firmware_app.video.pixels import UNTOUCHED

PROFILE = load_profile("aixplorer")
SCENES = {
    "linear": Scene(probe="linear"),
    "linear at the edge": Scene(probe="linear", at_edge=True, opacity=0.7),
    "convex at the edge": Scene(at_edge=True),
    "weak colours": Scene(opacity=0.3),
    "no gray": Scene(opacity=1.0),
    "large hole": Scene(holes="large"),
    "large hole, linear": Scene(probe="linear", holes="large", opacity=0.3),
    "text across": Scene(annotated=True),
    "speeds": Scene(unit="m/s", maximum=3.7),
}
CHAINS = (Chain.NATIVE, Chain.HALF_MJPEG, Chain.CHROMA_420)


def seen_in(pixels: Picture) -> tuple[Elastogram, Meter]:
    """What stands in the elastogram's pane, and what measures it."""
    registration = register(pixels, PROFILE)
    assert isinstance(registration, Registration)
    panes = locate_panes(pixels, registration, PROFILE)
    seen = read_elastogram(cut_panes(pixels, panes, registration.levels), registration, PROFILE, None)
    assert isinstance(seen, Elastogram), seen
    bar = registration.bar
    return seen, Meter(panes, colour_scale(registration.ramp, bar.bottom - bar.top), registration.scale_y)


def overlap(found: npt.NDArray[np.float64], truth: FrameTruth) -> float:
    """Intersection over union of the box with the true one."""
    assert truth.colour_box is not None
    masks = []
    for polygon in (found, np.array(truth.colour_box)):
        mask = np.zeros((truth.size[1], truth.size[0]), np.uint8)
        cv2.fillPoly(mask, [np.rint(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        masks.append(mask > 0)
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


@pytest.mark.parametrize("name", SCENES)
def test_every_kind_of_scene_is_measured(name: str) -> None:
    """Box, Q-box, filled share, opacity and stiffness agree with the truth in three capture chains."""
    scene = SCENES[name]
    picture, native = draw_scene(scene, 400_100)
    for chain in CHAINS:
        pixels, truth = capture(picture, native, chain, 400_100)
        seen, meter = seen_in(pixels)
        assert overlap(seen.polygon, truth) >= 0.93
        (circle,), wanted = seen.q_boxes, truth.q_boxes[0]
        off = (circle.x - wanted.circle.x, circle.y - wanted.circle.y, circle.r - wanted.circle.r)
        assert np.abs(off).max() <= 2 * meter.pixel
        assert truth.filled_fraction is not None
        assert abs(seen.filled_fraction - truth.filled_fraction) < 0.06
        opacity = estimate_opacity(pixels, seen, meter)
        assert opacity == pytest.approx(scene.opacity, abs=0.03)
        found = measure(pixels, seen, meter, (scene.maximum, scene.unit), scene.opacity)
        assert found is not None
        tolerance = 0.3 if chain is Chain.NATIVE else 0.6
        assert abs(found.mean_kpa - wanted.mean_kpa) <= tolerance * max((truth.bar_max_kpa or 40) / 40, 1.0)


@pytest.mark.parametrize("count", [0, 2, 3])
def test_every_q_box_is_listed(count: int) -> None:
    """All rings are listed in reading order, the first of them is the Q-box, and none is invented."""
    picture, truth = draw_scene(Scene(q_boxes=count), 400_200)
    reader = ScreenReader(PROFILE)
    for number in range(2):  # found anew, then followed
        reading: ScreenReading = reader.read(Frame(picture, number, number, 0))
        assert len(reading.q_boxes) == len(truth.q_boxes) == count
        assert reading.q_box == (reading.q_boxes[0] if count else None)
    for wanted in truth.q_boxes:
        circle = wanted.circle
        assert any(
            np.hypot(f.x - circle.x, f.y - circle.y) + abs(f.r - circle.r) < 2 for f in reading.q_boxes
        )


def test_hot_spot_is_no_q_box() -> None:
    """A round red spot with yellow and green rims in the map is no ring."""
    picture, truth = draw_scene(Scene(q_boxes=0), 400_300)
    assert truth.colour_box is not None
    x, y = np.mean(truth.colour_box, axis=0).astype(int)
    for radius, colour in (
        (22, (95, 220, 160)),
        (19, (40, 230, 210)),
        (15, (60, 140, 210)),
        (11, (60, 60, 210)),
    ):
        cv2.circle(picture, (int(x), int(y)), radius, colour, -1, cv2.LINE_AA)
    assert ScreenReader(PROFILE).read(Frame(picture, 0, 0, 0)).q_boxes == ()


def test_half_filled_box_is_refused_as_unfilled() -> None:
    """A box that is filled by half is found by its outline and refused by that name."""
    for seed in range(400_400, 400_406):
        picture, truth = draw_scene(Scene(holes="large"), seed)
        reading = ScreenReader(PROFILE).read(Frame(picture, 0, 0, 0))
        assert reading.colour_box is not None
        assert overlap(reading.colour_box, truth) >= 0.93
        assert reading.rejected is not None
        assert reading.rejected.reason.value == "box_unfilled"


def test_implausible_print_of_the_opacity_is_not_believed() -> None:
    """The printed opacity counts unless the picture contradicts it; without both the usual one does."""
    assert believed_opacity(0.5, 0.53, 0.6) == 0.5
    assert believed_opacity(0.5, 0.71, 0.6) == 0.71
    assert believed_opacity(None, 0.71, 0.6) == 0.71
    assert believed_opacity(0.5, None, 0.6) == 0.5
    assert believed_opacity(None, None, 0.6) == 0.6


def test_search_without_lines_finds_no_box() -> None:
    """A plain pane, an empty region and a pane without a sector give no box and no exception."""
    plain = np.full((400, 600), 60, np.uint8)
    region = np.zeros((200, 300), np.uint8)
    assert search_rectangle(plain, region, 1.0) is None
    assert find_apex(plain[::2, ::2], UNTOUCHED.black, 1.0) is None
    assert find_apex(np.zeros((200, 300), np.uint8), UNTOUCHED.black, 1.0) is None
