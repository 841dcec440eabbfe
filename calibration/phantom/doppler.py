"""A colour-Doppler moment: a box with red and blue flow in a single pane, and no stiffness bar."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from calibration.phantom.anatomy import Anatomy, Vessel
from calibration.phantom.geometry import PROBE_RADIUS_MM, ColourBox, Pixels, Sector
from calibration.phantom.tissue import Plane


def doppler_anatomy(anatomy: Anatomy, rng: np.random.Generator) -> tuple[Anatomy, ColourBox]:
    """Returns the same build in a plane with two large vessels, and the Doppler box around them."""
    middle = float(rng.uniform(-0.08, 0.08))
    centre_mm = PROBE_RADIUS_MM + 0.5 * anatomy.depth_mm
    box = ColourBox(centre_mm - 19.0, centre_mm + 17.0, middle - 0.22, middle + 0.22)
    vessels = []
    for shift, slope in ((-7.0, float(rng.uniform(0.1, 0.35))), (6.0, float(rng.uniform(-0.5, -0.15)))):
        z0 = centre_mm - PROBE_RADIUS_MM + shift
        x0 = centre_mm * np.sin(middle)
        course = tuple(
            (float(x0 + dx), float(z0 + slope * dx + 2.0 * np.sin(dx / 9.0)))
            for dx in np.linspace(-40, 75, 20)
        )
        vessels.append(Vessel(course, float(rng.uniform(2.6, 4.0)), portal=shift < 0))
    return replace(anatomy, vessels=tuple(vessels)), box


def flow(
    anatomy: Anatomy, box: ColourBox, sector: Sector, pulse: float, shift_mm: float = 0.0
) -> tuple[Plane, Pixels]:
    """Returns the velocity (height, width) of -1..1, 0 where none is shown, and the box's outline.

    Args:
        anatomy: with the vessels.
        box: the Doppler box.
        sector: the single pane.
        pulse: strength of the flow, 0-1.
        shift_mm: breathing, as in `scan_convert`.
    """
    velocity = np.zeros((sector.height, sector.width), dtype=np.float32)
    for sign, vessel in zip((1.0, -1.0), anatomy.vessels, strict=False):
        points = np.array(vessel.points_mm) - np.array([0.0, shift_mm])
        pixels = points * sector.px_per_mm + [sector.centre_x, sector.skin_y]
        outer = vessel.radius_mm * sector.px_per_mm
        for share in np.linspace(1.0, 0.2, 6):  # laminar: fastest in the middle
            speed = sign * pulse * (1.05 - share**2)
            thickness = max(int(2 * outer * share * 0.92), 1)
            cv2.polylines(velocity, [np.rint(pixels).astype(np.int32)], False, speed, thickness)
    outline = box.outline(sector)
    mask = np.zeros(velocity.shape, dtype=np.uint8)
    cv2.fillPoly(mask, [np.rint(outline).astype(np.int32)], 1)
    return velocity * mask, outline
