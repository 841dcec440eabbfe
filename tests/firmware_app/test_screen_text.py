"""What printed texts mean, in every language of the grammar, and that changed texts are noticed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.profile import ScreenProfile
from firmware_app.screen.grammar import parse_bar_maximum, parse_opacity, parse_readout
from firmware_app.screen.text import locate_lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("≥40 kPa", (40.0, "kPa")),
        (">=150kPa", (150.0, "kPa")),
        ("2180 kPa", (180.0, "kPa")),
        ("≥ 7,1 m/s", (7.1, "m/s")),
        ("40", None),
        ("kPa", None),
        ("", None),
    ],
)
def test_bar_maximum_needs_number_and_unit(text: str, expected: tuple[float, str] | None) -> None:
    """The bar's range is a number with its unit; a number alone is not read."""
    assert parse_bar_maximum([text]) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("S 5/O 50 %", 0.5), ("S5/O100%", 1.0), ("S5/0 30%", 0.3), ("G 90 %", None)]
)
def test_opacity(text: str, expected: float | None) -> None:
    """The opacity is the percentage after the O, whether OCR takes it for a letter or a zero."""
    assert parse_opacity([text]) == expected


@pytest.mark.parametrize(
    "lines",
    [
        ["Q-Box™", "Mean 5.3 kPa", "Min 4.1 kPa", "Max 7.0 kPa", "SD 0.8 kPa", "Diam 20.0 mm"],
        ["Mittel: 5,3 kPa", "Min: 4,1 kPa", "Max: 7,0 kPa", "SD: 0,8 kPa", "Durchm. 2,0 cm"],
        ["Moy. 5,3kPa", "Mini 4,1kPa", "Maxi 7,0kPa", "ET 0,8kPa", "Diamètre 20,0mm"],
        ["Media 5.3 kPa", "Min 4.1 kPa", "Max 7.0 kPa", "DS O.8 kPa", "Diametro 20.0 mm"],
    ],
)
def test_readout_in_four_languages(lines: list[str], profile: ScreenProfile) -> None:
    """English, German, French and Italian labels give the same values."""
    found = parse_readout(lines, profile.readout)
    assert found is not None
    values = (found.mean_kpa, found.min_kpa, found.max_kpa, found.sd_kpa, found.diameter_mm)
    assert values == (5.3, 4.1, 7.0, 0.8, 20.0)


def test_speed_is_converted(profile: ScreenProfile) -> None:
    """Values in m/s become kPa by 3 c^2, the spread by its differential."""
    found = parse_readout(["Mean 1.5 m/s", "SD 0.1 m/s"], profile.readout)
    assert found is not None
    assert found.unit == "m/s"
    assert found.mean_kpa == pytest.approx(6.75)
    assert found.sd_kpa == pytest.approx(0.9)


def test_unit_is_never_guessed(profile: ScreenProfile) -> None:
    """A mean without a printed unit is not read."""
    assert parse_readout(["Mean 5.3", "Diam 20.0 mm"], profile.readout) is None


def test_lost_decimal_point_is_unreadable(profile: ScreenProfile) -> None:
    """A minimum above the mean was misread, and nothing of such a read-out is believed."""
    assert parse_readout(["Mean 6.2 kPa", "Min 53 kPa", "Max 7.6 kPa"], profile.readout) is None


@settings(max_examples=200)
@given(texts=st.lists(st.text(max_size=30), max_size=6))
def test_any_text_is_survived(texts: list[str]) -> None:
    """No text raises; what is found is finite."""
    maximum = parse_bar_maximum(texts)
    assert maximum is None or maximum[0] >= 0
    opacity = parse_opacity(texts)
    assert opacity is None or 0.1 <= opacity <= 1.0


def test_label_and_value_are_one_line() -> None:
    """Words of one line are located together, lines below each other apart."""
    area = np.zeros((120, 290), np.uint8)
    for row, (label, value) in enumerate([("Mean", "7.8 kPa"), ("SD", "0.5 kPa")]):
        y = 40 + 40 * row
        cv2.putText(area, label, (10, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 200, 2)
        cv2.putText(area, value, (110, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 220, 2)
    lines = locate_lines(area, 1.0)
    assert len(lines) == 2
    assert all(line.w > 170 for line in lines)
