"""The right card: the five acquisitions, what was refused and what to do about it, and what runs."""

from __future__ import annotations

from firmware_app.overlay.canvas import Canvas, Style
from firmware_app.overlay.card import CARD_WIDTH, INNER, PAD, RADIUS, card_canvas
from firmware_app.overlay.palette import BLUE, HAIRLINE, ORANGE, PANEL, RIM, SEVERITIES, SOFT, TEXT
from firmware_app.overlay.state import OverlayState
from firmware_app.wording import Severity, Wording, sentences

TALLEST_PROGRESS = 330.0
_CAPTION = Style(13, SOFT, bold=True)
_SMALL = Style(12, SOFT)
_INDENT = 12.0
_SIZES = (1.3, 1.15, 1.0, 0.9, 0.8, 0.7)
"""A message is set in the largest letters in which it fits: it is read from two metres away."""
_COUNT = Style(30, TEXT, bold=True)


def progress_card(state: OverlayState, unit: float) -> Canvas:
    """Draw the card; `unit` is pixels per unit."""
    labels = sentences(state.language).labels
    canvas = card_canvas(unit, state.language)
    count = labels.progress.format(n=state.accepted, needed=state.needed)
    canvas.text(CARD_WIDTH - PAD, 36, count, _COUNT, "rs")
    left = INNER - canvas.measure(count, _COUNT) - 8
    canvas.text(PAD, 33, labels.acquisitions, canvas.fitting(labels.acquisitions, _CAPTION, left))
    _marks(canvas, state)
    baseline = 74.0
    if state.refused:
        baseline += 22
        text = labels.refused.format(n=state.refused)
        canvas.rounded(PAD, baseline - 6, 11, 3, 1, ORANGE)
        canvas.text(PAD + 17, baseline, text, Style(15, SOFT))
    technical = [line for line in (state.runtime, state.bundle_id, *state.technical) if line]
    if state.message is not None:
        room = TALLEST_PROGRESS - baseline - 20 - 17 * len(technical) - PAD
        baseline = _message(canvas, baseline + 6, state.message, room)
    baseline += 14
    canvas.rounded(PAD, baseline, INNER, 1, 0, HAIRLINE)
    baseline += 4
    for line in technical:
        baseline += 17
        canvas.text(PAD, baseline, line, canvas.fitting(line, _SMALL, INNER))
    return canvas.on_panel(baseline + PAD, RADIUS, PANEL, RIM)


def _marks(canvas: Canvas, state: OverlayState) -> None:
    """Five rings; one that counts is filled."""
    size = 28.0
    gap = (INNER - state.needed * size) / (state.needed - 1)
    for index in range(state.needed):
        x = PAD + index * (size + gap)
        if index < state.accepted:
            canvas.rounded(x, 46, size, size, size / 2, BLUE)
        else:
            canvas.rounded(x, 46, size, size, size / 2, (*SOFT[:3], 150))
            canvas.hole(x + 2, 48, size - 4, size - 4, size / 2 - 2, (0, 0, 0, 0))


def _message(canvas: Canvas, top: float, message: Wording, room: float) -> float:
    """Write a message below `top`, no taller than `room`; returns where it ends."""
    colour = SEVERITIES[message.severity]
    headline_colour = TEXT if message.severity is Severity.QUIET else colour
    for size in _SIZES:
        headline = Style(21 * size, headline_colour, bold=True)
        lines = [(line, headline) for line in canvas.wrap(message.text, headline, INNER - _INDENT)]
        detail = Style(15 * size, SOFT)
        lines += [(line, detail) for line in canvas.wrap(message.detail, detail, INNER - _INDENT)]
        remedy = Style(18 * size, TEXT)
        lines += [(line, remedy) for line in canvas.wrap(message.remedy, remedy, INNER - _INDENT)]
        height = sum(1.22 * style.size for _, style in lines)
        if height <= room:
            break
    baseline = top
    for line, style in lines:
        baseline += 1.22 * style.size
        canvas.text(PAD + _INDENT, baseline, line, canvas.fitting(line, style, INNER - _INDENT))
    canvas.rounded(PAD, top + 5, 4, baseline - top, 2, colour)
    return baseline + 4
