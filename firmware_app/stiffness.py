"""Colour to kPa: undo the blend with the gray pane, then look the colour up on the bar of this very screen.

The scanner draws top = a x colour + (1 - a) x gray with opacity a, and the lower pane shows the gray alone,
so colour = (top - (1 - a) x gray) / a. The bar is drawn at full colour whatever the opacity; the nearest of
its colours gives the stiffness. A lifted black level or a compressed range changes panes and bar alike and
drops out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_app.journey import Stiffness

Pixels = npt.NDArray[np.uint8]
"""Pixels in a row, BGR, shape (n, 3)."""
Field = npt.NDArray[np.float32]
"""Stiffness per pixel in kPa, shape (n,)."""

BITS = 5
"""Bits per channel of the table: 8 levels are 0.4 % of the bar where the map changes slowest in colour."""


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Inverse of a colour bar: share of its maximum (0-1) for every quantised BGR colour, shape (2**15,)."""

    share: npt.NDArray[np.float32]


def colour_scale(ramp: npt.NDArray[np.float32]) -> ColourScale:
    """Invert the bar.

    Args:
        ramp: colours from the lower to the upper end of the bar, BGR, shape (n, 3).
    """
    levels = (np.arange(2**BITS, dtype=np.float32) + 0.5) * 2 ** (8 - BITS) - 0.5
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")
    colours = np.stack([blue.ravel(), green.ravel(), red.ravel()], axis=1)
    # |c - r|^2 = |c|^2 - 2 c.r + |r|^2; |c|^2 is the same for every r.
    distance = (ramp**2).sum(axis=1)[None, :] - 2.0 * colours @ ramp.T
    return ColourScale(((distance.argmin(axis=1) + 0.5) / len(ramp)).astype(np.float32))


def decode(top: Pixels, gray: Pixels, scale: ColourScale, opacity: float) -> Field:
    """Where on the bar, from 0 to 1, the colours of the elastogram's pixels stand.

    Args:
        top: pixels of the elastogram's pane.
        gray: the same pixels of the gray pane.
        scale: the inverted bar of this screen.
        opacity: share of the colour in the blend, above 0, at most 1.
    """
    colour = (top.astype(np.float32) - np.float32(1.0 - opacity) * gray) / np.float32(opacity)
    level = np.clip(colour, 0.0, 255.0).astype(np.intp) >> (8 - BITS)
    index = (level[:, 0] << (2 * BITS)) | (level[:, 1] << BITS) | level[:, 2]
    share: Field = scale.share[index]
    return share


def in_kpa(share: Field, maximum: float, unit: str) -> Field:
    """Stiffness at places on a bar that ends at `maximum` "kPa", or "m/s" by E = 3 c^2."""
    value: Field = share * np.float32(maximum)
    if unit != "m/s":
        return value
    squared: Field = value * value * np.float32(3.0)
    return squared


def statistics(field: Field, region: str, unfilled: int, filled_fraction: float) -> Stiffness | None:
    """Summarise the stiffness of a region; None if none of it is filled.

    The minimum is the lowest value that more than one pixel in two hundred falls to, so that a single pixel
    of video noise is no minimum; where more than that is unfilled it is 0, as the scanner itself counts it.

    Args:
        field: the filled pixels of the region, kPa.
        region: "q_box" or "roi".
        unfilled: pixels of the region without colour.
        filled_fraction: of the whole colour box.
    """
    if field.size == 0:
        return None
    ordered = np.sort(field)
    low, median, high = (float(ordered[int(share * (field.size - 1))]) for share in (0.005, 0.5, 0.995))
    hole = unfilled > 0.005 * (field.size + unfilled)
    return Stiffness(
        region=region,
        mean_kpa=float(field.mean(dtype=np.float64)),
        median_kpa=median,
        sd_kpa=float(field.std(dtype=np.float64)),
        min_kpa=0.0 if hole else low,
        max_kpa=high,
        filled_fraction=filled_fraction,
    )
