"""What printed texts mean, in every language of the grammar, and that changed texts are noticed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.profile import ScreenProfile
from firmware_app.journey import Picture, ReadOut
from firmware_app.screen.grammar import (
    bar_maxima,
    parse_bar_maximum,
    parse_opacity,
    parse_readout,
    parse_tick,
)
from firmware_app.screen.text import locate_lines, recogniser, remembered


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
        [
            "Q-Box™",
            "Mean 5.3 kPa",
            "Min 4.1 kPa",
            "Max 7.0 kPa",
            "SD 0.8 kPa",
            "Diam 20.0 mm",
            "Depth 4.2 cm",
        ],
        ["Mittel: 5,3 kPa", "Min: 4,1 kPa", "Max: 7,0 kPa", "SD: 0,8 kPa", "Durchm. 2,0 cm", "Tiefe 42 mm"],
        ["Moy. 5,3kPa", "Mini 4,1kPa", "Maxi 7,0kPa", "ET 0,8kPa", "Diamètre 20,0mm", "Profondeur 4,2 cm"],
        [
            "Media 5.3 kPa",
            "Min 4.1 kPa",
            "Max 7.0 kPa",
            "DS O.8 kPa",
            "Diametro 20.0 mm",
            "Profondità 4.2 cm",
        ],
        ["Mitelwert 5,3kPe", "Min 4.,1kPa", "Max7,0kPa", "SD0.8kPa", "Dlam 20,0:mm", "Tiefe4.2.cm"],
    ],
)
def test_readout_in_four_languages(lines: list[str], profile: ScreenProfile) -> None:
    """English, German, French and Italian labels give the same values, with the slips that OCR makes."""
    found = parse_readout(lines, profile.readout)
    assert found is not None
    values = (found.mean_kpa, found.min_kpa, found.max_kpa, found.sd_kpa, found.diameter_mm, found.depth_mm)
    assert values == (5.3, 4.1, 7.0, 0.8, 20.0, 42.0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [("SI 93 %", 93.0), ("IS: 88%", 88.0), ("電SI 72%", 72.0), ("SI 930 %", None), ("", None)],
)
def test_stability_index_in_percent(line: str, expected: float | None, profile: ScreenProfile) -> None:
    """The stability index is a percentage; more than 100 was misread."""
    found = parse_readout(["Mean 5.3 kPa", line], profile.readout)
    assert found is not None
    assert found.stability_index == expected


def test_second_mean_is_a_second_q_box(profile: ScreenProfile) -> None:
    """The values are those of the first Q-box; a second mean tells that there is a second one."""
    one = ["Q-Box 1", "Mean 5.3 kPa", "SD 0.8 kPa"]
    assert parse_readout(one, profile.readout) == ReadOut("kPa", 5.3, None, None, 0.8, None)
    two = parse_readout([*one, "Q-Box 2", "Mean 9.1 kPa", "Max 10.0 kPa"], profile.readout)
    assert two == ReadOut("kPa", 5.3, None, None, 0.8, None, blocks=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("≥40 kPa", ((40.0, "kPa"),)),
        ("240 kPa", ((240.0, "kPa"), (40.0, "kPa"))),
        ("23.7m/s", ((23.7, "m/s"), (3.7, "m/s"))),
        ("kPa", ()),
    ],
)
def test_sign_before_the_maximum_may_be_read_as_a_2(
    text: str, expected: tuple[tuple[float, str], ...]
) -> None:
    """Both meanings of a leading 2 are kept; the numbers beside the bar decide."""
    assert bar_maxima(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("32", (32.0, 0.5)), ("2,2", (2.2, 0.05)), ("32 kPa", None), ("", None)]
)
def test_number_beside_the_bar(text: str, expected: tuple[float, float] | None) -> None:
    """A number beside the bar is a bare number, rounded to its last digit."""
    parsed = parse_tick(text)
    assert parsed == (None if expected is None else pytest.approx(expected))


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
    assert parse_readout(["Mean 5.3 kPa", "Min 1.1 m/s"], profile.readout) is None
    found = parse_readout(["Mean 5.3 kPa", "Diam 20.0"], profile.readout)
    assert found is not None
    assert found.diameter_mm is None


def test_lost_decimal_point_is_unreadable(profile: ScreenProfile) -> None:
    """A minimum above the mean was misread, and nothing of such a read-out is believed."""
    assert parse_readout(["Mean 6.2 kPa", "Min 53 kPa", "Max 7.6 kPa"], profile.readout) is None


def test_lost_last_digit_is_unreadable(profile: ScreenProfile) -> None:
    """Values of one read-out have one number of decimals."""
    assert parse_readout(["Mean 2.11 m/s", "Min 1.8 m/s", "Max 2.32 m/s"], profile.readout) is None


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


def test_the_very_same_line_is_read_once() -> None:
    """The same pixels say the same; another pixel or shape is another line; only so many are kept."""
    asked: list[tuple[int, ...]] = []

    def recognise(line: Picture) -> str:
        asked.append(line.shape)
        return f"{line.shape[1]}: {int(line.sum())}"

    read = remembered(recognise, 2)
    line = np.zeros((2, 6, 3), np.uint8)
    assert read(line) == read(line.copy()) == "6: 0"
    assert len(asked) == 1
    other = line.copy()
    other[1, 5, 2] = 1
    assert read(other) == "6: 1"
    assert read(line.reshape(2, 6, 3)[:, ::-1]) == "6: 0"
    assert len(asked) == 2
    assert read(line.reshape(3, 4, 3)) == "4: 0"
    assert read(line) == "6: 0"
    assert len(asked) == 3
    assert read(other) == "6: 1"
    assert len(asked) == 4


def test_the_recogniser_reads_what_the_whole_rapidocr_reads() -> None:
    """Loaded without the networks that find and turn lines, it gives the same text for a line."""
    from rapidocr import EngineType, RapidOCR  # noqa: PLC0415 - takes a second

    engines = {f"{part}.engine_type": EngineType.OPENVINO for part in ("Det", "Cls", "Rec")}
    threads = {"EngineConfig.openvino.inference_num_threads": 1}
    whole = RapidOCR(params={**engines, **threads, "Global.log_level": "critical"})
    for text in ("Mean 5.3 kPa", "40", "Min 4.1 kPa Max 7.0 kPa SD 0.8 kPa Diam 20.0 mm"):
        line = np.zeros((48, 24 * len(text), 3), np.uint8)
        cv2.putText(line, text, (4, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (220, 220, 220), 2)
        found = whole(line, use_det=False, use_cls=False, use_rec=True).txts
        assert recogniser()(line) == found[0]
        assert found[0]
