"""What was printed when text was last read, and whether it still stands there unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import cv2
import numpy as np

from calibration.profile import ReadOutGrammar, ScreenProfile
from firmware_app.journey import Picture, ReadOut, Rect
from firmware_app.screen.agreement import Gray
from firmware_app.screen.bar import gray_half
from firmware_app.screen.grammar import (
    KPA_PER_SQUARED_SPEED,
    WITH_UNIT,
    Value,
    assemble,
    bar_maxima,
    parse_opacity,
    parse_tick,
    parse_values,
    plain,
)
from firmware_app.screen.registration import Registration
from firmware_app.screen.text import LOOKS, Row, locate_rows, read_row

Meaning = TypeVar("Meaning")
_PERCENT = re.compile(r"[/|lI1].*%")

TICKS = (0.8, 0.6, 0.4, 0.2)
"""Shares of the bar's range at which numbers stand beside it."""
TICK_WIDTH = 60
"""Reference pixels at the right of the bar that hold them."""
TICK_MISS = 0.08
"""Share of the bar's height by which a number may miss its place."""
OTHER_PIXEL = 80
"""Gray levels by which a pixel of text differs once another letter stands there; compression stays below."""
OTHER_PIXELS = 3.0
"""Such pixels, of every second row and column, that make a changed text at reference size."""


@dataclass(frozen=True, slots=True)
class _Patch:
    """An area as it looked when its text was read."""

    area: Rect
    gray: Gray


@dataclass(frozen=True, slots=True)
class Printed:
    """Texts of one screen, and the pixels they were read from; None: not printed, or not to be read.

    Attributes:
        readout_shown: whether values with labels are printed, `readout` or not.
    """

    maximum: float | None
    unit: str | None
    opacity: float | None
    readout: ReadOut | None
    readout_shown: bool
    patches: tuple[_Patch, ...]
    tolerance: float


def _cut(pixels: Picture, area: Rect) -> Gray:
    """Every second pixel of an area, gray."""
    part = pixels[area.y : area.y + area.h, area.x : area.x + area.w]
    return gray_half(part) if min(area.w, area.h) > 1 else np.zeros((1, 1), np.uint8)


def read_printed(pixels: Picture, registration: Registration, profile: ScreenProfile) -> Printed:
    """Read the bar's maximum, the opacity and the Q-box's values (OCR); None where looks do not agree."""
    scale = registration.scale_y
    bar_area = registration.rect(profile.colour_bar.maximum_area)
    blend_area = registration.rect(profile.blend.area)
    bar = read_bar(pixels, registration, profile)
    readout, shown = None, False
    areas = [bar_area, blend_area]
    for area in profile.readout.areas:
        areas.append(registration.rect(area))
        values = tuple(_values(pixels, areas[-1], scale, profile.readout))
        shown = shown or bool(values)
        readout = assemble(values)
        if readout is not None:
            break
    return Printed(
        bar[0] if bar else None,
        bar[1] if bar else None,
        _opacity(pixels, blend_area, scale),
        readout,
        shown,
        tuple(_Patch(area, _cut(pixels, area)) for area in areas),
        OTHER_PIXELS * scale * scale,
    )


def read_bar(pixels: Picture, registration: Registration, profile: ScreenProfile) -> tuple[float, str] | None:
    """The bar's maximum and unit: what is printed above it and agrees with a number printed beside it."""
    area, scale = registration.rect(profile.colour_bar.maximum_area), registration.scale_y
    low, high = profile.colour_bar.plausible_maxima_kpa
    seen: list[tuple[float, str]] = []
    for look in LOOKS:
        rows = locate_rows(pixels, area, scale)
        for number, unit in (m for row in rows for m in bar_maxima(read_row(pixels, row, scale, look))):
            if low <= (KPA_PER_SQUARED_SPEED * number**2 if unit == "m/s" else number) <= high:
                seen.append((number, unit))
        agreed = [maximum for maximum in dict.fromkeys(seen) if seen.count(maximum) > 1]
        if agreed:
            break
    else:
        return None
    for share, tick, rounded in read_ticks(pixels, registration, profile):
        fitting = [m for m in agreed if abs(share * m[0] - tick) <= rounded + 1e-6]
        if len(fitting) == 1:
            return fitting[0]
    return None


def read_ticks(
    pixels: Picture, registration: Registration, profile: ScreenProfile
) -> Iterator[tuple[float, float, float]]:
    """Numbers beside the bar, highest first: share of the bar, number, how far it may be rounded."""
    x, y, w, h = profile.colour_bar.rect
    wide = min(TICK_WIDTH, profile.reference_size[0] - x - w)
    area = registration.rect((x + w, y, max(wide, 1), h))
    for row in locate_rows(pixels, area, registration.scale_y):
        middle = (row[0].y + row[0].h / 2 - area.y) / area.h
        share = min(TICKS, key=lambda tick: abs(1 - middle - tick))
        parsed = parse_tick(read_row(pixels, row, registration.scale_y))
        if parsed is not None and abs(1 - middle - share) < TICK_MISS:
            yield share, *parsed


def _opacity(pixels: Picture, area: Rect, scale: float) -> float | None:
    """Of the first row that looks like an opacity, what two looks agree on."""
    for row in locate_rows(pixels, area, scale):
        opacity = _agreed(pixels, row, scale, lambda text: parse_opacity([text]), _PERCENT)
        if opacity is not None:
            return opacity
    return None


def _values(pixels: Picture, area: Rect, scale: float, grammar: ReadOutGrammar) -> Iterator[Value]:
    """The values of an area from top to bottom, up to the mean of a second Q-box."""
    means = 0
    for row in locate_rows(pixels, area, scale):
        parse = partial(_parsed, grammar)
        for value in _agreed(pixels, row, scale, parse, WITH_UNIT) or ():
            yield value
            means += value.quantity == "mean"
        if means > 1:
            return


def _parsed(grammar: ReadOutGrammar, text: str) -> tuple[Value, ...] | None:
    return parse_values(text, grammar) or None


def _agreed(
    pixels: Picture,
    row: Row,
    scale: float,
    parse: Callable[[str], Meaning | None],
    worthy: re.Pattern[str],
) -> Meaning | None:
    """What two looks at a row agree on; None if none do, or if the first sees nothing worthy of a second."""
    seen: list[Meaning] = []
    for look in LOOKS:
        text = read_row(pixels, row, scale, look)
        meaning = parse(text)
        if meaning is not None and meaning in seen:
            return meaning
        if meaning is not None:
            seen.append(meaning)
        elif not seen and worthy.search(plain(text)) is None:
            return None
    return None


def still_printed(printed: Printed, pixels: Picture) -> bool:
    """Whether every text that was read stands as it stood."""
    for patch in printed.patches:
        difference = cv2.absdiff(patch.gray, _cut(pixels, patch.area))
        changed = cv2.threshold(difference, OTHER_PIXEL, 1, cv2.THRESH_BINARY)[1]
        if cv2.countNonZero(changed) > printed.tolerance:
            return False
    return True
