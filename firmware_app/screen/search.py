"""Finds the colour box by its outline in the gray pane, however little of it is filled.

The colour says only where the box is at least: every coloured pixel lies inside. Each edge of the box is then
a thin bright line that runs past all of the colour, on its side of it. Looked for along rows and columns, the
box is a `Rectangle`. A convex probe's box is upright too, in the polar coordinates of its probe: the sides of
the gray picture itself meet in the same apex. Both are first guesses for `outline.refine`, which decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.screen.agreement import Gray
from firmware_app.screen.colour_box import OPENING, Rectangle, Sector, outermost_line

FloatArray = npt.NDArray[np.float64]
Floats = npt.NDArray[np.floating]

ECHO = 14.0
"""Level above black from which a pixel belongs to the gray picture's field of view."""
FLANK = 3
"""Pixels to either side that a line must outshine."""
CLIP = 8
"""Levels above which a brighter line counts no more."""
NEARLY = 0.65
"""Share of the clearest line's strength from which a line nearer to the colour may be the edge."""
CANDIDATES = 4
"""Lines that are tried for each edge."""
INSIDE = 6
"""Pixels by which an edge may stand inside of the outermost colour, which is blurred over it."""
STRAY = 0.004
"""Share of the coloured pixels that may lie beyond an edge: text, specks of noise."""


@dataclass(frozen=True, slots=True)
class _Extent:
    """Where the colour stands in an upright picture: first and last column and row, whole pixels."""

    left: int
    right: int
    top: int
    bottom: int


def _extent(x: Floats, y: Floats) -> _Extent:
    """Of coloured pixels' columns and rows, strays apart."""
    left, right = np.quantile(x, (STRAY, 1 - STRAY))
    top, bottom = np.quantile(y, (STRAY, 1 - STRAY))
    return _Extent(int(left), math.ceil(right), int(top), math.ceil(bottom))


def _lines(value: Gray, *, upright: bool) -> Gray:
    """How far each pixel outshines those `FLANK` pixels to its left and right, or above and below.

    Cut off soon: a mean along a line then says which part of it is seen, and a bright fascia counts no more.
    """
    kernel = np.zeros((1, 2 * FLANK + 1) if upright else (2 * FLANK + 1, 1), np.uint8)
    kernel.flat[[0, -1]] = 1
    result: Gray = cv2.min(cv2.subtract(value, cv2.dilate(value, kernel)), CLIP)
    return result


def _lines_beyond(strength: npt.NDArray[np.float32], colour: int, outward: int) -> list[int]:
    """The clearest lines on the colour's `outward` side (-1 or 1), and the nearest that is nearly so."""
    begin = min(max(colour - outward * INSIDE, FLANK), strength.size - 1 - FLANK)
    beyond = strength[begin : FLANK - 1 : -1] if outward < 0 else strength[begin : strength.size - FLANK]
    found: list[int] = []
    left = beyond.copy()
    for _ in range(CANDIDATES if beyond.size else 0):
        at = int(np.argmax(left))
        found.append(begin + outward * at)
        left[max(at - FLANK, 0) : at + FLANK + 1] = -1.0
    near = np.flatnonzero(beyond >= NEARLY * float(beyond.max())) if beyond.size else beyond
    if near.size:
        first = int(near[0])
        found.append(begin + outward * (first + int(np.argmax(beyond[first : first + FLANK]))))
    return sorted(set(found))


def _along(line: Gray, ends: list[int], others: list[int]) -> FloatArray:
    """Mean strength of a line between each pair of places, (ends, others)."""
    total = np.concatenate([[0.0], np.cumsum(line, dtype=np.float64)])
    first, last = np.array(ends)[:, None], np.array(others)[None, :]
    mean: FloatArray = (total[last + 1] - total[first]) / (last + 1 - first)
    return mean


def _upright_box(value: Gray, colour: _Extent) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of the box's lines in an upright picture.

    Each edge has a few candidates. Of all boxes that they make, the one is taken whose four edges are seen
    best over their whole length, the worst of them counting thrice.
    """
    across, along = _lines(value, upright=True), _lines(value, upright=False)
    rows = slice(max(colour.top, 0), max(colour.bottom, 0) + 1)
    columns = slice(max(colour.left, 0), max(colour.right, 0) + 1)
    beside, above = across[rows].mean(axis=0, dtype=np.float32), along[:, columns].mean(axis=1)
    lefts, rights = _lines_beyond(beside, colour.left, -1), _lines_beyond(beside, colour.right, 1)
    tops, bottoms = _lines_beyond(above, colour.top, -1), _lines_beyond(above, colour.bottom, 1)
    if not (lefts and rights and tops and bottoms):
        return None
    if lefts[-1] + 4 * INSIDE > rights[0] or tops[-1] + 4 * INSIDE > bottoms[0]:
        return None
    # Axes: left, right, top, bottom.
    left = np.stack([_along(across[:, x], tops, bottoms) for x in lefts])[:, None]
    right = np.stack([_along(across[:, x], tops, bottoms) for x in rights])[None]
    top = np.stack([_along(along[y], lefts, rights) for y in tops], axis=-1)[..., None]
    bottom = np.stack([_along(along[y], lefts, rights) for y in bottoms], axis=-1)[:, :, None]
    edges = np.stack(np.broadcast_arrays(left, right, top, bottom))
    best = np.unravel_index(int(np.argmax(edges.sum(axis=0) + 2 * edges.min(axis=0))), edges.shape[1:])
    return lefts[best[0]], tops[best[2]], rights[best[1]], bottoms[best[3]]


def search_rectangle(value: Gray, region: Gray, stretch: float) -> Rectangle | None:
    """An upright box around the colour.

    Args:
        value: the gray pane, as bright as its lines are clear, shape (h, w).
        region: the map's pixels at half size.
        stretch: horizontal over vertical scale.
    """
    y, x = np.nonzero(region)
    if x.size == 0:
        return None
    box = _upright_box(value, _extent(2.0 * x, 2.0 * y))
    if box is None:
        return None
    return Rectangle(box[0] / stretch, float(box[1]), box[2] / stretch, float(box[3]))


def find_apex(gray_half: Gray, black: float, stretch: float) -> tuple[float, float] | None:
    """Where the sides of the gray picture meet, in pane pixels, x divided by the stretch.

    Args:
        gray_half: the gray pane at half size, red.
        black: level of black in this picture.
        stretch: horizontal over vertical scale.

    Returns:
        The apex; None where the picture's sides are no convex probe's.
    """
    echoes = cv2.medianBlur(gray_half, 5) > black + ECHO
    rows = np.flatnonzero(echoes.sum(axis=1) > 8)
    if rows.size < 24:
        return None
    first = np.argmax(echoes[rows], axis=1)
    last = echoes.shape[1] - 1 - np.argmax(echoes[rows, ::-1], axis=1)
    free = (first > 1) & (last < echoes.shape[1] - 2)  # elsewhere the pane cuts the picture
    y = 2.0 * rows[free] + 0.5
    left = outermost_line(y, (2.0 * first[free] - 0.5) / stretch, -1)
    right = outermost_line(y, (2.0 * last[free] + 1.5) / stretch, 1)
    middle = (2.0 * echoes.shape[1] - 1.0) / stretch
    if left is None and right is not None:  # a side in shadow; the picture stands in the middle of its pane
        left = middle - right[0], -right[1]
    elif right is None and left is not None:
        right = middle - left[0], -left[1]
    if left is None or right is None or right[1] - left[1] < OPENING:
        return None
    apex_y = (right[0] - left[0]) / (left[1] - right[1])
    return left[0] + left[1] * apex_y, apex_y


def search_sector(value: Gray, region: Gray, apex: tuple[float, float], stretch: float) -> Sector | None:
    """An annular sector around the colour, its sides through `apex`; else as `search_rectangle`."""
    y, x = np.nonzero(region)
    if x.size == 0:
        return None
    across, down = 2.0 * x / stretch - apex[0], 2.0 * y - apex[1]
    radius, angle = np.hypot(across, down), np.arctan2(across, down)
    # One row of the upright picture is a pixel of radius, one column a pixel along the colour's middle arc.
    nearest = max(float(radius.min()) - 0.35 * value.shape[0], 8.0)
    farthest = float(radius.max()) + 0.5 * value.shape[0]
    step = 2.0 / (float(radius.min()) + float(radius.max()))
    widest = min(max(abs(float(angle.min())), abs(float(angle.max()))) + 0.5, 1.3)
    radii = np.arange(nearest, farthest)[:, None]
    angles = np.arange(-widest, widest, step)[None, :]
    upright = cv2.remap(
        value,
        ((apex[0] + radii * np.sin(angles)) * stretch).astype(np.float32),
        (apex[1] + radii * np.cos(angles)).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    box = _upright_box(np.asarray(upright, np.uint8), _extent((angle + widest) / step, radius - nearest))
    if box is None:
        return None
    return Sector(*apex, box[0] * step - widest, box[2] * step - widest, box[1] + nearest, box[3] + nearest)
