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
    """Topmost and bottommost pixel of the box in each column from `start` on, and their running extremes.

    `top[n]` holds the largest of 2^n neighbours, `bottom[n]` the smallest (see `_doubled`).
    """

    start: int
    top: tuple[IntArray, ...]
    bottom: tuple[IntArray, ...]

    @property
    def count(self) -> int:
        """Number of columns."""
        return int(self.top[0].size)


@dataclass(frozen=True, slots=True)
class _Must:
    """Columns and rows that the square has to hold (the Q-box); `left` > `right` if there are none."""

    left: int
    right: int
    top: int
    bottom: int


def _columns(polygon: Polygon) -> _Columns:
    low, high = math.ceil(polygon[:, 0].min()), math.floor(polygon[:, 0].max())
    following = np.concatenate([polygon[1:], polygon[:1]])
    x0, y0, x1, y1 = polygon[:, 0], polygon[:, 1], following[:, 0], following[:, 1]
    first = np.ceil(np.minimum(x0, x1)).astype(np.int64)
    count = np.maximum(np.floor(np.maximum(x0, x1)).astype(np.int64) - first + 1, 0)
    # Each edge once for every column that it meets, one edge after the other.
    edge = np.repeat(np.arange(len(polygon)), count)
    x = np.arange(edge.size) + (first - np.cumsum(count) + count)[edge]
    upright = np.abs(x1 - x0) <= 1e-12  # both ends of an upright edge count
    run, rise = np.where(upright, 1.0, x1 - x0), np.where(upright, 0.0, y1 - y0)
    y = y0[edge] + (x - x0[edge]) / run[edge] * rise[edge]
    lowest, highest = np.full(max(high - low + 1, 0), np.inf), np.full(max(high - low + 1, 0), -np.inf)
    np.minimum.at(lowest, x - low, np.where(upright[edge], np.minimum(y0, y1)[edge], y))
    np.maximum.at(highest, x - low, np.where(upright[edge], np.maximum(y0, y1)[edge], y))
    top, bottom = np.ceil(lowest - 1e-9).astype(np.int64), np.floor(highest + 1e-9).astype(np.int64)
    return _Columns(low, _doubled(top, np.maximum), _doubled(bottom, np.minimum))


def _doubled(values: IntArray, pick: np.ufunc) -> tuple[IntArray, ...]:
    """Extremes of the values i .. i + n - 1 for every place i and for n = 1, 2, 4 and so on."""
    runs = [values]
    while 2 << len(runs) - 1 <= values.size:
        width = 1 << len(runs) - 1
        runs.append(pick(runs[-1][:-width], runs[-1][width:]))
    return tuple(runs)


def _running(runs: tuple[IntArray, ...], pick: np.ufunc, places: slice, width: int) -> IntArray:
    """Extremes of `width` values from each of the places on: two runs that overlap."""
    step = width.bit_length() - 1
    more = width - (1 << step)
    extremes: IntArray = pick(runs[step][places], runs[step][places.start + more : places.stop + more])
    return extremes


def _rooms(columns: _Columns, must: _Must, square: Square) -> tuple[int, IntArray, IntArray]:
    """Where a square of this size may stand in the columns: where first <= last.

    Returns:
        The first of the left columns, and for each from there on the first and last possible top row.
    """
    side, width, start = square.side, square.width, columns.start
    low, high = start, start + columns.count - width
    if must.left <= must.right:
        low, high = max(low, must.right - width + 1), min(high, must.left)
    if low > high:
        empty = np.empty(0, np.int64)
        return low, empty, empty
    places = slice(low - start, high - start + 1)
    first = _running(columns.top, np.maximum, places, width)
    last = _running(columns.bottom, np.minimum, places, width) - (side - 1)
    if must.left <= must.right:
        first, last = np.maximum(first, must.bottom - side + 1), np.minimum(last, must.top)
    return low, first, last


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
    low, high = smallest - 1, round((columns.count + 1) / stretch)
    while low < high:
        side = (low + high + 1) // 2
        _, first, last = _rooms(columns, must, Square(0, 0, side, stretch))
        if (first <= last).any():
            low = side
        else:
            high = side - 1
    if low < smallest:
        return None
    square = Square(0, 0, low, stretch)
    start, first, last = _rooms(columns, must, square)
    fits = np.flatnonzero(first <= last)
    left, first, last = fits + start, first[fits], last[fits]
    half = (low - 1) / 2
    top = np.clip(np.rint(middle_y - half).astype(np.int64), first, last)
    away = np.hypot((left + (square.width - 1) / 2 - middle_x) / stretch, top + half - middle_y)
    best = int(np.argmin(away))
    return Square(int(left[best]), int(top[best]), low, stretch)


def _cut(pixels: Picture, square: Square) -> Picture:
    part = pixels[square.y : square.y + square.side, square.x : square.x + square.width]
    crop: Picture = cv2.cvtColor(part, cv2.COLOR_BGR2RGB)
    if crop.shape[1] != square.side:
        crop = cv2.resize(crop, (square.side, square.side), interpolation=cv2.INTER_AREA)
    return crop


def crop_pair(frame: Frame, roi: Roi) -> Crops:
    """Cut the square from both panes, RGB; as displayed, or unstretched to a square."""
    return Crops(_cut(frame.pixels, roi.elastogram), _cut(frame.pixels, roi.gray))
