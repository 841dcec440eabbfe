"""The evidence for an SWE view, complete or refused by name; then the Q-box and the region of interest."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calibration.profile import ScreenProfile
from firmware_app.crop import largest_square
from firmware_app.journey import Circle, Polygon, Rect, Rejected, Roi, Square
from firmware_app.screen.colour_box import Shape, coloured_region, fit_region, polygon_of
from firmware_app.screen.outline import GrayPane, refine
from firmware_app.screen.panes import SAME_PLANE, Gray, PanePair
from firmware_app.screen.q_box import Ring, find_ring
from firmware_app.screen.registration import Registration
from firmware_app.wording import Reason

OUTLINE_CONTRAST = 4.0
"""Gray levels by which the outline must outshine its flanks in the gray pane, averaged over its edges."""
OUTLINE_SUPPORT = 0.4
"""Fraction of the outline that must be seen."""
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
    """

    shape: Shape
    polygon: Polygon
    window: Rect
    inside: Gray
    filled: Gray
    filled_fraction: float
    q_box: Circle | None
    roi: Roi | None


@dataclass(frozen=True, slots=True)
class Earlier:
    """Where an earlier frame showed the colour box (in its pane) and the Q-box (in the picture)."""

    shape: Shape
    q_box: Circle | None


def _outlined_box(pair: PanePair, registration: Registration, last: Shape | None) -> Shape | Rejected:
    """The box on its outline; where the last frame's still has one around the colour, there."""
    region = coloured_region(pair.coloured_half)
    if region is None:
        return Rejected(Reason.NO_COLOUR_BOX, "no coloured region in the upper pane")
    if last is not None and _encloses(last, region, registration):
        outline = refine(_gray_pane(pair, last, registration), last, thorough=False)
        if outline.clear:
            return outline.shape
    first = fit_region(region, registration.stretch)
    if first is None:
        return Rejected(Reason.NO_COLOUR_BOX, "the coloured region is no rectangle and no sector")
    outline = refine(_gray_pane(pair, first, registration), first, thorough=True)
    if outline.contrast < OUTLINE_CONTRAST or outline.support < OUTLINE_SUPPORT:
        share = 100 * outline.support
        return Rejected(Reason.NO_COLOUR_BOX, f"outline seen on {share:.0f} % of the box in the lower pane")
    return outline.shape


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
    x0, y0 = np.clip(np.floor(points.min(axis=0)).astype(int) - margin, 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(points.max(axis=0)).astype(int) + margin, (x0 + 1, y0 + 1), (width, height))
    red = cv2.extractChannel(pair.bottom[y0:y1, x0:x1], 2)
    return GrayPane(red, int(x0), int(y0), registration.scale_y, registration.stretch)


def _window(polygon: Polygon, pair: PanePair) -> Rect:
    """Whole pixels around the box, in the pane; the upper left corner even, as `coloured_half` counts."""
    height, width = pair.top.shape[:2]
    x0, y0 = np.clip(np.floor(polygon.min(axis=0)).astype(int), 0, (width - 2, height - 2)) & ~1
    x1, y1 = np.clip(np.ceil(polygon.max(axis=0)).astype(int) + 1, (x0 + 2, y0 + 2), (width, height))
    return Rect(int(x0), int(y0), int(x1 - x0), int(y1 - y0))


def _inside(polygon: Polygon, window: Rect, margin: float) -> Gray:
    """255 inside the polygon and at least `margin` pixels off its outline."""
    mask = np.zeros((window.h, window.w), np.uint8)
    points = np.rint((polygon - (window.x, window.y)) * 16).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_8, 4)
    cv2.polylines(mask, [points], True, 0, max(1, round(2 * margin)), cv2.LINE_8, 4)
    return mask


def _filled(pair: PanePair, window: Rect) -> Gray:
    half = pair.coloured_half[window.y // 2 : (window.y + window.h + 1) // 2]
    half = half[:, window.x // 2 : (window.x + window.w + 1) // 2]
    filled: Gray = cv2.resize(half, (window.w, window.h), interpolation=cv2.INTER_NEAREST)
    return filled


def disc(window: Rect, circle: Circle, change: float) -> npt.NDArray[np.bool_]:
    """Pixels of a window whose distance from the Q-box's centre is at most its radius plus `change`."""
    x = (np.arange(window.w) + window.x - circle.x)[None, :] / circle.stretch
    y = (np.arange(window.h) + window.y - circle.y)[:, None]
    return np.asarray(x * x + y * y <= max(circle.r + change, 0.0) ** 2)


def _roi(polygon: Polygon, q_box: Circle | None, stretch: float, pair: PanePair) -> Roi | None:
    square = largest_square(polygon, q_box, stretch)
    if square is None:
        return None
    dx = pair.panes.gray.x - pair.panes.elastogram.x
    dy = pair.panes.gray.y - pair.panes.elastogram.y
    return Roi(square, Square(square.x + dx, square.y + dy, square.side, stretch))


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
    part = pair.top[window.y : window.y + window.h, window.x : window.x + window.w]
    pane = pair.panes.elastogram
    near = None
    if last is not None and last.q_box is not None:
        x, y = last.q_box.x - pane.x - window.x, last.q_box.y - pane.y - window.y
        near = Ring(x / stretch, y, last.q_box.r, 0.0)
    ring = find_ring(part, inside, registration, profile.q_box.radius, near)
    circle = None
    if ring is not None:
        circle = Circle(ring.x * stretch + window.x, ring.y + window.y, ring.r, float(stretch))
        width = RING_WIDTH * scale + 1.0
        inside[disc(window, circle, width) & ~disc(window, circle, -width)] = 0
    fraction = cv2.countNonZero(cv2.bitwise_and(inside, filled)) / max(cv2.countNonZero(inside), 1)
    if circle is not None:
        circle = Circle(circle.x + pane.x, circle.y + pane.y, circle.r, stretch)
    polygon += np.array([pane.x, pane.y])
    window = Rect(window.x + pane.x, window.y + pane.y, window.w, window.h)
    roi = _roi(polygon, circle, stretch, pair)
    return Elastogram(shape, polygon, window, inside, filled, fraction, circle, roi)
