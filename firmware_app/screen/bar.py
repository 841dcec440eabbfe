"""The colour bar: found anywhere by its shape, measured to a fraction of a pixel, judged by its colours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from calibration.colour_map import supersonic_table
from firmware_app.journey import Picture, Rect
from firmware_app.video.pixels import Levels

Ramp = npt.NDArray[np.float32]
"""Colours of the bar from its lower to its upper end, BGR, shape (n, 3)."""
FloatArray = npt.NDArray[np.float64]

STRONG_CHROMA = 60
"""max - min of B, G, R from which a pixel may belong to a bar drawn at full colour (its ends have 120)."""
RAMP_STEPS = 128
"""Colours that are sampled along the bar."""
MISFIT, JET_MISFIT = 8.5, 11.4
"""Levels, root mean square: what may be left between bar and map; what jet leaves."""
GAINS, LIFTED = (0.6, 1.3), 48.0
"""Gains and black levels that a capture chain may add."""
PART = (0.2, 0.75)
"""Share of the map that a partly covered bar shows; the whole one shows 0.84, its ends left aside."""
SHORTEST, THINNEST = 24.0, 2.0
"""Pixels; a bar that measures less cannot be sampled."""


@dataclass(frozen=True, slots=True)
class BarEdges:
    """Edges of the bar in pixels; pixel i spans i to i + 1."""

    left: float
    top: float
    right: float
    bottom: float


def chroma(picture: Picture) -> Picture:
    """Largest minus smallest of B, G and R, shape (height, width): blind to gray, linear in a blend."""
    return pale_and_white(picture)[0]


def pale_and_white(picture: Picture) -> tuple[Picture, Picture]:
    """The chroma, which is low on pale colours, and the least of B, G and R, which is high on white alone."""
    return _spread(_planes(picture))


def _planes(picture: Picture) -> tuple[Picture, Picture, Picture]:
    # Without targets OpenCV's binding copies every plane once more, which costs three times the split.
    blue, green, red = (np.empty(picture.shape[:2], np.uint8) for _ in range(3))
    cv2.split(picture, (blue, green, red))
    return blue, green, red


def _spread(planes: tuple[Picture, Picture, Picture]) -> tuple[Picture, Picture]:
    """Largest minus least of three planes, and the least."""
    largest, white = cv2.max(planes[0], planes[1]), cv2.min(planes[0], planes[1])
    cv2.max(largest, planes[2], largest)
    cv2.min(white, planes[2], white)
    return cv2.subtract(largest, white, largest), white


def chroma_half(part: Picture) -> Picture:
    """The chroma of every second pixel of every second row; at least two pixels wide and high."""
    blue, green, red = _planes(np.ascontiguousarray(_even_rows(part)))
    return _spread((_even_columns(blue), _even_columns(green), _even_columns(red)))[0]


def gray_half(part: Picture) -> Picture:
    """The gray of every second pixel of every second row; at least two pixels wide and high."""
    gray: Picture = cv2.cvtColor(_even_rows(part), cv2.COLOR_BGR2GRAY)
    return _even_columns(gray)


def _even_rows(part: Picture) -> Picture:
    return part[: part.shape[0] & ~1 : 2, : part.shape[1] & ~1]


def _even_columns(plane: Picture) -> Picture:
    """Every second column of a contiguous plane: the lower bytes of pairs, ten times faster than a slice."""
    return plane.view("<u2").astype(np.uint8)


def every_nth(picture: Picture, step: int) -> Picture:
    """Every `step`-th pixel of every `step`-th row, contiguous (six times faster than a strided copy)."""
    height, width = picture.shape[:2]
    even = picture[: max(height // step, 1) * step, : max(width // step, 1) * step]
    size = (max(width // step, 1), max(height // step, 1))
    result: Picture = cv2.resize(even, size, interpolation=cv2.INTER_NEAREST)
    return result


def find_bars(pixels: Picture) -> list[BarEdges]:
    """Every tall, narrow, completely colourful bar of the picture, the rightmost first."""
    step = max(1, min(pixels.shape[1] // 360, pixels.shape[0] // 270))
    strong = cv2.threshold(chroma(every_nth(pixels, step)), STRONG_CHROMA, 255, cv2.THRESH_BINARY)[1]
    count, _, stats, _ = cv2.connectedComponentsWithStats(strong, connectivity=4)
    if count > 2000:  # a bar stands in calm surroundings; this is noise
        return []
    height = strong.shape[0]
    x, _, w, h, area = stats[1:].T
    fits = (h > 0.1 * height) & (h < 0.5 * height) & (h > 5 * w) & (h < 40 * w) & (area > 0.65 * w * h)
    order = np.flatnonzero(fits)[np.argsort(-x[fits])]
    found = (
        _measure(pixels, Rect(*(int(value) * step for value in stats[1 + i, :4])), step) for i in order[:6]
    )
    return [edges for edges in found if edges is not None]


def _crossing(profile: FloatArray, start: int, direction: int, level: float) -> float | None:
    """Where `profile` falls below `level` when walking from `start`, to a fraction of a sample."""
    position = start
    while 0 <= position + direction < profile.size:
        here, following = profile[position], profile[position + direction]
        if following < level:
            return position + direction * float((here - level) / max(here - following, 1e-6))
        position += direction
    return None


def _measure(pixels: Picture, rough: Rect, step: int) -> BarEdges | None:
    x, y, w, h = rough.x, rough.y, rough.w, rough.h
    margin = step + 4
    x0, y0 = max(0, x - margin), max(0, y - margin)
    window = np.ascontiguousarray(pixels[y0 : y + h + margin, x0 : x + w + margin])
    colourful = chroma(window).astype(np.float64)
    middle_row, middle_column = y + h // 2 - y0, x + w // 2 - x0
    across = colourful[middle_row - h // 4 : middle_row + h // 4 + 1].mean(axis=0)
    half = max(1, w // 4)
    along = colourful[:, max(0, middle_column - half) : middle_column + half + 1].mean(axis=1)
    level_across = 0.5 * float(across[middle_column])
    inside = min(max(3, h // 40), h // 2)
    left = _crossing(across, middle_column, -1, level_across)
    right = _crossing(across, middle_column, 1, level_across)
    # From just inside each end: the pale green in the middle may have less chroma than half of an end.
    first, last = min(y - y0 + inside, along.size - 1), max(y + h - y0 - inside, 0)
    top = _crossing(along, first, -1, 0.5 * float(along[first]))
    bottom = _crossing(along, last, 1, 0.5 * float(along[last]))
    if left is None or right is None or top is None or bottom is None:
        return None
    if bottom - top < SHORTEST or right - left < THINNEST:  # a patch of colour that only began as a bar
        return None
    edges = (left + 0.5 + x0, top + 0.5 + y0, right + 0.5 + x0, bottom + 0.5 + y0)
    return BarEdges(*(float(edge) for edge in edges))


def sample_ramp(pixels: Picture, edges: BarEdges) -> Ramp:
    """Colours along the bar, from its lower end (0) to its upper end (the maximum), `RAMP_STEPS` of them."""
    quarter = (edges.right - edges.left) / 4
    x0, x1 = round(edges.left + quarter), max(round(edges.right - quarter), round(edges.left + quarter) + 1)
    inset = 1.5
    y0, y1 = int(edges.top), int(np.ceil(edges.bottom))
    column = pixels[y0:y1, x0:x1].mean(axis=1, dtype=np.float32)
    wanted = edges.bottom - (np.arange(RAMP_STEPS) + 0.5) / RAMP_STEPS * (edges.bottom - edges.top)
    wanted = np.clip(wanted, edges.top + inset, edges.bottom - inset) - 0.5 - y0
    rows = np.arange(column.shape[0])
    return np.stack([np.interp(wanted, rows, column[:, c]) for c in range(3)], axis=1).astype(np.float32)


def map_levels(ramp: Ramp) -> Levels | None:
    """The levels between which the scanner's own map is drawn here; None if this is another map.

    ramp = black + gain x map is solved by least squares over the samples that are not clipped; what is left
    over must be small. Jet, the nearest common map, leaves `JET_MISFIT` of 255 levels. The map is also tried
    as it looks when coded for standard and decoded for high definition, or the other way round.
    """
    inner = slice(RAMP_STEPS // 32, -RAMP_STEPS // 32)  # the ends are mixed with what lies beyond them
    seen = ramp[inner].astype(np.float64).ravel()
    for drawn in drawn_maps():
        levels = _fitted_levels(seen, drawn[inner].ravel())
        if levels is not None:
            return levels
    return None


def _fitted_levels(seen: FloatArray, drawn: FloatArray) -> Levels | None:
    free = (seen > 3.0) & (seen < 252.0)
    x, y = (drawn[free], seen[free]) if int(free.sum()) >= seen.size // 20 else (drawn, seen)
    spread = float(((x - x.mean()) ** 2).sum())
    gain = float(((x - x.mean()) * (y - y.mean())).sum()) / max(spread, 1e-6)
    black = float(y.mean() - gain * x.mean())
    if not GAINS[0] <= gain <= GAINS[1] or abs(black) > LIFTED:
        return None
    misfit = float(np.sqrt(np.mean((np.clip(black + gain * drawn, 0.0, 255.0) - seen) ** 2)))
    return Levels(black, black + 255.0 * gain) if misfit <= MISFIT * gain else None


@cache
def drawn_maps() -> tuple[FloatArray, ...]:
    """The scanner's map at the centres of `RAMP_STEPS` steps, BGR: as drawn, and with the wrong matrix."""
    drawn = supersonic_table(2 * RAMP_STEPS + 1)[1::2].astype(np.float64)
    standard, high = _to_ycc(0.299, 0.114), _to_ycc(0.2126, 0.0722)  # BT.601 and BT.709
    wrong = (np.linalg.inv(standard) @ high, np.linalg.inv(high) @ standard)
    return drawn, *(np.clip(drawn @ matrix.T, 0.0, 255.0) for matrix in wrong)


def _to_ycc(red: float, blue: float) -> FloatArray:
    """From B, G, R to luma and the two colour differences, for a standard's weights of red and blue."""
    luma = np.array([blue, 1.0 - red - blue, red])
    return np.stack(
        [
            luma,
            (np.array([1.0, 0.0, 0.0]) - luma) / (1.0 - blue),
            (np.array([0.0, 0.0, 1.0]) - luma) / (1.0 - red),
        ]
    )


def is_part_of_map(ramp: Ramp) -> bool:
    """Whether these are the colours of a part of the scanner's map: something covers an end of the bar."""
    drawn = drawn_maps()[0]
    apart = ((ramp.astype(np.float64)[:, None, :] - drawn[None]) ** 2).sum(axis=2)
    place = apart.argmin(axis=1)[4:-4]
    misses = np.sqrt(apart.min(axis=1)[4:-4] / 3.0)
    span = (float(np.quantile(place, 0.95)) - float(np.quantile(place, 0.05))) / len(drawn)
    rising = float((np.diff(place.astype(np.int64)) >= 0).mean())
    return bool(float(np.median(misses)) < 0.7 * MISFIT and rising > 0.9 and PART[0] < span < PART[1])


def is_stiffness_map(ramp: Ramp) -> bool:
    """Whether these are the colours of the scanner's stiffness map, whatever their levels."""
    return map_levels(ramp) is not None
