"""Lays the colour box's edges on the thin line that the scanner draws around it in the gray pane."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Picture
from firmware_app.screen.agreement import Gray
from firmware_app.screen.colour_box import Rectangle, Sector, Shape

FloatArray = npt.NDArray[np.float64]

SAMPLES = 32
"""Places along an edge."""
NEAR, WIDE = 6.0, 24.0
"""Reference pixels to either side of an edge in which the line is looked for; wide after a poor first fit."""
STEP, COARSE_STEP = 0.5, 1.0
"""Spacing of the places across an edge, in picture pixels, near and wide."""
CLEAR_CONTRAST, CLEAR_SUPPORT, CLEAR_WEAKEST = 8.0, 0.75, 0.5
"""An outline at least as clear as this needs no second look."""
FLANK = 3.0
"""Distance in picture pixels of the places that a line must outshine."""
CLIP = 30
"""Gray levels above which a brighter line counts no more, so that no single echo decides."""


_SHARES = np.linspace(0.0, 1.0, SAMPLES)[:, None]


@dataclass(frozen=True, slots=True)
class GrayPane:
    """The part of the gray pane around a box.

    Attributes:
        value: gray; or BGR, of which the red is looked at: a gray and an orange line both stand out in it.
        x, y: where the part begins in the pane, pixels.
        scale: vertical picture pixels per reference pixel.
        stretch: horizontal over vertical scale.
    """

    value: Gray | Picture
    x: int
    y: int
    scale: float
    stretch: float


@dataclass(frozen=True, slots=True)
class Outline:
    """The shape on its outline, over all four edges.

    `contrast` is how far the line outshines its flanks in gray levels, `support` the fraction that shows it,
    `weakest` the same of the edge that shows it least.
    """

    shape: Shape
    contrast: float
    support: float
    weakest: float

    @property
    def clear(self) -> bool:
        """Whether the line is so clear that no second look is needed."""
        return (
            self.contrast >= CLEAR_CONTRAST
            and self.support >= CLEAR_SUPPORT
            and self.weakest >= CLEAR_WEAKEST
        )


@dataclass(frozen=True, slots=True)
class _Edge:
    """A line at `start` and `end` pixels outward from where it was expected."""

    start: float
    end: float
    contrast: float
    support: float


@cache
def _courses(count: int) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """The straight courses between all pairs of offsets 0 .. count - 1.

    Returns:
        How far both ends lie from the middle, shape (count, count), and for each course flat indices into an
        array (SAMPLES, count), shape (SAMPLES, count, count).
    """
    ends = np.arange(count, dtype=np.float64)
    share = _SHARES[:, :, None]
    course = np.rint(ends[None, :, None] * (1 - share) + ends[None, None, :] * share).astype(np.intp)
    away = np.abs(ends - ends[-1] / 2)
    return away[:, None] + away[None, :], course + np.arange(SAMPLES)[:, None, None] * count


def _fit_edge(pane: GrayPane, x: FloatArray, y: FloatArray, offsets: FloatArray) -> _Edge:
    """Find the line in places x, y of shape (SAMPLES, offsets).

    Every straight course from an offset at the first place to one at the last is tried.
    """
    sampled = cv2.remap(
        pane.value,
        (x * pane.stretch - pane.x).astype(np.float32),
        (y - pane.y).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    sampled = (sampled if sampled.ndim == 2 else sampled[:, :, 2]).astype(np.int16)
    step = float(offsets[1] - offsets[0])
    flank = round(FLANK / step)
    core = sampled[:, flank:-flank]
    ridge = np.minimum(core - np.maximum(sampled[:, : -2 * flank], sampled[:, 2 * flank :]), CLIP).ravel()
    away, index = _courses(core.shape[1])
    score = np.add.reduce(ridge.take(index), axis=0, dtype=np.int16) / SAMPLES
    # Equal scores: stay where the coloured pixels put the edge.
    first, last = divmod(int(np.argmax(score - away * (0.02 * step))), core.shape[1])
    along = ridge[index[:, first, last]]
    return _Edge(
        float(offsets[flank + first]),
        float(offsets[flank + last]),
        float(score[first, last]),
        np.count_nonzero(along > 3) / SAMPLES,
    )


def _evenly(first: float, last: float) -> FloatArray:
    """Places from first to last, shape (SAMPLES, 1)."""
    return first + _SHARES * (last - first)


def _offsets(scale: float, reach: float, step: float) -> FloatArray:
    count = int(np.ceil((reach * scale + FLANK) / step))
    return np.arange(-count, count + 1, dtype=np.float64) * step


def _side(pane: GrayPane, shape: Sector, angle: float, outward: int, offsets: FloatArray) -> _Edge:
    inset = 0.04 * (shape.radius_bottom - shape.radius_top)
    radii = _evenly(shape.radius_top + inset, shape.radius_bottom - inset)
    across = outward * offsets[None, :]
    x = shape.apex_x + radii * math.sin(angle) + across * math.cos(angle)
    y = shape.apex_y + radii * math.cos(angle) - across * math.sin(angle)
    return _fit_edge(pane, x, y, offsets)


def _turned(shape: Sector, angle: float, edge: _Edge, outward: int) -> tuple[float, float, float]:
    """The side moved by an edge's offsets: a point on it (x, y) and its angle."""
    inset = 0.04 * (shape.radius_bottom - shape.radius_top)
    near, far = shape.radius_top + inset, shape.radius_bottom - inset
    turned = angle + outward * math.atan2(edge.end - edge.start, far - near)
    x = shape.apex_x + near * math.sin(angle) + outward * edge.start * math.cos(angle)
    y = shape.apex_y + near * math.cos(angle) - outward * edge.start * math.sin(angle)
    return x, y, turned


def _arc(pane: GrayPane, shape: Sector, radius: float, outward: int, offsets: FloatArray) -> _Edge:
    inset = 0.03 * (shape.angle_right - shape.angle_left)
    angles = _evenly(shape.angle_left + inset, shape.angle_right - inset)
    radii = radius + outward * offsets[None, :]
    x = shape.apex_x + radii * np.sin(angles)
    y = shape.apex_y + radii * np.cos(angles)
    return _fit_edge(pane, x, y, offsets)


def _refine_sector(pane: GrayPane, shape: Sector, offsets: FloatArray) -> Outline:
    left = _side(pane, shape, shape.angle_left, -1, offsets)
    right = _side(pane, shape, shape.angle_right, 1, offsets)
    x1, y1, angle_left = _turned(shape, shape.angle_left, left, -1)
    x2, y2, angle_right = _turned(shape, shape.angle_right, right, 1)
    slope_left, slope_right = math.tan(angle_left), math.tan(angle_right)
    if slope_right - slope_left < 0.02:
        return Outline(shape, 0.0, 0.0, 0.0)
    apex_y = (x2 - slope_right * y2 - x1 + slope_left * y1) / (slope_left - slope_right)
    apex_x = x1 + slope_left * (apex_y - y1)
    rise = shape.apex_y - apex_y
    moved = Sector(
        apex_x, apex_y, angle_left, angle_right, shape.radius_top + rise, shape.radius_bottom + rise
    )
    top = _arc(pane, moved, moved.radius_top, -1, offsets)
    bottom = _arc(pane, moved, moved.radius_bottom, 1, offsets)
    final = replace(
        moved,
        radius_top=moved.radius_top - (top.start + top.end) / 2,
        radius_bottom=moved.radius_bottom + (bottom.start + bottom.end) / 2,
    )
    return _outline(final, (left, right, top, bottom))


def _refine_rectangle(pane: GrayPane, box: Rectangle, offsets: FloatArray) -> Outline:
    across = offsets[None, :]
    inset = 0.03 * min(box.bottom - box.top, box.right - box.left)
    rows = _evenly(box.top + inset, box.bottom - inset) + 0 * across
    columns = _evenly(box.left + inset, box.right - inset) + 0 * across
    left = _fit_edge(pane, box.left - across + 0 * rows, rows, offsets)
    right = _fit_edge(pane, box.right + across + 0 * rows, rows, offsets)
    top = _fit_edge(pane, columns, box.top - across + 0 * columns, offsets)
    bottom = _fit_edge(pane, columns, box.bottom + across + 0 * columns, offsets)
    final = Rectangle(
        box.left - (left.start + left.end) / 2,
        box.top - (top.start + top.end) / 2,
        box.right + (right.start + right.end) / 2,
        box.bottom + (bottom.start + bottom.end) / 2,
    )
    return _outline(final, (left, right, top, bottom))


def _outline(shape: Shape, edges: tuple[_Edge, ...]) -> Outline:
    return Outline(
        shape,
        sum(edge.contrast for edge in edges) / len(edges),
        sum(edge.support for edge in edges) / len(edges),
        min(edge.support for edge in edges),
    )


def refine(pane: GrayPane, shape: Shape, *, thorough: bool) -> Outline:
    """Move a shape onto the outline.

    Args:
        pane: the gray pane around the shape.
        shape: the fit to the coloured pixels, or the last frame's.
        thorough: whether to look further away where no outline is clear near the shape.
    """
    near = _offsets(pane.scale, NEAR, STEP)
    outline = _refined(pane, shape, near)
    if outline.clear or not thorough:
        return outline
    coarse = _refined(pane, shape, _offsets(pane.scale, WIDE, COARSE_STEP))
    again = _refined(pane, coarse.shape, near)
    return max(outline, again, key=lambda found: found.contrast)


def _refined(pane: GrayPane, shape: Shape, offsets: FloatArray) -> Outline:
    match shape:
        case Rectangle():
            return _refine_rectangle(pane, shape, offsets)
        case Sector():
            return _refine_sector(pane, shape, offsets)
