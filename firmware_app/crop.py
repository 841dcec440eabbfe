"""The region of interest: the largest square in the colour box around the Q-box, cut from both panes.

Every shape of the colour box (convex polygon, annular sector) meets each column of pixels in one interval
[top(x), bottom(x)]. A square of n columns from x on lies inside the box exactly if its rows lie inside all of
these intervals, that is between T = max top and B = min bottom over the columns x .. x + n - 1. Such rows
exist exactly if B - T + 1 is at least their number. So the panes' pixels need not be looked at, and the edge
that makes a sector non-convex, its upper arc, which bulges into the box, counts with its lowest point.

If a square of side s fits, one of side s - 1 fits: drop rows and columns. If it must hold the Q-box, drop
those that the Q-box does not need: they exist as long as the square is wider and taller than the Q-box. What
fits is therefore monotone in s, and halving finds the optimum exactly, among all squares of whole pixels. A
linear programme over a convex inner polygon would lose the space beside the arcs, and then whole pixels.

Only the arcs are approximated, by chords (`colour_box.polygon_of`): 0.04 pixels for an arc of 0.5 radians and
450 pixels radius.
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


def _fits(columns: _Columns, must: _Must, square: Square) -> tuple[IntArray, IntArray, IntArray]:
    """Left columns at which a square of this size fits, with its first and last possible top row."""
    side, width = square.side, square.width
    if width > columns.top.size:
        empty = np.empty(0, np.int64)
        return empty, empty, empty
    # Running extremes over the columns x .. x + width - 1; whole numbers below 2^24 are exact in float32.
    kernel, places = np.ones((1, width), np.uint8), columns.top.size - width + 1
    first = cv2.dilate(columns.top.astype(np.float32)[None], kernel, anchor=(0, 0))[0, :places]
    last = cv2.erode(columns.bottom.astype(np.float32)[None], kernel, anchor=(0, 0))[0, :places] - (side - 1)
    left = columns.start + np.arange(places)
    fits = np.ones(places, bool)
    if must.left <= must.right:
        fits = (left <= must.left) & (left + width - 1 >= must.right)
        first, last = np.maximum(first, must.bottom - side + 1), np.minimum(last, must.top)
    fits &= first <= last
    return left[fits], first[fits].astype(np.int64), last[fits].astype(np.int64)


def largest_square(polygon: Polygon, circle: Circle | None, stretch: float = 1.0) -> Square | None:
    """The largest square of whole pixels inside the colour box that contains the whole Q-box.

    Of several, the one whose centre is nearest to the Q-box (without one: to the box's middle) is taken.

    Args:
        polygon: outline of the colour box, shape (n, 2); each column must meet it in one interval.
        circle: the Q-box, or None.
        stretch: horizontal over vertical scale of the picture: `Square.width` columns stand for a side.

    Returns:
        The square, the centres of all its pixels inside the polygon; None if there is no room for a pixel, or
        the Q-box is not inside the box.
    """
    if polygon.ndim != 2 or polygon.shape[0] < 3 or not np.isfinite(polygon).all():
        return None
    columns = _columns(polygon)
    must, smallest = _Must(0, -1, 0, -1), 1
    middle_x, middle_y = polygon.min(axis=0) / 2 + polygon.max(axis=0) / 2
    if circle is not None:
        across = circle.r * stretch
        must = _Must(
            math.floor(circle.x - across),
            math.ceil(circle.x + across),
            math.floor(circle.y - circle.r),
            math.ceil(circle.y + circle.r),
        )
        smallest = must.bottom - must.top + 1
        while Square(0, 0, smallest, stretch).width < must.right - must.left + 1:
            smallest += 1
        middle_x, middle_y = circle.x, circle.y
    # `low` fits (or is below the smallest), `high` + 1 does not.
    low, high = smallest - 1, round((columns.top.size + 1) / stretch)
    while low < high:
        side = (low + high + 1) // 2
        if _fits(columns, must, Square(0, 0, side, stretch))[0].size:
            low = side
        else:
            high = side - 1
    if low < smallest:
        return None
    square = Square(0, 0, low, stretch)
    left, first, last = _fits(columns, must, square)
    half = (low - 1) / 2
    top = np.clip(np.rint(middle_y - half).astype(np.int64), first, last)
    away = np.hypot((left + (square.width - 1) / 2 - middle_x) / stretch, top + half - middle_y)
    best = int(np.argmin(away))
    return Square(int(left[best]), int(top[best]), low, stretch)


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
