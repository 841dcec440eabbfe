"""The two panes: cut, laid over each other, and checked to show the same plane outside the colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.profile import ScreenProfile
from firmware_app.journey import Panes, Picture, Rect
from firmware_app.screen.agreement import Agreement, Gray, compare
from firmware_app.screen.bar import chroma, chroma_half, gray_half
from firmware_app.screen.registration import Registration
from firmware_app.video.pixels import UNTOUCHED, Levels

COLOUR_CHROMA = 28
"""max - min of B, G, R above which a pane's pixel carries colour: a map at 30 % opacity has at least 36."""
REACH = 6
"""Pixels by which the panes' distance may differ from where the bar alone puts it, from pane to pane; a third
of it across."""
SAME_PLANE = 0.75
"""Correlation of the panes outside the colour. Measured: 0.94 on the real muscle screen; 0.87 or more on
drawn ones through every chain, with text across them; 0.25 at most on two planes of one liver."""

TWIN, TWIN_WIDTH = 0.5, 200
"""Correlation from which a part of the picture shows the upper pane once more, that many pixels wide."""
CLIP = 24.0
"""Levels of detail that count at most, so that print does not outweigh echoes."""


@dataclass(frozen=True, slots=True)
class PanePair:
    """Both panes of one frame.

    Attributes:
        panes: where they stand in the picture.
        top, bottom: BGR views of the elastogram's and of the gray pane, of one size.
        chroma_half: chroma of every second pixel of `top`; `coloured_half` is 255 where it is colour, else 0.
        agreement: of the two panes where there is no colour.
    """

    panes: Panes
    top: Picture
    bottom: Picture
    chroma_half: Gray
    coloured_half: Gray
    agreement: Agreement

    @property
    def correlation(self) -> float:
        """Of the two panes where there is no colour, -1 to 1; 0 where there is no picture."""
        return self.agreement.correlation


def cut_panes(pixels: Picture, panes: Panes, levels: Levels = UNTOUCHED, scale: float = 1.0) -> PanePair:
    """Cut both panes out of a picture and compare them.

    Args:
        pixels: the picture, BGR.
        panes: where they stand in it.
        levels: what the capture chain made of black and white.
        scale: picture pixels per reference pixel.
    """
    upper, lower = panes.elastogram, panes.gray
    top = pixels[upper.y : upper.y + upper.h, upper.x : upper.x + upper.w]
    bottom = pixels[lower.y : lower.y + lower.h, lower.x : lower.x + lower.w]
    strength = chroma_half(top)
    coloured = cv2.threshold(strength, COLOUR_CHROMA * levels.gain, 255, cv2.THRESH_BINARY)[1]
    plain = cv2.bitwise_not(cv2.dilate(coloured, np.ones((5, 5), np.uint8)))
    agreement = compare(gray_half(top), gray_half(bottom), plain, levels, scale)
    return PanePair(panes, top, bottom, strength, coloured, agreement)


def nominal_panes(registration: Registration, profile: ScreenProfile) -> Panes:
    """The panes where the registration alone puts them, of one size, in whole pixels."""
    upper = registration.rect(profile.panes.elastogram)
    lower = registration.rect(profile.panes.gray)
    width, height = min(upper.w, lower.w) & ~3, min(upper.h, lower.h) & ~3
    return Panes(Rect(upper.x, upper.y, width, height), Rect(lower.x, lower.y, width, height))


def locate_panes(pixels: Picture, registration: Registration, profile: ScreenProfile) -> Panes:
    """The panes in whole pixels, their distance refined by laying one over the other.

    Of the shifts within `REACH`, the one at which the places without colour differ least is taken.
    """
    nominal = nominal_panes(registration, profile)
    upper, lower, width, height = nominal.elastogram, nominal.gray, nominal.gray.w, nominal.gray.h
    if min(width, height) <= 4 * REACH:
        return nominal
    sample = _Sample.of(pixels, upper)
    stacked = abs(lower.y - upper.y) >= abs(lower.x - upper.x)
    along = [(0, step) if stacked else (step, 0) for step in range(-REACH, REACH + 1)]
    shift = sample.nearest(pixels, lower.x, lower.y, along)
    across = [
        (shift[0] + step, shift[1]) if stacked else (shift[0], shift[1] + step) for step in (-2, -1, 0, 1, 2)
    ]
    shift = sample.nearest(pixels, lower.x, lower.y, across)
    x, y = max(lower.x + shift[0], 0), lower.y + shift[1]
    width, height = min(width, registration.width - x) & ~3, min(height, registration.height - y) & ~3
    return Panes(Rect(upper.x, upper.y, width, height), Rect(x, y, width, height))


def measured_distance(pixels: Picture, panes: Panes) -> tuple[float, float]:
    """From the elastogram's to the gray pane, x and y, to a fraction of a pixel.

    The squared difference of the panes is a parabola around the true shift; three shifts give its vertex.
    """
    upper, lower = panes.elastogram, panes.gray
    sample = _Sample.of(pixels, upper)

    def vertex(dx: int, dy: int) -> float:
        before, here, after = (
            sample.difference(pixels, lower.x + step * dx, lower.y + step * dy) for step in (-1, 0, 1)
        )
        if before is None or here is None or after is None:
            return 0.0
        bend = before - 2 * here + after
        return float(np.clip(0.5 * (before - after) / bend, -1.0, 1.0)) if bend > 1e-6 else 0.0

    return lower.x - upper.x + vertex(1, 0), lower.y - upper.y + vertex(0, 1)


def pane_elsewhere(pixels: Picture, panes: Panes) -> tuple[int, int] | None:
    """Where the upper pane's picture stands once more, if not near the lower pane: its distance, pixels.

    Costs as much as reading a frame; for frames whose panes differ, a few times per second.
    """
    upper, lower = panes.elastogram, panes.gray
    step = max(1, round(upper.w / TWIN_WIDTH))
    small = cv2.resize(pixels, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    detail = np.clip(cv2.subtract(gray, cv2.blur(gray, (9, 9)), dtype=cv2.CV_32F), -CLIP, CLIP)
    detail[chroma(small) > COLOUR_CHROMA] = 0.0
    left, top = (upper.x + upper.w // 5) // step, (upper.y + upper.h // 5) // step
    width, height = 3 * upper.w // 5 // step, 3 * upper.h // 5 // step
    alike = cv2.matchTemplate(detail, detail[top : top + height, left : left + width], cv2.TM_CCORR_NORMED)
    # Two panes do not overlap; muscle resembles itself a little further on.
    alike[max(top - upper.h // step * 3 // 4, 0) : top + upper.h // step * 3 // 4,
          max(left - upper.w // step * 3 // 4, 0) : left + upper.w // step * 3 // 4] = 0.0  # fmt: skip
    _, peak, _, (x, y) = cv2.minMaxLoc(alike)
    dx, dy = (x - left) * step, (y - top) * step
    reach = max(step, REACH)
    near = abs(dx - lower.x + upper.x) <= reach and abs(dy - lower.y + upper.y) <= reach
    return None if peak < TWIN or near else (dx, dy)


@dataclass(frozen=True, slots=True)
class _Sample:
    """Sparse columns of the upper pane without colour, to be laid over another place of the picture."""

    columns: slice
    height: int
    green: Gray
    plain: Gray

    @classmethod
    def of(cls, pixels: Picture, pane: Rect) -> _Sample:
        columns = slice(REACH, pane.w - REACH, max(1, pane.w // 96))
        part = np.ascontiguousarray(
            pixels[pane.y + REACH : pane.y + pane.h - REACH, pane.x : pane.x + pane.w]
        )
        part = np.ascontiguousarray(part[:, columns])
        plain = cv2.threshold(chroma(part), COLOUR_CHROMA, 255, cv2.THRESH_BINARY_INV)[1]
        return cls(columns, part.shape[0], cv2.extractChannel(part, 1), plain)

    def nearest(self, pixels: Picture, x: int, y: int, shifts: list[tuple[int, int]]) -> tuple[int, int]:
        """The shift of the place x, y with the smallest difference; of equal ones, the smallest shift."""
        best, found = np.inf, (0, 0)
        for dx, dy in sorted(shifts, key=lambda shift: abs(shift[0]) + abs(shift[1])):
            difference = self.difference(pixels, x + dx, y + dy)
            if difference is not None and difference < best - 0.02:
                best, found = difference, (dx, dy)
        return found

    def difference(self, pixels: Picture, x: int, y: int) -> float | None:
        """Mean squared difference to the pane that begins at x, y; None where that leaves the picture."""
        columns = pixels[:, x + self.columns.start : x + self.columns.stop : self.columns.step, 1]
        if x < 0 or y < 0 or x + self.columns.stop > pixels.shape[1] or y + REACH + self.height > len(pixels):
            return None
        there = np.ascontiguousarray(columns[y + REACH : y + REACH + self.height])
        pixels_compared = cv2.countNonZero(self.plain)
        if pixels_compared == 0:
            return None
        return float(cv2.norm(self.green, there, cv2.NORM_L2SQR, self.plain)) / pixels_compared
