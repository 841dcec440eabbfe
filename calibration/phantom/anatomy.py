"""What the five pictures of one patient share: build, gain, probe angle, ribs, vessels, steatosis.

All of it is nuisance, independent of the stage. Only `Patient.gm_latent` and `em_latent`, which are not
kept here, carry what a network may learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.phantom.geometry import PROBE_RADIUS_MM, ColourBox


@dataclass(frozen=True, slots=True)
class Vessel:
    """A vessel's course in the plane: points (x, z) in mm, radius in mm, and whether its wall is bright."""

    points_mm: tuple[tuple[float, float], ...]
    radius_mm: float
    portal: bool


@dataclass(frozen=True, slots=True)
class Anatomy:
    """A patient's build and the scanner's settings for this exam.

    Attributes:
        half_angle: half of the sector's opening, radians.
        depth_mm: depth shown.
        wall_mm: depth of the liver capsule under the middle of the probe.
        wall_tilt: slope of the capsule, mm per mm.
        gain_db: receive gain.
        steatosis: 0-1; brightens the liver and attenuates with depth.
        tgc_db: what is left uncompensated at six depths, dB.
        ribs: (angle, half width) of rib shadows, radians.
        vessels: courses of vessels.
        diaphragm_mm: depth of the diaphragm (beyond the picture where greater than the depth).
        frame_rate_hz: printed in the left column.
        box: the colour box.
    """

    half_angle: float
    depth_mm: float
    wall_mm: float
    wall_tilt: float
    gain_db: float
    steatosis: float
    tgc_db: tuple[float, ...]
    ribs: tuple[tuple[float, float], ...]
    vessels: tuple[Vessel, ...]
    diaphragm_mm: float
    frame_rate_hz: int
    box: ColourBox


def _draw_box(rng: np.random.Generator, wall_mm: float) -> ColourBox:
    """Returns a box that begins 8-13 mm below the capsule; its base is 1.2-1.35 times its top."""
    height = rng.uniform(27.0, 31.0)
    inner = PROBE_RADIUS_MM + wall_mm + rng.uniform(8.0, 13.0)
    half_top_mm = rng.uniform(18.0, 22.0)
    half = half_top_mm / inner
    middle = rng.uniform(-0.07, 0.07)
    return ColourBox(inner, inner + height, middle - half, middle + half)


def _draw_vessel(rng: np.random.Generator, depth_mm: float, box: ColourBox) -> Vessel:
    """Returns a gently winding course; portal branches have bright walls.

    The sonographer looks for a plane whose box is free of large vessels: only small ones may cross it.
    """
    portal = bool(rng.random() < 0.5)
    side = 1.0 if rng.random() < 0.5 else -1.0
    start = np.array([side * rng.uniform(20.0, 75.0), rng.uniform(0.5, 1.05) * depth_mm])
    heading = np.arctan2(rng.uniform(-0.7, 0.3), -side)
    points = [start]
    step = rng.uniform(4.0, 8.0)
    for _ in range(9):
        heading += rng.normal(0.0, 0.16)
        points.append(points[-1] + step * np.array([np.cos(heading), np.sin(heading)]))
    course = tuple((float(x), float(z)) for x, z in points)
    x, z = np.array(points).T
    angle, radius = np.arctan2(x, z + PROBE_RADIUS_MM), np.hypot(x, z + PROBE_RADIUS_MM)
    crosses = np.any(
        (angle > box.left - 0.05)
        & (angle < box.right + 0.05)
        & (radius > box.inner_mm)
        & (radius < box.outer_mm + 2)
    )
    calibre = float(rng.uniform(1.2, 4.2))
    return Vessel(course, 0.5 + 0.15 * calibre if crosses else calibre, portal)


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draws a build and settings; nothing here depends on the stage or the latents."""
    wall = float(rng.uniform(12.0, 19.0))
    box = _draw_box(rng, wall)
    depth = float(max(rng.uniform(72.0, 88.0), box.outer_mm - PROBE_RADIUS_MM + 6.0))
    sides = [s for s in (-1, 1) if rng.random() < 0.35]
    half_angle = float(rng.uniform(0.50, 0.58))
    ribs = tuple(
        (float(s * (half_angle - rng.uniform(0.0, 0.1))), float(rng.uniform(0.03, 0.07))) for s in sides
    )
    return Anatomy(
        half_angle=half_angle,
        depth_mm=depth,
        wall_mm=wall,
        wall_tilt=float(rng.normal(0.0, 0.04)),
        gain_db=float(rng.normal(0.0, 2.0)),
        steatosis=float(rng.beta(1.2, 3.0)),
        tgc_db=tuple(float(v) for v in rng.normal(0.0, 1.2, 6)),
        ribs=ribs,
        vessels=tuple(_draw_vessel(rng, depth, box) for _ in range(int(rng.integers(2, 6)))),
        diaphragm_mm=float(rng.uniform(70.0, 120.0)),
        frame_rate_hz=int(rng.integers(11, 15)),
        box=box,
    )
