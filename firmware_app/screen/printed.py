"""What was printed when text was last read, and whether it still stands there unchanged."""

from __future__ import annotations

from dataclasses import dataclass

import cv2

from calibration.profile import ScreenProfile
from firmware_app.journey import Picture, ReadOut, Rect
from firmware_app.screen.bar import every_nth
from firmware_app.screen.grammar import parse_bar_maximum, parse_opacity, parse_readout
from firmware_app.screen.panes import Gray
from firmware_app.screen.registration import Registration
from firmware_app.screen.text import read_lines

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
    """Texts of one screen, and the pixels they were read from; None: not printed, or not to be read."""

    maximum: float | None
    unit: str | None
    opacity: float | None
    readout: ReadOut | None
    patches: tuple[_Patch, ...]
    tolerance: float


def _cut(pixels: Picture, area: Rect) -> Gray:
    """Every second pixel of an area, gray."""
    part = every_nth(pixels[area.y : area.y + area.h, area.x : area.x + area.w], 2)
    gray: Gray = cv2.cvtColor(part, cv2.COLOR_BGR2GRAY)
    return gray


def read_printed(pixels: Picture, registration: Registration, profile: ScreenProfile) -> Printed:
    """Read the bar's maximum, the opacity and the Q-box's values (OCR)."""
    scale = registration.scale_y
    bar_area = registration.rect(profile.colour_bar.maximum_area)
    blend_area = registration.rect(profile.blend.area)
    bar = parse_bar_maximum(read_lines(pixels, bar_area, scale))
    low, high = profile.colour_bar.plausible_maxima_kpa
    if bar is not None and not low <= (3 * bar[0] ** 2 if bar[1] == "m/s" else bar[0]) <= high:
        bar = None
    readout = None
    areas = [bar_area, blend_area]
    for area in profile.readout.areas:
        areas.append(registration.rect(area))
        readout = parse_readout(read_lines(pixels, areas[-1], scale), profile.readout)
        if readout is not None:
            break
    return Printed(
        bar[0] if bar else None,
        bar[1] if bar else None,
        parse_opacity(read_lines(pixels, blend_area, scale)),
        readout,
        tuple(_Patch(area, _cut(pixels, area)) for area in areas),
        OTHER_PIXELS * scale * scale,
    )


def still_printed(printed: Printed, pixels: Picture) -> bool:
    """Whether every text that was read stands as it stood."""
    for patch in printed.patches:
        difference = cv2.absdiff(patch.gray, _cut(pixels, patch.area))
        changed = cv2.threshold(difference, OTHER_PIXEL, 1, cv2.THRESH_BINARY)[1]
        if cv2.countNonZero(changed) > printed.tolerance:
            return False
    return True
