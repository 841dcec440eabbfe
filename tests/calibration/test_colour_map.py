from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.colour_map import supersonic_table

REFERENCE = Path(__file__).parents[3] / "shared" / "screens" / "supersonic_colour_map_110.csv"


def test_the_table_follows_the_measured_map() -> None:
    """The knots stay within 7/255 of the measured colours (2/255 on average), its two frayed ends apart."""
    if not REFERENCE.is_file():
        pytest.skip("the measured colour map of the shared reference material is absent")
    measured = np.loadtxt(REFERENCE, delimiter=",", skiprows=1)
    error = np.abs(supersonic_table(110)[:, ::-1].astype(float) - measured)
    assert error[2:-2].max() <= 7.0
    assert error.mean() <= 2.0


def test_the_map_can_be_inverted() -> None:
    """No two levels further apart than 1 kPa of 40 have nearly the same colour."""
    table = supersonic_table(256).astype(float)
    level = np.arange(256) * 40 / 255
    apart = np.abs(level[:, None] - level[None]) > 1.0
    distance = np.linalg.norm(table[:, None] - table[None], axis=2)
    assert distance[apart].min() > 8.0


def test_the_map_runs_from_dark_blue_to_dark_red() -> None:
    """Soft is blue, stiff is red, in BGR order."""
    table = supersonic_table(64)
    assert table[0].argmax() == 0
    assert table[-1].argmax() == 2
    assert table.shape == (64, 3)
