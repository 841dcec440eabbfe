"""What lies over the panes themselves: thin outlines around what is analysed, and where the networks look."""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import ActivationMap, Circle, Square
from firmware_app.overlay.layers import Patch
from firmware_app.overlay.palette import EDGE, PURPLE, YELLOW, bgra

_STRONGEST = 0.6
"""Opacity of the class-activation map where it is highest."""


@lru_cache(maxsize=8)
def square_patches(square: Square, unit: float) -> tuple[Patch, ...]:
    """Four strips around a square, a bright core between two dark edges; all of it outside the square.

    Args:
        square: in pixels of the picture.
        unit: pixels per line of a 1080-line screen.
    """
    core, edge = _thickness(unit)
    thick = core + 2 * edge
    across = np.arange(thick)
    along = np.arange(square.width + 2 * thick)
    from_end = np.minimum(along, along[::-1])
    upper = _edged(np.minimum(across[:, None], from_end), core, edge)
    left = _edged(np.broadcast_to(across, (square.side, thick)), core, edge)
    x, y = square.x - thick, square.y - thick
    return (
        Patch(x, y, upper),
        Patch(x, square.y + square.side, np.ascontiguousarray(upper[::-1])),
        Patch(x, square.y, left),
        Patch(square.x + square.width, square.y, np.ascontiguousarray(left[:, ::-1])),
    )


@lru_cache(maxsize=8)
def ring_patch(circle: Circle, unit: float) -> Patch:
    """A ring just outside the scanner's own, smooth at its edges; an ellipse in a stretched picture."""
    core, edge = _thickness(unit)
    gap = core + edge  # the scanner's line stays in sight
    outer = circle.r + gap + core + 2 * edge
    reach = outer * circle.stretch
    x0, y0 = math.floor(circle.x - reach), math.floor(circle.y - outer)
    rows, columns = np.ogrid[: math.ceil(2 * outer) + 2, : math.ceil(2 * reach) + 2]
    distance = np.hypot((columns + x0 - circle.x) / circle.stretch, rows + y0 - circle.y)
    away = np.abs(distance - (circle.r + gap + edge + core / 2))
    bright = np.clip(core / 2 + 0.5 - away, 0, 1)
    covered = np.clip(core / 2 + edge + 0.5 - away, 0, 1)
    pixels = np.zeros((*bright.shape, 4), np.uint8)
    pixels[..., :3] = (bright[..., None] * bgra(YELLOW)[:3]).astype(np.uint8)
    pixels[..., 3] = (covered * EDGE[3] + bright * (255 - EDGE[3])).astype(np.uint8)
    return Patch(x0, y0, pixels)


def heat_patch(square: Square, activation: ActivationMap) -> Patch:
    """Where a network looks: the more it adds to the score, the more opaque; what speaks against is clear."""
    peak = float(activation.max())
    relative = np.clip(activation / peak, 0, 1) if peak > 0 else np.zeros_like(activation)
    smooth = cv2.resize(relative, (square.width, square.side), interpolation=cv2.INTER_CUBIC)
    pixels = np.empty((square.side, square.width, 4), np.uint8)
    pixels[..., :3] = bgra(PURPLE)[:3]
    pixels[..., 3] = np.clip(255 * _STRONGEST * smooth, 0, 255).astype(np.uint8)
    return Patch(square.x, square.y, pixels)


def _thickness(unit: float) -> tuple[int, int]:
    """Pixels of a line's bright core, and of each dark edge.

    A core of one pixel would lose its colour in a video whose colour planes have half the size.
    """
    return max(2, round(2 * unit)), max(1, round(unit))


def _edged(inwards: npt.NDArray[np.intp], core: int, edge: int) -> npt.NDArray[np.uint8]:
    """Pixels of a line, from each one's distance to the line's outer border."""
    is_core = (inwards >= edge) & (inwards < edge + core)
    return np.where(is_core[..., None], bgra(YELLOW), bgra(EDGE)).astype(np.uint8)
