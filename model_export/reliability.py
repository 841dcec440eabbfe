"""The reliability diagram of a refit: what was said against what was found, before and after."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from firmware_app.wording import NOTICE
from model_export.card import NAMES
from model_export.patient_scores import Vector, positives, sigmoid
from model_export.recalibrate import Refit

GROUPS = 6
"""Groups of equally many exams."""
BEFORE, AFTER = "#b45309", "#1d4ed8"


def draw_reliability(fitted: Refit, path: Path) -> None:
    """Draw GM+EM at the three thresholds as a PNG.

    Args:
        fitted: the refit; "after" is shown on the exams that it was fitted on.
        path: the file to write.
    """
    figure = Figure(figsize=(10.5, 4.1), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, sharey=True)
    truth = positives(fitted.exams.scores.stage)
    before, after = sigmoid(fitted.before()["GM+EM"]), sigmoid(fitted.after().gm_em)
    for k, (ax, name) in enumerate(zip(axes, NAMES.values(), strict=True)):
        ax.plot([0, 1], [0, 1], color="#9ca3af", linewidth=1)
        _curve(ax, before[:, k], truth[:, k], "before", BEFORE)
        _curve(ax, after[:, k], truth[:, k], "after", AFTER)
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=name, xlabel="probability said")
    axes[0].set_ylabel("share found")
    axes[0].legend(loc="upper left", frameon=False)
    judged = fitted.judged["GM+EM"]
    figure.suptitle(
        f"GM+EM on {len(truth)} exams; Brier score of exams left out of the fit: "
        f"{judged['none'].brier:.3f} before, {judged['temperature'].brier:.3f} after",
        fontsize=11,
    )
    figure.supxlabel(NOTICE, fontsize=8, color="#4b5563")
    figure.savefig(path, dpi=150, metadata={"Software": None})


def _curve(ax: Axes, chances: Vector, positive: npt.NDArray[np.bool_], label: str, colour: str) -> None:
    """Mean probability and share of positives in groups of equally many exams."""
    groups = np.array_split(np.argsort(chances, kind="stable"), GROUPS)
    said = [float(chances[group].mean()) for group in groups]
    found = [float(positive[group].mean()) for group in groups]
    ax.plot(said, found, marker="o", markersize=5, linewidth=1.6, color=colour, label=label)
