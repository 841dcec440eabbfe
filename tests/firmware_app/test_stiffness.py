"""Colour to kPa and its statistics."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.colour_map import supersonic_table
from firmware_app.journey import Picture
from firmware_app.stiffness import Blend, ColourScale, Field, colour_scale, decode, in_kpa, statistics

STEPS = 128
RAMP = np.asarray(supersonic_table(STEPS), np.float32)
SCALE = colour_scale(RAMP)
Places = npt.NDArray[np.float64]


def blended(index: npt.NDArray[np.intp], gray: Picture, opacity: float) -> Picture:
    """Colours of the map laid over a gray picture, both of shape (h, w)."""
    mixed = opacity * RAMP[index] + (1 - opacity) * gray.astype(np.float32)
    return np.asarray(np.rint(mixed), np.uint8)


def decoded(top: Picture, gray: Picture, opacity: float, scale: ColourScale = SCALE, width: int = 1) -> Field:
    """Every pixel decoded."""
    every = np.full(top.shape[:2], 255, np.uint8)
    return decode(Blend(top, gray, opacity), every, (every, np.zeros_like(every)), scale, width)


def tissue(shape: tuple[int, int], seed: int) -> Picture:
    """A gray picture of random levels."""
    level = np.random.default_rng(seed).integers(0, 200, shape, dtype=np.uint8)
    return np.repeat(level[:, :, None], 3, axis=2)


@settings(max_examples=40, deadline=None)
@given(opacity=st.floats(0.3, 1.0), seed=st.integers(0, 10_000))
def test_blend_is_undone(opacity: float, seed: int) -> None:
    """A map blended at any opacity over random tissue decodes to itself within 1 % of the bar."""
    index = np.random.default_rng(seed).integers(4, STEPS - 4, (40, 40))
    gray = tissue((40, 40), seed)
    error = np.abs(decoded(blended(index, gray, opacity), gray, opacity) - (index.ravel() + 0.5) / STEPS)
    assert error.mean() < 0.006
    assert np.quantile(error, 0.99) < 0.03


def test_lifted_blacks_drop_out() -> None:
    """A limited-range picture (16-235) decodes to the same values with the bar of that picture."""
    lift = 219 / 255
    index = np.tile(np.arange(6, 122), (8, 1))
    gray = np.full((*index.shape, 3), 90.0)
    top = np.rint(16 + lift * (0.5 * RAMP[index] + 0.5 * gray)).astype(np.uint8)
    scale = colour_scale((16 + lift * RAMP).astype(np.float32))
    share = decoded(top, np.rint(16 + lift * gray).astype(np.uint8), 0.5, scale)
    assert np.abs(share - (index.ravel() + 0.5) / STEPS).mean() < 0.005


@pytest.mark.parametrize("level", [0.12, 0.15, 0.2, 0.3, 0.5])
def test_halved_colour_resolution_makes_no_bias(level: float) -> None:
    """Through 4:2:0 the mean of a smooth map over speckle stays within 0.3 % of the bar."""
    wave = 0.02 * np.sin(np.arange(96) / 17.0)
    index = np.rint((level + wave[:, None] + wave[None, :]) * STEPS).astype(np.intp)
    gray = tissue(index.shape, 5)
    pictures = [
        cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), cv2.COLOR_YUV2BGR_I420)
        for picture in (blended(index, gray, 0.5), gray)
    ]
    share = decoded(np.asarray(pictures[0], np.uint8), np.asarray(pictures[1], np.uint8), 0.5, width=5)
    assert abs(float(share.mean()) - float((index + 0.5).mean() / STEPS)) < 0.003


@pytest.mark.parametrize("rows", [0.7, -0.7])
def test_shifted_bar_is_laid_along_the_map(rows: float) -> None:
    """A bar whose colours video shifted against its edges still gives the right places."""
    places = (np.arange(STEPS) + 0.5) / STEPS + rows / 220
    known = np.asarray(supersonic_table(2048), np.float32)
    shifted = known[np.clip(np.rint(places * 2047), 0, 2047).astype(int)]
    scale = colour_scale(shifted)
    assert scale.shift == pytest.approx(rows / 220, abs=0.0015)
    index = np.arange(8, 120)[None]
    nothing = np.zeros((*index.shape, 3), np.uint8)
    share = decoded(np.rint(RAMP[index]).astype(np.uint8), nothing, 1.0, scale)
    assert abs(float((share - (index.ravel() + 0.5) / STEPS).mean())) < 0.0015


def test_another_map_is_taken_as_it_is() -> None:
    """A bar in other colours is inverted as sampled, without any shift."""
    level = np.linspace(0, 255, STEPS)
    other = np.stack([255 - level, 60 * np.sin(level / 40) + 80, level], axis=1).astype(np.float32)
    assert colour_scale(other).shift == 0.0


def test_white_and_gray_are_no_stiffness() -> None:
    """Text and plain tissue decode to nothing, at any brightness."""
    top = np.repeat(np.array([[20, 128, 255]], np.uint8)[:, :, None], 3, axis=2)
    assert np.isnan(decoded(top, np.full_like(top, 70), 0.5)).all()


def test_covered_pixels_take_what_surrounds_them() -> None:
    """Pixels under a line get the mean of the coloured ones beside it; far from any colour nothing."""
    index = np.full((31, 31), 40)
    gray = tissue(index.shape, 3)
    top = blended(index, gray, 0.5)
    line = np.zeros(index.shape, np.uint8)
    line[14:17] = 255
    top[line > 0] = 235
    share = decode(Blend(top, gray, 0.5), cv2.bitwise_not(line), (np.zeros_like(line), line), SCALE, 5)
    assert np.abs(share - 40.5 / STEPS).max() < 0.005
    nowhere = np.zeros_like(line)
    assert np.isnan(decode(Blend(top, gray, 0.5), nowhere, (nowhere, line), SCALE, 5)).all()


@given(value=st.floats(0.0, 1.0), maximum=st.floats(1.0, 10.0))
@settings(max_examples=50)
def test_speed_becomes_modulus(value: float, maximum: float) -> None:
    """On a bar in m/s the stiffness is 3 c^2."""
    field = in_kpa(np.array([value], np.float32), maximum, "m/s")
    assert float(field[0]) == pytest.approx(3 * (value * maximum) ** 2, rel=1e-4, abs=1e-6)


def test_statistics_are_numpys() -> None:
    """Mean, median and spread are those of the field; the minimum ignores single pixels."""
    field = np.random.default_rng(5).normal(8, 1, 4001).astype(np.float32)
    field[0] = 0.0
    found = statistics(field, "q_box", 0, 0.99)
    assert found is not None
    assert found.mean_kpa == pytest.approx(float(field.mean()), rel=1e-5)
    assert found.median_kpa == pytest.approx(float(np.median(field)))
    assert found.sd_kpa == pytest.approx(float(field.std()), rel=1e-4)
    assert 4 < found.min_kpa < found.median_kpa < found.max_kpa


def test_hole_in_the_region_is_a_zero_minimum() -> None:
    """Unfilled pixels count as zero stiffness for the minimum, not for the mean."""
    found = statistics(np.full(1000, 8.0, np.float32), "q_box", 40, 0.9)
    assert found is not None
    assert (found.min_kpa, found.mean_kpa) == (0.0, 8.0)
    assert statistics(np.empty(0, np.float32), "q_box", 40, 0.0) is None
