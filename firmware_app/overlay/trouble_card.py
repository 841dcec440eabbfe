"""The card of safe mode: why there are no results, across the lower part of the screen."""

from __future__ import annotations

from firmware_app.overlay.canvas import Canvas, Colour, Style
from firmware_app.overlay.layers import Patch
from firmware_app.wording import NOTICE

_PANEL: Colour = (13, 16, 21, 236)
_RIM: Colour = (240, 100, 60, 255)
_HEADING = Style(30, (240, 100, 60, 255), bold=True)
_TEXT = Style(22, (238, 240, 243, 255))
_SOFT = Style(17, (171, 178, 189, 255))
_PAD = 28.0
_LONGEST = 8
"""Lines; a longer sentence is cut, the status and the log have it all."""


def trouble_card(sentence: str, width: int, height: int) -> tuple[Patch, ...]:
    """Draw the card for a screen of this size in pixels.

    Raises:
        ConfigError: the font is not installed.
    """
    unit = min(height / 1080, width / 1080)
    across = 0.86 * width / unit
    canvas = Canvas(across, 600, unit)
    lines = canvas.wrap(sentence, _TEXT, across - 2 * _PAD)
    if len(lines) > _LONGEST:
        lines = [*lines[: _LONGEST - 1], "..."]
    baseline = _PAD + 26
    canvas.text(_PAD, baseline, "Safe mode: no results", _HEADING)
    baseline += 14
    for line in lines:
        baseline += 32
        canvas.text(_PAD, baseline, line, canvas.fitting(line, _TEXT, across - 2 * _PAD))
    remedy = "Tell the technician. When the configuration is mended, the appliance starts by itself."
    for line in (remedy, NOTICE):
        baseline += 34
        canvas.text(_PAD, baseline, line, canvas.fitting(line, _SOFT, across - 2 * _PAD))
    pixels = canvas.on_panel(baseline + _PAD, 12, _PANEL, _RIM).pixels()
    x = (width - pixels.shape[1]) // 2
    return (Patch(x, max(0, round(0.95 * height) - pixels.shape[0]), pixels),)
