"""Colour to kPa and its statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.colour_map import supersonic_table
from firmware_app.stiffness import colour_scale, decode, in_kpa, statistics

RAMP = np.asarray(supersonic_table(128), np.float32)


@pytest.mark.parametrize("opacity", [0.3, 0.5, 0.8, 1.0])
def test_blend_is_undone(opacity: float) -> None:
    """A map blended over random tissue decodes to itself within 1 % of the bar."""
    rng = np.random.default_rng(3)
    index = rng.integers(4, 124, 4000)
    gray = np.repeat(rng.integers(0, 200, (4000, 1)), 3, axis=1).astype(np.uint8)
    top = np.rint(opacity * RAMP[index] + (1 - opacity) * gray).astype(np.uint8)
    share = decode(top, gray, colour_scale(RAMP), opacity)
    error = np.abs(share - (index + 0.5) / 128)
    assert error.mean() < 0.01
    assert np.quantile(error, 0.99) < 0.03


def test_lifted_blacks_drop_out() -> None:
    """A limited-range picture (16-235) decodes to the same values with the bar of that picture."""
    lift = 219 / 255
    index = np.arange(6, 122)
    gray = np.full((index.size, 3), 90.0)
    top = np.rint(16 + lift * (0.5 * RAMP[index] + 0.5 * gray)).astype(np.uint8)
    scale = colour_scale((16 + lift * RAMP).astype(np.float32))
    share = decode(top, np.rint(16 + lift * gray).astype(np.uint8), scale, 0.5)
    assert np.abs(share - (index + 0.5) / 128).mean() < 0.01


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
