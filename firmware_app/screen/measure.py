"""The stiffness of one frame: what is measured, and with which opacity."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Panes, Picture, Rect, Stiffness
from firmware_app.screen.agreement import Gray
from firmware_app.screen.elastogram import Elastogram, disc
from firmware_app.stiffness import Blend, ColourScale, decode, in_kpa, statistics

AVERAGED = 5.0
"""Reference pixels, side of the square over which tints are averaged: 1 mm of a map that is smooth over 4."""
SAMPLES = 600
"""Pixels from which the opacity is estimated."""
CANDIDATES = np.arange(0.20, 1.04, 0.02, dtype=np.float32)
"""Opacities that are tried; beyond the scanner's lowest and highest, so that both can be a minimum."""
OUTLIER = 30.0
"""Levels at which a pixel's misfit counts no more."""
DISTINCT = 1.15
"""Ratio by which the misfit must rise a tenth to either side of the best opacity, else none is told."""
BELIEVED = 0.08
"""Largest difference of the printed from the estimated opacity at which the printed one is believed."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What a stiffness is measured with.

    Attributes:
        panes: where both stand.
        scale: the inverted bar of this screen.
        pixel: picture pixels per reference pixel, vertically.
    """

    panes: Panes
    scale: ColourScale
    pixel: float

    @property
    def averaged(self) -> int:
        """Side of the square over which tints are averaged, whole odd pixels."""
        return 2 * round((AVERAGED * self.pixel - 1) / 2) + 1


@dataclass(frozen=True, slots=True)
class Region:
    """A region of the elastogram's pane.

    Attributes:
        name: "q_box" or "roi".
        window: around it, wide enough to look beyond the ring's line.
        pixels: 255 inside the region.
        inside: 255 inside the colour box, off its outline and every ring.
        filled: 255 where there is colour.
    """

    name: str
    window: Rect
    pixels: Gray
    inside: Gray
    filled: Gray


def _part(mask: Gray, outer: Rect, inner: Rect) -> Gray:
    x, y = inner.x - outer.x, inner.y - outer.y
    return mask[y : y + inner.h, x : x + inner.w]


def _cut(pixels: Picture, rect: Rect, panes: Panes) -> tuple[Picture, Picture]:
    """The same rectangle of the elastogram's and of the gray pane."""
    x, y = rect.x + panes.gray.x - panes.elastogram.x, rect.y + panes.gray.y - panes.elastogram.y
    top = pixels[rect.y : rect.y + rect.h, rect.x : rect.x + rect.w]
    return top, pixels[y : y + rect.h, x : x + rect.w]


def _overlap(window: Rect, x: float, y: float, w: float, h: float) -> Rect | None:
    """The pixels of a window that a rectangle touches; None if there are none."""
    x0, y0 = max(int(np.floor(x)), window.x), max(int(np.floor(y)), window.y)
    x1 = min(int(np.ceil(x + w)) + 1, window.x + window.w)
    y1 = min(int(np.ceil(y + h)) + 1, window.y + window.h)
    return Rect(x0, y0, x1 - x0, y1 - y0) if x0 < x1 and y0 < y1 else None


def _region(seen: Elastogram, pixel: float) -> Region | None:
    """The Q-box, or without one the region of interest."""
    circle, margin = seen.q_box, 2 * AVERAGED * pixel
    if circle is not None:
        wide, high = circle.r * circle.stretch + margin, circle.r + margin
        part = _overlap(seen.window, circle.x - wide, circle.y - high, 2 * wide, 2 * high)
        if part is None:
            return None
        mask = disc(part, circle, 0.0).astype(np.uint8) * 255
    elif seen.roi is not None:
        square = seen.roi.elastogram
        part = _overlap(seen.window, square.x, square.y, square.width - 1, square.side - 1)
        if part is None:
            return None
        mask = np.full((part.h, part.w), 255, np.uint8)
    else:
        return None
    inside, filled = (_part(mask, seen.window, part) for mask in (seen.inside, seen.filled))
    return Region("roi" if circle is None else "q_box", part, mask, inside, filled)


def measure(
    pixels: Picture, seen: Elastogram, meter: Meter, bar: tuple[float, str], opacity: float
) -> Stiffness | None:
    """Statistics in the Q-box, or without one in the region of interest; None where neither stands.

    Args:
        pixels: the frame.
        seen: what stands in the elastogram's pane.
        meter: what to measure with.
        bar: the bar's maximum and its unit.
        opacity: share of the colour in the blend.
    """
    region = _region(seen, meter.pixel)
    if region is None:
        return None
    where = cv2.bitwise_and(region.inside, region.filled)
    wanted = cv2.bitwise_and(region.pixels, where), cv2.bitwise_and(region.pixels, ~region.inside)
    blend = Blend(*_cut(pixels, region.window, meter.panes), opacity)
    share = decode(blend, where, wanted, meter.scale, meter.averaged)
    field = in_kpa(share[~np.isnan(share)], *bar)
    countable = cv2.countNonZero(cv2.bitwise_and(region.pixels, region.inside))
    unfilled = countable - cv2.countNonZero(wanted[0])
    return statistics(field, region.name, unfilled, seen.filled_fraction)


def estimate_opacity(pixels: Picture, seen: Elastogram, meter: Meter) -> float | None:
    """The opacity that explains the elastogram best, 0-1; None if the picture does not tell.

    In top = a x colour + (1 - a) x gray the colour is one of the bar's. For each candidate a, each pixel
    takes the colour that fits it best, and the misfits are summed. Both the colours' strength and the
    speckle that shines through take part. Where all of the map is dark blue on black, a weak and a dark blue
    look alike.

    Returns:
        The estimate, to about 0.01.
    """
    width = meter.averaged
    where = cv2.erode(cv2.bitwise_and(seen.inside, seen.filled), np.ones((width, width), np.uint8))
    rows, columns = np.nonzero(where)
    if rows.size < SAMPLES // 4:
        return None
    chosen = np.linspace(0, rows.size - 1, min(SAMPLES, rows.size)).astype(np.intp)
    rows, columns = rows[chosen], columns[chosen]
    top, gray = (
        cv2.blur(part, (width, width))[rows, columns].astype(np.float32)
        for part in _cut(pixels, seen.window, meter.panes)
    )
    return _best_opacity(top, gray, meter.scale.colours)


def _best_opacity(
    top: npt.NDArray[np.float32], gray: npt.NDArray[np.float32], colours: npt.NDArray[np.float32]
) -> float | None:
    """See `estimate_opacity`; pixels of shape (n, 3)."""
    change = top - gray
    # |change - a (colour - gray)|^2 for every pixel and colour, without the array of shape (n, m, 3).
    along = change @ colours.T - (change * gray).sum(axis=1)[:, None]
    length = (colours**2).sum(axis=1)[None, :] - 2 * gray @ colours.T + (gray**2).sum(axis=1)[:, None]
    power = (change**2).sum(axis=1)
    misfit = np.array(
        [
            np.minimum(power + (a * a * length - 2 * a * along).min(axis=1), OUTLIER**2).mean()
            for a in CANDIDATES
        ]
    )
    best = int(misfit.argmin())
    if not 0 < best < len(CANDIDATES) - 1:
        return None
    tenth = round(0.1 / float(CANDIDATES[1] - CANDIDATES[0]))
    beside = min(misfit[max(best - tenth, 0)], misfit[min(best + tenth, len(CANDIDATES) - 1)])
    if beside < DISTINCT * misfit[best] + 1.0:
        return None
    before, here, after = misfit[best - 1 : best + 2]
    step = 0.5 * (before - after) / max(before - 2 * here + after, 1e-9)
    return float(min(CANDIDATES[best] + step * (CANDIDATES[1] - CANDIDATES[0]), 1.0))


def believed_opacity(printed: float | None, estimated: float | None, usual: float) -> float:
    """The opacity to reckon with: as printed unless the picture contradicts, else estimated, else usual."""
    if printed is not None and (estimated is None or abs(printed - estimated) <= BELIEVED):
        return printed
    return usual if estimated is None else estimated
