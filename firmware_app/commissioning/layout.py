"""Where an unknown screen draws its colour bar and its two panes.

Nothing is known of the layout but what every elastography screen of this family has in common: an upright bar
with the stiffness map, and two panes of one size that show the same plane, one of them under colour. The
shift that lays one pane over the other is the highest peak of the picture's correlation with itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calibration.colour_map import supersonic_table
from firmware_app.journey import Panes, Picture, Rect
from firmware_app.screen.bar import BarEdges, Ramp, chroma, find_bars, is_stiffness_map, sample_ramp

Gray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]

WORKING_HEIGHT = 540
"""Rows at which the picture is compared with itself."""
CLIP = 24.0
"""Gray levels of local detail that count at most, so that bright print does not outweigh the echoes."""
COLOURED = 28
"""max - min of B, G, R above which a pixel carries colour."""
ECHO = 12
"""Gray level above which a pixel is an echo, not the black surround."""
FAINT = 5
"""Gray levels above the screen's ground from which a pixel belongs to a pane."""
DARKEST = 40
"""Gray level up to which a plain area is the screen's ground: black, or the dark gray of a newer look."""
FRAME = 150
"""Gray level from which a row or column at the picture's edge belongs to a frame around the screen."""
LEAST_SHIFT = 0.15
"""Smallest distance of the panes, as a share of the picture's height."""
LEAST_PEAK = 0.02
"""Share of the picture's detail that must repeat at the shift; chance gives a tenth of it."""
PLAIN = 0.04
"""Share of the picture that such an area has."""
ALIKE = 14
"""Gray levels by which the same place may differ in the two panes."""


@dataclass(frozen=True, slots=True)
class FoundBar:
    """The colour bar.

    Attributes:
        edges: in pixels of the picture.
        map_error: mean distance of its colours from the SuperSonic map, 0-255.
    """

    edges: BarEdges
    map_error: float


@dataclass(frozen=True, slots=True)
class Missing:
    """What could not be found, in a sentence for the technician."""

    what: str
    remedy: str


def _map_error(ramp: Ramp) -> float:
    table = supersonic_table(len(ramp)).astype(np.float32)
    return float(np.abs(ramp - table).mean())


def without_frame(pixels: Picture) -> Picture:
    """The picture without a thin bright frame, as screenshots of a window carry it."""
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    columns, rows = np.median(gray, axis=0) > FRAME, np.median(gray, axis=1) > FRAME

    def ends(bright: npt.NDArray[np.bool_]) -> tuple[int, int]:
        reach = max(1, bright.size // 50)
        first, last = np.flatnonzero(bright[:reach]), np.flatnonzero(bright[-reach:])
        # One more: its edge is blurred.
        start = int(first.max()) + 2 if first.size else 0
        stop = bright.size - reach + int(last.min()) - 1 if last.size else bright.size
        return start, stop

    (left, right), (top, bottom) = ends(columns), ends(rows)
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def find_bar(pixels: Picture) -> FoundBar | Missing:
    """The upright bar with the stiffness map, at any place of the picture."""
    found = []
    for edges in find_bars(pixels):
        ramp = sample_ramp(pixels, edges)
        if is_stiffness_map(ramp):
            found.append(FoundBar(edges, _map_error(ramp)))
    if not found:
        return Missing("no upright colour bar with the stiffness map", "show the elastography view")
    return min(found, key=lambda bar: bar.map_error)


def colour_region(pixels: Picture, bar: BarEdges) -> Rect | None:
    """Rectangle around the largest coloured patch beside the bar: the elastogram's map."""
    coloured = cv2.threshold(chroma(pixels), COLOURED, 255, cv2.THRESH_BINARY)[1]
    margin = max(4, round((bar.right - bar.left) / 2))
    coloured[:, max(0, int(bar.left) - margin) : int(bar.right) + margin] = 0
    size = max(3, pixels.shape[0] // 200)
    kernel = np.ones((size, size), np.uint8)
    whole = cv2.morphologyEx(cv2.morphologyEx(coloured, cv2.MORPH_OPEN, kernel), cv2.MORPH_CLOSE, kernel)
    count, _, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=8)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, w, h, area = (int(value) for value in stats[largest])
    if area < 0.001 * whole.size:
        return None
    return Rect(x, y, w, h)


def find_panes(pixels: Picture, bar: BarEdges) -> Panes | Missing:
    """The elastogram's pane and the gray pane, side by side or one above the other."""
    coloured = colour_region(pixels, bar)
    if coloured is None:
        return Missing("no coloured map beside the bar", "wait for a full map, then freeze")
    shift = _shift(pixels, coloured)
    if shift is None:
        return Missing(
            "no second pane that shows the same plane", "use the dual view with both panes of one plane"
        )
    pane = _extent(pixels, coloured, shift, bar)
    if pane is None:
        return Missing("the two panes overlap or leave the picture", "use the whole screen, not a cut-out")
    dx, dy = shift
    return Panes(pane, Rect(pane.x + dx, pane.y + dy, pane.w, pane.h))


def _detail(gray: Gray) -> FloatArray:
    """Local contrast, flattened and clipped."""
    smooth = cv2.blur(gray, (9, 9))
    detail = cv2.subtract(gray, smooth, dtype=cv2.CV_32F)
    return np.asarray(np.clip(detail, -CLIP, CLIP), np.float32)


def _shift(pixels: Picture, coloured: Rect) -> tuple[int, int] | None:
    """From the elastogram's pane to the gray one, in pixels; None where nothing repeats."""
    factor = min(1.0, WORKING_HEIGHT / pixels.shape[0])
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    detail = _detail(gray)
    detail[chroma(small) > COLOURED] = 0.0
    height, width = gray.shape
    # Twice the size: a shift must not wrap around.
    spectrum = np.fft.rfft2(detail, s=(2 * height, 2 * width))
    alike = np.fft.irfft2(np.abs(spectrum) ** 2, s=(2 * height, 2 * width))
    power = float(alike[0, 0])
    if power <= 0.0:
        return None
    alike = alike / power
    narrow, least = max(2, height // 40), int(LEAST_SHIFT * height)
    beside = alike[: narrow + 1, least:width]
    below = alike[least:height, : narrow + 1]
    # The panes' distance is one number and its opposite: the map says which of the two it is.
    candidates = []
    for part, dy, dx in ((beside, 0, least), (below, least, 0)):
        row, column = np.unravel_index(int(np.argmax(part)), part.shape)
        candidates.append((float(part[row, column]), int(column) + dx, int(row) + dy))
    mirrored = alike[-narrow:, least:width]
    row, column = np.unravel_index(int(np.argmax(mirrored)), mirrored.shape)
    candidates.append((float(mirrored[row, column]), int(column) + least, int(row) - narrow))
    mirrored = alike[least:height, -narrow:]
    row, column = np.unravel_index(int(np.argmax(mirrored)), mirrored.shape)
    candidates.append((float(mirrored[row, column]), int(column) - narrow, int(row) + least))
    peak, x, y = max(candidates)
    if peak < LEAST_PEAK:
        return None
    guess = round(x / factor), round(y / factor)
    return _refined(pixels, coloured, guess, max(2, round(2 / factor)))


def _around(pixels: Picture, rect: Rect, margin: int) -> Rect:
    x0, y0 = max(0, rect.x - margin), max(0, rect.y - margin)
    x1 = min(pixels.shape[1], rect.x + rect.w + margin)
    y1 = min(pixels.shape[0], rect.y + rect.h + margin)
    return Rect(x0, y0, x1 - x0, y1 - y0)


def _refined(pixels: Picture, coloured: Rect, guess: tuple[int, int], reach: int) -> tuple[int, int] | None:
    """The whole shift of least difference near a guess, in the direction that holds the gray pane."""
    here = _around(pixels, coloured, max(12, min(coloured.w, coloured.h) // 3))
    green = cv2.blur(cv2.extractChannel(pixels, 1), (3, 3)).astype(np.int16)
    first = pixels[here.y : here.y + here.h, here.x : here.x + here.w]
    gray = green[here.y : here.y + here.h, here.x : here.x + here.w]
    plain = (cv2.dilate(chroma(first), np.ones((5, 5), np.uint8)) < COLOURED) & (gray > ECHO)
    if int(plain.sum()) < 200:
        return None
    best: tuple[float, int, int] | None = None
    for sign in (1, -1):
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                x, y = sign * guess[0] + dx, sign * guess[1] + dy
                difference = _difference(green, gray, plain, Rect(here.x + x, here.y + y, here.w, here.h))
                if difference is not None and (best is None or difference < best[0]):
                    best = (difference, x, y)
    if best is None or best[0] > ALIKE:
        return None
    return best[1], best[2]


def _difference(
    green: npt.NDArray[np.int16], gray: npt.NDArray[np.int16], plain: npt.NDArray[np.bool_], there: Rect
) -> float | None:
    """Mean absolute difference of the plain pixels; None where the place leaves the picture."""
    if there.x < 0 or there.y < 0:
        return None
    part = green[there.y : there.y + there.h, there.x : there.x + there.w]
    if part.shape != gray.shape:
        return None
    return float(np.abs(gray - part)[plain].mean())


def _ground(gray: Gray) -> float:
    """The brightest level of the screen's plain dark areas."""
    count = np.bincount(gray[::4, ::4].ravel(), minlength=256)[:DARKEST].astype(np.float64)
    # Coding spreads a level over its neighbours.
    share = np.convolve(count, [1.0, 1.0, 1.0], mode="same") / max(gray[::4, ::4].size, 1)
    plain = np.flatnonzero((share > PLAIN) & (share >= np.roll(share, 1)) & (share >= np.roll(share, -1)))
    return float(plain.max()) if plain.size else 0.0


def _extent(pixels: Picture, coloured: Rect, shift: tuple[int, int], bar: BarEdges) -> Rect | None:
    """The elastogram's pane: what repeats at the shift around the map, without print and scales."""
    dx, dy = shift
    height, width = pixels.shape[:2]
    x0, y0 = max(0, -dx), max(0, -dy)
    x1, y1 = min(width, width - dx), min(height, height - dy)
    gray = cv2.blur(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), (3, 3))
    first, second = gray[y0:y1, x0:x1], gray[y0 + dy : y1 + dy, x0 + dx : x1 + dx]
    echo = cv2.threshold(cv2.min(first, second), _ground(gray) + FAINT, 255, cv2.THRESH_BINARY)[1]
    near = cv2.threshold(cv2.absdiff(first, second), ALIKE, 255, cv2.THRESH_BINARY_INV)[1]
    alike = cv2.bitwise_and(echo, near)
    map_x, map_y = coloured.x - x0, coloured.y - y0
    alike[max(map_y, 0) : map_y + coloured.h, max(map_x, 0) : map_x + coloured.w] = 255
    size = max(5, height // 70)
    closed = cv2.morphologyEx(alike, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    solid = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    _, labels = cv2.connectedComponents(solid, connectivity=8)
    label = int(labels[min(map_y + coloured.h // 2, labels.shape[0] - 1), map_x + coloured.w // 2])
    if label == 0:
        return None
    # Opening rounds a sector's sharp corners off: what touches it closely belongs to it.
    body = cv2.dilate(np.where(labels == label, 255, 0).astype(np.uint8), np.ones((size, size), np.uint8))
    x, y, w, h = cv2.boundingRect(cv2.bitwise_and(body, closed))
    x, y = x + x0, y + y0
    if x < bar.right and x + w > bar.left and y < bar.bottom and y + h > bar.top:
        return None
    w, h = (min(w, abs(dx)), h) if abs(dx) > abs(dy) else (w, min(h, abs(dy)))
    return Rect(x, y, w, h) if w >= 60 and h >= 60 else None
