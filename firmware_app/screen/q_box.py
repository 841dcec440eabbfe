"""The Q-box: the thin ring in the elastogram that marks where the scanner measures.

A ring drawn over the map has no colour of its own, and the B-mode under the map adds none, so the ring is a
thin valley of the map's chroma whatever the tissue, and a thin bright line. Each pixel of such a line votes
for the centres that lie on its normal. The winner is measured along spokes to a fraction of a pixel and must
show on most of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Picture
from firmware_app.screen.bar import chroma, every_nth
from firmware_app.screen.panes import Gray
from firmware_app.screen.registration import Registration

FloatArray = npt.NDArray[np.float64]

VOTERS = 400
SPOKES = 72
SUPPORT = 0.7
"""Fraction of the spokes on which a ring must show."""
CONTRAST = 5.0
"""Levels by which a ring must stand out on a spoke."""


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring in a pane, x divided by the stretch; `support` is the fraction of the spokes that show it."""

    x: float
    y: float
    r: float
    support: float


def line_strength(window: Picture, inside: Gray, thickness: int) -> Gray:
    """How much each pixel looks like part of a thin, colourless, bright line.

    Args:
        window: BGR part of the elastogram's pane.
        inside: 255 inside the colour box, away from its outline.
        thickness: width in pixels that a line stays below.
    """
    kernel = np.ones((thickness, thickness), np.uint8)
    pale = cv2.morphologyEx(chroma(window), cv2.MORPH_BLACKHAT, kernel)
    bright = cv2.morphologyEx(cv2.cvtColor(window, cv2.COLOR_BGR2GRAY), cv2.MORPH_TOPHAT, kernel)
    # Echoes are bright but not pale; seams of the map are pale but not bright.
    both = cv2.addWeighted(cv2.min(pale, cv2.add(bright, bright)), 1.0, cv2.min(pale, bright), 1.0, 0.0)
    strength: Gray = cv2.bitwise_and(both, inside)
    return strength


def _vote(strength: Gray, stretch: float, radii: tuple[float, float]) -> tuple[float, float, float] | None:
    """Centre and radius with the most votes, in pixels of `strength`, x divided by the stretch."""
    smooth = cv2.GaussianBlur(strength, (5, 5), 0).astype(np.float32)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    y, x = np.nonzero(strength > 10)
    if y.size < 24:
        return None
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
    centre_x = np.rint(position_x + reach * normal_x).astype(np.intp)
    centre_y = np.rint(position_y + reach * normal_y).astype(np.intp)
    valid = (centre_x >= 0) & (centre_x < width) & (centre_y >= 0) & (centre_y < height)
    ballot = np.bincount((centre_y * width + centre_x)[valid], minlength=width * height)
    votes = cv2.boxFilter(ballot.reshape(height, width).astype(np.float32), -1, (3, 3), normalize=False)
    best_y, best_x = np.unravel_index(int(np.argmax(votes)), votes.shape)
    distance = np.hypot(position_x - best_x, position_y - best_y)
    histogram = np.bincount(np.rint(distance).astype(np.intp), minlength=int(radii[1]) + 3).astype(np.float64)
    histogram = np.convolve(histogram, [1.0, 1.0, 1.0], mode="same")
    histogram[: int(radii[0])] = 0
    histogram[int(radii[1]) + 2 :] = 0
    return float(best_x), float(best_y), float(np.argmax(histogram))


def _measure(
    strength: npt.NDArray[np.float32], stretch: float, guess: tuple[float, float, float], reach: float
) -> Ring | None:
    """Fit a circle to the line's place on each spoke (Kasa's algebraic fit, outliers dropped once)."""
    angles = np.arange(SPOKES) * (2 * np.pi / SPOKES)
    cosine, sine = np.cos(angles)[:, None], np.sin(angles)[:, None]
    x, y, r = guess
    radii = np.arange(r - reach, r + reach + 0.25, 0.5)[None, :]
    map_x, map_y = (x + radii * cosine) * stretch, y + radii * sine
    sampled = cv2.remap(strength, map_x.astype(np.float32), map_y.astype(np.float32), cv2.INTER_LINEAR)
    peak = sampled.argmax(axis=1)
    clear = sampled.max(axis=1) - np.median(sampled, axis=1) > CONTRAST
    if clear.sum() < SPOKES // 2:
        return None
    weight = sampled * (np.abs(np.arange(radii.size)[None, :] - peak[:, None]) <= 3)
    place = (weight * radii).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-6)
    for _ in range(2):
        px, py = place[clear] * cosine[clear, 0], place[clear] * sine[clear, 0]  # from the guessed centre
        system = np.stack([px, py, np.ones_like(px)], axis=1)
        # Normal equations: three unknowns are too few to wake the threads of a linear-algebra library.
        left = np.einsum("ni,nj->ij", system, system)
        right = np.einsum("ni,n->i", system, px**2 + py**2)
        if abs(float(np.linalg.det(left))) < 1e-6:
            return None
        solution = np.linalg.solve(left, right)
        fit_x, fit_y = solution[0] / 2, solution[1] / 2
        fit_r = float(np.sqrt(max(solution[2] + fit_x**2 + fit_y**2, 0.0)))
        away = np.hypot(place * cosine[:, 0] - fit_x, place * sine[:, 0] - fit_y) - fit_r
        clear = clear & (np.abs(away) < 1.5)
        if clear.sum() < SPOKES // 2:
            return None
    return Ring(float(x + fit_x), float(y + fit_y), fit_r, float(clear.mean()))


def find_ring(
    window: Picture,
    inside: Gray,
    registration: Registration,
    radii: tuple[float, float],
    near: Ring | None,
) -> Ring | None:
    """Find the Q-box in a window of the elastogram's pane.

    Args:
        window: BGR part of the pane that holds the colour box.
        inside: 255 inside the colour box, away from its outline; same size as the window.
        registration: scale and stretch of the picture.
        radii: smallest and largest radius in reference pixels.
        near: where an earlier frame showed it: looked at first, believed only if it shows now.

    Returns:
        The ring in the window's coordinates, x divided by the stretch; None where no ring is clear.
    """
    scale, stretch = registration.scale_y, registration.stretch
    thickness = 2 * round(2.5 * scale) + 3
    strength = cv2.GaussianBlur(line_strength(window, inside, thickness), (3, 3), 0).astype(np.float32)
    low, high = radii[0] * scale, radii[1] * scale
    if near is not None:
        ring = _measure(strength, stretch, (near.x, near.y, near.r), 4.0)
        if ring is not None and ring.support >= SUPPORT and low <= ring.r <= high:
            return ring
    step = max(1, round(2 * scale))
    small = every_nth(cv2.blur(window, (step, step)), step) if step > 1 else window
    guess = _vote(line_strength(small, every_nth(inside, step), 5), stretch, (low / step, high / step))
    if guess is None or guess[2] < low / step:
        return None
    ring = _measure(strength, stretch, (guess[0] * step, guess[1] * step, guess[2] * step), 3.0 * step)
    if ring is None:
        return None
    finer = _measure(strength, stretch, (ring.x, ring.y, ring.r), 4.0)
    if finer is None or finer.support < SUPPORT or not low <= finer.r <= high:
        return None
    return finer
