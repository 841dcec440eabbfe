"""The two panes: cut, laid over each other, and checked to show the same plane outside the colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calibration.profile import ScreenProfile
from firmware_app.journey import Panes, Picture, Rect
from firmware_app.screen.bar import chroma, every_nth
from firmware_app.screen.registration import Registration

Gray = npt.NDArray[np.uint8]
"""A picture of one channel, shape (height, width)."""

COLOUR_CHROMA = 28
"""max - min of B, G, R above which a pane's pixel carries colour: a map at 30 % opacity has at least 36."""
BLACK = 12
"""Gray level up to which a pixel is no echo but the surround."""
REACH = 4
"""Pixels by which the panes' distance may differ from the profile's."""
SAME_PLANE = 0.85
"""Correlation of the panes outside the colour; 0.94 on the real muscle screen, 0.97 on drawn ones."""


@dataclass(frozen=True, slots=True)
class PanePair:
    """Both panes of one frame.

    Attributes:
        panes: where they stand in the picture.
        top, bottom: BGR views of the elastogram's and of the gray pane, of one size.
        top_half, bottom_half: every second pixel of both, contiguous.
        coloured_half: 255 where `top_half` carries colour, else 0.
        correlation: of the two panes where there is no colour, -1 to 1; 0 where there is no picture.
    """

    panes: Panes
    top: Picture
    bottom: Picture
    top_half: Picture
    bottom_half: Picture
    coloured_half: Gray
    correlation: float


def cut_panes(pixels: Picture, panes: Panes) -> PanePair:
    """Cut both panes out of a picture and compare them."""
    upper, lower = panes.elastogram, panes.gray
    top = pixels[upper.y : upper.y + upper.h, upper.x : upper.x + upper.w]
    bottom = pixels[lower.y : lower.y + lower.h, lower.x : lower.x + lower.w]
    top_half, bottom_half = every_nth(top, 2), every_nth(bottom, 2)
    coloured = cv2.threshold(chroma(top_half), COLOUR_CHROMA, 255, cv2.THRESH_BINARY)[1]
    first = cv2.cvtColor(top_half, cv2.COLOR_BGR2GRAY)
    second = cv2.cvtColor(bottom_half, cv2.COLOR_BGR2GRAY)
    plain = cv2.bitwise_not(cv2.dilate(coloured, np.ones((5, 5), np.uint8)))
    return PanePair(panes, top, bottom, top_half, bottom_half, coloured, _correlation(first, second, plain))


def _correlation(first: Gray, second: Gray, where: Gray) -> float:
    """Correlation of two pictures' detail inside a mask, 0 where there is not enough of it.

    At half size, against noise and half a pixel of offset; without the local mean and without the black
    surround, because the shape of the picture and its gain by depth are alike on every frame.
    """
    size = (max(first.shape[1] // 2, 1), max(first.shape[0] // 2, 1))
    a = cv2.resize(first, size, interpolation=cv2.INTER_AREA)
    b = cv2.resize(second, size, interpolation=cv2.INTER_AREA)
    echoes = cv2.threshold(cv2.min(a, b), BLACK, 255, cv2.THRESH_BINARY)[1]
    plain = cv2.resize(where, size, interpolation=cv2.INTER_NEAREST)
    inside = cv2.erode(cv2.bitwise_and(echoes, plain), np.ones((3, 3), np.uint8))
    pixels = cv2.countNonZero(inside)
    if pixels < 200:
        return 0.0
    # Masked means of OpenCV: dot products would wake the threads of a linear-algebra library.
    x, y = _detail(a), _detail(b)
    mean_x, mean_y = cv2.mean(x, inside)[0], cv2.mean(y, inside)[0]
    power_x = cv2.mean(cv2.multiply(x, x), inside)[0] - mean_x**2
    power_y = cv2.mean(cv2.multiply(y, y), inside)[0] - mean_y**2
    both = cv2.mean(cv2.multiply(x, y), inside)[0] - mean_x * mean_y
    spread = float(np.sqrt(max(power_x, 0.0) * max(power_y, 0.0)))
    return float(both) / spread if spread > 1.0 else 0.0


def _detail(gray: Gray) -> npt.NDArray[np.float32]:
    detail: npt.NDArray[np.float32] = cv2.subtract(gray, cv2.blur(gray, (15, 15)), dtype=cv2.CV_32F)
    return detail


def locate_panes(pixels: Picture, registration: Registration, profile: ScreenProfile) -> Panes:
    """The panes in whole pixels, their distance refined by laying one over the other.

    The shift within `REACH` with the smallest mean absolute difference at places without colour is taken.
    """
    upper = registration.rect(profile.panes.elastogram)
    lower = registration.rect(profile.panes.gray)
    width, height = min(upper.w, lower.w), min(upper.h, lower.h)
    upper, lower = Rect(upper.x, upper.y, width, height), Rect(lower.x, lower.y, width, height)
    rows = np.arange(REACH, height - REACH, max(1, height // 60))[:, None]
    columns = np.arange(REACH, width - REACH, max(1, width // 80))[None, :]
    if rows.size == 0 or columns.size == 0:
        return Panes(upper, lower)
    here = pixels[upper.y + rows, upper.x + columns].astype(np.int16)
    plain = (here.max(axis=2) - here.min(axis=2)) < COLOUR_CHROMA
    best, shift = np.inf, (0, 0)
    for dy in sorted(range(-REACH, REACH + 1), key=abs):
        for dx in sorted(range(-REACH, REACH + 1), key=abs):
            below, beside = lower.y + dy + rows, lower.x + dx + columns
            if below.max() >= registration.height or beside.max() >= registration.width or beside.min() < 0:
                continue
            difference = np.abs(here[:, :, 1] - pixels[below, beside, 1])[plain]
            mean = float(difference.mean()) if difference.size else np.inf
            if mean < best - 0.02:
                best, shift = mean, (dx, dy)
    x, y = max(lower.x + shift[0], 0), lower.y + shift[1]
    width, height = min(width, registration.width - x) & ~3, min(height, registration.height - y) & ~3
    return Panes(Rect(upper.x, upper.y, width, height), Rect(x, y, width, height))
