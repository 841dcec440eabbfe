"""Where things stand on the native 1440x1080 screen, and the geometry of the convex probe's picture.

Measured on the real Aixplorer screen in the reference material: its 976x731 picture is the screen at
1/1.4832, offset by (1, 2.5) pixels. Pane coordinates start at the pane's upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float64]

SCREEN_WIDTH, SCREEN_HEIGHT = 1440, 1080
PANE_X, PANE_WIDTH, PANE_HEIGHT = 312, 776, 440
ELASTOGRAM_Y, GRAY_Y = 142, 593
B_MODE_X, B_MODE_WIDTH, B_MODE_HEIGHT = 232, 920, 891
BAR_X, BAR_Y, BAR_WIDTH, BAR_HEIGHT = 1386, 141, 18, 220
GREY_BAR_X, GREY_BAR_WIDTH = 1367, 9
BAR_MAX_KPA = 40.0
Q_BOX_DIAMETER_MM = 20.0
PROBE_RADIUS_MM = 65.0
TOP_MARGIN_PX = 3.0


@dataclass(frozen=True, slots=True)
class Sector:
    """The convex probe's field of view in a pane.

    Attributes:
        half_angle: half of the opening angle, radians.
        depth_mm: depth shown along the central scan line; the face's ends stand higher than its middle.
        width, height: size of the pane, pixels.
        px_per_mm: scale, the same in x and y.
    """

    half_angle: float
    depth_mm: float
    width: int
    height: int
    px_per_mm: float

    @property
    def centre_x(self) -> float:
        """Column of the probe's centre of curvature."""
        return (self.width - 1) / 2

    @property
    def centre_y(self) -> float:
        """Row of the probe's centre of curvature, above the pane."""
        return TOP_MARGIN_PX - PROBE_RADIUS_MM * float(np.cos(self.half_angle)) * self.px_per_mm

    @property
    def skin_y(self) -> float:
        """Row of depth zero: the middle of the probe's face, its lowest point."""
        return self.centre_y + PROBE_RADIUS_MM * self.px_per_mm

    def to_pixels(self, radius_mm: npt.ArrayLike, angle: npt.ArrayLike) -> Pixels:
        """Returns pane pixels (..., 2) of polar points: distance from the centre of curvature, angle."""
        r = np.asarray(radius_mm, dtype=np.float64) * self.px_per_mm
        a = np.asarray(angle, dtype=np.float64)
        return np.stack([self.centre_x + r * np.sin(a), self.centre_y + r * np.cos(a)], axis=-1)


def _dual_scale(half_angle: float, depth_mm: float) -> float:
    rise_mm = PROBE_RADIUS_MM * (1 - float(np.cos(half_angle)))
    return (PANE_HEIGHT - 2 * TOP_MARGIN_PX) / (depth_mm + rise_mm)


def dual_sector(half_angle: float, depth_mm: float) -> Sector:
    """Returns the sector of one of the two panes of the elastography screen."""
    scale = _dual_scale(half_angle, depth_mm)
    return Sector(half_angle, depth_mm, PANE_WIDTH, PANE_HEIGHT, scale)


def single_sector(half_angle: float, depth_mm: float) -> Sector:
    """Returns the sector of the large single pane of plain B-mode and Doppler screens."""
    scale = 1.35 * _dual_scale(half_angle, depth_mm)
    return Sector(half_angle, depth_mm, B_MODE_WIDTH, B_MODE_HEIGHT, scale)


@dataclass(frozen=True, slots=True)
class ColourBox:
    """The colour box: an annular sector with straight radial sides, in polar coordinates of the probe."""

    inner_mm: float
    outer_mm: float
    left: float
    right: float

    def outline(self, sector: Sector, points_per_arc: int = 24) -> Pixels:
        """Returns the closed outline as pane pixels (2 x points_per_arc, 2), clockwise from upper left."""
        angles = np.linspace(self.left, self.right, points_per_arc)
        top = sector.to_pixels(self.inner_mm, angles)
        base = sector.to_pixels(self.outer_mm, angles[::-1])
        return np.concatenate([top, base])


@dataclass(frozen=True, slots=True)
class QBox:
    """The measuring circle in pane pixels (centre and radius) and the depth of its centre in mm."""

    x: float
    y: float
    r: float
    depth_mm: float
