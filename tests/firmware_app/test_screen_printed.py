"""Printed texts of drawn screens of every language, unit and range, through capture chains; what follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.phantom import FrameTruth
from calibration.phantom.capture import Chain, capture_h264, capture_many
from calibration.phantom.scene import Scene, draw_scene, random_scene
from calibration.profile import ScreenProfile, load_profile
from firmware_app.journey import (
    Circle,
    ColourBar,
    Frame,
    Picture,
    ReadOut,
    Rect,
    Roi,
    ScreenReading,
    Square,
    Stiffness,
    View,
)
from firmware_app.screen import ScreenReader
from firmware_app.screen.printed import read_ticks
from firmware_app.screen.refusal import refusal
from firmware_app.screen.registration import Registration, register
from firmware_app.wording import Reason

Drawn = tuple[Picture, FrameTruth]
SQUARE = Square(400, 220, 200)
COMPLETE = ScreenReading(
    1440,
    1080,
    View.SWE_DUAL,
    colour_bar=ColourBar(Rect(1386, 141, 18, 220), 40.0, "kPa"),
    q_box=Circle(500.0, 320.0, 40.0),
    q_boxes=(Circle(500.0, 320.0, 40.0),),
    roi=Roi(SQUARE, SQUARE),
    stiffness=Stiffness("q_box", 9.0, 9.0, 0.6, 7.0, 11.0, 0.99),
    readout=ReadOut("kPa", 9.2, 7.1, 11.2, 0.6, 20.0),
    frozen=True,
)


def scenes(first: int, count: int) -> list[tuple[Scene, int]]:
    """Scenes with one Q-box and its values, and their seeds."""
    return [
        (replace(random_scene(seed, ("aixplorer",)), q_boxes=1, readout=True), seed)
        for seed in range(first, first + count)
    ]


def reading_of(pixels: Picture) -> ScreenReading:
    """Everything that is seen."""
    return ScreenReader(load_profile("aixplorer")).inspect(Frame(np.ascontiguousarray(pixels), 0, 0, 0))


def is_exact(reading: ScreenReading, truth: FrameTruth) -> bool:
    """Whether range, unit, opacity and every printed value are read as printed."""
    bar, seen, printed = reading.colour_bar, reading.readout, truth.readout
    if bar is None or seen is None or printed is None or reading.opacity is None:
        return False
    pairs = (
        (bar.maximum, truth.bar_max),
        (reading.opacity, truth.opacity),
        (seen.mean_kpa, printed.mean_kpa),
        (seen.min_kpa, printed.min_kpa),
        (seen.max_kpa, printed.max_kpa),
        (seen.sd_kpa, printed.sd_kpa),
        (seen.diameter_mm, printed.diameter_mm),
        (seen.depth_mm, 10 * printed.depth_cm),
        (seen.stability_index, printed.stability_index),
    )
    units = bar.unit == seen.unit == truth.unit == printed.unit
    return units and all(found == pytest.approx(wanted) for found, wanted in pairs)


def exact_of(chain: Chain, first: int, count: int) -> list[bool]:
    """Of the scenes that are seen as elastography through a chain, whether the text is exact."""
    drawn = [draw_scene(scene, seed) for scene, seed in scenes(first, count)]
    pictures, truths = capture_many(
        [picture for picture, _ in drawn],
        [truth for _, truth in drawn],
        chain,
        list(range(first, first + count)),
    )
    if chain is Chain.HALF:  # half size, and coded: the hardest to read
        pictures = capture_h264(pictures, 3_000)
    pairs = [(reading_of(p), truth) for p, truth in zip(pictures, truths, strict=True)]
    return [is_exact(reading, truth) for reading, truth in pairs if reading.view is View.SWE_DUAL]


@pytest.mark.parametrize("chain", [Chain.HALF, Chain.SXGA_LIMITED_MJPEG])
def test_printed_values_are_read_exactly(chain: Chain) -> None:
    """Every text of five screens is exact, at half size through H.264 and after two scalings and JPEG."""
    exact = exact_of(chain, 3_000, 5)
    assert len(exact) >= 4
    assert all(exact)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("chain", list(Chain))
def test_printed_values_are_exact_in_99_percent(chain: Chain) -> None:
    """Through every capture chain, of 40 screens not one is read wrongly or left unread."""
    exact = exact_of(chain, 5_000, 40)
    assert len(exact) >= 36
    assert all(exact)


def test_numbers_beside_the_bar_of_the_real_screen(real_screen: Picture, profile: ScreenProfile) -> None:
    """All four are read, from the highest to the lowest."""
    registration = register(real_screen, profile)
    assert isinstance(registration, Registration)
    ticks = list(read_ticks(real_screen, registration, profile))
    assert [(share, number) for share, number, _ in ticks] == [(0.8, 120), (0.6, 90), (0.4, 60), (0.2, 30)]


def reason_of(reading: ScreenReading, profile: ScreenProfile, *, shown: bool = True) -> Reason | None:
    """Why a filled box would be refused once its text was read."""
    refused = refusal(reading, 0.99, profile, text_was_read=True, readout_shown=shown)
    return None if refused is None else refused.reason


def test_complete_reading_is_not_refused(profile: ScreenProfile) -> None:
    """What the other tests take something away from."""
    assert reason_of(COMPLETE, profile) is None


@pytest.mark.parametrize(("rings", "blocks"), [(2, 1), (1, 2), (3, 3)])
def test_several_q_boxes_are_refused(rings: int, blocks: int, profile: ScreenProfile) -> None:
    """Several rings, or the values of several, whichever is seen."""
    assert COMPLETE.readout is not None
    reading = replace(
        COMPLETE, q_boxes=COMPLETE.q_boxes * rings, readout=replace(COMPLETE.readout, blocks=blocks)
    )
    assert reason_of(reading, profile) is Reason.SEVERAL_Q_BOXES


@pytest.mark.parametrize(("index", "reason"), [(None, None), (90.0, None), (89.0, Reason.UNSTABLE)])
def test_low_stability_index_is_refused(
    index: float | None, reason: Reason | None, profile: ScreenProfile
) -> None:
    """Below 90 percent, where one is printed."""
    assert COMPLETE.readout is not None
    printed = replace(COMPLETE.readout, stability_index=index)
    assert reason_of(replace(COMPLETE, readout=printed), profile) is reason


@pytest.mark.parametrize(
    ("decoded_kpa", "printed_kpa", "reason"),
    [
        (0.3, 0.3, None),
        (0.3, None, None),
        (0.2, 0.3, Reason.MINIMUM_NEAR_ZERO),
        (0.3, 0.2, Reason.MINIMUM_NEAR_ZERO),
    ],
)
def test_minimum_near_zero_is_refused(
    decoded_kpa: float, printed_kpa: float | None, reason: Reason | None, profile: ScreenProfile
) -> None:
    """At 0.2 kPa or below, decoded or printed: the mark of unfilled pixels."""
    assert COMPLETE.stiffness is not None
    assert COMPLETE.readout is not None
    reading = replace(
        COMPLETE,
        stiffness=replace(COMPLETE.stiffness, min_kpa=decoded_kpa),
        readout=replace(COMPLETE.readout, min_kpa=printed_kpa),
    )
    assert reason_of(reading, profile) is reason


def test_missing_read_out_is_refused_unless_the_profile_allows_it(profile: ScreenProfile) -> None:
    """Without a read-out only where none is shown and the profile does without; never an unreadable one."""
    without = replace(COMPLETE, readout=None, opacity=0.5)
    grammar = profile.readout.model_copy(update={"require_readout": False})
    lenient = profile.model_copy(update={"readout": grammar})
    assert reason_of(without, profile, shown=False) is Reason.READOUT_UNREADABLE
    assert reason_of(without, lenient, shown=True) is Reason.READOUT_UNREADABLE
    assert reason_of(without, lenient, shown=False) is None
    unknown = replace(without, opacity=None)
    assert reason_of(replace(unknown, opacity_estimated=0.52), lenient, shown=False) is None
    assert reason_of(unknown, lenient, shown=False) is Reason.READOUT_UNREADABLE


@pytest.mark.parametrize(
    ("decoded_kpa", "printed_kpa", "reason"),
    [
        (9.0, 9.9, None),
        (9.0, 8.1, None),
        (9.0, 10.1, Reason.READOUT_DISAGREES),
        (9.0, 7.9, Reason.READOUT_DISAGREES),
        (20.0, 22.1, None),
        (20.0, 22.3, Reason.READOUT_DISAGREES),
    ],
)
def test_printed_and_decoded_mean_agree(
    decoded_kpa: float, printed_kpa: float, reason: Reason | None, profile: ScreenProfile
) -> None:
    """Within 1 kPa, and above 10 kPa within a tenth of the printed mean."""
    assert COMPLETE.stiffness is not None
    reading = replace(
        COMPLETE,
        stiffness=replace(COMPLETE.stiffness, mean_kpa=decoded_kpa),
        readout=ReadOut("kPa", printed_kpa, None, None, None, None),
    )
    assert reason_of(reading, profile) is reason
