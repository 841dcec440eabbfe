"""What a pane shows, for either probe: the plane, the colour box, and where Q-boxes fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from calibration.phantom.anatomy import Anatomy, draw_anatomy
from calibration.phantom.b_mode import Gray, draw_plane, scan_convert
from calibration.phantom.elastogram import BoxArea, box_area
from calibration.phantom.geometry import (
    PROBE_RADIUS_MM,
    TOP_MARGIN_PX,
    ColourBox,
    Pixels,
    QBox,
    Sector,
)
from calibration.phantom.linear import draw_linear_plane
from calibration.phantom.randomness import stream

Probe = Literal["convex", "linear"]
LINEAR_APERTURE_MM = 50.0
Q_BOX_MARGIN_PX = 4.0
"""Least distance from a Q-box to the colour box's outline."""


@dataclass(frozen=True, slots=True)
class Pane:
    """One plane in a pane.

    Attributes:
        gray: gray values (height, width).
        px_per_mm: scale.
        skin_y: row of depth zero.
        depth_mm: depth shown.
        outline: the colour box as pane pixels (n, 2).
        area: which pixels lie inside the colour box.
        centre_y: row of the probe's centre of curvature; None for a linear probe.
        centre_x: its column.
    """

    gray: Gray
    px_per_mm: float
    skin_y: float
    depth_mm: float
    outline: Pixels
    area: BoxArea
    centre_y: float | None = None
    centre_x: float = 0.0

    def depth_at(self, x: float, y: float) -> float:
        """Returns the depth of a pane pixel below the skin, mm."""
        if self.centre_y is None:
            return (y - self.skin_y) / self.px_per_mm
        return float(np.hypot(x - self.centre_x, y - self.centre_y)) / self.px_per_mm - PROBE_RADIUS_MM


def sector_in(half_angle: float, depth_mm: float, width: int, height: int) -> Sector:
    """Returns the sector that fills a pane of any shape as far as it fits."""
    rise_mm = PROBE_RADIUS_MM * (1 - float(np.cos(half_angle)))
    across_mm = 2 * (PROBE_RADIUS_MM + depth_mm) * float(np.sin(half_angle))
    scale = min((height - 2 * TOP_MARGIN_PX) / (depth_mm + rise_mm), (width - 2.0) / across_mm)
    return Sector(half_angle, depth_mm, width, height, scale)


def _edge_box(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Returns the build with its box at the left, right or lower edge of the picture."""
    box, side = anatomy.box, int(rng.integers(0, 3))
    if side == 2:
        return replace(anatomy, depth_mm=box.outer_mm - PROBE_RADIUS_MM + float(rng.uniform(0.4, 2.0)))
    half = (box.right - box.left) / 2
    middle = anatomy.half_angle - half - float(rng.uniform(0.003, 0.03))
    middle = -middle if side == 0 else middle
    return replace(anatomy, box=ColourBox(box.inner_mm, box.outer_mm, middle - half, middle + half))


def _resized_box(rng: np.random.Generator, anatomy: Anatomy) -> Anatomy:
    """Returns the build with a box of any size that sonographers use, 20-45 mm high."""
    box = anatomy.box
    height, half_mm = float(rng.uniform(20.0, 45.0)), float(rng.uniform(12.0, 30.0))
    half = half_mm / box.inner_mm
    middle = (box.left + box.right) / 2
    outer = box.inner_mm + height
    depth = max(anatomy.depth_mm, outer - PROBE_RADIUS_MM + 6.0)
    return replace(anatomy, depth_mm=depth, box=ColourBox(box.inner_mm, outer, middle - half, middle + half))


def draw_convex(seed: int, size: tuple[int, int], *, at_edge: bool) -> Pane:
    """Returns a liver under the convex probe, in a pane of the given width and height."""
    rng = stream(seed, "build")
    anatomy = draw_anatomy(rng)
    if rng.random() < 0.4:
        anatomy = _resized_box(rng, anatomy)
    if at_edge:
        anatomy = _edge_box(rng, anatomy)
    sector = sector_in(anatomy.half_angle, anatomy.depth_mm, *size)
    plane = draw_plane(stream(seed, "wall"), stream(seed, "plane"), anatomy, float(rng.uniform(-1.5, 4.0)))
    return Pane(
        scan_convert(plane, sector),
        sector.px_per_mm,
        sector.skin_y,
        sector.depth_mm,
        anatomy.box.outline(sector),
        box_area(anatomy.box, sector),
        sector.centre_y,
        sector.centre_x,
    )


def rectangle_area(left: float, top: float, right: float, bottom: float) -> BoxArea:
    """Returns the pane pixels whose centres lie in a rectangle."""
    x0, y0, x1, y1 = (int(v) for v in (np.floor(left), np.floor(top), np.ceil(right), np.ceil(bottom)))
    y, x = np.mgrid[y0 : y1 + 1, x0 : x1 + 1].astype(np.float64)
    inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
    depth, across = (y - top) / (bottom - top), (x - left) / (right - left)
    return BoxArea(x0, y0, inside, depth.astype(np.float32), across.astype(np.float32))


def _linear_box(
    rng: np.random.Generator, picture: tuple[float, float, float, float], *, at_edge: bool
) -> tuple[float, float, float, float]:
    """Returns left, top, right, bottom of the box inside the picture, given likewise."""
    left, top, right, bottom = picture
    width = float(rng.uniform(0.35, 0.75)) * (right - left)
    height = float(rng.uniform(0.28, 0.62)) * (bottom - top)
    x = left + float(rng.uniform(0.1, 0.9)) * (right - left - width)
    y = top + float(rng.uniform(0.12, 0.85)) * (bottom - top - height)
    if at_edge:
        gap = float(rng.uniform(2.0, 9.0))
        side = int(rng.integers(0, 4))
        x = (left + gap, right - gap - width, x, x)[side]
        y = (y, y, top + gap, bottom - gap - height)[side]
    x, y = float(np.rint(x)), float(np.rint(y))
    return x, y, float(np.rint(x + width)), float(np.rint(y + height))


def draw_linear(seed: int, size: tuple[int, int], *, at_edge: bool) -> Pane:
    """Returns muscle under the linear probe, in a pane of the given width and height."""
    width, height = size
    rng = stream(seed, "build")
    depth_mm = float(rng.uniform(26.0, 45.0))
    scale = height / depth_mm
    shown = min(width, 2 * round(LINEAR_APERTURE_MM * scale / 2))
    plane = draw_linear_plane(stream(seed, "plane"), float(rng.normal(0.0, 2.0)))
    gray = np.zeros((height, width), dtype=np.uint8)
    left = (width - shown) // 2
    gray[:, left : left + shown] = cv2.resize(plane, (shown, height), interpolation=cv2.INTER_LINEAR)
    x0, y0, x1, y1 = _linear_box(rng, (left, 0.0, left + shown - 1.0, height - 1.0), at_edge=at_edge)
    outline = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return Pane(gray, scale, 0.0, depth_mm, outline, rectangle_area(x0, y0, x1, y1))


def draw_pane(seed: int, probe: Probe, size: tuple[int, int], *, at_edge: bool) -> Pane:
    """Returns a plane with its colour box.

    Args:
        seed: everything follows from it.
        probe: "convex" (liver) or "linear" (muscle).
        size: width and height of the pane, pixels.
        at_edge: the colour box touches the picture's edge, all but.
    """
    draw = draw_convex if probe == "convex" else draw_linear
    return draw(seed, size, at_edge=at_edge)


def place_q_boxes(rng: np.random.Generator, pane: Pane, diameters_mm: tuple[float, ...]) -> tuple[QBox, ...]:
    """Returns Q-boxes that lie wholly inside the colour box and beside each other.

    A circle that does not fit is made smaller, in steps of a tenth of a millimetre as the scanner prints it.
    """
    room = np.pad(pane.area.inside.astype(np.uint8), 1)
    placed: list[QBox] = []
    for wanted in diameters_mm:
        diameter = wanted
        clear = cv2.distanceTransform(room, cv2.DIST_L2, 5)[1:-1, 1:-1]
        fits = 2 * (float(clear.max()) - Q_BOX_MARGIN_PX - 1.0) / pane.px_per_mm
        diameter = np.floor(10 * min(diameter, fits)) / 10
        if diameter * pane.px_per_mm < 28.0:  # no sonographer measures in less
            break
        radius = diameter / 2 * pane.px_per_mm
        rows, columns = np.nonzero(clear >= min(radius + Q_BOX_MARGIN_PX, float(clear.max())))
        at = int(rng.integers(0, len(rows)))
        x, y = pane.area.x + int(columns[at]), pane.area.y + int(rows[at])
        fine_x, fine_y = (float(v) for v in rng.uniform(-0.5, 0.5, 2))
        box = QBox(x + fine_x, y + fine_y, float(radius), pane.depth_at(x + fine_x, y + fine_y))
        placed.append(box)
        centre = (int(columns[at]) + 1, int(rows[at]) + 1)
        cv2.circle(room, centre, round(radius + 4.0), 0, -1)
    return tuple(placed)
