"""The colour box: where the elastogram's colour stands, and the outline that both panes draw around it.

Two shapes exist. Linear probes give an upright `Rectangle`; convex probes an annular `Sector` whose sides
meet at the apex. The first fit comes from the coloured pixels: a map with unfilled corners still touches all
four edges somewhere, so each edge is the outermost line that many boundary pixels agree on. The second fit
lays each edge on the thin line that the gray pane draws there (`outline`).

Coordinates are those of a pane, x divided by the registration's stretch, so that arcs are circles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Polygon
from firmware_app.screen.agreement import Gray

FloatArray = npt.NDArray[np.float64]

MINIMUM_AREA = 0.004
"""Smallest colour box as a fraction of the pane."""
OPENING = 0.08
"""Difference of the sides' slopes below which the box is a rectangle; a convex probe's has about 0.2."""
ARC_POINTS = 17
_SHARES = np.linspace(0.0, 1.0, ARC_POINTS)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """The box of a linear probe."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Sector:
    """The box of a convex probe; angles in radians from straight down, rising to the right."""

    apex_x: float
    apex_y: float
    angle_left: float
    angle_right: float
    radius_top: float
    radius_bottom: float


Shape = Rectangle | Sector


def polygon_of(shape: Shape) -> Polygon:
    """The outline as a closed polygon, clockwise on the screen from the upper left corner."""
    match shape:
        case Rectangle(left, top, right, bottom):
            return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)
        case Sector(x, y, left, right, top, bottom):
            angles = left + _SHARES * (right - left)
            corners: Polygon = np.empty((2 * ARC_POINTS, 2))
            sine, cosine = np.sin(angles), np.cos(angles)
            corners[:ARC_POINTS, 0], corners[:ARC_POINTS, 1] = x + top * sine, y + top * cosine
            corners[: ARC_POINTS - 1 : -1, 0], corners[: ARC_POINTS - 1 : -1, 1] = (
                x + bottom * sine,
                y + bottom * cosine,
            )
            return corners


def coloured_region(coloured_half: Gray) -> Gray | None:
    """The map's pixels at half size: its largest patch and what lies around it; None if there is none."""
    left, top, width, height = cv2.boundingRect(coloured_half)
    if width < 8 or height < 8:
        return None
    part = coloured_half[top : top + height, left : left + width]
    opened = cv2.morphologyEx(part, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels, stats, centroids = cv2.connectedComponentsWithStats(opened, connectivity=8)
    near = _patches_of_the_map(stats, centroids, coloured_half.size)
    if near is None:
        return None
    region = np.zeros_like(coloured_half)
    region[top : top + height, left : left + width] = opened if near[1:].all() else near[labels]
    return region


def _patches_of_the_map(
    stats: npt.NDArray[np.int32], centroids: FloatArray, pane_size: int
) -> npt.NDArray[np.uint8] | None:
    """255 for each label that belongs to the map, else 0; None if no patch is large enough."""
    if len(stats) < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h, area = (int(value) for value in stats[largest])
    if area < MINIMUM_AREA * pane_size:
        return None
    margin = 0.3 * max(w, h)  # seams and holes may cut the map into patches
    centre_x, centre_y = centroids[:, 0], centroids[:, 1]
    near = (centre_x > x - margin) & (centre_x < x + w + margin)
    near &= (centre_y > y - margin) & (centre_y < y + h + margin)
    near &= stats[:, cv2.CC_STAT_AREA] > 0.01 * area
    near[0] = False
    return np.asarray(np.where(near, 255, 0), np.uint8)


def outermost_line(along: FloatArray, across: FloatArray, outward: int) -> tuple[float, float] | None:
    """Across = offset + slope x along, agreed on by most points, few outside of it; None without one."""
    if along.size < 8:
        return None
    picks = np.linspace(0, along.size - 1, min(along.size, 14)).astype(int)
    # The hull of the boundary holds the corners that a line beside unfilled parts has to pass.
    boundary = np.stack([along, across], axis=1).astype(np.float32)
    hull = cv2.convexHull(boundary, returnPoints=False).ravel()
    picks = np.unique(np.concatenate([picks, hull]))
    first, second = (picks[index] for index in np.triu_indices(picks.size, 1))
    apart = along[second] - along[first] >= 6
    first, second = first[apart], second[apart]
    if first.size == 0:
        return None
    slope = (across[second] - across[first]) / (along[second] - along[first])
    offset = across[first] - slope * along[first]
    distance = outward * (across[None, :] - offset[:, None] - slope[:, None] * along[None, :])
    agreed = (np.abs(distance) < 1.6).sum(axis=1)
    beyond = (distance > 2.5).sum(axis=1)
    best = int(np.argmax(agreed - 2 * beyond))
    if agreed[best] < max(6, along.size // 8):
        return None
    close = np.abs(distance[best]) < 1.6
    fitted = np.polynomial.polynomial.polyfit(along[close], across[close], 1)
    return float(fitted[0]), float(fitted[1])


def _outermost_level(levels: FloatArray, outward: int) -> float:
    """The level that the outermost tenth of the boundary agrees on, ragged edges lying inside of it."""
    outermost = np.sort(outward * levels)[::-1]
    start = outermost.size // 50
    return float(outward * np.median(outermost[start : start + max(outermost.size // 10, 5)]))


def _runs(mask: Gray, axis: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """First and last set pixel of each row (axis 1) or column (axis 0) that has any."""
    indices = np.flatnonzero(mask.any(axis=axis))
    lines = mask[indices] if axis == 1 else mask[:, indices].T
    first = np.argmax(lines > 0, axis=1)
    last = lines.shape[1] - 1 - np.argmax(lines[:, ::-1] > 0, axis=1)
    return indices.astype(np.float64), first.astype(np.float64), last.astype(np.float64)


def fit_region(region: Gray, stretch: float) -> Shape | None:
    """First fit, from the coloured pixels at half size."""
    x, y, w, h = cv2.boundingRect(region)
    patch = region[y : y + h, x : x + w]
    rows, first, last = _runs(patch, axis=1)
    # Half-size pixel i covers full-size pixels 2i and 2i + 1: its outer borders lie at 2i - 0.5 and 2i + 1.5.
    rows_y = 2.0 * (rows + y) + 0.5
    left = outermost_line(rows_y, (2.0 * (first + x) - 0.5) / stretch, -1)
    right = outermost_line(rows_y, (2.0 * (last + x) + 1.5) / stretch, 1)
    if left is None or right is None:
        return None
    columns, top, bottom = _runs(patch, axis=0)
    columns_x = (2.0 * (columns + x) + 0.5) / stretch
    tops, bottoms = 2.0 * (top + y) - 0.5, 2.0 * (bottom + y) + 1.5
    opening = right[1] - left[1]
    if opening < -OPENING:
        return None  # sides that meet below the box belong to no probe
    if opening < OPENING:
        return Rectangle(
            _outermost_level((2.0 * (first + x) - 0.5) / stretch, -1),
            _outermost_level(tops, -1),
            _outermost_level((2.0 * (last + x) + 1.5) / stretch, 1),
            _outermost_level(bottoms, 1),
        )
    apex_y = (right[0] - left[0]) / (left[1] - right[1])
    apex_x = left[0] + left[1] * apex_y
    return Sector(
        apex_x,
        apex_y,
        math.atan(left[1]),
        math.atan(right[1]),
        _outermost_level(np.hypot(columns_x - apex_x, tops - apex_y), -1),
        _outermost_level(np.hypot(columns_x - apex_x, bottoms - apex_y), 1),
    )
