"""What the overlay shows: a pure function from the appliance's state to small patches.

Two cards stand in the free lower halves of the screen's outer columns: the outcome at the left, the
acquisitions at the right. Both fit beside the panes of a 4:3 screen and inside the bars of a pillar-boxed
one. Over the panes themselves lie only thin outlines: the analysed square in both, and the Q-box. The line
about research use is part of the left card and cannot be switched off.

Colours are told apart by people with any colour vision (Okabe & Ito 2008), and never carry a meaning alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_app.journey import Circle, Panes, Roi, Square
from firmware_app.overlay.canvas import Canvas, Colour, Style
from firmware_app.wording import NOTICE, Severity, Wording

_CARD_WIDTH = 212.0
_PAD = 14.0
_INNER = _CARD_WIDTH - 2 * _PAD
_RADIUS = 10.0
_MARGIN = 8.0
_SMALLEST_UNIT = 0.65
_LEFT_TOP, _RIGHT_TOP = 0.50, 0.612
"""Upper edges of the cards as shares of the height: below the scanner's settings, and below its read-out."""

_PANEL: Colour = (13, 16, 21, 228)
_RIM: Colour = (58, 63, 72, 230)
_HAIRLINE: Colour = (255, 255, 255, 40)
_TRACK: Colour = (255, 255, 255, 36)
_TEXT: Colour = (238, 240, 243, 255)
_SOFT: Colour = (171, 178, 189, 255)
_BLUE: Colour = (86, 180, 233, 255)
_ORANGE: Colour = (230, 159, 0, 255)
_RED: Colour = (240, 100, 60, 255)
_OUTLINE: Colour = (255, 66, 58, 255)
_RING: Colour = (255, 255, 255, 255)
_EDGE: Colour = (0, 0, 0, 190)

_LABELS = ("\u2265S2", "\u2265S3", "S4")
_SEVERITY_COLOURS = {Severity.QUIET: _SOFT, Severity.NOTICE: _ORANGE, Severity.ALARM: _RED}

_CAPTION = Style(13, _SOFT, bold=True)
_SMALL = Style(12, _SOFT)
_NOTICE_STYLE = Style(15, _TEXT)


@dataclass(frozen=True, slots=True)
class Patch:
    """A picture to lay over the display: its upper left corner, and BGRA pixels (h, w, 4), straight alpha."""

    x: int
    y: int
    pixels: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class OverlayState:
    """Everything that the overlay tells; what is None is not known and not shown.

    Attributes:
        roi: the analysed square in both panes.
        q_box: the scanner's measuring circle.
        panes: where the two panes stand; the cards keep clear of them.
        accepted: acquisitions accepted so far.
        needed: acquisitions of a whole exam.
        refused: acquisitions refused so far.
        probabilities: of >=S2, >=S3 and S4, 0-1.
        provisional: the outcome rests on fewer acquisitions than needed.
        stage_text: "S3", "S0-S1", or "indeterminate S2-S3".
        lsm_mean_kpa: mean liver stiffness of the accepted acquisitions.
        message: a refusal or another thing to know, and what to do about it.
        runtime: where the networks run, for example "OpenVINO CPU INT8".
        bundle_id: which model speaks.
        latency_ms: of the last inference.
    """

    runtime: str
    bundle_id: str
    roi: Roi | None = None
    q_box: Circle | None = None
    panes: Panes | None = None
    accepted: int = 0
    needed: int = 5
    refused: int = 0
    probabilities: tuple[float, float, float] | None = None
    provisional: bool = False
    stage_text: str | None = None
    lsm_mean_kpa: float | None = None
    message: Wording | None = None
    latency_ms: float | None = None


def draw(state: OverlayState, width: int, height: int) -> tuple[Patch, ...]:
    """Draw the overlay for a screen of this size in pixels.

    Raises:
        ConfigError: the font is not installed.
    """
    unit = height / 1080
    card_unit = _card_unit(state.panes, width, unit)
    outcome, progress = _outcome_card(state, card_unit), _progress_card(state, card_unit)
    left = round(_MARGIN * unit)
    right = width - left - progress.shape[1]
    cards = (
        Patch(left, round(_LEFT_TOP * height), outcome),
        Patch(right, round(_RIGHT_TOP * height), progress),
    )
    return cards + _outlines(state, unit)


def _card_unit(panes: Panes | None, width: int, unit: float) -> float:
    """Pixels per unit of the cards: larger on half-size screens, to be legible; smaller near the panes."""
    wanted = max(unit, min(_SMALLEST_UNIT, 1.3 * unit))
    if panes is None:
        return wanted
    free = min(panes.elastogram.x, width - panes.elastogram.x - panes.elastogram.w) - 2 * _MARGIN * unit
    return max(0.6 * unit, min(wanted, free / _CARD_WIDTH))


def _outcome_card(state: OverlayState, unit: float) -> npt.NDArray[np.uint8]:
    canvas = Canvas(_CARD_WIDTH, 420, unit)
    canvas.text(_PAD, 27, "FIBROSIS STAGE", _CAPTION)
    stage, remark = _stage_words(state)
    known = state.stage_text is not None
    style = Style(54, _TEXT if known else _SOFT, bold=known)
    canvas.text(_PAD, 82, stage, canvas.fitting(stage, style, _INNER))
    canvas.text(_PAD, 107, remark, Style(14, _ORANGE if state.provisional else _SOFT))
    for row in range(3):
        _bar(canvas, 138 + 29 * row, row, state)
    canvas.text(_PAD, 239, "LSM mean", Style(14, _SOFT))
    lsm = "\u2013" if state.lsm_mean_kpa is None else f"{state.lsm_mean_kpa:.1f} kPa"
    canvas.text(_CARD_WIDTH - _PAD, 239, lsm, Style(17, _TEXT, bold=state.lsm_mean_kpa is not None), "rs")
    canvas.rounded(_PAD, 256, _INNER, 1, 0, _HAIRLINE)
    baseline = 262.0
    for sentence in NOTICE.removesuffix(".").split(". "):
        for line in canvas.wrap(f"{sentence}.", _NOTICE_STYLE, _INNER):
            baseline += 20
            canvas.text(_PAD, baseline, line, _NOTICE_STYLE)
    return canvas.on_panel(baseline + _PAD, _RADIUS, _PANEL, _RIM).pixels()


def _stage_words(state: OverlayState) -> tuple[str, str]:
    """The stage in large letters, and the remark below it."""
    if state.stage_text is None:
        return "\u2013", "no outcome yet"
    kind, _, interval = state.stage_text.rpartition(" ")
    remarks = [kind] if kind else []
    if state.provisional:
        remarks.append(f"provisional, {state.accepted} of {state.needed}")
    return interval.replace("-", "\u2013"), ", ".join(remarks)


def _bar(canvas: Canvas, y: float, row: int, state: OverlayState) -> None:
    track_x, track_width, thick = 58.0, 94.0, 9.0
    canvas.text(_PAD, y + 5, _LABELS[row], Style(15, _TEXT))
    canvas.rounded(track_x, y - 5, track_width, thick, thick / 2, _TRACK)
    if state.probabilities is None:
        canvas.text(_CARD_WIDTH - _PAD, y + 5, "\u2013", Style(15, _SOFT), "rs")
        return
    probability = state.probabilities[row]
    colour = (*_BLUE[:3], 130) if state.provisional else _BLUE
    canvas.rounded(track_x, y - 5, max(thick, track_width * probability), thick, thick / 2, colour)
    canvas.text(_CARD_WIDTH - _PAD, y + 5, f"{probability:.2f}", Style(15, _TEXT), "rs")


def _progress_card(state: OverlayState, unit: float) -> npt.NDArray[np.uint8]:
    canvas = Canvas(_CARD_WIDTH, 420, unit)
    canvas.text(_PAD, 27, "ACQUISITIONS", _CAPTION)
    canvas.text(_CARD_WIDTH - _PAD, 27, f"{state.accepted} of {state.needed}", Style(15, _TEXT), "rs")
    _marks(canvas, state)
    baseline = 68.0
    if state.refused:
        baseline += 22
        canvas.text(_PAD, baseline, f"{state.refused} refused", Style(14, _SOFT))
    if state.message is not None:
        baseline = _message(canvas, baseline + 8, state.message)
    baseline += 16
    canvas.rounded(_PAD, baseline, _INNER, 1, 0, _HAIRLINE)
    baseline += 4
    for line in _provenance(state):
        baseline += 18
        canvas.text(_PAD, baseline, line, canvas.fitting(line, _SMALL, _INNER))
    return canvas.on_panel(baseline + _PAD, _RADIUS, _PANEL, _RIM).pixels()


def _marks(canvas: Canvas, state: OverlayState) -> None:
    size, gap = 24.0, 13.0
    for index in range(state.needed):
        x = _PAD + index * (size + gap)
        if index < state.accepted:
            canvas.rounded(x, 42, size, size, size / 2, _BLUE)
        else:
            canvas.rounded(x, 42, size, size, size / 2, (*_SOFT[:3], 150))
            canvas.hole(x + 2, 44, size - 4, size - 4, size / 2 - 2, (0, 0, 0, 0))


def _message(canvas: Canvas, top: float, message: Wording) -> float:
    """Write a message below `top`; returns where it ends."""
    colour = _SEVERITY_COLOURS[message.severity]
    text, remedy = Style(17, colour, bold=True), Style(15, _TEXT)
    width = _INNER - 12
    baseline = top
    for line in canvas.wrap(message.text, text, width):
        baseline += 21
        canvas.text(_PAD + 12, baseline, line, text)
    for line in canvas.wrap(message.remedy, remedy, width):
        baseline += 20
        canvas.text(_PAD + 12, baseline, line, remedy)
    canvas.rounded(_PAD, top + 5, 4, baseline - top, 2, colour)
    return baseline + 5


def _provenance(state: OverlayState) -> list[str]:
    lines = [state.runtime, state.bundle_id]
    if state.latency_ms is not None:
        lines.append(f"{state.latency_ms:.0f} ms per analysis")
    return [line for line in lines if line]


def _outlines(state: OverlayState, unit: float) -> tuple[Patch, ...]:
    patches: list[Patch] = []
    core, edge = max(1, round(2 * unit)), max(1, round(unit))
    if state.roi is not None:
        patches += _square(state.roi.elastogram, core, edge) + _square(state.roi.gray, core, edge)
    if state.q_box is not None:
        patches.append(_ring(state.q_box, core, edge))
    return tuple(patches)


def _square(square: Square, core: int, edge: int) -> list[Patch]:
    """Four strips around the square: a bright core between two dark edges, all of it outside the square."""
    thick = core + 2 * edge
    across, along = np.arange(thick), np.arange(square.side + 2 * thick)
    from_end = np.minimum(along, along[::-1])
    upper = _edged(np.minimum(across[:, None], from_end), core, edge)
    left = _edged(np.broadcast_to(across, (square.side, thick)), core, edge)
    x, y, far = square.x - thick, square.y - thick, square.side + thick
    return [
        Patch(x, y, upper),
        Patch(x, y + far, np.ascontiguousarray(upper[::-1])),
        Patch(x, square.y, left),
        Patch(x + far, square.y, np.ascontiguousarray(left[:, ::-1])),
    ]


def _edged(inwards: npt.NDArray[np.intp], core: int, edge: int) -> npt.NDArray[np.uint8]:
    """Pixels of a line, from each one's distance to the line's outer border."""
    is_core = (inwards >= edge) & (inwards < edge + core)
    return np.where(is_core[..., None], _bgra(_OUTLINE), _bgra(_EDGE)).astype(np.uint8)


def _ring(circle: Circle, core: int, edge: int) -> Patch:
    """A ring just outside the circle, smooth at its edges."""
    outer = circle.r + core + 2 * edge
    x0, y0 = math.floor(circle.x - outer), math.floor(circle.y - outer)
    size = math.ceil(2 * outer) + 2
    rows, columns = np.ogrid[:size, :size]
    distance = np.hypot(columns + x0 - circle.x, rows + y0 - circle.y)
    middle = circle.r + edge + core / 2
    away = np.abs(distance - middle)
    bright = np.clip(core / 2 + 0.5 - away, 0, 1)
    covered = np.clip(core / 2 + edge + 0.5 - away, 0, 1)
    pixels = np.zeros((size, size, 4), np.uint8)
    pixels[..., :3] = (bright[..., None] * _bgra(_RING)[:3]).astype(np.uint8)
    pixels[..., 3] = (covered * _EDGE[3] + bright * (255 - _EDGE[3])).astype(np.uint8)
    return Patch(x0, y0, pixels)


def _bgra(colour: Colour) -> Colour:
    red, green, blue, alpha = colour
    return blue, green, red, alpha
