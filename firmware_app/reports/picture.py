"""The result as a page, drawn from its payload alone: what has no name in it cannot show one."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from firmware_app.overlay.canvas import Canvas, Colour, Style
from firmware_app.ward.messages import Probabilities, ResultMessage
from firmware_app.wording import NOTICE

WIDTH, HEIGHT = 960.0, 720.0
_PAPER: Colour = (250, 250, 248, 255)
_INK: Colour = (24, 27, 33, 255)
_SOFT: Colour = (96, 102, 112, 255)
_TRACK: Colour = (224, 226, 230, 255)
_BLUE: Colour = (0, 114, 178, 255)
_ALERT: Colour = (213, 94, 0, 255)
_LEFT, _RIGHT = 56.0, WIDTH - 56.0
_COLUMNS = (_LEFT, 300.0, 470.0, 640.0)
_TITLE, _STAGE = Style(22, _SOFT), Style(72, _INK, bold=True)
_BODY, _BOLD, _SMALL = Style(20, _INK), Style(20, _INK, bold=True), Style(15, _SOFT)


def draw_result(result: ResultMessage) -> npt.NDArray[np.uint8]:
    """Draw the page.

    Returns:
        RGB picture (720, 960, 3), uint8.
    """
    page = Canvas(WIDTH, HEIGHT, 1.0)
    page.rounded(0, 0, WIDTH, HEIGHT, 1, _PAPER)
    page.text(_LEFT, 52, "fibrostage: liver fibrosis, 2D shear-wave elastography", _TITLE)
    stage = f"{result.stage_text} (indeterminate)" if result.indeterminate else result.stage_text
    page.text(_LEFT, 138, stage, page.fitting(stage, _STAGE, _RIGHT - _LEFT))
    acquisitions = f"{result.n_acquisitions} acquisitions, {result.time:%Y-%m-%d %H:%M} UTC"
    page.text(_LEFT, 174, acquisitions + ("" if result.time_trusted else " (clock not synchronised)"), _SMALL)
    _draw_bars(page, result.probabilities)
    _draw_stiffness(page, result)
    _draw_methods(page, result)
    _draw_foot(page, result)
    return np.ascontiguousarray(page.pixels()[:, :, [2, 1, 0]])


def _draw_bars(page: Canvas, probabilities: Probabilities | None) -> None:
    if probabilities is None:
        page.text(_LEFT, 226, "No model: stiffness only", _BODY)
        return
    given = zip(_NAMES, (probabilities.ge_s2, probabilities.ge_s3, probabilities.s4), strict=True)
    for row, (name, value) in enumerate(given):
        y = 212.0 + 34 * row
        page.text(_LEFT, y + 16, name, _BOLD)
        page.rounded(120, y, _RIGHT - 220, 20, 10, _TRACK)
        if value >= 0.02:
            page.rounded(120, y, (_RIGHT - 220) * value, 20, 10, _BLUE)
        page.text(_RIGHT, y + 16, f"{100 * value:.0f} %", _BOLD, "rs")


_NAMES = ("\u2265S2", "\u2265S3", "S4")


def _draw_stiffness(page: Canvas, result: ResultMessage) -> None:
    lsm = result.lsm
    text = (
        f"Stiffness: mean {lsm.mean_kpa:.1f} kPa, median {lsm.median_kpa:.1f} kPa, IQR {lsm.iqr_kpa:.1f} kPa"
    )
    page.text(_LEFT, 352, f"{text} ({100 * lsm.iqr_over_median:.0f} % of the median)", _BODY)
    if not result.reliability.ok:
        doubts = "Not reliable: " + "; ".join(result.reliability.texts)
        page.text(_LEFT, 382, doubts, page.fitting(doubts, Style(20, _ALERT, bold=True), _RIGHT - _LEFT))


def _draw_methods(page: Canvas, result: ResultMessage) -> None:
    methods = result.methods
    for x, name in zip(_COLUMNS[1:], _NAMES, strict=True):
        page.text(x, 424, name, _BOLD)
    rows = (("GM", methods.gm), ("EM", methods.em), ("GM+EM", methods.gm_em), ("GM+LSM", methods.gm_lsm))
    for row, (name, values) in enumerate(rows):
        y = 454.0 + 28 * row
        page.text(_LEFT, y, name, _BODY)
        cells = ("-",) * 3 if values is None else _percents(values)
        for x, cell in zip(_COLUMNS[1:], cells, strict=True):
            page.text(x, y, cell, _BODY)
    lsm = "S0-S1" if methods.lsm.stage == 0 else f"S{methods.lsm.stage}"
    page.text(_LEFT, 566, "LSM", _BODY)
    page.text(_COLUMNS[1], 566, f"{lsm} by cut-offs of {methods.lsm.cutoffs}", _SMALL)
    serum = ", ".join(
        f"{name} {score.value:.2f}"
        for name, score in (("APRI", methods.apri), ("FIB-4", methods.fib4))
        if score is not None
    )
    page.text(_LEFT, 594, serum or "APRI, FIB-4: no serum values entered", _SMALL)


def _percents(values: Probabilities) -> tuple[str, str, str]:
    return f"{100 * values.ge_s2:.0f} %", f"{100 * values.ge_s3:.0f} %", f"{100 * values.s4:.0f} %"


def _draw_foot(page: Canvas, result: ResultMessage) -> None:
    evidence = f"{result.software}; {result.bundle_id or 'no bundle'}; {result.runtime or 'no runtime'}"
    page.text(_LEFT, 630, evidence, page.fitting(evidence, _SMALL, _RIGHT - _LEFT))
    ids = f"result {result.id}; exam {result.exam_id}; screen profile {result.profile_id or '-'}"
    page.text(_LEFT, 652, ids, page.fitting(ids, _SMALL, _RIGHT - _LEFT))
    page.text(_LEFT, 692, NOTICE, page.fitting(NOTICE, Style(20, _ALERT, bold=True), _RIGHT - _LEFT))
