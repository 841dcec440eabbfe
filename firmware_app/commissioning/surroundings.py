"""What stands around the panes' pictures: the sign of a frozen picture, and free space."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from firmware_app.journey import Panes, Picture, Rect
from firmware_app.screen.freeze import BRIGHTER

GROWTH = 0.12
"""Share of its own size by which a pane may be larger than the picture in it."""


def find_snowflake(pixels: Picture, panes: Panes, texts: Sequence[Rect] = ()) -> Rect | None:
    """The sign of a frozen picture: bright and compact in the gray pane, absent from the elastogram's.

    Of several the one nearest to a corner of the pane is taken.

    Args:
        pixels: the whole picture, BGR.
        panes: both panes.
        texts: places of printed texts, whose letters are no such sign.
    """
    own = panes.gray
    upper, lower = _with_margin(panes, pixels)
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    first = gray[upper.y : upper.y + upper.h, upper.x : upper.x + upper.w]
    second = gray[lower.y : lower.y + lower.h, lower.x : lower.x + lower.w]
    scale = pixels.shape[0] / 1080
    brighter = cv2.threshold(cv2.subtract(second, first), BRIGHTER, 255, cv2.THRESH_BINARY)[1]
    size = max(3, round(3 * scale))
    joined = cv2.morphologyEx(brighter, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    best: tuple[float, Rect] | None = None
    for x, y, w, h, area in ((int(value) for value in row) for row in stats[1:]):
        if not (0.6 < w / h < 1.7 and 14 * scale < max(w, h) < 48 * scale and area > 0.2 * w * h):
            continue
        if any(touch(Rect(lower.x + x, lower.y + y, w, h), text) for text in texts):
            continue
        middle_x, middle_y = lower.x + x + w / 2, lower.y + y + h / 2
        corners = [(px, py) for px in (own.x, own.x + own.w) for py in (own.y, own.y + own.h)]
        from_corner = min(abs(middle_x - px) + abs(middle_y - py) for px, py in corners)
        if from_corner < 0.45 * min(own.w, own.h) and (best is None or from_corner < best[0]):
            best = (from_corner, Rect(lower.x + x, lower.y + y, w, h))
    return best[1] if best else None


def _with_margin(panes: Panes, pixels: Picture) -> tuple[Rect, Rect]:
    """Both panes and what lies around them: a sector's picture is narrower than the pane it stands in."""
    upper, lower = panes.elastogram, panes.gray
    margin = round(0.12 * pixels.shape[1])
    height, width = pixels.shape[:2]
    left = min(margin, upper.x, lower.x)
    top = min(margin // 8, upper.y, lower.y)
    right = min(margin, width - upper.x - upper.w, width - lower.x - lower.w)
    bottom = min(margin // 8, height - upper.y - upper.h, height - lower.y - lower.h)
    grown = (
        Rect(pane.x - left, pane.y - top, pane.w + left + right, pane.h + top + bottom)
        for pane in (upper, lower)
    )
    return next(grown), next(grown)


def touch(first: Rect, second: Rect) -> bool:
    """Whether two places have a pixel in common."""
    across = first.x < second.x + second.w and second.x < first.x + first.w
    return across and first.y < second.y + second.h and second.y < first.y + first.h


def grown(panes: Panes, obstacles: Sequence[Rect], size: tuple[int, int]) -> Panes:
    """Both panes, as much larger as free space allows: another patient's picture may be wider or deeper.

    Args:
        panes: as far as this picture fills them.
        obstacles: what does not belong to a pane: texts, the bar.
        size: width and height of the picture.
    """
    upper, lower = panes.elastogram, panes.gray
    left = right = bottom = 0
    reach_x, reach_y = round(GROWTH * upper.w), round(GROWTH * upper.h)

    def free(left: int, right: int, bottom: int) -> bool:
        pair = [_grown(pane, left, right, bottom) for pane in (upper, lower)]
        inside = all(p.x >= 0 and p.y >= 0 and p.x + p.w <= size[0] and p.y + p.h <= size[1] for p in pair)
        return inside and not touch(*pair) and not any(touch(p, o) for p in pair for o in obstacles)

    while bottom < reach_y and free(left, right, bottom + 1):
        bottom += 1
    while right < reach_x and free(left, right + 1, bottom):
        right += 1
    while left < reach_x and free(left + 1, right, bottom):
        left += 1
    return Panes(_grown(upper, left, right, bottom), _grown(lower, left, right, bottom))


def _grown(pane: Rect, left: int, right: int, bottom: int) -> Rect:
    return Rect(pane.x - left, pane.y, pane.w + left + right, pane.h + bottom)
