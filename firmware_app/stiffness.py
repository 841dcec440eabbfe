"""Colour to kPa: undo the blend with the gray pane, then look the colour up on the bar of this very screen.

The scanner draws top = a x colour + (1 - a) x gray with opacity a, and the lower pane shows the gray alone,
so colour = (top - (1 - a) x gray) / a. The bar is drawn at full colour whatever the opacity; the nearest of
its colours gives the stiffness. A lifted black level or a compressed range changes panes and bar alike and
drops out: the blend's weights sum to one.

Only the *tint* is compared, that is the colour without its gray part: two numbers per pixel, in which speckle
that differs between the panes is not seen at all. Video codes tints coarsely and with noise, and the nearest
colour on a bent curve turns noise into bias, so tints are averaged over a few pixels first.

Codes with halved colour resolution (4:2:0) may also shift the bar's colours by up to a row, 0.18 kPa on a
40 kPa bar. `colour_scale` therefore lays the sampled bar along the known SuperSonic map where it is that map.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calibration.colour_map import supersonic_table
from firmware_app.journey import Picture, Stiffness

Mask = npt.NDArray[np.uint8]
"""255 where a pixel counts, shape (h, w)."""
FloatArray = npt.NDArray[np.float64]
FloatPicture = npt.NDArray[np.float32]
Field = npt.NDArray[np.float32]
"""Stiffness per pixel in kPa, shape (n,)."""

TINT = np.array(
    [[1 / np.sqrt(2), -1 / np.sqrt(2), 0.0], [1 / np.sqrt(6), 1 / np.sqrt(6), -2 / np.sqrt(6)]], np.float32
)
"""BGR to the two coordinates of the plane at right angles to gray; lengths stay levels."""
REACH = 256
"""Levels to either side of gray that the table of tints covers; no colour lies beyond 209."""
FAR = 48.0
"""Levels from the bar's curve beyond which a tint is none of the map's: the curve stays 80 off gray."""
STEPS = 1024
"""Places on the known map."""
MOST_ROWS = 1.25
"""Rows by which the bar's colours may be shifted against its edges."""
SAME_MAP = 0.02
"""Share of the bar by which its colours may stand elsewhere than on the known map: 0.005 on a real screen."""


@dataclass(frozen=True, slots=True)
class Blend:
    """A part of the elastogram's pane and the same part of the gray pane, BGR, shape (h, w, 3).

    Attributes:
        top: the elastogram.
        gray: what lies below its colours.
        opacity: share of the colour in the blend, above 0, at most 1.
    """

    top: Picture
    gray: Picture
    opacity: float


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Inverse of a colour bar.

    Attributes:
        colours: along the bar, BGR, shape (n, 3); `places` where they stand on it, 0-1.
        share: place on the bar for every tint, shape (2 REACH, 2 REACH); NaN where no colour is near.
        shift: how far the colours stood from their place, as a share of the bar.
    """

    colours: npt.NDArray[np.float32]
    places: npt.NDArray[np.float32]
    share: npt.NDArray[np.float32]
    shift: float


def _tints(colours: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    result: npt.NDArray[np.float32] = colours @ TINT.T
    return result


def _shift(ramp: npt.NDArray[np.float32], rows: float) -> float:
    """How far along the known map the sampled colours stand from their places; 0 if it is another map."""
    known = supersonic_table(STEPS).astype(np.float32)
    seen, true = _tints(ramp), _tints(known)
    places = (np.arange(len(ramp)) + 0.5) / len(ramp)
    expected = true[np.minimum((places * STEPS).astype(int), STEPS - 1)]
    strength = float(np.linalg.norm(seen, axis=1).sum() / np.linalg.norm(expected, axis=1).sum())
    if strength <= 0:
        return 0.0
    distance = (true**2).sum(axis=1)[None, :] - 2.0 * (seen / strength) @ true.T
    away = (distance.argmin(axis=1) + 0.5) / STEPS - places
    inner = away[len(away) // 20 : -(len(away) // 20)]  # the ends are blurred into the surround
    shift = float(np.median(inner))
    if float(np.quantile(np.abs(inner - shift), 0.9)) > SAME_MAP:
        return 0.0
    near = inner[np.abs(inner - shift) < SAME_MAP / 2]
    return float(np.clip(near.mean(), -MOST_ROWS / rows, MOST_ROWS / rows))


def colour_scale(ramp: npt.NDArray[np.float32], rows: float = 220.0) -> ColourScale:
    """Invert the bar.

    Args:
        ramp: colours from the lower to the upper end of the bar, BGR, shape (n, 3).
        rows: height of the bar in the picture, pixels.
    """
    shift = _shift(ramp, rows)
    places = ((np.arange(len(ramp)) + 0.5) / len(ramp) + shift).clip(0.0, 1.0).astype(np.float32)
    fine = np.linspace(places[0], places[-1], 4 * STEPS, dtype=np.float32)
    curve = np.stack([np.interp(fine, places, tint) for tint in _tints(ramp).T], axis=1)
    cell = np.clip(np.rint(curve) + REACH, 0, 2 * REACH - 1).astype(np.intp)
    free = np.full((2 * REACH, 2 * REACH), 255, np.uint8)
    at = np.zeros((2 * REACH, 2 * REACH), np.float32)
    free[cell[:, 1], cell[:, 0]], at[cell[:, 1], cell[:, 0]] = 0, fine
    distance, label = cv2.distanceTransformWithLabels(
        free, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(int(label.max()) + 1, np.float32)
    of_label[label[free == 0]] = at[free == 0]
    share = of_label[label]
    share[distance > FAR] = np.nan
    return ColourScale(ramp, places, share, shift)


def _places(
    tint: FloatPicture, where: Mask, wanted: Mask, scale: ColourScale, width: int
) -> npt.NDArray[np.float32]:
    """Places on the bar of mean tints; NaN where no colour is near.

    The means are taken over the pixels that count in a square around each wanted one.
    """
    chosen = np.flatnonzero(wanted)
    if chosen.size == 0:
        return np.empty(0, np.float32)
    total = cv2.boxFilter(tint, -1, (width, width), normalize=False).reshape(-1, 2).take(chosen, axis=0)
    count = cv2.boxFilter(where, cv2.CV_32F, (width, width), normalize=False).ravel().take(chosen)
    count /= np.float32(255.0)
    unknown = count <= 0.5
    count[unknown] = np.inf
    total /= count[:, None]
    np.rint(total, total)
    total += REACH
    np.clip(total, 0, 2 * REACH - 1, total)
    cell = (total[:, 1] * (2 * REACH) + total[:, 0]).astype(np.intp)  # whole and below 2^24: exact
    places: npt.NDArray[np.float32] = scale.share.ravel().take(cell)
    places[unknown] = np.nan
    return places


def decode(
    blend: Blend, coloured: Mask, wanted: tuple[Mask, Mask], scale: ColourScale, width: int = 1
) -> Field:
    """Where on the bar, from 0 to 1, the colours of the elastogram stand; NaN where no colour of it is near.

    Args:
        blend: the pixels.
        coloured: which of them carry colour, shape (h, w); no other takes part in an average.
        wanted: pixels to decode: coloured ones, and others that get the mean of the coloured ones around, as
            those under the ring's line.
        scale: the inverted bar of this screen.
        width: of the square over which tints are averaged, pixels, odd; three times that for the others.

    Returns:
        The places of the coloured pixels that are wanted, row by row, then those of the others.
    """
    share, rest = 1.0 / blend.opacity, 1.0 - 1.0 / blend.opacity
    colour = cv2.addWeighted(blend.top, share, blend.gray, rest, 0.0, dtype=cv2.CV_32F)
    tint = cv2.copyTo(cv2.transform(colour, TINT), coloured)
    near = _places(tint, coloured, wanted[0], scale, width)
    return np.concatenate([near, _places(tint, coloured, wanted[1], scale, 3 * width)])


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
    places = [int(share * (field.size - 1)) for share in (0.005, 0.5, 0.995)]
    low, median, high = (float(value) for value in np.partition(field, places)[places])
    hole = unfilled > 0.005 * (field.size + unfilled)
    mean, sd = cv2.meanStdDev(field)
    return Stiffness(
        region=region,
        mean_kpa=float(mean[0, 0]),
        median_kpa=median,
        sd_kpa=float(sd[0, 0]),
        min_kpa=0.0 if hole else low,
        max_kpa=high,
        filled_fraction=filled_fraction,
    )
