"""The region of interest: the largest square in the colour box around the Q-box, cut from both panes.

Every shape of the colour box (convex polygon, annular sector) meets each column of pixels in one interval
[top(x), bottom(x)]. A square of side s with left column x lies inside the box exactly if its rows lie inside
all of these intervals, that is between T = max top and B = min bottom over the columns x .. x + s - 1. Such
rows exist exactly if B - T + 1 >= s. So the panes' pixels need not be looked at, the arc that bulges into the
box from above counts with its lowest point, and nothing is approximated but the arcs by their polygon.

If a square of side s fits, one of side s - 1 fits: drop a row and a column. If it must hold the Q-box, drop
those that the Q-box does not need: they exist as long as s exceeds the Q-box's own width and height. What
fits is therefore monotone in s, and halving finds the optimum exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Circle, Crops, Frame, Picture, Polygon, Roi, Square

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Columns:
    """Topmost and bottommost pixel of the box in each column from `start` on."""

    start: int
    top: IntArray
    bottom: IntArray


@dataclass(frozen=True, slots=True)
class _Must:
    """Columns and rows that the square has to hold (the Q-box); `left` > `right` if there are none."""

    left: int
    right: int
    top: int
    bottom: int


def _columns(polygon: Polygon) -> _Columns:
    low, high = math.ceil(polygon[:, 0].min()), math.floor(polygon[:, 0].max())
    x = np.arange(low, high + 1, dtype=np.float64)[:, None]
    following = np.roll(polygon, -1, axis=0)
    x0, y0, x1, y1 = polygon[:, 0], polygon[:, 1], following[:, 0], following[:, 1]
    spans = (np.minimum(x0, x1) <= x) & (x <= np.maximum(x0, x1))
    run = x1 - x0
    share = np.divide(x - x0, run, out=np.zeros_like(x + x0), where=np.abs(run) > 1e-12)
    y = y0 + share * (y1 - y0)
    upright = np.abs(run) <= 1e-12  # both ends of an upright edge count
    lowest = np.where(spans, np.where(upright, np.minimum(y0, y1), y), np.inf).min(axis=1)
    highest = np.where(spans, np.where(upright, np.maximum(y0, y1), y), -np.inf).max(axis=1)
    return _Columns(low, np.ceil(lowest - 1e-9).astype(np.int64), np.floor(highest + 1e-9).astype(np.int64))


def _fits(columns: _Columns, must: _Must, side: int) -> tuple[IntArray, IntArray, IntArray]:
    """Left columns at which a square of this side fits, with its first and last possible top row."""
    if side > columns.top.size:
        empty = np.empty(0, np.int64)
        return empty, empty, empty
    # Running extremes over the columns x .. x + side - 1; whole numbers below 2^24 are exact in float32.
    kernel, windows = np.ones((1, side), np.uint8), columns.top.size - side + 1
    tops = cv2.dilate(columns.top.astype(np.float32)[None], kernel, anchor=(0, 0))[0, :windows].astype(
        np.int64
    )
    bottoms = cv2.erode(columns.bottom.astype(np.float32)[None], kernel, anchor=(0, 0))[0, :windows]
    bottoms = bottoms.astype(np.int64)
    left = columns.start + np.arange(tops.size)
    first, last = tops, bottoms - side + 1
    fits = np.ones(tops.size, bool)
    if must.left <= must.right:
        fits = (left <= must.left) & (left + side - 1 >= must.right)
        first, last = np.maximum(first, must.bottom - side + 1), np.minimum(last, must.top)
    fits &= first <= last
    return left[fits], first[fits], last[fits]


def largest_square(polygon: Polygon, circle: Circle | None, stretch: float = 1.0) -> Square | None:
    """The largest square of whole pixels inside the colour box that contains the whole Q-box.

    Of several, the one whose centre is nearest to the Q-box (without one: to the box's middle) is taken.

    Args:
        polygon: outline of the colour box, shape (n, 2); each column must meet it in one interval.
        circle: the Q-box, or None.
        stretch: horizontal over vertical scale of the picture; the square is one of the unstretched screen.

    Returns:
        The square, or None if there is no room for a pixel, or the Q-box is not inside the box.
    """
    if polygon.ndim != 2 or polygon.shape[0] < 3 or not np.isfinite(polygon).all():
        return None
    polygon = polygon / (stretch, 1.0)
    columns = _columns(polygon)
    must, smallest = _Must(0, -1, 0, -1), 1
    middle_x, middle_y = polygon.min(axis=0) / 2 + polygon.max(axis=0) / 2
    if circle is not None:
        centre = circle.x / stretch
        must = _Must(
            math.floor(centre - circle.r),
            math.ceil(centre + circle.r),
            math.floor(circle.y - circle.r),
            math.ceil(circle.y + circle.r),
        )
        smallest = max(must.right - must.left, must.bottom - must.top) + 1
        middle_x, middle_y = centre, circle.y
    low, high = smallest - 1, columns.top.size  # low fits (or is below the smallest), high + 1 does not
    while low < high:
        side = (low + high + 1) // 2
        low, high = (side, high) if _fits(columns, must, side)[0].size else (low, side - 1)
    if low < smallest:
        return None
    left, first, last = _fits(columns, must, low)
    half = (low - 1) / 2
    top = np.clip(np.rint(middle_y - half).astype(np.int64), first, last)
    best = int(np.argmin(np.hypot(left + half - middle_x, top + half - middle_y)))
    return Square(round(int(left[best]) * stretch), int(top[best]), low, stretch)


def _cut(pixels: Picture, square: Square) -> Picture:
    part = pixels[square.y : square.y + square.side, square.x : square.x + square.width, ::-1]
    if part.shape[1] != square.side:
        unstretched: Picture = cv2.resize(
            np.ascontiguousarray(part), (square.side, square.side), interpolation=cv2.INTER_AREA
        )
        return unstretched
    return np.ascontiguousarray(part)


def crop_pair(frame: Frame, roi: Roi) -> Crops:
    """Cut the square from both panes, RGB; as displayed, or unstretched to a square."""
    return Crops(_cut(frame.pixels, roi.elastogram), _cut(frame.pixels, roi.gray))
