"""Registration: the scale, offset and stretch that lay the profile's reference screen over the picture.

The colour bar gives the vertical scale and both offsets; of the stretches that a capture chain can add, the
one that fits the bar's width and the picture's margins is taken. `holds` verifies it on later frames with a
handful of pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from calibration.profile import Area, ScreenProfile
from firmware_app.journey import Picture, Rect
from firmware_app.screen.bar import BarEdges, Ramp, find_bars, is_stiffness_map, sample_ramp

PROBES = 12
"""Places along the bar that are looked at to see whether a registration still holds."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Picture pixel = offset + scale x reference pixel, on each axis.

    Attributes:
        width, height: of the picture that was registered.
        bar: the bar's measured edges; `ramp` its colours.
        residual: largest distance in pixels between the bar as measured and as the registration predicts it.
    """

    width: int
    height: int
    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    bar: BarEdges
    ramp: Ramp
    residual: float

    @property
    def stretch(self) -> float:
        """Horizontal over vertical scale."""
        return self.scale_x / self.scale_y

    def rect(self, area: Area) -> Rect:
        """A reference area in whole pixels of the picture, cut to it."""
        x, y, w, h = area
        x0 = min(max(round(self.offset_x + x * self.scale_x), 0), self.width - 1)
        y0 = min(max(round(self.offset_y + y * self.scale_y), 0), self.height - 1)
        x1 = min(max(round(self.offset_x + (x + w) * self.scale_x), x0 + 1), self.width)
        y1 = min(max(round(self.offset_y + (y + h) * self.scale_y), y0 + 1), self.height)
        return Rect(x0, y0, x1 - x0, y1 - y0)


def _place(edges: BarEdges, width: int, height: int, profile: ScreenProfile) -> tuple[float, ...] | None:
    """Scales and offsets from the bar's edges; None if the screen would not fit the picture."""
    x, y, w, h = profile.colour_bar.rect
    reference_width, reference_height = profile.reference_size
    scale_y = (edges.bottom - edges.top) / h
    offset_y = edges.top - y * scale_y
    exact = height / reference_height
    if abs(edges.top - y * exact) < 1 and abs(edges.bottom - (y + h) * exact) < 1:
        scale_y, offset_y = exact, 0.0
    centre = (edges.left + edges.right) / 2
    best: tuple[float, float, float] | None = None
    for stretch in profile.stretches:
        scale_x = scale_y * stretch
        offset_x = centre - (x + w / 2) * scale_x
        spare = width - reference_width * scale_x
        misfit = abs(math.log((edges.right - edges.left) / (w * scale_x)))
        misfit += 3 * abs(offset_x - spare / 2) / width  # the screen stands in the middle of the picture
        if abs(offset_x - spare / 2) < 1.5:
            offset_x = spare / 2
        if best is None or misfit < best[0]:
            best = (misfit, scale_x, offset_x)
    if best is None or best[0] > 0.3:
        return None
    tall = reference_height * scale_y
    if offset_y < -0.05 * height or offset_y + tall > 1.05 * height or tall < 0.5 * height:
        return None
    return best[1], scale_y, best[2], offset_y


def register(pixels: Picture, profile: ScreenProfile) -> Registration | None:
    """Find the profile's screen in a picture; None where no bar with the stiffness map stands."""
    height, width = pixels.shape[:2]
    for edges in find_bars(pixels):
        ramp = sample_ramp(pixels, edges)
        placed = _place(edges, width, height, profile) if is_stiffness_map(ramp) else None
        if placed is None:
            continue
        scale_x, scale_y, offset_x, offset_y = placed
        _, y, _, h = profile.colour_bar.rect
        residual = max(
            abs(offset_y + y * scale_y - edges.top), abs(offset_y + (y + h) * scale_y - edges.bottom)
        )
        return Registration(
            width, height, scale_x, scale_y, offset_x, offset_y, edges, ramp, round(residual, 2)
        )
    return None


def holds(registration: Registration, pixels: Picture) -> bool:
    """Whether the bar still stands where it was, in its colours, with nothing coloured beyond its ends."""
    if pixels.shape[:2] != (registration.height, registration.width):
        return False
    bar = registration.bar
    x = int((bar.left + bar.right) / 2)
    steps = len(registration.ramp)
    index = (np.arange(PROBES) * 2 + 1) * steps // (2 * PROBES)
    rows = (bar.bottom - (index + 0.5) / steps * (bar.bottom - bar.top)).astype(int)
    now = pixels[rows, x].astype(np.float32)
    if float(np.abs(now - registration.ramp[index]).max()) > 50:
        return False
    for y in (int(bar.top) - 4, int(bar.bottom) + 4):
        if 0 <= y < registration.height and int(pixels[y, x].max()) - int(pixels[y, x].min()) > 50:
            return False
    return True
