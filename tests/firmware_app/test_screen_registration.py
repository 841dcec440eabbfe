"""Registration: a drawn screen found again to a pixel, its levels, and the alarm when its layout changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.phantom import draw_acquisition, draw_patient
from calibration.phantom.capture import Chain, capture
from calibration.phantom.scene import Scene, draw_scene
from calibration.profile import Area, load_profile
from firmware_app.journey import Frame, Picture, ScreenPlacement, ScreenReading, View
from firmware_app.screen import ScreenReader
from firmware_app.screen.bar import is_part_of_map, is_stiffness_map, map_levels
from firmware_app.screen.layout import (
    BLUR_PX,
    DRIFT_NS,
    RESIDUAL_BOUND,
    Fit,
    LayoutWatch,
    fit_of,
    watch_layout,
)
from firmware_app.screen.registration import Registration, holds
from firmware_app.screen.tracking import RETRY_NS, Anchor, follow
from firmware_app.video.pixels import Levels
from firmware_app.wording import WORDINGS, Reason, Severity

SECOND = 1_000_000_000
# Hypothesis runs one test body many times; it takes no fixtures of a function's scope.
_PROFILE = load_profile("aixplorer")
_NATIVE = draw_acquisition(draw_patient(np.random.default_rng(31), stage=2), 2, 31)[0]


@dataclass(frozen=True, slots=True)
class Lay:
    """How the native screen was laid into a picture."""

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float

    def corners(self, area: Area) -> tuple[float, float, float, float]:
        """Left, top, right and lower edge of a reference area in the picture."""
        x, y, w, h = area
        right, lower = self.offset_x + (x + w) * self.scale_x, self.offset_y + (y + h) * self.scale_y
        return self.offset_x + x * self.scale_x, self.offset_y + y * self.scale_y, right, lower


def laid(
    native: Picture, rows: int, stretch: float, margins: tuple[int, int], crop: tuple[int, int, int, int]
) -> tuple[Picture, Lay]:
    """Scale a screen to so many rows, put it into a larger picture, cut rows and columns off the sides."""
    width, height = round(rows * 4 / 3 * stretch), rows
    way = cv2.INTER_AREA if rows < native.shape[0] else cv2.INTER_LINEAR
    inner = cv2.resize(native, (width, height), interpolation=way)
    x, y = margins
    out = np.zeros((height + 2 * y, width + 2 * x, 3), np.uint8)
    out[y : y + height, x : x + width] = inner
    left, top, right, bottom = crop
    out = np.ascontiguousarray(out[top : out.shape[0] - bottom, left : out.shape[1] - right])
    return out, Lay(width / 1440, height / 1080, x - left, y - top)


def anchored(pixels: Picture) -> Anchor:
    """Where the screen stands in a picture that shows one."""
    anchor = follow(None, pixels, 0, _PROFILE)
    assert isinstance(anchor, Anchor)
    return anchor


def largest_error(registration: Registration, lay: Lay) -> float:
    """Of the edges of bar and panes, in pixels."""
    areas = (_PROFILE.colour_bar.rect, _PROFILE.panes.elastogram, _PROFILE.panes.gray)
    found = Lay(registration.scale_x, registration.scale_y, registration.offset_x, registration.offset_y)
    return float(max(np.abs(np.subtract(found.corners(area), lay.corners(area))).max() for area in areas))


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(540, 1500),
    stretch=st.sampled_from([1.0, 4 / 3, 0.9375]),
    margins=st.tuples(st.sampled_from([0, 0, 8, 60, 240]), st.sampled_from([0, 0, 0, 20])),
    crop=st.tuples(*[st.sampled_from([0, 0, 0, 1, 4, 12])] * 4),
)
def test_any_scale_offset_stretch_and_crop_is_found(
    rows: int, stretch: float, margins: tuple[int, int], crop: tuple[int, int, int, int]
) -> None:
    """However the screen is scaled, stretched, boxed and cropped, bar and panes are found within a pixel."""
    pixels, lay = laid(_NATIVE, rows, stretch, margins, crop)
    anchor = anchored(pixels)
    assert anchor.exact
    assert largest_error(anchor.registration, lay) <= 1.05
    assert anchor.registration.residual <= 1.2


@pytest.mark.parametrize(
    "chain", [chain for chain in Chain if "h264" not in chain.value] + [Chain.LIMITED_H264]
)
def test_every_chain_is_registered_with_its_levels(chain: Chain) -> None:
    """Through every capture chain bar, residual and levels come out as they went in."""
    pixels, truth = capture(*draw_scene(Scene(), 41), chain, 41)
    registration = anchored(pixels).registration
    assert truth.colour_bar is not None
    x, y, w, h = truth.colour_bar
    bar = Lay(
        registration.scale_x, registration.scale_y, registration.offset_x, registration.offset_y
    ).corners(_PROFILE.colour_bar.rect)
    within = 1.1 if "420" in chain.value else 1.0  # colour at half size moves its edges by a pixel
    assert np.abs(np.subtract(bar, (x, y, x + w, y + h))).max() <= within
    assert registration.residual <= max(RESIDUAL_BOUND * registration.scale_y, BLUR_PX)
    assert registration.levels.black == pytest.approx(truth.black, abs=4)
    assert registration.levels.white == pytest.approx(truth.white, abs=4)


def test_a_limited_range_has_less_gain() -> None:
    """From black at 16 to white at 235."""
    assert Levels(16.0, 235.0).gain == pytest.approx(219 / 255)


@pytest.mark.parametrize(
    "name", [cv2.COLORMAP_JET, cv2.COLORMAP_TURBO, cv2.COLORMAP_HOT, cv2.COLORMAP_RAINBOW]
)
def test_other_maps_are_not_taken_for_the_scanners(name: int) -> None:
    """A bar in another common map, jet above all, is no stiffness bar."""
    steps = (np.arange(128, dtype=np.uint8) * 2)[None]
    ramp = np.asarray(cv2.applyColorMap(steps, name)[0], np.float32)
    assert map_levels(ramp) is None
    assert not is_stiffness_map(ramp)


def test_part_of_the_bar_is_told_from_the_whole() -> None:
    """A bar whose upper half is covered is no whole map, but is known as a part of it."""
    whole = anchored(_NATIVE).registration.ramp
    half = np.repeat(whole[:64], 2, axis=0)
    assert is_stiffness_map(whole)
    assert not is_part_of_map(whole)
    assert not is_stiffness_map(half)
    assert is_part_of_map(half)


def test_registration_holds_under_a_cursor_and_falls_with_the_bar() -> None:
    """A cursor over the bar changes nothing; a shift of four pixels or another size does."""
    registration = anchored(_NATIVE).registration
    assert holds(registration, _NATIVE)
    pointed = _NATIVE.copy()
    pointed[240:262, 1380:1396] = 230
    assert holds(registration, pointed)
    for shift, axis in ((4, 0), (-4, 0), (4, 1), (-4, 1)):
        assert not holds(registration, np.roll(_NATIVE, shift, axis=axis))
    assert not holds(registration, _NATIVE[:-1])


def test_panes_that_came_to_agree_make_the_registration_exact() -> None:
    """A registration begun on two planes is made exact on the first try after they show one."""
    pixels, lay = laid(_NATIVE, 832, 1.0, (0, 0), (0, 0, 0, 0))
    nominal = anchored(pixels).panes.gray
    differing = pixels.copy()
    part = differing[nominal.y : nominal.y + nominal.h, nominal.x : nominal.x + nominal.w]
    part[:] = part[:, ::-1].copy()
    anchor = follow(None, differing, 0, _PROFILE)
    assert isinstance(anchor, Anchor)
    assert not anchor.exact
    early = follow(anchor, pixels, RETRY_NS - 1, _PROFILE)
    assert isinstance(early, Anchor)
    assert not early.exact
    later = follow(anchor, pixels, RETRY_NS, _PROFILE)
    assert isinstance(later, Anchor)
    assert later.exact
    assert largest_error(later.registration, lay) <= 1.0


def moved_bar(native: Picture) -> Picture:
    """The screen with its bar further down and further left, as after an update of the scanner."""
    moved = native.copy()
    block = native[100:375, 1340:1440].copy()
    moved[100:375, 1340:1440] = 0
    moved[400:675, 1240:1340] = block
    return np.ascontiguousarray(moved)


def test_moved_bar_is_named_and_alarms_after_a_while() -> None:
    """A bar elsewhere is another layout; ten seconds of it call the technician, one fitting frame ends it."""
    reader, moved = ScreenReader(_PROFILE), moved_bar(_NATIVE)
    readings = [reader.read(Frame(moved, n, (n + 1) * SECOND, 0)) for n in range(12)]
    assert all(reading.view is View.OTHER and reading.rejected is not None for reading in readings)
    reasons = [reading.rejected.reason for reading in readings if reading.rejected is not None]
    assert reasons[0] is Reason.OTHER_LAYOUT
    assert reasons[-1] is Reason.LAYOUT_DRIFT
    assert WORDINGS[reasons[-1]].severity is Severity.ALARM
    fitting = reader.read(Frame(_NATIVE, 12, 13 * SECOND, 0))
    assert fitting.view is View.SWE_DUAL
    assert fitting.registration is not None
    assert not fitting.registration.drifted
    again = reader.read(Frame(moved, 13, 14 * SECOND, 0))
    assert again.rejected is not None
    assert again.rejected.reason is Reason.OTHER_LAYOUT


def test_drift_counts_only_time_that_contradicts() -> None:
    """Silent frames neither raise nor clear the alarm, a gap counts as a second, an old time stamp resets."""
    state = LayoutWatch()
    for second in range(1, 9):
        state = watch_layout(state, second * SECOND, Fit.MISFIT)
    for second in range(9, 60):
        state = watch_layout(state, second * SECOND, Fit.SILENT)
    assert not state.drifted
    state = watch_layout(state, 10_000 * SECOND, Fit.MISFIT)
    assert state.misfit_ns < DRIFT_NS
    for second in range(1, 4):
        state = watch_layout(state, (10_000 + second) * SECOND, Fit.MISFIT)
    assert state.drifted
    assert watch_layout(state, 10_010 * SECOND, Fit.SILENT).drifted
    assert not watch_layout(state, 10_010 * SECOND, Fit.FITS).drifted
    assert not watch_layout(state, SECOND, Fit.MISFIT).drifted


def test_large_residual_is_a_misfit_even_of_an_accepted_view() -> None:
    """A reading whose landmarks miss by more than the bound contradicts the profile."""
    placed = ScreenPlacement(0.5, 0.5, 0.0, 0.0, residual_px=1.5, black=0.0, white=255.0)
    reading = ScreenReading(720, 540, View.SWE_DUAL, registration=placed)
    assert fit_of(reading) is Fit.FITS
    assert fit_of(replace(reading, registration=replace(placed, residual_px=1.7))) is Fit.MISFIT
    assert fit_of(ScreenReading(720, 540, View.B_MODE)) is Fit.SILENT
