"""The measures that both cards share."""

from __future__ import annotations

from firmware_app.overlay.canvas import Canvas
from firmware_app.wording import Language

CARD_WIDTH = 240.0
TALLEST = 640.0
"""No card is taller, in units."""
PAD = 14.0
INNER = CARD_WIDTH - 2 * PAD
RADIUS = 10.0


def card_canvas(unit: float, language: Language) -> Canvas:
    """A canvas for a card, to be cut at its real height."""
    return Canvas(CARD_WIDTH, TALLEST, unit, language)
