"""From echo strength to a gray-scale picture: scatterers, blur, envelope, logarithm, scan conversion.

Everything up to the envelope happens on the grid of scan lines, where the probe's blur is separable; one
`cv2.remap` turns it into the sector on the screen.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom.anatomy import Anatomy
from calibration.phantom.geometry import PROBE_RADIUS_MM, Sector
from calibration.phantom.tissue import (
    ANGLE_MARGIN,
    DEPTH_MARGIN_MM,
    LINES,
    SAMPLES,
    Plane,
    as_plane,
    echo_db,
    line_grid,
)

Gray = npt.NDArray[np.uint8]
LOOKS = 3
"""Compounded steering angles (`SC/SR 3` on the screen)."""
DYNAMIC_RANGE_DB = 62.0
LIVER_LEVEL = 82.0
"""Gray value of an average liver at unit gain."""


def _gaussian(sigma: float) -> Plane:
    """Returns a smoothing kernel that keeps the variance of white noise."""
    half = int(np.ceil(3 * sigma))
    n = np.arange(-half, half + 1)
    kernel = np.exp(-0.5 * (n / sigma) ** 2)
    return as_plane(kernel / np.sqrt(np.sum(kernel**2)))


def compounded_intensity(rng: np.random.Generator, amplitude: Plane) -> Plane:
    """Returns the mean intensity of `LOOKS` independent looks at scatterers of the given amplitude."""
    axial = _gaussian(1.25)
    near, far = _gaussian(1.0), _gaussian(1.9)
    focus = np.linspace(-1.0, 1.2, SAMPLES, dtype=np.float32)[:, None] ** 2
    weight = np.clip(focus, 0.0, 1.0)
    total = np.zeros_like(amplitude)
    for _ in range(LOOKS):
        for _ in range(2):  # the real and the imaginary part
            part = rng.standard_normal(amplitude.shape, dtype=np.float32) * amplitude
            part = cv2.sepFilter2D(part, -1, near, axial)
            part = part + weight * (cv2.sepFilter2D(part, -1, far, np.ones(1, np.float32)) - part)
            total += part * part
    return as_plane(total / np.float32(LOOKS))


def _attenuation_db(anatomy: Anatomy) -> Plane:
    """Returns what depth, TGC and rib shadows do to the echo, in dB (SAMPLES, LINES)."""
    grid = line_grid(anatomy.half_angle, anatomy.depth_mm)
    knots = np.linspace(0.0, anatomy.depth_mm, len(anatomy.tgc_db))
    tgc = np.interp(grid.depth[:, 0], knots, anatomy.tgc_db)
    beyond = np.maximum(grid.depth[:, 0] - anatomy.wall_mm, 0.0)
    depth_loss = beyond / 70.0 * (3.0 + 9.0 * anatomy.steatosis)
    loss = np.repeat((tgc - depth_loss)[:, None], LINES, axis=1)
    fall = np.clip((grid.depth - 0.5 * anatomy.wall_mm) / 4.0, 0.0, 1.0)
    for angle, half_width in anatomy.ribs:
        loss -= 20.0 * fall * np.exp(-(((grid.angle - angle) / half_width) ** 4))
    edge = np.clip((np.abs(grid.angle) - anatomy.half_angle + 0.05) / 0.11, 0.0, 1.0)
    return np.asarray(loss - 4.0 * edge, dtype=np.float32)


def draw_plane(
    shared: np.random.Generator, own: np.random.Generator, anatomy: Anatomy, gm_latent: float
) -> Gray:
    """Returns the log-compressed picture on the grid of scan lines, gray values (SAMPLES, LINES).

    Args:
        shared: the patient's generator for what all pictures share, in the same state for each.
        own: this picture's generator.
        anatomy: build and settings.
        gm_latent: the patient's gray-scale latent.
    """
    echo = echo_db(shared, own, anatomy, gm_latent)
    amplitude = np.exp(echo * np.float32(np.log(10) / 20))
    intensity = compounded_intensity(own, amplitude)
    decibel = cv2.log(intensity + np.float32(1e-4)) * np.float32(10 / np.log(10))
    decibel += _attenuation_db(anatomy) + np.float32(anatomy.gain_db)
    electronic = np.linspace(-34.0, -20.0, SAMPLES, dtype=np.float32)[:, None]
    decibel = np.maximum(decibel, electronic + own.standard_normal(decibel.shape, dtype=np.float32))
    gray = LIVER_LEVEL + decibel * (255.0 / DYNAMIC_RANGE_DB)
    return np.asarray(np.clip(gray, 0.0, 255.0), dtype=np.uint8)


@lru_cache(maxsize=8)
def _conversion(sector: Sector) -> tuple[Plane, Plane, Plane, Gray]:
    """Returns, per pane pixel: sample, line, share of motion (0 skin, 1 liver), inside or not."""
    y, x = np.mgrid[0 : sector.height, 0 : sector.width].astype(np.float64)
    dx, dy = x - sector.centre_x, y - sector.centre_y
    depth = np.hypot(dx, dy) / sector.px_per_mm - PROBE_RADIUS_MM
    angle = np.arctan2(dx, dy)
    edge = sector.half_angle + ANGLE_MARGIN
    sample = depth / (sector.depth_mm + DEPTH_MARGIN_MM) * (SAMPLES - 1)
    line = (angle + edge) / (2 * edge) * (LINES - 1)
    inside = (depth >= 0) & (depth <= sector.depth_mm) & (np.abs(angle) <= sector.half_angle)
    motion = np.clip(depth / 12.0, 0.0, 1.0)
    return (
        sample.astype(np.float32),
        line.astype(np.float32),
        motion.astype(np.float32),
        inside.astype(np.uint8),
    )


def scan_convert(plane: Gray, sector: Sector, shift_mm: float = 0.0, slide_rad: float = 0.0) -> Gray:
    """Returns the sector as gray values (height, width); black outside.

    Args:
        plane: picture on the grid of scan lines (SAMPLES, LINES).
        sector: where it goes.
        shift_mm: breathing: tissue below the skin moves towards (+) the probe, within +-5 mm.
        slide_rad: the probe slides sideways, within +-0.05 rad.
    """
    sample, line, motion, inside = _conversion(sector)
    if shift_mm:
        sample = sample + motion * np.float32(shift_mm * (SAMPLES - 1) / (sector.depth_mm + DEPTH_MARGIN_MM))
    if slide_rad:
        line = line + np.float32(slide_rad * (LINES - 1) / (2 * (sector.half_angle + ANGLE_MARGIN)))
    picture = cv2.remap(plane, line, sample, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.multiply(picture, inside), dtype=np.uint8)


@lru_cache(maxsize=1)
def _tint() -> Gray:
    """Returns the scanner's faintly blue gray map as a look-up table (256, 1, 3), BGR."""
    g = np.arange(256.0)
    blue = np.minimum(g + 7.0 * np.sin(np.pi * np.minimum(g, 255) / 255), 255)
    return np.asarray(np.rint(np.stack([blue, g, g], axis=1))[:, None, :], dtype=np.uint8)


def tint(gray: Gray) -> Gray:
    """Returns the picture in the scanner's gray map, BGR (height, width, 3)."""
    return np.asarray(cv2.LUT(cv2.merge([gray, gray, gray]), _tint()), dtype=np.uint8)
