"""The evidence for an SWE view, complete or refused by name; then the Q-box and the region of interest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calibration.profile import ScreenProfile
from firmware_app.crop import largest_square
from firmware_app.journey import Circle, Picture, Polygon, Rect, Rejected, Roi, Square
from firmware_app.screen.agreement import Gray
from firmware_app.screen.bar import chroma, every_nth
from firmware_app.screen.colour_box import Rectangle, Shape, coloured_region, fit_region, polygon_of
from firmware_app.screen.outline import GrayPane, Outline, refine
from firmware_app.screen.panes import SAME_PLANE, PanePair
from firmware_app.screen.q_box import Ring, RingScreen, find_rings
from firmware_app.screen.registration import Registration
from firmware_app.screen.search import find_apex, search_rectangle, search_sector
from firmware_app.wording import Reason

OUTLINE_CONTRAST = 4.0
"""Gray levels by which the outline must outshine its flanks in the gray pane, averaged over its edges, at the
reference size; a line of one pixel fades as the picture shrinks."""
OUTLINE_SUPPORT = 0.55
"""Fraction of the outline that must be seen; 0.72 or more on drawn screens at half size through MJPEG."""
HALF_FILLED = 0.38
"""Share of the usual chroma: of full colours 255, at least 116 remain in the palest."""
RING_WIDTH = 3.5
"""Half width of the ring and its blur, reference pixels."""


@dataclass(frozen=True, slots=True)
class Elastogram:
    """What stands in the elastogram's pane; coordinates of the picture.

    Attributes:
        shape: the colour box in its pane, x divided by the stretch; `polygon` its outline.
        window: rectangle around the colour box.
        inside: 255 for each pixel of the window inside the box and off its outline and the Q-box's ring.
        filled: 255 for each pixel of the window that carries colour.
        filled_fraction: of the colour box, 0-1.
        q_boxes: in reading order.
        roi: the region of interest around the first of them.
    """

    shape: Shape
    polygon: Polygon
    window: Rect
    inside: Gray
    filled: Gray
    filled_fraction: float
    q_boxes: tuple[Circle, ...]
    roi: Roi | None

    @property
    def q_box(self) -> Circle | None:
        """The only Q-box; of several the first."""
        return self.q_boxes[0] if self.q_boxes else None


@dataclass(frozen=True, slots=True)
class Earlier:
    """Where an earlier frame showed the colour box (in its pane) and the Q-boxes (in the picture)."""

    shape: Shape
    q_boxes: tuple[Circle, ...]


def _outlined_box(pair: PanePair, registration: Registration, last: Shape | None) -> Shape | Rejected:
    """The box on its outline; where the last frame's still has one around the colour, there."""
    region = coloured_region(pair.coloured_half)
    if region is None:
        return Rejected(Reason.NO_COLOUR_BOX, "no coloured region in the upper pane")
    if last is not None and _encloses(last, region, registration):
        tracked = refine(_gray_pane(pair, last, registration), last, thorough=False)
        if tracked.clear:
            return tracked.shape
    first = fit_region(region, registration.stretch)
    outline: Outline | None = None
    if first is not None:
        outline = refine(_gray_pane(pair, first, registration), first, thorough=True)
    if outline is None or not outline.clear or not _encloses(outline.shape, region, registration):
        for guess in _searched(pair, region, registration):
            found = refine(_gray_pane(pair, guess, registration), guess, thorough=False)
            if _encloses(found.shape, region, registration) and (
                outline is None or found.support + found.weakest > outline.support + outline.weakest
            ):
                outline = found
    if outline is None:
        return Rejected(Reason.NO_COLOUR_BOX, "no outline around the coloured region")
    least = OUTLINE_CONTRAST * min(registration.scale_y, 1.0) * registration.levels.gain
    if outline.contrast < least or outline.support < OUTLINE_SUPPORT:
        share = 100 * outline.support
        return Rejected(Reason.NO_COLOUR_BOX, f"outline seen on {share:.0f} % of the box in the lower pane")
    return outline.shape


def _searched(pair: PanePair, region: Gray, registration: Registration) -> Iterator[Shape]:
    """Boxes that the lines of the gray pane suggest."""
    stretch = registration.stretch
    red = cv2.extractChannel(pair.bottom, 2)
    box = search_rectangle(_line_picture(pair.bottom), region, stretch)
    if box is not None:
        yield box
    half = cv2.extractChannel(every_nth(pair.bottom, 2), 2)
    apex = find_apex(half, registration.levels.black, stretch)
    sector = search_sector(red, region, apex, stretch) if apex is not None else None
    if sector is not None:
        yield sector


def _line_picture(part: Picture) -> Gray:
    """A part of the gray pane in which an orange line outshines every echo."""
    orange: Gray = cv2.addWeighted(cv2.extractChannel(part, 2), 0.5, chroma(part), 1.0, 0.0)
    return orange


def _encloses(shape: Shape, region: Gray, registration: Registration) -> bool:
    """Whether no colour reaches beyond a shape's bounding box."""
    points = polygon_of(shape) * (registration.stretch, 1.0)
    x, y, w, h = (2 * value for value in cv2.boundingRect(region))
    reach = 8.0 * registration.scale_y
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    return bool(low[0] <= x and low[1] <= y and x + w <= high[0] and y + h <= high[1])


def _gray_pane(pair: PanePair, shape: Shape, registration: Registration) -> GrayPane:
    """The gray pane as far around a shape as its outline is looked for."""
    points = polygon_of(shape) * (registration.stretch, 1.0)
    margin = 32
    height, width = pair.bottom.shape[:2]
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    x0 = min(max(math.floor(left) - margin, 0), width - 1)
    y0 = min(max(math.floor(top) - margin, 0), height - 1)
    x1 = min(max(math.ceil(right) + margin, x0 + 1), width)
    y1 = min(max(math.ceil(bottom) + margin, y0 + 1), height)
    part = pair.bottom[y0:y1, x0:x1]
    value = _line_picture(part) if isinstance(shape, Rectangle) else part
    return GrayPane(value, x0, y0, registration.scale_y, registration.stretch)


def _window(polygon: Polygon, pair: PanePair) -> Rect:
    """Whole pixels around the box, in the pane; the upper left corner even, as `coloured_half` counts."""
    height, width = pair.top.shape[:2]
    (left, top), (right, bottom) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    x0 = min(max(math.floor(left), 0), width - 2) & ~1
    y0 = min(max(math.floor(top), 0), height - 2) & ~1
    x1 = min(max(math.ceil(right) + 1, x0 + 2), width)
    y1 = min(max(math.ceil(bottom) + 1, y0 + 2), height)
    return Rect(x0, y0, x1 - x0, y1 - y0)


def _inside(polygon: Polygon, window: Rect, margin: float) -> Gray:
    """255 inside the polygon and at least `margin` pixels off its outline."""
    mask = np.zeros((window.h, window.w), np.uint8)
    points = np.rint((polygon - (window.x, window.y)) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_8, 4)
    cv2.polylines(mask, [points], True, 0, max(1, round(2 * margin)), cv2.LINE_8, 4)
    return mask


def _filled(pair: PanePair, window: Rect) -> Gray:
    """255 where the box carries colour.

    Video blurs colour over the rim of a hole. A pixel counts from `HALF_FILLED` of the colours' usual chroma
    on, which at any opacity lies below the palest colour of the map.
    """
    rows = slice(window.y // 2, (window.y + window.h + 1) // 2)
    columns = slice(window.x // 2, (window.x + window.w + 1) // 2)
    coloured, strength = pair.coloured_half[rows, columns], pair.chroma_half[rows, columns]
    usual = strength[::2, ::2][coloured[::2, ::2] > 0]
    least = HALF_FILLED * _median_level(usual) if usual.size else 0.0
    half = cv2.bitwise_and(cv2.threshold(strength, least, 255, cv2.THRESH_BINARY)[1], coloured)
    filled: Gray = cv2.resize(half, (window.w, window.h), interpolation=cv2.INTER_NEAREST)
    return filled


def _median_level(levels: Gray) -> float:
    """Median of at least one level, by counting."""
    counted = np.cumsum(np.bincount(levels, minlength=256))
    middle = ((levels.size - 1) // 2, levels.size // 2)
    return float(np.searchsorted(counted, middle, side="right").mean())


def disc(window: Rect, circle: Circle, change: float) -> npt.NDArray[np.bool_]:
    """Pixels of a window whose distance from the Q-box's centre is at most its radius plus `change`."""
    return np.asarray(_squared_distance(window, circle) <= max(circle.r + change, 0.0) ** 2)


def _squared_distance(window: Rect, circle: Circle) -> npt.NDArray[np.float32]:
    """Of the pixels of a window from the Q-box's centre."""
    x = ((np.arange(window.w) + window.x - circle.x) / circle.stretch).astype(np.float32)
    y = (np.arange(window.h) + window.y - circle.y).astype(np.float32)
    squared: npt.NDArray[np.float32] = (x * x)[None, :] + (y * y)[:, None]
    return squared


def _wipe_ring(mask: Gray, window: Rect, circle: Circle, width: float) -> None:
    """Clear a mask of the window within `width` pixels of the ring, in place."""
    wide, high = (circle.r + width) * circle.stretch, circle.r + width
    x0, y0 = max(int(circle.x - wide) - window.x, 0), max(int(circle.y - high) - window.y, 0)
    part = mask[y0 : int(circle.y + high) - window.y + 2, x0 : int(circle.x + wide) - window.x + 2]
    around = Rect(window.x + x0, window.y + y0, part.shape[1], part.shape[0])
    squared = _squared_distance(around, circle)
    outer, inner = (max(circle.r + change, 0.0) ** 2 for change in (width, -width))
    part[(squared <= outer) & (squared > inner)] = 0


def _roi(polygon: Polygon, q_box: Circle | None, stretch: float, pair: PanePair) -> Roi | None:
    square = largest_square(polygon, q_box, stretch)
    if square is None:
        return None
    dx = pair.panes.gray.x - pair.panes.elastogram.x
    dy = pair.panes.gray.y - pair.panes.elastogram.y
    return Roi(square, Square(square.x + dx, square.y + dy, square.side, stretch))


def _q_boxes(
    part: Picture, window: Rect, inside: Gray, screen: RingScreen, last: tuple[Circle, ...]
) -> tuple[Circle, ...]:
    """The Q-boxes in the picture's pixels; `part` are the pixels of the window, `last` where they stood."""
    x, y, stretch = window.x, window.y, screen.stretch
    near = tuple(Ring((circle.x - x) / stretch, circle.y - y, circle.r, 0.0) for circle in last)
    rings = find_rings(part, inside, screen, near)
    return tuple(Circle(ring.x * stretch + x, ring.y + y, ring.r, stretch) for ring in rings)


def read_elastogram(
    pair: PanePair, registration: Registration, profile: ScreenProfile, last: Earlier | None
) -> Elastogram | Rejected:
    """Find the colour box, the Q-box and the region of interest, or say which evidence is missing.

    Args:
        pair: both panes.
        registration: where the screen stands.
        profile: limits of the Q-box.
        last: what an earlier frame showed: a first guess, believed only where it is seen now.
    """
    if pair.correlation < SAME_PLANE:
        return Rejected(Reason.PANES_DIFFER, f"correlation {pair.correlation:.2f} outside the colour")
    shape = _outlined_box(pair, registration, last.shape if last else None)
    if isinstance(shape, Rejected):
        return shape
    scale, stretch = registration.scale_y, registration.stretch
    polygon = polygon_of(shape) * (stretch, 1.0)
    window = _window(polygon, pair)
    inside = _inside(polygon, window, 3.0 * scale + 1.0)
    filled = _filled(pair, window)
    pane = pair.panes.elastogram
    part = pair.top[window.y : window.y + window.h, window.x : window.x + window.w]
    in_pane = Rect(window.x + pane.x, window.y + pane.y, window.w, window.h)
    low, high = profile.q_box.radius
    screen = RingScreen(scale, float(stretch), registration.levels, (low * scale, high * scale))
    circles = _q_boxes(part, in_pane, inside, screen, last.q_boxes if last else ())
    for circle in circles:
        width = RING_WIDTH * scale + 1.0
        _wipe_ring(inside, in_pane, circle, width)
    fraction = cv2.countNonZero(cv2.bitwise_and(inside, filled)) / max(cv2.countNonZero(inside), 1)
    polygon += np.array([pane.x, pane.y])
    roi = _roi(polygon, circles[0] if circles else None, stretch, pair)
    return Elastogram(shape, polygon, in_pane, inside, filled, fraction, circles, roi)
