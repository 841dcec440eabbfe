"""Whether two panes show one plane where neither carries colour: over all, and place by place.

All sums are taken over the panes at a quarter of their size, against noise and half a pixel of offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.video.pixels import Levels

Gray = npt.NDArray[np.uint8]
"""A picture of one channel, shape (height, width)."""
Sums = npt.NDArray[np.float32]

BLACK = 12
"""Gray level up to which a pixel is no echo but the surround."""
CELL, PATCH = 12.0, 5
"""Side of a cell, reference pixels, and of the smallest patch, cells: no letter is 60 pixels high."""
NOISE = 7.0
"""Levels by which equal panes differ through coarse coding, and below which a cell has no texture."""
UNLIKE = 0.6
"""A cell differs if the power of its difference exceeds this share of the power of both panes."""
FLAT, WINDOW = 3.0, 20.0
"""Levels of contrast at most, and of brightness at least, of a plain window."""
FEWEST = 200
"""Pixels at a quarter of the size from which a correlation means anything."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two panes agree outside the colour.

    Attributes:
        correlation: of the details of both, -1 to 1; 0 where there is no picture.
        agreeing: share of the pane's cells that have texture and agree.
        differing: share of the cells that differ.
        patches: share of the cells in differing patches so large that a window must cover them.
    """

    correlation: float
    agreeing: float
    differing: float
    patches: float


def compare(first_half: Gray, second_half: Gray, plain_half: Gray, levels: Levels, scale: float) -> Agreement:
    """Compare two panes.

    Args:
        first_half: one at half size, gray.
        second_half: the other.
        plain_half: 255 where neither carries colour.
        levels: what the capture chain made of black and white.
        scale: picture pixels per reference pixel.
    """
    size = (max(first_half.shape[1] // 2, 1), max(first_half.shape[0] // 2, 1))
    first = cv2.resize(first_half, size, interpolation=cv2.INTER_AREA)
    second = cv2.resize(second_half, size, interpolation=cv2.INTER_AREA)
    plain = cv2.resize(plain_half, size, interpolation=cv2.INTER_NEAREST)
    echoes = cv2.threshold(
        cv2.min(first, second), levels.black + BLACK * levels.gain, 255, cv2.THRESH_BINARY
    )[1]
    inside = cv2.erode(cv2.bitwise_and(echoes, plain), np.ones((3, 3), np.uint8))
    shares = _cells(first, second, plain, levels, max(round(CELL * scale / 4), 1))
    return Agreement(_correlation(first, second, inside), *shares)


def _correlation(first: Gray, second: Gray, inside: Gray) -> float:
    """Correlation of two pictures' detail inside a mask, 0 where there is not enough of it.

    Without the local mean and without the black surround, because the shape of the picture and its gain by
    depth are alike on every frame.
    """
    count = cv2.countNonZero(inside)
    if count < FEWEST:
        return 0.0
    # Sums of OpenCV: dot products would wake the threads of a linear-algebra library.
    x, y = cv2.copyTo(_detail(first), inside), cv2.copyTo(_detail(second), inside)
    mean_x, mean_y = cv2.sumElems(x)[0] / count, cv2.sumElems(y)[0] / count
    power_x = cv2.norm(x, cv2.NORM_L2SQR) / count - mean_x**2
    power_y = cv2.norm(y, cv2.NORM_L2SQR) / count - mean_y**2
    both = cv2.sumElems(cv2.multiply(x, y))[0] / count - mean_x * mean_y
    spread = float(np.sqrt(max(power_x, 0.0) * max(power_y, 0.0)))
    return float(both) / spread if spread > 1.0 else 0.0


def _detail(gray: Gray) -> Sums:
    detail: Sums = cv2.subtract(gray, cv2.blur(gray, (15, 15)), dtype=cv2.CV_32F)
    return detail


def _cells(first: Gray, second: Gray, plain: Gray, levels: Levels, side: int) -> tuple[float, float, float]:
    """Shares of the cells that agree, that differ, and that lie in patches which differ."""
    columns, rows = first.shape[1] // side, first.shape[0] // side
    if columns < PATCH or rows < PATCH:
        return 0.0, 0.0, 0.0

    def mean(values: Gray | Sums) -> Sums:
        cut = values[: rows * side, : columns * side]
        cells: Sums = cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA)
        return cells

    x, y = first.astype(np.float32), second.astype(np.float32)
    difference, mean_x, mean_y = cv2.subtract(x, y), mean(x), mean(y)
    power_x = mean(cv2.multiply(x, x)) - mean_x**2
    power_y = mean(cv2.multiply(y, y)) - mean_y**2
    power, most = power_x + power_y, np.maximum(power_x, power_y)
    apart = mean(cv2.multiply(difference, difference))
    free = mean(plain) > 250.0
    noise = (NOISE * levels.gain) ** 2
    # A window as bright as the tissue that it covers; black is no window, and letters are not plain.
    plainest = np.where(power_x < power_y, mean_x, mean_y) - levels.black
    flat = (most > noise) & (power - most < (FLAT * levels.gain) ** 2) & (plainest > WINDOW * levels.gain)
    differs = free & (flat | (apart > UNLIKE * power + noise))
    agrees = free & ~differs & (power > 2 * noise)
    square = np.ones((PATCH, PATCH), np.uint8)
    cells = cv2.copyMakeBorder(differs.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    patches = cv2.morphologyEx(cells, cv2.MORPH_OPEN, square)[1:-1, 1:-1]
    agreeing, differing, patched = (
        np.count_nonzero(found) / found.size for found in (agrees, differs, patches)
    )
    return agreeing, differing, patched
