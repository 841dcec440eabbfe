"""Echo strength of the abdominal wall and the liver, in dB, on the grid of scan lines.

The gray-scale latent drives coarse texture, nodules, septa, the capsule's roughness and the contrast of
vessel walls, as CLINICAL section 5 lists them. Everything else is anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom.anatomy import Anatomy, Vessel
from calibration.phantom.geometry import PROBE_RADIUS_MM

Plane = npt.NDArray[np.float32]
LINES, SAMPLES = 352, 560
ANGLE_MARGIN = 0.06
"""Scan lines drawn beyond either side of the sector, radians, so that the picture can move."""
DEPTH_MARGIN_MM = 6.0
CELL_MM = 0.4
"""Spacing of the Cartesian grid on which texture is made."""
GRID_HALF_WIDTH_MM = 100.0
ORIGIN_MM = np.array([GRID_HALF_WIDTH_MM, DEPTH_MARGIN_MM])
"""Where x = z = 0 lies on that grid."""


@dataclass(frozen=True, slots=True)
class LineGrid:
    """The scan lines: `depth` (SAMPLES, 1), `angle` (1, LINES), and `x`, `z` in mm (SAMPLES, LINES)."""

    depth: Plane
    angle: Plane
    x: Plane
    z: Plane


@lru_cache(maxsize=4)
def line_grid(half_angle: float, depth_mm: float) -> LineGrid:
    """Returns the grid of scan lines; z is the depth below the probe's apex."""
    depth = np.linspace(0.0, depth_mm + DEPTH_MARGIN_MM, SAMPLES, dtype=np.float32)[:, None]
    edge = half_angle + ANGLE_MARGIN
    angle = np.linspace(-edge, edge, LINES, dtype=np.float32)[None, :]
    radius = depth + np.float32(PROBE_RADIUS_MM)
    x = radius * np.sin(angle)
    z = radius * np.cos(angle) - np.float32(PROBE_RADIUS_MM)
    return LineGrid(depth, angle, x, z)


def as_plane(values: npt.ArrayLike) -> Plane:
    """Returns the values as float32; OpenCV's results carry no type of their own."""
    return np.asarray(values, dtype=np.float32)


def latent_share(gm_latent: float) -> float:
    """Returns the gray-scale latent on 0-1; -2.5 and below is a perfectly even liver."""
    return float(np.clip((gm_latent + 2.5) / 8.0, 0.0, 1.0))


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: tuple[float, float]) -> Plane:
    """Returns Gaussian noise of unit variance, smoothed by `sigma` (rows, columns) in cells.

    It is drawn on a coarser grid where the smoothing allows, which costs a fraction.
    """
    step_y, step_x = (max(int(s / 1.5), 1) for s in sigma)
    small = (shape[0] // step_y + 4, shape[1] // step_x + 4)
    noise = rng.standard_normal(small, dtype=np.float32)
    sy, sx = sigma[0] / step_y, sigma[1] / step_x
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=sx, sigmaY=sy)
    noise *= np.float32(1.0 / max(float(noise.std()), 1e-6))
    grown = cv2.resize(noise, (small[1] * step_x, small[0] * step_y), interpolation=cv2.INTER_CUBIC)
    return as_plane(grown[step_y : step_y + shape[0], step_x : step_x + shape[1]])


def _nodules(rng: np.random.Generator, shape: tuple[int, int], size_mm: float) -> tuple[Plane, Plane]:
    """Returns Worley cells: one random value per cell, and the distance to the cell's border in mm."""
    step = size_mm / CELL_MM
    rows, columns = np.mgrid[0 : shape[0] : step, 0 : shape[1] : step]
    points = np.stack([rows.ravel(), columns.ravel()], axis=1) + rng.uniform(-0.5, 0.5, (rows.size, 2)) * step
    points = np.clip(points, 0, np.array(shape) - 1).astype(int)
    seeds = np.full(shape, 255, dtype=np.uint8)
    seeds[points[:, 0], points[:, 1]] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    values = rng.standard_normal(int(labels.max()) + 1).astype(np.float32)
    border = np.full(shape, 255, dtype=np.uint8)
    border[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    border[1:][labels[1:] != labels[:-1]] = 0
    distance = cv2.distanceTransform(border, cv2.DIST_L2, 3) * np.float32(CELL_MM)
    # No liver has straight-edged nodules: bend the cells.
    bend = np.float32(0.22 * step)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    x += bend * smooth_noise(rng, shape, (0.3 * step, 0.3 * step))
    y += bend * smooth_noise(rng, shape, (0.3 * step, 0.3 * step))
    bent = [
        cv2.remap(m, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        for m in (values[labels], distance)
    ]
    return bent[0], bent[1]


def _parenchyma_db(rng: np.random.Generator, shape: tuple[int, int], gm_latent: float) -> Plane:
    """Returns the liver's texture in dB on the Cartesian grid: even at a low latent, else nodular."""
    t = latent_share(gm_latent)
    value, distance = _nodules(rng, shape, 2.0 + 5.0 * t)
    coarse_cells = (0.8 + 1.0 * t) / CELL_MM
    coarse = smooth_noise(rng, shape, (coarse_cells, coarse_cells * 1.2))
    coverage = np.clip(0.45 + 0.55 * smooth_noise(rng, shape, (7.0, 7.0)), 0.0, 1.3)
    septa = np.exp(-((distance / np.float32(0.35 + 0.25 * t)) ** 2)) * coverage
    body = cv2.GaussianBlur(value, (0, 0), 1.0) * np.float32(3.6 * t) + coarse * np.float32(0.4 + 3.0 * t)
    patches = smooth_noise(rng, shape, (30.0, 30.0)) * np.float32(0.7)
    return as_plane(body + septa * np.float32(12.0 * t) + patches)


def _signed_gap(vessels: tuple[Vessel, ...], shape: tuple[int, int]) -> Plane:
    """Returns the distance to the nearest vessel's wall in mm, negative in the lumen; vessels taper."""
    fine = 2
    empty = np.full((shape[0] * fine, shape[1] * fine), 255, dtype=np.uint8)
    for vessel in vessels:
        course = (np.array(vessel.points_mm) + ORIGIN_MM) * (fine / CELL_MM)
        at = np.linspace(0, len(course) - 1, 140)
        x = np.interp(at, np.arange(len(course)), course[:, 0])
        y = np.interp(at, np.arange(len(course)), course[:, 1])
        taper = np.clip(np.linspace(1.0, -0.05, at.size), 0.0, 1.0) ** 0.6
        for cx, cy, share in zip(x, y, taper, strict=True):
            centre = (round(float(cx) * 16), round(float(cy) * 16))
            radius = round(float(vessel.radius_mm * share * fine / CELL_MM) * 16)
            cv2.circle(empty, centre, radius, 0, -1, shift=4)
    away = cv2.distanceTransform(empty, cv2.DIST_L2, 3) - cv2.distanceTransform(255 - empty, cv2.DIST_L2, 3)
    return as_plane(cv2.resize(away, shape[::-1], interpolation=cv2.INTER_AREA) * np.float32(CELL_MM / fine))


def _vessels_db(anatomy: Anatomy, shape: tuple[int, int], gm_latent: float) -> Plane:
    """Returns the change of echo by vessels: empty lumen, and a wall whose contrast fades with the latent."""
    t = latent_share(gm_latent)
    change = np.zeros(shape, dtype=np.float32)
    for portal, wall_db in ((True, 9.0), (False, 3.0)):
        vessels = tuple(v for v in anatomy.vessels if v.portal is portal)
        if not vessels:
            continue
        gap = _signed_gap(vessels, shape)
        wall = np.exp(-(((gap - 0.45) / np.float32(0.5)) ** 2)) * np.float32(wall_db * (1 - 0.6 * t))
        lumen = np.clip(gap / np.float32(0.4), -1.0, 0.0) * np.float32(22.0)
        change = np.where(change < -5.0, change, change + np.where(gap < 0, lumen, wall))
    return as_plane(change)


def _wall_db(rng: np.random.Generator, grid: LineGrid, depth_of_capsule: Plane) -> Plane:
    """Returns skin, fat and muscle above the capsule: bright layers that run along the probe."""
    shape = (SAMPLES, LINES)
    streaks = smooth_noise(rng, shape, (2.2, 30.0)) * 4.0 + smooth_noise(rng, shape, (6.0, 60.0)) * 4.0
    relative = grid.depth / np.maximum(depth_of_capsule, 1.0)
    layer = np.interp(relative, [0, 0.06, 0.12, 0.42, 0.47, 0.53, 0.9, 1.0], [6, 8, -3, -5, 9, -1, -2, 3])
    return (streaks + layer).astype(np.float32)


def _capsule_depth(rng: np.random.Generator, anatomy: Anatomy, grid: LineGrid, gm_latent: float) -> Plane:
    """Returns the capsule's depth along each scan line in mm (1, LINES); rougher at a high latent."""
    t = latent_share(gm_latent)
    curve = smooth_noise(rng, (1, LINES), (0.5, 50.0)) * 0.8
    rough = smooth_noise(rng, (1, LINES), (0.5, 5.0)) * (0.1 + 0.7 * t)
    slope = anatomy.wall_tilt * PROBE_RADIUS_MM * grid.angle
    return as_plane(anatomy.wall_mm + slope + curve + rough)


def echo_db(
    shared: np.random.Generator, own: np.random.Generator, anatomy: Anatomy, gm_latent: float
) -> Plane:
    """Returns the plane's echo strength in dB (SAMPLES, LINES).

    Args:
        shared: the patient's generator, in the same state for every picture: wall and capsule.
        own: this picture's generator: the texture of this plane.
        anatomy: the patient's build.
        gm_latent: the patient's gray-scale latent.
    """
    grid = line_grid(anatomy.half_angle, anatomy.depth_mm)
    shape = (int((anatomy.depth_mm + 2 * DEPTH_MARGIN_MM) / CELL_MM), int(2 * GRID_HALF_WIDTH_MM / CELL_MM))
    texture = _parenchyma_db(own, shape, gm_latent) + _vessels_db(anatomy, shape, gm_latent)
    columns = (grid.x + np.float32(ORIGIN_MM[0])) / np.float32(CELL_MM)
    rows = (grid.z + np.float32(ORIGIN_MM[1])) / np.float32(CELL_MM)
    liver = cv2.remap(texture, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    liver += np.float32(3.0 * anatomy.steatosis)
    capsule = _capsule_depth(shared, anatomy, grid, gm_latent)
    below = grid.depth - capsule
    wall = _wall_db(shared, grid, capsule)
    echo = np.where(below > 0, liver, wall)
    echo += np.float32(13.0) * np.exp(-((below / np.float32(0.45)) ** 2))
    bow = anatomy.diaphragm_mm - 0.004 * grid.x**2
    beyond = grid.z - bow
    echo += np.float32(14.0) * np.exp(-((beyond / np.float32(1.1)) ** 2))
    echo -= np.float32(5.0) * np.clip(beyond / 4.0, 0.0, 1.0)
    return as_plane(echo)
