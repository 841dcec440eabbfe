"""The snowflake: the scanner's own sign that the picture is frozen."""

from __future__ import annotations

import cv2
import numpy as np

from firmware_app.journey import Panes, Picture, Rect

BRIGHTER = 36
"""Gray levels by which the snowflake outshines the same place of the other pane."""
FEWEST = 20
"""Bright pixels at reference size: no snowflake of the size and density told below has fewer."""


def has_snowflake(pixels: Picture, area: Rect, panes: Panes, scale: float) -> bool:
    """Whether something bright and compact stands in the gray pane's corner but not in the elastogram's.

    Args:
        pixels: the whole picture, BGR.
        area: where the snowflake is drawn, inside the gray pane.
        panes: both panes; the same place of the elastogram's pane shows the tissue beneath.
        scale: vertical picture pixels per reference pixel.
    """
    dx, dy = panes.elastogram.x - panes.gray.x, panes.elastogram.y - panes.gray.y
    if area.y + dy < 0 or area.x + dx < 0:
        return False
    here = pixels[area.y : area.y + area.h, area.x : area.x + area.w]
    there = pixels[area.y + dy : area.y + dy + area.h, area.x + dx : area.x + dx + area.w]
    if here.shape != there.shape:
        return False
    first, second = cv2.cvtColor(here, cv2.COLOR_BGR2GRAY), cv2.cvtColor(there, cv2.COLOR_BGR2GRAY)
    brighter = cv2.threshold(cv2.subtract(first, second), BRIGHTER, 255, cv2.THRESH_BINARY)[1]
    if cv2.countNonZero(brighter) < FEWEST * scale * scale:
        return False
    joined = cv2.morphologyEx(brighter, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    for x, y, w, h, _ in stats[1:count]:
        lit = cv2.countNonZero(brighter[y : y + h, x : x + w]) / (w * h)
        round_enough = 0.6 < w / h < 1.7
        if round_enough and 14 * scale < max(w, h) < 48 * scale and 0.18 < lit < 0.92:
            return True
    return False
