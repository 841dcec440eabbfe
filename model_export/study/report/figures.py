"""Figures 3 and 4 as the paper draws them, and how training converged with and without transfer learning."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from model_export.evaluate_figures import (
    PANELS,
    Styles,
    calibration_figure,
    decision_figure,
    line_styles,
    roc_panel,
)
from model_export.evaluate_results import CohortResult
from model_export.figure_files import FigureFile, Words, save_figure
from model_export.study.report.study_folder import Curves, Epoch

METHODS = ("APRI", "FIB-4", "LSM", "GM", "EM", "GM+LSM", "GM+EM", "GM non-TL", "EM non-TL")
"""Methods of the paper in the order of its tables; each has one look in all figures."""
BEST_FIRST = (*reversed(METHODS[:7]), *METHODS[7:])
"""From GM+EM down, so that the plainest lines are the most important ones; the twins last."""
TWINS = ("GM non-TL", "GM", "EM non-TL", "EM")
"""Methods of Figure 3."""
JUDGED = ("LSM", "GM", "EM", "GM+LSM", "GM+EM")
"""Methods whose calibration is drawn; the serum scores are no probabilities of a network."""
KINDS = ("TL", "non-TL")
PHASES = {"head": "head alone", "top": "fine-tuning", "whole": "fine-tuning"}
"""What a part of the training is called in the figure."""


@dataclass(frozen=True, slots=True)
class StudyFigures:
    """The figures of the study but for the gallery; `convergence` None when no loss was recorded."""

    figure_3: FigureFile
    figure_4: FigureFile
    calibration: FigureFile
    decision: FigureFile
    convergence: FigureFile | None


def draw_study_figures(test: CohortResult, training: CohortResult, curves: Curves, out: Path) -> StudyFigures:
    """Draw all figures but the gallery into a folder, each as PNG and SVG.

    Raises:
        OSError: the folder cannot be written.
    """
    looks = line_styles(BEST_FIRST)
    return StudyFigures(
        figure_3=save_figure(
            lambda: _figure_3(training, test, {name: looks[name] for name in TWINS}),
            out,
            Words(
                "figure-3",
                "Figure 3. ROC curves with and without transfer learning",
                "Above the training cohort, below the test cohort; dotted without transfer learning. "
                "Patients are the unit; AUC beside each name. A dot marks the cut-off, which comes from the "
                "training cohort.",
                "Six panels of ROC curves of GM and EM with and without transfer learning; their AUCs stand "
                "in Table 2",
            ),
        ),
        figure_4=save_figure(
            lambda: _figure_4(
                test, {name: looks[name] for name in reversed(METHODS) if name not in TWINS or name in JUDGED}
            ),
            out,
            Words(
                "figure-4",
                "Figure 4. ROC curves of all methods",
                "Test cohort; patients are the unit; AUC beside each name. A dot marks the cut-off of "
                "Table 3.",
                "Three panels of ROC curves of all seven methods; their AUCs stand in Table 3",
            ),
        ),
        calibration=calibration_figure(only(test, JUDGED), out),
        decision=decision_figure(only(test, BEST_FIRST[:7]), out),
        convergence=_convergence(curves, out) if _panels(curves) else None,
    )


def only(result: CohortResult, names: tuple[str, ...]) -> CohortResult:
    """The result with these methods alone, in this order, as far as it has them."""
    methods = {
        threshold: {name: found[name] for name in names if name in found}
        for threshold, found in result.methods.items()
    }
    return replace(result, methods=methods)


def _figure_3(training: CohortResult, test: CohortResult, looks: Styles) -> Canvas:
    canvas = Canvas(figsize=(11.0, 7.8), layout="constrained")
    grid = canvas.subplots(2, 3)
    for row, (cohort, result) in enumerate((("Training cohort", training), ("Test cohort", test))):
        for column, threshold in enumerate(PANELS):
            axes = grid[row, column]
            roc_panel(axes, result, threshold, looks)
            axes.set_title(f"{'abcdef'[3 * row + column]}  {cohort}, {axes.get_title()}")
    return canvas


def _figure_4(result: CohortResult, looks: Styles) -> Canvas:
    canvas = Canvas(figsize=(11.0, 4.2), layout="constrained")
    for letter, axes, threshold in zip("abc", canvas.subplots(1, 3), PANELS, strict=True):
        roc_panel(axes, result, threshold, looks)
        axes.set_title(f"{letter}  {axes.get_title()}")
    return canvas


def _convergence(curves: Curves, out: Path) -> FigureFile:
    return save_figure(
        lambda: _convergence_canvas(curves),
        out,
        Words(
            "convergence",
            "Convergence with and without transfer learning",
            "Loss after each pass over the training pictures: thick on patients who only decide when to "
            "stop, thin on the pictures learnt from. A ring marks the lowest loss on the former.",
            f"Losses by epoch. {' '.join(convergence_findings(curves))}",
        ),
    )


def _convergence_canvas(curves: Curves) -> Canvas:
    panels = _panels(curves)
    columns = min(3, len(panels))
    rows = math.ceil(len(panels) / columns)
    canvas = Canvas(figsize=(3.7 * columns + 0.4, 2.9 * rows + 0.3), layout="constrained")
    grid = list(canvas.subplots(rows, columns, squeeze=False).flat)
    for axes, ((network, phase), lines) in zip(grid, panels.items(), strict=False):
        axes.set_title(f"{network}, {phase}")
        axes.set_xlabel("Epoch")
        axes.set_ylabel("Ordinal loss")
        axes.xaxis.get_major_locator().set_params(integer=True)
        for kind, epochs in lines:
            _loss_lines(axes, kind, epochs)
        axes.legend(loc="best")
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return canvas


def _panels(curves: Curves) -> dict[tuple[str, str], list[tuple[str, tuple[Epoch, ...]]]]:
    """By network and phase the epochs of each kind of training; all heads first.

    Fine-tuning the top with transfer learning and training the whole network without are one phase.
    """
    found: dict[tuple[str, str], list[tuple[str, tuple[Epoch, ...]]]] = {}
    for kind in (*KINDS, *(name for name in curves if name not in KINDS)):
        for network, parts in curves.get(kind, {}).items():
            for part, epochs in parts.items():
                if best_epoch(epochs) is not None:
                    phase = PHASES.get(part, part)
                    label = f"{kind}, whole network" if part == "whole" else kind
                    found.setdefault((network, phase), []).append((label, epochs))
    return dict(sorted(found.items(), key=lambda panel: panel[0][1] != PHASES["head"]))


def _loss_lines(axes: Axes, kind: str, epochs: tuple[Epoch, ...]) -> None:
    colour, dash = ("#D55E00", "--") if kind.startswith("non-TL") else ("#0072B2", "-")
    for width, words, name in ((0.9, "training", "train_loss"), (2.0, "held out", "validation_loss")):
        points = [(one.epoch, getattr(one, name)) for one in epochs if getattr(one, name) is not None]
        if points:
            label = f"{kind}, {words}"
            axes.plot(*zip(*points, strict=True), linestyle=dash, color=colour, linewidth=width, label=label)
    best = best_epoch(epochs)
    if best is not None and best.validation_loss is not None:
        axes.plot(best.epoch, best.validation_loss, "o", markerfacecolor="white", markeredgecolor=colour)


def best_epoch(epochs: tuple[Epoch, ...]) -> Epoch | None:
    """The epoch with the lowest loss on the held-out patients, the first of equals."""
    measured = [(one.validation_loss, one.epoch, one) for one in epochs if one.validation_loss is not None]
    return min(measured, key=lambda found: found[:2])[2] if measured else None


def convergence_findings(curves: Curves) -> tuple[str, ...]:
    """For each network and phase: where each kind of training had its lowest loss."""
    words = []
    for (network, phase), lines in _panels(curves).items():
        found = ((kind, best_epoch(epochs), epochs[-1].epoch) for kind, epochs in lines)
        told = (
            f"{kind} {best.validation_loss:.3f} at epoch {best.epoch} of {last}"
            for kind, best, last in found
            if best
        )
        words.append(f"{network}, {phase}: lowest held-out loss {'; '.join(told)}.")
    return tuple(words)
