"""Registration: the scale, offset, stretch and levels that lay the profile's reference screen over a picture.

The colour bar with the scanner's map gives the levels and a first placement; the distance of the two panes,
once they are seen to show one plane, makes it exact (`placement`). `holds` verifies it on later frames with a
handful of pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.profile import Area, ScreenProfile
from firmware_app.journey import Picture, Rect, ScreenPlacement
from firmware_app.screen.bar import BarEdges, Ramp, find_bars, map_levels, sample_ramp
from firmware_app.screen.placement import Landmarks, Placement, place
from firmware_app.video.pixels import UNTOUCHED, Levels

PROBES = 12
"""Places along the bar that are looked at to see whether a registration still holds."""
CHANGED = 50
"""Levels by which a probe differs once something else stands there; compression stays below."""
CURSOR = 2
"""Probes that a cursor may cover."""
EDGE_CHROMA = 24
"""Levels by which colour falls across an edge of the bar."""


@dataclass(frozen=True, slots=True)
class Registration:
    """Picture pixel = offset + scale x reference pixel, on each axis.

    Attributes:
        width, height: of the picture that was registered.
        bar: the bar's measured edges; `ramp` its colours.
        residual: largest distance in pixels between a landmark as measured and as predicted.
        levels: what the capture chain made of the scanner's black and white.
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
    levels: Levels = UNTOUCHED

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

    def published(self) -> ScreenPlacement:
        """What of it is told to people and machines."""
        return ScreenPlacement(
            self.scale_x,
            self.scale_y,
            self.offset_x,
            self.offset_y,
            residual_px=self.residual,
            black=self.levels.black,
            white=self.levels.white,
        )


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A bar with the scanner's map that stands where the profile's screen has none."""

    bar: BarEdges


def register(pixels: Picture, profile: ScreenProfile) -> Registration | Unplaced | None:
    """Find the profile's screen in a picture; None where no bar with the stiffness map stands."""
    height, width = pixels.shape[:2]
    unplaced = None
    for edges in find_bars(pixels):
        ramp = sample_ramp(pixels, edges)
        levels = map_levels(ramp)
        if levels is None:
            continue
        placed = place(pixels, Landmarks(edges), profile)
        if placed is not None:
            first = Registration(width, height, 1.0, 1.0, 0.0, 0.0, edges, ramp, 0.0, levels)
            return _moved(first, placed)
        unplaced = unplaced or Unplaced(edges)
    return unplaced


def refined(
    registration: Registration, pixels: Picture, apart: tuple[float, float], profile: ScreenProfile
) -> Registration:
    """The registration made exact by the measured distance (x, y) from the elastogram's to the gray pane."""
    placed = place(pixels, Landmarks(registration.bar, apart[0], apart[1]), profile)
    return _moved(registration, placed) if placed is not None else registration


def _moved(registration: Registration, placed: Placement) -> Registration:
    return replace(
        registration,
        scale_x=placed.scale_x,
        scale_y=placed.scale_y,
        offset_x=placed.offset_x,
        offset_y=placed.offset_y,
        residual=round(placed.residual, 2),
    )


def holds(registration: Registration, pixels: Picture) -> bool:
    """Whether the bar still stands where it was, in its colours, with its four edges where they were."""
    if pixels.shape[:2] != (registration.height, registration.width):
        return False
    bar = registration.bar
    x = int((bar.left + bar.right) / 2)
    steps = len(registration.ramp)
    index = (np.arange(PROBES) * 2 + 1) * steps // (2 * PROBES)
    rows = (bar.bottom - (index + 0.5) / steps * (bar.bottom - bar.top)).astype(int)
    other = np.abs(pixels[rows, x].astype(np.float32) - registration.ramp[index]).max(axis=1) > CHANGED
    if int(other.sum()) > CURSOR:
        return False
    third = (bar.bottom - bar.top) / 3
    beside = (bar.top + third, bar.bottom - third)  # a cursor hides one of them at most
    return (
        _is_edge(pixels, (x, bar.top + 2), (x, bar.top - 3))
        and _is_edge(pixels, (x, bar.bottom - 3), (x, bar.bottom + 2))
        and any(_is_edge(pixels, (bar.left + 1, y), (bar.left - 4, y)) for y in beside)
        and any(_is_edge(pixels, (bar.right - 2, y), (bar.right + 3, y)) for y in beside)
    )


def _is_edge(pixels: Picture, inside: tuple[float, float], outside: tuple[float, float]) -> bool:
    """Whether colour ends between two places x, y; true where the outer one leaves the picture."""
    height, width = pixels.shape[:2]
    x, y = int(outside[0]), int(outside[1])
    if not (0 <= x < width and 0 <= y < height):
        return True
    within, beyond = pixels[int(inside[1]), int(inside[0])], pixels[y, x]
    return int(within.max()) - int(within.min()) > int(beyond.max()) - int(beyond.min()) + EDGE_CHROMA
