"""The gray-scale picture of a linear probe: skin, fat, and muscle with its bright, layered fascia."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.phantom.b_mode import DYNAMIC_RANGE_DB, Gray, compounded_intensity
from calibration.phantom.tissue import LINES, SAMPLES, Plane, as_plane, smooth_noise

_MUSCLE_LEVEL = 78.0
"""Gray value of average muscle at unit gain."""


def _layers_db(rng: np.random.Generator) -> Plane:
    """Returns bright lines that run nearly along the probe (SAMPLES, LINES), dB above what lies between."""
    waves = smooth_noise(rng, (SAMPLES, LINES), (60.0, 90.0)) * np.float32(rng.uniform(4.0, 14.0))
    slope = np.linspace(-1.0, 1.0, LINES, dtype=np.float32) * np.float32(rng.normal(0.0, 20.0))
    rows = np.arange(SAMPLES, dtype=np.float32)[:, None] + waves + slope
    echo = np.zeros((SAMPLES, LINES), dtype=np.float32)
    depths = [0.05, *np.cumsum(rng.uniform(0.06, 0.26, 5)) + 0.05]
    for depth in depths:
        if depth >= 0.95:
            break
        thickness = np.float32(rng.uniform(1.5, 4.0) + 5.0 * depth)
        gaps = np.clip(1.2 + smooth_noise(rng, (1, LINES), (0.5, 25.0)), 0.0, 1.6)
        line = np.exp(-(((rows - np.float32(depth * SAMPLES)) / thickness) ** 2))
        echo += np.float32(rng.uniform(9.0, 20.0)) * gaps * line
    return echo


def draw_linear_plane(rng: np.random.Generator, gain_db: float) -> Gray:
    """Returns the log-compressed picture, gray values (SAMPLES, LINES), from the skin to the depth shown.

    Args:
        rng: this picture's generator.
        gain_db: receive gain.
    """
    shape = (SAMPLES, LINES)
    depth = np.linspace(0.0, 1.0, SAMPLES, dtype=np.float32)[:, None]
    fine = smooth_noise(rng, shape, (1.8, 11.0)) * (4.0 - 2.0 * depth)
    broad = smooth_noise(rng, shape, (9.0, 45.0)) * 2.5 + smooth_noise(rng, shape, (45.0, 60.0)) * 5.0
    echo = as_plane(fine + broad + _layers_db(rng))
    deep = float(rng.uniform(-16.0, -8.0))
    echo += np.interp(depth, [0, 0.015, 0.04, 0.12, 0.2, 0.5, 1], [4, 8, -2, -4, 1, -2, deep]).astype(
        np.float32
    )
    intensity = compounded_intensity(rng, np.exp(echo * np.float32(np.log(10) / 20)))
    decibel = cv2.log(intensity + np.float32(1e-4)) * np.float32(10 / np.log(10)) + np.float32(gain_db)
    noise = np.linspace(-36.0, -18.0, SAMPLES, dtype=np.float32)[:, None]
    decibel = np.maximum(decibel, noise + rng.standard_normal(shape, dtype=np.float32))
    gray = _MUSCLE_LEVEL + as_plane(decibel) * (255.0 / DYNAMIC_RANGE_DB)
    return np.asarray(np.clip(gray, 0.0, 255.0), dtype=np.uint8)
