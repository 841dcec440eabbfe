"""The drawing of `fibrostage inspect`: right, wrong and hidden, and the keys of its JSON."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.phantom.properties import Scene
from calibration.phantom.scene import draw_scene
from calibration.profile import load_profile
from firmware_app.annotation import annotate, placed
from firmware_app.annotation_checks import State, checks_of
from firmware_app.inspection import Inspection, as_json, inspect_frame
from firmware_app.journey import Frame, Rejected, ScreenReading, View
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason

PROFILE = load_profile("aixplorer")
OF_EXAMS = {
    Reason.DUPLICATE,
    Reason.PATIENT_CHANGED,
    Reason.PICTURE_QUALITY,
    Reason.EXAM_COMPLETE,
    Reason.BEFORE_EXAM,
}
"""Reasons that no single frame shows."""
CONTRACT = {
    "frame",
    "view",
    "rejected",
    "panes",
    "colour_bar",
    "colour_box",
    "q_box",
    "roi",
    "stiffness",
    "readout",
    "frozen",
}


def inspected(scene: Scene) -> Inspection:
    """What `inspect` sees in a drawn screen."""
    return inspect_frame(Frame(draw_scene(scene, 61)[0], 0, 0, 0), ScreenReader(PROFILE))


@pytest.fixture(scope="module")
def good() -> Inspection:
    """A screen with nothing against it."""
    return inspected(Scene())


def test_every_check_of_a_good_screen_is_right(good: Inspection) -> None:
    """All checks are passed, with the printed and the decoded mean side by side."""
    checks = {check.title: check for check in checks_of(good.reading, PROFILE)}
    assert good.reading.rejected is None
    assert {check.state for check in checks.values()} == {State.RIGHT}
    readout = good.reading.readout
    assert readout is not None
    assert f"{readout.mean_kpa:.1f}" in checks["Read-out"].detail


def test_the_banner_is_never_shown(good: Inspection) -> None:
    """Every pixel of the banner's areas is hatched, in the drawing as well as on an unknown screen."""
    pixels = good.frame.pixels
    drawn = annotate(good.frame, good.reading, PROFILE, good.timings)
    assert drawn.shape[0] == 1080
    assert drawn.shape[1] > 1440 + 400
    assert good.reading.registration is not None
    for area in PROFILE.banner.areas:
        rect = placed(area, good.reading.registration)
        inner = (slice(rect.y + 3, rect.y + rect.h - 3), slice(rect.x + 3, rect.x + rect.w - 3))
        assert pixels[inner].max() > 120  # letters
        assert set(np.unique(drawn[inner])) <= {44, 70}
    blind = replace(good.reading, view=View.OTHER, registration=None, rejected=Rejected(Reason.OTHER_SCREEN))
    drawn = annotate(good.frame, blind, PROFILE, good.timings)
    assert set(np.unique(drawn[:100, :1440])) <= {44, 70}


def test_what_is_wrong_is_red_and_what_follows_too() -> None:
    """The reason's check is wrong; so is every other that would be refused next."""
    reading = inspected(Scene(q_boxes=0, readout=False, maximum=30.0, holes="large")).reading
    states = {check.title: check.state for check in checks_of(reading, PROFILE)}
    assert reading.rejected is not None
    assert reading.rejected.reason is Reason.NO_Q_BOX
    assert states["Q-box"] is State.WRONG
    assert states["Colour bar"] is State.WRONG
    assert states["Colour box"] is State.WRONG
    assert states["Screen"] is State.RIGHT


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in OF_EXAMS])
def test_every_reason_of_a_frame_turns_one_check_red(reason: Reason) -> None:
    """No refusal of a single frame leaves the drawing without a red line."""
    reading = ScreenReading(640, 480, View.OTHER, Rejected(reason, "measured"))
    assert sum(check.state is State.WRONG for check in checks_of(reading, PROFILE)) == 1


def test_pictures_of_any_size_are_drawn(good: Inspection) -> None:
    """Small, wide and tall pictures give a drawing of 1080 rows."""
    reading = ScreenReading(1, 1, View.OTHER, Rejected(Reason.UNREADABLE_PICTURE))
    for height, width in ((1, 1), (40, 900), (900, 40), (2160, 3840)):
        frame = Frame(np.zeros((height, width, 3), np.uint8), 0, 0, 0)
        assert annotate(frame, reading, PROFILE, good.timings).shape[0] == 1080


def test_json_keeps_its_contract(good: Inspection) -> None:
    """Every key of the contract stands, and the new ones beside them."""
    told = as_json(good)
    assert set(told) >= CONTRACT
    assert set(told) - CONTRACT == {"registration", "q_boxes", "opacity", "timings_ms", "notice"}
    registration = told["registration"]
    assert isinstance(registration, dict)
    assert registration["scale_x"] == pytest.approx(1.0, abs=2e-3)
    assert isinstance(told["q_boxes"], list)
    assert told["q_boxes"][0] == told["q_box"]
