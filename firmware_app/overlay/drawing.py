"""Draws the two cards: pure functions from the state to small patches, drawn at the display's own size.

The cards stand in areas that the scanner leaves free: the lower halves of the screen's outer columns. The
screen profile says where, and tests measure that nothing stands there. Over the panes themselves lie only
thin outlines, see `outlines`. The line about research use is part of the left card and cannot be switched
off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from firmware_app.journey import Rect
from firmware_app.overlay.canvas import Canvas
from firmware_app.overlay.card import CARD_WIDTH
from firmware_app.overlay.layers import Patch
from firmware_app.overlay.outcome_card import outcome_card
from firmware_app.overlay.progress_card import TALLEST_PROGRESS, progress_card
from firmware_app.overlay.state import OverlayState

_MARGIN = 8.0
_TALLEST_OUTCOME = 440.0
_SMALLEST = 0.3
_LARGEST = 1.3
"""Cards grow into the bars of a wide picture up to this many pixels per line of a 1080-line screen."""


@dataclass(frozen=True, slots=True)
class Free:
    """Where the left and the right card may stand, in pixels of the picture that is drawn on."""

    left: Rect
    right: Rect


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards as patches; `hidden` is the left one where its patient's name is not in sight."""

    outcome: Patch
    hidden: Patch
    progress: Patch


def usual_areas(width: int, height: int) -> Free:
    """Where the cards stand while it is not known where the scanner's screen lies."""
    column, unit = round(228 * height / 1080), height / 1080
    left, right = round(0.5 * height), round(0.612 * height)
    return Free(
        Rect(0, left, column, round(1072 * unit) - left),
        Rect(width - column, right, column, round(1072 * unit) - right),
    )


@lru_cache(maxsize=8)
def draw_cards(state: OverlayState, free: Free, height: int) -> Cards:
    """Draw both cards for a picture of this height in pixels.

    Raises:
        ConfigError: the font is not installed.
    """
    margin, largest = _MARGIN * height / 1080, _LARGEST * height / 1080
    unit = min(
        largest,
        (free.left.w - 2 * margin) / CARD_WIDTH,
        (free.right.w - 2 * margin) / CARD_WIDTH,
        free.left.h / _TALLEST_OUTCOME,
        free.right.h / TALLEST_PROGRESS,
    )
    x, y = round(free.left.x + margin), free.left.y
    outcome = _fitting(lambda size: outcome_card(state, size, hidden=False), unit, free.left.h)
    hidden = _fitting(lambda size: outcome_card(state, size, hidden=True), unit, free.left.h)
    progress = _fitting(lambda size: progress_card(state, size), unit, free.right.h)
    right = round(free.right.x + free.right.w - margin) - progress.shape[1]
    return Cards(Patch(x, y, outcome), Patch(x, y, hidden), Patch(right, free.right.y, progress))


def _fitting(draw: Callable[[float], Canvas], unit: float, room: int) -> npt.NDArray[np.uint8]:
    """The card; smaller where much is told, until it fits into so many pixels."""
    while True:
        pixels = draw(unit).pixels()
        if pixels.shape[0] <= room or unit < _SMALLEST:
            return pixels
        unit *= max(0.8, 0.99 * room / pixels.shape[0])
