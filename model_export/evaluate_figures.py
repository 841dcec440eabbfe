"""ROC curves as in Figures 3 and 4 of the paper, reliability and decision curves: PNG and SVG.

Drawn without pyplot, so nothing depends on a display or on global state; the same results give the same
bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from model_export.evaluate_results import CohortResult, MethodResult
from model_export.evaluate_scores import THRESHOLDS, Threshold, base_of
from model_export.figure_files import FigureFile, Words, save_figure
from model_export.statistics.calibration_curve import ReliabilityBin

PANELS = tuple(reversed(THRESHOLDS))
"""S4, >=S3, >=S2: the order of the paper's tables and figures."""

Dash: TypeAlias = "str | tuple[float, tuple[float, ...]]"
"""A line style as matplotlib takes it."""

Styles: TypeAlias = "dict[str, tuple[str, Dash]]"
"""Colour and dash by method."""

Line: TypeAlias = "Callable[[Axes, str, MethodResult, str, Dash], None]"

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#B8860B", "#444444")
"""Okabe and Ito's palette, told apart by colour-blind readers; yellow is darkened to be seen on white."""

_DASHES: tuple[Dash, ...] = (
    "-",
    (0, (6, 2)),
    (0, (6, 2, 1.2, 2)),
    (0, (3, 1.5)),
    (0, (8, 2, 1.2, 2, 1.2, 2)),
    (0, (10, 3)),
    (0, (4, 1.5, 4, 1.5, 1.2, 1.5)),
)
"""A dash for every colour: the lines are told apart in print without colours too."""

_GREY = "#B0B0B0"


def label_of(threshold: str) -> str:
    """A threshold as the paper prints it."""
    return threshold.replace(">=", "≥ ")


def draw_figures(result: CohortResult, folder: Path) -> tuple[FigureFile, ...]:
    """Draw the three figures of a cohort into a folder, each as PNG and SVG.

    Raises:
        OSError: the folder cannot be written.
    """
    roc = save_figure(
        lambda: _roc_canvas(result),
        folder,
        Words(
            "roc",
            "ROC curves",
            "Patients are the unit; AUC beside each name. A dot marks the cut-off of the tables.",
        ),
    )
    return roc, calibration_figure(result, folder), decision_figure(result, folder)


def calibration_figure(result: CohortResult, folder: Path) -> FigureFile:
    """Draw how far the probabilities of every method can be taken at their word; raises OSError."""
    return save_figure(
        lambda: _calibration_canvas(result),
        folder,
        Words(
            "calibration",
            "Reliability",
            "Observed share against predicted probability, ten bins of equal width, with exact 95 % "
            f"intervals; larger dots hold more patients.{_caution(result)}",
        ),
    )


def decision_figure(result: CohortResult, folder: Path) -> FigureFile:
    """Draw the net benefit of every method; raises OSError."""
    return save_figure(
        lambda: _decision_canvas(result),
        folder,
        Words(
            "decision",
            "Decision curves",
            "Net benefit of acting on the score, beside acting on everybody (grey curve) and on nobody (grey "
            f"line).{_caution(result)}",
        ),
    )


def _caution(result: CohortResult) -> str:
    fitted = " Probabilities by a logistic curve fitted on these very patients: optimistic."
    return fitted if result.optimistic else ""


def _roc_canvas(result: CohortResult) -> Canvas:
    canvas = Canvas(figsize=(11.0, 4.0), layout="constrained")
    styles = line_styles(list(next(iter(result.methods.values()))))
    for axes, threshold in zip(canvas.subplots(1, 3), PANELS, strict=True):
        roc_panel(axes, result, threshold, styles)
    return canvas


def roc_panel(axes: Axes, result: CohortResult, threshold: Threshold, styles: Styles) -> None:
    """ROC curves of the methods that have a style, and the AUC of each in the legend."""
    unit_square(axes)
    axes.set_xlabel("1 - specificity")
    axes.set_ylabel("Sensitivity")
    _lines(axes, result, threshold, _roc_line, styles)
    if not _legend(axes, "lower right"):
        _empty(axes)


def _decision_canvas(result: CohortResult) -> Canvas:
    canvas = Canvas(figsize=(11.0, 4.1), layout="constrained")
    at = np.linspace(0.001, 0.99, 200)
    styles = line_styles(list(next(iter(result.methods.values()))))
    panels = canvas.subplots(1, 3)
    for axes, threshold in zip(panels, PANELS, strict=True):
        prevalence = sum(result.stage_counts[threshold.stage :]) / result.n_patients
        axes.plot(at, prevalence - (1.0 - prevalence) * at / (1.0 - at), color=_GREY, linewidth=1.2, zorder=0)
        axes.axhline(0.0, color=_GREY, linewidth=1.2, zorder=0)
        axes.set_xlim(0.0, 1.0)
        axes.set_ylim(-0.06, max(prevalence, 0.1) * 1.1)
        axes.set_xlabel("Threshold probability")
        axes.set_ylabel("Net benefit")
        _lines(axes, result, threshold, _decision_line, styles)
        if not axes.get_legend_handles_labels()[1]:
            _empty(axes)
    # One legend for all panels, beside them: a curve may go anywhere within.
    entries = {
        name: line for axes in panels for line, name in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if entries:
        canvas.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=9)
    return canvas


def _lines(axes: Axes, result: CohortResult, threshold: Threshold, line: Line, styles: Styles) -> None:
    """A title and one line per method that has a style."""
    axes.set_title(label_of(threshold.name))
    methods = result.methods[threshold.name]
    for name, (colour, dash) in styles.items():
        if name in methods:
            line(axes, name, methods[name], colour, dash)


def _legend(axes: Axes, place: Literal["lower right", "upper right"]) -> bool:
    """A legend, unless nothing was drawn."""
    drawn = bool(axes.get_legend_handles_labels()[1])
    if drawn:
        axes.legend(loc=place)
    return drawn


def line_styles(names: Sequence[str]) -> Styles:
    """A colour and a dash per method; the twin without transfer learning is its method's colour, dotted."""
    own = [name for name in names if base_of(name) == name or base_of(name) not in names]
    wheel = itertools.cycle(zip(_COLOURS, _DASHES, strict=True))
    styles = dict(zip(own, wheel, strict=False))
    dots = itertools.count(1.2, 1.6)
    return {name: styles.get(name) or (styles[base_of(name)][0], (0, (1.2, next(dots)))) for name in names}


def _roc_line(axes: Axes, name: str, method: MethodResult, colour: str, dash: Dash) -> None:
    if method.roc is None or method.auc.value is None:
        return
    axes.plot(*method.roc.T, linestyle=dash, color=colour, label=f"{name}  {method.auc.value:.3f}")
    if method.figures is None:
        return
    sensitivity, specificity = method.figures.sensitivity.value, method.figures.specificity.value
    if sensitivity is not None and specificity is not None:
        axes.plot(1.0 - specificity, sensitivity, "o", color=colour)


def _decision_line(axes: Axes, name: str, method: MethodResult, colour: str, dash: Dash) -> None:
    if method.probability is None:
        return
    curve = method.probability.decision
    axes.plot(curve.threshold_probability, curve.net_benefit, linestyle=dash, color=colour, label=name)


def _calibration_canvas(result: CohortResult) -> Canvas:
    """Small multiples: a column per method, a row per threshold, so that no curve hides another."""
    methods = list(next(iter(result.methods.values())))
    canvas = Canvas(figsize=(max(6.0, 1.75 * len(methods) + 0.5), 5.9), layout="constrained")
    grid = canvas.subplots(3, len(methods), squeeze=False, sharex=True, sharey=True)
    for row, (panels, threshold) in enumerate(zip(grid, PANELS, strict=True)):
        panels[0].set_ylabel(f"{label_of(threshold.name)}\nobserved")
        for axes, name in zip(panels, methods, strict=True):
            if row == 0:
                axes.set_title(name)
            if row == len(PANELS) - 1:
                axes.set_xlabel("predicted")
            _reliability(axes, result.methods[threshold.name][name])
    return canvas


def _reliability(axes: Axes, method: MethodResult) -> None:
    unit_square(axes)
    if method.probability is None:
        _empty(axes)
        return
    judged = method.probability.calibration
    for one in judged.bins:
        low, high = _ends(one)
        axes.plot([one.predicted, one.predicted], [low, high], color=_COLOURS[0], linewidth=1.0, alpha=0.55)
    observed = [one.observed.value or 0.0 for one in judged.bins]
    predicted = [one.predicted for one in judged.bins]
    axes.scatter(predicted, observed, s=[6.0 + one.n for one in judged.bins], color=_COLOURS[0], zorder=3)
    words = f"Brier {judged.brier:.3f}\nECE {judged.expected_calibration_error:.3f}"
    axes.text(0.98, 0.03, words, ha="right", va="bottom", fontsize=7, color="#444444")


def _ends(one: ReliabilityBin) -> tuple[float, float]:
    """The interval of an observed share; a bin is never empty, so it always has one."""
    return one.observed.low or 0.0, 1.0 if one.observed.high is None else one.observed.high


def unit_square(axes: Axes) -> None:
    """The range of two fractions with the diagonal."""
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1.0, zorder=0)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.set_yticks([0.0, 0.5, 1.0])
    axes.set_aspect("equal")


def _empty(axes: Axes) -> None:
    words = "not defined here"
    axes.text(0.5, 0.5, words, ha="center", va="center", color="#777777", transform=axes.transAxes)
