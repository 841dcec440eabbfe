"""What must be seen in a frame for something to be drawn over it, as a few hundred samples of its luma.

A `LineGuard` holds where a thin bright line of the scanner - its Q-box ring, the outline of its colour box -
stands where it was measured, whatever tissue moves beneath. A `PictureGuard` holds where an area still shows
the very picture that was analysed. Both cost some ten microseconds a frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from firmware_app.journey import Circle, Picture, Polygon, Rect
from firmware_app.video.pixels import luma_of

Points = npt.NDArray[np.intp]
"""Whole pixels, the last axis x and y."""
Levels = npt.NDArray[np.float32]

_RING_SAMPLES = 96
_OUTLINE_STEP_PX = 5.0
_BESIDE = 5.0
"""A line is compared with what lies this many pixels of a 1080-line screen to both sides of it."""
_NEAR_PX = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
_SIDES = 4
_LEAST_CONTRAST = 5.0
"""Levels of 219; a line that is fainter than this on the average cannot vouch for a place."""
_RING_SHARE, _OUTLINE_SHARE = 0.8, 0.6
"""Of the contrast that was measured. A line that has moved by two pixels keeps less than this on two sides of
its figure; other tissue beside a line that has not moved takes less of it."""
_CHANGED_LEVELS = 30.0
_CHANGED_SHARE = 0.002
"""A change of name changes one sample in fifty, a change of one letter one in three hundred."""


class Luma(Protocol):
    """A frame that can be asked for the brightness of some pixels (BT.601, 16-235)."""

    def at(self, points: Points) -> Levels:
        """Luma at whole pixels inside the picture, points (..., 2) to levels (...)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LineGuard:
    """A line of the scanner stands where it was measured.

    Attributes:
        points: (3, n, 2) on the line, and beside it to both sides.
        sides: (n,) which of four sides of the figure a sample belongs to.
        contrast: (4,) of the line to what lies beside it, as measured.
        share: of this contrast that must be seen, 0-1.
    """

    points: Points
    sides: npt.NDArray[np.intp]
    contrast: Levels
    share: float

    def holds(self, luma: Luma) -> bool:
        """Whether each side of the line is there."""
        seen = _contrast(luma, self.points, self.sides)
        return bool((self.contrast >= _LEAST_CONTRAST).all() and (seen >= self.share * self.contrast).all())


@dataclass(frozen=True, slots=True, eq=False)
class PictureGuard:
    """An area shows the picture that was analysed: `points` (n, 2) and their `levels` (n,)."""

    points: Points
    levels: Levels

    def holds(self, luma: Luma) -> bool:
        """Whether hardly a sample has changed."""
        changed = np.abs(luma.at(self.points) - self.levels) > _CHANGED_LEVELS
        return bool(changed.mean() <= _CHANGED_SHARE)


Guard = LineGuard | PictureGuard


@dataclass(frozen=True, slots=True, eq=False)
class PictureLuma:
    """The luma of a BGR picture (height, width, 3)."""

    pixels: Picture

    def at(self, points: Points) -> Levels:
        """See `Luma`."""
        return luma_of(self.pixels[points[..., 1], points[..., 0]])


@dataclass(frozen=True, slots=True, eq=False)
class ScaledLuma:
    """A larger or smaller picture, asked in the pixels of the one that was measured."""

    luma: Luma
    across: float
    down: float

    def at(self, points: Points) -> Levels:
        """See `Luma`."""
        return self.luma.at(np.asarray(points * (self.across, self.down), np.intp))


def ring_guard(circle: Circle, pixels: Picture) -> LineGuard:
    """That the scanner's ring stands where it was measured in this picture.

    It is compared with the clearest line within a few pixels: a place that was measured badly vouches for
    nothing.
    """
    angles = np.arange(_RING_SAMPLES) * (2 * np.pi / _RING_SAMPLES)
    along = np.stack([np.cos(angles) * circle.stretch, np.sin(angles)], axis=1)
    centre, beside = np.array([circle.x, circle.y]), _beside(pixels)
    sides = _side_of(along)

    def measured(radius: float) -> LineGuard:
        rings = [centre + along * r for r in (radius, radius + beside, radius - beside)]
        return _line_guard(np.stack(rings), sides, pixels, _RING_SHARE)

    near = [measured(circle.r + away) for away in _NEAR_PX]
    clearest = np.max([guard.contrast for guard in near], axis=0)
    return replace(near[_NEAR_PX.index(0.0)], contrast=clearest)


def outline_guard(polygon: Polygon, pixels: Picture) -> LineGuard:
    """That the outline of the scanner's colour box stands where it was measured in this picture."""
    ends = np.roll(polygon, -1, axis=0)
    steps = ends - polygon
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    counts = np.maximum(1, lengths // _OUTLINE_STEP_PX).astype(int)
    which = np.repeat(np.arange(len(polygon)), counts)
    first = np.repeat(np.cumsum(counts) - counts, counts)
    share = (np.arange(len(which)) - first + 0.5) / counts[which]
    line = polygon[which] + share[:, None] * steps[which]
    normals = np.stack([steps[:, 1], -steps[:, 0]], axis=1) / np.maximum(lengths, 1e-6)[:, None]
    aside = _beside(pixels) * normals[which]
    return _line_guard(
        np.stack([line, line + aside, line - aside]), _side_of(normals[which]), pixels, _OUTLINE_SHARE
    )


def picture_guard(areas: tuple[Rect, ...], pixels: Picture, step: int) -> PictureGuard:
    """That these areas look as in this picture; every `step`-th pixel of every `step`-th row is compared."""
    grids = [
        np.stack(np.meshgrid(np.arange(a.x, a.x + a.w, step), np.arange(a.y, a.y + a.h, step)), axis=-1)
        for a in areas
    ]
    points = _inside(np.concatenate([grid.reshape(-1, 2) for grid in grids]), pixels)
    return PictureGuard(points, PictureLuma(pixels).at(points))


def _line_guard(
    places: npt.NDArray[np.float64], sides: npt.NDArray[np.intp], pixels: Picture, share: float
) -> LineGuard:
    points = _inside(places, pixels)
    return LineGuard(points, sides, _contrast(PictureLuma(pixels), points, sides), share)


def _contrast(luma: Luma, points: Points, sides: npt.NDArray[np.intp]) -> Levels:
    """How much brighter the line is than what lies beside it, on each of its four sides."""
    line, outside, inside = luma.at(points)
    counts = np.maximum(1, np.bincount(sides, minlength=_SIDES))
    sums = np.bincount(sides, weights=line - (outside + inside) / 2, minlength=_SIDES)
    return np.asarray(sums / counts, np.float32)


def _side_of(normals: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """Right, lower, left or upper side, by where the normal points."""
    angles = np.arctan2(normals[:, 1], normals[:, 0])
    return np.asarray((angles + np.pi / 4) // (np.pi / 2), np.intp) % _SIDES


def _beside(pixels: Picture) -> float:
    return max(3.0, _BESIDE * float(pixels.shape[0]) / 1080)


def _inside(places: npt.NDArray[np.float64] | Points, pixels: Picture) -> Points:
    """Whole pixels, moved into the picture."""
    height, width = pixels.shape[:2]
    return np.asarray(np.clip(np.rint(places), 0, (width - 1, height - 1)), np.intp)
