"""The left card: the fibrosis stage, its probabilities, the stiffness, and the line about research use."""

from __future__ import annotations

from firmware_app.outcome import SPREAD_LIMIT
from firmware_app.overlay.canvas import Canvas, Style
from firmware_app.overlay.card import CARD_WIDTH, INNER, PAD, RADIUS, card_canvas
from firmware_app.overlay.palette import BLUE, HAIRLINE, ORANGE, PANEL, RIM, SOFT, TEXT, TRACK
from firmware_app.overlay.state import Chances, Estimate, OverlayState
from firmware_app.wording import Labels, sentences

_CAPTION = Style(13, SOFT, bold=True)
_REMARK = Style(16, SOFT)
_LABEL = Style(15, TEXT)
_LEGEND = Style(13, SOFT)
_NAME = Style(14, SOFT)
_VALUE = Style(19, TEXT, bold=True)
_NOTICE = Style(14, TEXT)
_LABELS = ("\u2265S2", "\u2265S3", "S4")
_TRACK_X, _TRACK_WIDTH, _THICK = 60.0, 100.0, 10.0
_RIGHT = CARD_WIDTH - PAD


def outcome_card(state: OverlayState, unit: float, *, hidden: bool) -> Canvas:
    """Draw the card.

    Args:
        state: what is known.
        unit: pixels per unit.
        hidden: whether the patient's name is not in sight, and so nothing is said about a patient.
    """
    words = sentences(state.language)
    canvas = card_canvas(unit, state.language)
    estimate = None if hidden else state.estimate
    preview = None if hidden else state.preview
    canvas.text(PAD, 27, words.labels.stage, canvas.fitting(words.labels.stage, _CAPTION, INNER))
    shown = None if estimate is None else estimate.stage_text
    stage = "\u2013" if shown is None else shown.replace("-", "\u2013")
    style = Style(62, SOFT if shown is None else TEXT, bold=shown is not None)
    canvas.text(PAD, 87, stage, canvas.fitting(stage, style, INNER))
    baseline = _remarks(canvas, state, words.labels, hidden=hidden)
    if estimate is None or estimate.chances is not None or preview is not None:
        for row in range(3):
            _bar(canvas, baseline + 26 + 27 * row, row, estimate, preview, words.labels)
        baseline += 27 * 3
    baseline += 26
    if estimate is not None and preview is not None:
        canvas.rounded(PAD, baseline - 14, 3, 14, 1, TEXT)
        canvas.text(PAD + 10, baseline - 3, words.labels.preview_remark, _LEGEND)
        baseline += 16
    if estimate is not None:
        baseline = _stiffness(canvas, baseline, estimate, words.labels)
    canvas.rounded(PAD, baseline, INNER, 1, 0, HAIRLINE)
    baseline += 4
    for line in canvas.wrap(words.notice, _NOTICE, INNER):
        baseline += 19
        canvas.text(PAD, baseline, line, _NOTICE)
    return canvas.on_panel(baseline + PAD, RADIUS, PANEL, RIM)


def _remarks(canvas: Canvas, state: OverlayState, labels: Labels, *, hidden: bool) -> float:
    """Write what there is to know about the stage; returns the last baseline."""
    told: list[tuple[str, Style]] = []
    estimate = state.estimate
    if hidden:
        told.append((labels.elsewhere, _REMARK))
    elif estimate is None:
        told.append((labels.preview_remark if state.preview else labels.no_outcome, _REMARK))
    else:
        if estimate.stage_text is None:
            told.append((labels.no_model, Style(16, ORANGE)))
        elif estimate.indeterminate:
            told.append((labels.indeterminate, Style(16, ORANGE, bold=True)))
        kind = labels.provisional if estimate.provisional else labels.final
        text = kind.format(n=estimate.n, needed=state.needed)
        told.append((text, Style(16, ORANGE if estimate.provisional else SOFT)))
        told += [
            (line, Style(14, ORANGE))
            for doubt in estimate.doubts
            for line in canvas.wrap(doubt, Style(14, ORANGE), INNER)
        ]
    baseline = 92.0
    for text, style in told:
        baseline += 21
        canvas.text(PAD, baseline, text, canvas.fitting(text, style, INNER))
    return baseline


def _bar(  # noqa: PLR0913, PLR0917 - where, which, and the two things that are told on it
    canvas: Canvas, y: float, row: int, estimate: Estimate | None, preview: Chances | None, labels: Labels
) -> None:
    canvas.text(PAD, y + 5, _LABELS[row], _LABEL)
    canvas.rounded(_TRACK_X, y - 5, _TRACK_WIDTH, _THICK, _THICK / 2, TRACK)
    chances = None if estimate is None else estimate.chances
    value: str | None = None
    if chances is not None and estimate is not None:
        colour = (*BLUE[:3], 130) if estimate.provisional else BLUE
        canvas.rounded(_TRACK_X, y - 5, max(_THICK, _TRACK_WIDTH * chances[row]), _THICK, _THICK / 2, colour)
        value = f"{chances[row]:.2f}"
    if preview is not None:
        _hollow(canvas, y, preview[row], as_mark=value is not None)
        value = value or f"{preview[row]:.2f}"
    known = chances is not None
    style = Style(16, TEXT if known else SOFT, bold=known)
    canvas.text(_RIGHT, y + 5, (value or "\u2013").replace(".", labels.decimal), style, "rs")


def _hollow(canvas: Canvas, y: float, chance: float, *, as_mark: bool) -> None:
    """A live frame's probability: a hollow bar, or a mark across the bar of what counts."""
    length = max(_THICK, _TRACK_WIDTH * chance)
    if as_mark:
        canvas.rounded(_TRACK_X + _TRACK_WIDTH * chance - 1.5, y - 9, 3, _THICK + 8, 1, TEXT)
        return
    canvas.rounded(_TRACK_X, y - 5, length, _THICK, _THICK / 2, BLUE)
    canvas.hole(_TRACK_X + 1.5, y - 3.5, length - 3, _THICK - 3, _THICK / 2 - 1.5, (0, 0, 0, 0))


def _stiffness(canvas: Canvas, top: float, estimate: Estimate, labels: Labels) -> float:
    """Write the liver stiffness below `top`; returns where it ends."""
    canvas.rounded(PAD, top - 8, INNER, 1, 0, HAIRLINE)
    canvas.text(PAD, top + 13, labels.stiffness, _CAPTION)
    spread_style = _VALUE if estimate.spread_ok else Style(19, ORANGE, bold=True)
    rows = (
        (labels.mean, f"{estimate.mean_kpa:.1f} kPa", _VALUE),
        (labels.median, f"{estimate.median_kpa:.1f} kPa", Style(16, TEXT)),
        (labels.spread, f"{100 * estimate.spread:.0f} %", spread_style),
    )
    baseline = top + 14
    for name, value, style in rows:
        baseline += 23
        canvas.text(PAD, baseline, name, _NAME)
        canvas.text(_RIGHT, baseline, value.replace(".", labels.decimal), style, "rs")
    rule = labels.spread_ok if estimate.spread_ok else labels.spread_bad
    text = rule.format(limit=f"{100 * SPREAD_LIMIT:.0f}")
    style = Style(14, SOFT if estimate.spread_ok else ORANGE, bold=not estimate.spread_ok)
    canvas.text(PAD, baseline + 19, text, canvas.fitting(text, style, INNER))
    return baseline + 30
