"""The Q-boxes: the thin rings in the elastogram that mark where the scanner measures.

A ring drawn over the map is white: a thin line in the least of the three colours, and a thin valley of the
map's chroma, which the B-mode under the map does not change. Each pixel of such a line votes for the centres
that lie on its normal. The winner is measured along spokes to a fraction of a pixel, must show on most of
them, and must be white: a round hot spot of the map has rims of other colours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Picture
from firmware_app.screen.agreement import Gray
from firmware_app.screen.bar import pale_and_white
from firmware_app.video.pixels import Levels

FloatArray = npt.NDArray[np.float64]

VOTERS = 600
FAINT = 14
"""Line strength up to which a pixel is no voter; a ring has 23 or more through half size and JPEG."""
VOTER = 80.0
"""Least level of B, G and R of a voter; on nearly all of a ring 120 or more through half size and JPEG."""
AGREEING = 0.2
"""Share of a circle's pixels that must have voted for it."""
SPOKES = 72
SUPPORT = 0.7
"""Fraction of the spokes on which a ring must show."""
CONTRAST = 5.0
"""Levels by which a ring must stand out on a spoke."""
WHITE = 142.0
"""Least level of B, G and R on a ring: 168 or more through half size and JPEG; the palest green has 138."""
WHITER = 36.0
"""Levels by which it exceeds that beside the ring: 46 or more through half size and JPEG."""
BESIDE = (-4.0, -3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0, 4.0)
"""Distances from a ring's line at which it is looked at, reference pixels; the outer two are beside it."""
LINE = 2.5
"""Half width of a ring's line with its blur, picture pixels."""
MOVED = 1.0
"""Pixels; a ring that has moved on is measured again where it was found: the first look saw a part of it."""
MOST = 4
"""Rings that are looked for: with more than one the reading is refused anyway."""
TRIES, MORE_TRIES = 10, 2
"""Guesses that are tried for the first ring, and for more once one is found."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring in a pane, x divided by the stretch; `support` is the fraction of the spokes that show it."""

    x: float
    y: float
    r: float
    support: float


@dataclass(frozen=True, slots=True)
class RingScreen:
    """The screen that rings are looked for on.

    Attributes:
        scale: vertical picture pixels per reference pixel.
        stretch: horizontal over vertical scale.
        levels: black and white in this picture.
        radii: smallest and largest radius, picture pixels.
    """

    scale: float
    stretch: float
    levels: Levels
    radii: tuple[float, float]


_CIRCLE = np.arange(SPOKES)[:, None] * (2 * np.pi / SPOKES)
_COSINE, _SINE = np.cos(_CIRCLE), np.sin(_CIRCLE)
"""Direction of each spoke, shape (SPOKES, 1)."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """What rings are looked for on: `chroma` and `white` of the window, and which pixels lie `inside`."""

    chroma: Gray
    white: Gray
    inside: Gray
    screen: RingScreen

    def sampled(self, x: FloatArray, y: FloatArray) -> npt.NDArray[np.float32]:
        """How much the places x, y of the window look like a ring's line; 0 outside of the window.

        Only the pixels around the places are looked at, as far as the filters reach.
        """
        thickness = 2 * round(2.5 * self.screen.scale) + 3
        rows, columns = (_around(v, thickness + 2, n) for v, n in zip((y, x), self.white.shape, strict=True))
        part = rows, columns
        strength = line_strength(self.chroma[part], self.white[part], self.inside[part], thickness)
        smooth = cv2.GaussianBlur(strength, (3, 3), 0).astype(np.float32)
        across, down = x.astype(np.float32) - columns.start, y.astype(np.float32) - rows.start
        return np.asarray(cv2.remap(smooth, across, down, cv2.INTER_LINEAR), np.float32)


def _around(places: FloatArray, reach: int, size: int) -> slice:
    """The pixels of an axis as far as `reach` around places, at least one."""
    first = min(max(int(places.min()) - reach, 0), size - 1)
    return slice(first, max(min(int(places.max()) + reach + 2, size), first + 1))


def _median(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Median along the last axis: for a few dozen values far quicker than NumPy's."""
    ordered, count = np.sort(values, axis=-1), values.shape[-1]
    middle = ordered[..., (count - 1) // 2] + ordered[..., count // 2]
    return np.asarray(middle * np.float32(0.5), np.float32)


def line_strength(chroma: Gray, white: Gray, inside: Gray, thickness: int) -> Gray:
    """How much each pixel looks like part of a thin white line.

    Args:
        chroma: largest minus least of B, G and R.
        white: least of B, G and R.
        inside: 255 inside the colour box, away from its outline.
        thickness: width in pixels that a line stays below.
    """
    kernel = np.ones((thickness, thickness), np.uint8)
    pale = cv2.morphologyEx(chroma, cv2.MORPH_BLACKHAT, kernel)
    line = cv2.morphologyEx(white, cv2.MORPH_TOPHAT, kernel)
    # Echoes that shine through are white but not pale; coarse video, though, hardly shows a line's paleness.
    both = cv2.addWeighted(line, 0.5, cv2.min(pale, line), 1.0, 0.0)
    strength: Gray = cv2.bitwise_and(both, inside)
    return strength


def _vote(strength: Gray, stretch: float, radii: tuple[float, float]) -> tuple[float, float, float] | None:
    """Centre and radius with the most votes, in pixels of `strength`, x divided by the stretch.

    None where too few voters agree on a radius to make a ring.
    """
    voters = cv2.findNonZero(cv2.threshold(strength, FAINT, 255, cv2.THRESH_BINARY)[1])
    if voters is None or len(voters) < 24:
        return None
    x, y = voters[:, 0, 0], voters[:, 0, 1]
    smooth = cv2.GaussianBlur(strength, (5, 5), 0)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    if y.size > VOTERS:
        strongest = np.argpartition(strength[y, x], -VOTERS)[-VOTERS:]
        y, x = y[strongest], x[strongest]
    slope_x, slope_y = across[y, x] * stretch, down[y, x]
    steepness = np.hypot(slope_x, slope_y)
    kept = steepness > 4.0
    if int(kept.sum()) < 24:
        return None
    position_x, position_y = x[kept] / stretch, y[kept].astype(np.float64)
    normal_x, normal_y = slope_x[kept] / steepness[kept], slope_y[kept] / steepness[kept]
    reach = np.arange(radii[0], radii[1] + 0.5)
    reach = np.concatenate([-reach, reach])[:, None]
    height, width = strength.shape[0], int(strength.shape[1] / stretch) + 1
    column = _whole(position_x, reach * normal_x, width)
    row = _whole(position_y, reach * normal_y, height)
    votes = _counted(row * (width + 2) + column, (height, width))
    best_y, best_x = np.unravel_index(int(np.argmax(votes)), votes.shape)
    distance = np.hypot(position_x - best_x, position_y - best_y)
    histogram = np.bincount(np.rint(distance).astype(np.intp), minlength=int(radii[1]) + 3).astype(np.float64)
    histogram = np.convolve(histogram, [1.0, 1.0, 1.0], mode="same")
    histogram[: int(radii[0])] = 0
    histogram[int(radii[1]) + 2 :] = 0
    radius = int(np.argmax(histogram))
    if histogram[radius] < AGREEING * 2 * np.pi * radius:
        return None
    return float(best_x), float(best_y), float(radius)


def _whole(start: FloatArray, way: FloatArray, size: int) -> FloatArray:
    """Whole pixels at start + way, counted from 1; 0 and `size` + 1 stand for all that lies outside.

    The rim spares a choice among some 50,000 places. `way` is overwritten.
    """
    way += start
    np.rint(way, way)
    np.clip(way, -1.0, size, way)
    way += 1.0
    return way


def _counted(places: FloatArray, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    """How many of the places, flat in a shape with a rim, fall to each pixel and its neighbours."""
    height, width = shape
    ballot = np.bincount(places.astype(np.intp).ravel(), minlength=(height + 2) * (width + 2))
    inner = ballot.reshape(height + 2, width + 2)[1:-1, 1:-1].astype(np.float32)
    return np.asarray(cv2.boxFilter(inner, -1, (3, 3), normalize=False), np.float32)


def _measure(sight: _Sight, guess: tuple[float, float, float], reach: float) -> Ring | None:
    """Fit a circle to the line's place on each spoke (Kasa's algebraic fit, outliers dropped once)."""
    x, y, r = guess
    radii = np.arange(r - reach, r + reach + 0.25, 0.5)[None, :]
    sampled = sight.sampled((x + radii * _COSINE) * sight.screen.stretch, y + radii * _SINE)
    peak = sampled.argmax(axis=1)
    clear = sampled.max(axis=1) - _median(sampled) > CONTRAST
    if np.count_nonzero(clear) < SPOKES // 2:
        return None
    weight = sampled * (np.abs(np.arange(radii.size)[None, :] - peak[:, None]) <= 3)
    place = (weight * radii).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6)
    across, down = place * _COSINE[:, 0], place * _SINE[:, 0]  # from the guessed centre
    for _ in range(2):
        px, py = across[clear], down[clear]
        system = np.stack([px, py, np.ones_like(px), px * px + py * py], axis=1)
        # Normal equations: three unknowns are too few to wake the threads of a linear-algebra library.
        normal = cv2.mulTransposed(system, aTa=True)
        left, right = np.ascontiguousarray(normal[:3, :3]), np.ascontiguousarray(normal[:3, 3])
        if abs(cv2.determinant(left)) < 1e-6:
            return None
        solution = cv2.solve(left, right)[1]
        fit_x, fit_y = float(solution[0, 0]) / 2, float(solution[1, 0]) / 2
        fit_r = math.sqrt(max(float(solution[2, 0]) + fit_x**2 + fit_y**2, 0.0))
        away = np.hypot(across - fit_x, down - fit_y) - fit_r
        clear = clear & (np.abs(away) < 1.5)
        if np.count_nonzero(clear) < SPOKES // 2:
            return None
    return Ring(x + fit_x, y + fit_y, fit_r, np.count_nonzero(clear) / SPOKES)


def _is_white(sight: _Sight, ring: Ring) -> bool:
    """Whether the least of B, G and R is high on the ring, and higher than beside it: medians over spokes."""
    radii = ring.r + np.array(BESIDE)[None, :] * max(sight.screen.scale, 0.6)
    sampled = cv2.remap(
        sight.white,
        ((ring.x + radii * _COSINE) * sight.screen.stretch).astype(np.float32),
        (ring.y + radii * _SINE).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    beside = np.maximum(sampled[:, 0] + sampled[:, 1], sampled[:, -2] + sampled[:, -1]) / 2
    line, levels = sampled[:, 2:-2].max(axis=1), sight.screen.levels
    return bool(
        _median(line) >= levels.black + WHITE * levels.gain and _median(line - beside) >= WHITER * levels.gain
    )


def _clear(sight: _Sight, guess: tuple[float, float, float], found: list[Ring]) -> Ring | None:
    """The ring at a guess (x, y, r), if there is one and it is none of those found."""
    ring = _measure(sight, guess, 4.0)
    low, high = sight.screen.radii
    if ring is None or ring.support < SUPPORT or not low <= ring.r <= high:
        return None
    if not _is_white(sight, ring):
        return None
    near = (np.hypot(ring.x - other.x, ring.y - other.y) <= 0.5 * min(ring.r, other.r) for other in found)
    return None if any(near) else ring


def _reduced(part: Gray, step: int) -> Gray:
    """Every pixel the mean of `step` by `step`."""
    if step == 1:
        return part
    height, width = part.shape[0] // step * step, part.shape[1] // step * step
    size = (max(width // step, 1), max(height // step, 1))
    result: Gray = cv2.resize(part[: max(height, 1), : max(width, 1)], size, interpolation=cv2.INTER_AREA)
    return result


def _wipe(strength: Gray, ring: tuple[float, float, float], stretch: float, width: float) -> None:
    """Wipe out a ring (x, y, r) and `width` pixels to either side of its line, in place."""
    x, y, r = ring
    wide, high = (r + width) * stretch, r + width
    columns = slice(max(int(x * stretch - wide) - 1, 0), max(int(x * stretch + wide) + 2, 0))
    rows = slice(max(int(y - high) - 1, 0), max(int(y + high) + 2, 0))
    part = strength[rows, columns]
    across = (np.arange(columns.start, columns.start + part.shape[1], dtype=np.float32) / stretch - x)[
        None, :
    ]
    down = (np.arange(rows.start, rows.start + part.shape[0], dtype=np.float32) - y)[:, None]
    square = across * across + down * down
    part[(square > max(r - width, 0.0) ** 2) & (square < (r + width) ** 2)] = 0


def find_rings(window: Picture, inside: Gray, screen: RingScreen, near: tuple[Ring, ...]) -> tuple[Ring, ...]:
    """Find every Q-box in a window of the elastogram's pane.

    Rings that are found, and guesses that prove none, are wiped out before the next vote.

    Args:
        window: BGR part of the pane that holds the colour box.
        inside: 255 inside the colour box, away from its outline; same size as the window.
        screen: scale and limits.
        near: where an earlier frame showed them: looked at first, believed only if they show now.

    Returns:
        The rings in the window's coordinates, x divided by the stretch, in reading order; empty where none is
        clear.
    """
    scale, stretch = screen.scale, screen.stretch
    chroma, white = pale_and_white(window)
    sight = _Sight(chroma, white, inside, screen)
    found: list[Ring] = []
    for earlier in near:
        ring = _clear(sight, (earlier.x, earlier.y, earlier.r), found)
        if ring is not None and math.hypot(ring.x - earlier.x, ring.y - earlier.y) > MOVED:
            ring = _clear(sight, (ring.x, ring.y, ring.r), found)
        if ring is not None:
            found.append(ring)
    step = max(1, round(2 * scale))
    small = _reduced(white, step)
    bright = cv2.threshold(small, screen.levels.black + VOTER * screen.levels.gain, 255, cv2.THRESH_BINARY)[1]
    lines = line_strength(_reduced(chroma, step), small, cv2.bitwise_and(_reduced(inside, step), bright), 5)
    for ring in found:
        _wipe(lines, (ring.x / step, ring.y / step, ring.r / step), stretch, LINE / step + 1.5)
    radii = screen.radii[0] / step, screen.radii[1] / step
    tries = 0
    while tries < (MORE_TRIES if found else TRIES) and len(found) < MOST:
        tries += 1
        guess = _vote(lines, stretch, radii)
        if guess is None:
            break
        x, y, r = guess[0] * step, guess[1] * step, guess[2] * step
        first = _measure(sight, (x, y, r), 2.0 * step + 3.0)
        ring = _clear(sight, (first.x, first.y, first.r), found) if first is not None else None
        if ring is not None:
            found.append(ring)
            tries = 0
            guess = ring.x / step, ring.y / step, ring.r / step
        _wipe(lines, guess, stretch, LINE / step + 1.5)
    return tuple(sorted(found, key=lambda ring: (round(ring.y / (0.5 * ring.r)), ring.x)))
