"""The plots of `docs/performance.md`: by how much we are ahead of each alternative, or behind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.record import Record

WIDTH_INCHES, ROW_INCHES, MARGIN_INCHES = 8.5, 0.34, 0.7
AHEAD, BEHIND = "#0072B2", "#D55E00"
"""Okabe and Ito (2008)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alternative to one measure: what stands beside it, and the ratios of the runs."""

    label: str
    values: str
    ratios: list[float]


def draw_record(record: Record, path: Path) -> bool:
    """Draw the ratio to every alternative: the median of the runs, from the smallest to the largest.

    Args:
        record: what was measured.
        path: of the SVG.

    Returns:
        Whether there was anything to draw.
    """
    rows = _rows(record)
    if not rows:
        return False
    height = MARGIN_INCHES + ROW_INCHES * len(rows)
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, height), layout="constrained")
    for place, row in enumerate(rows):
        middle = median(row.ratios)
        colour = AHEAD if middle >= 1 else BEHIND
        axes.plot([1, middle], [-place, -place], color=colour, linewidth=5, alpha=0.35, solid_capstyle="butt")
        axes.plot([min(row.ratios), max(row.ratios)], [-place, -place], color="black", linewidth=1.2)
        axes.plot([middle], [-place], "o", color=colour, markersize=5)
        axes.annotate(
            f"x{middle:.3g}: {row.values}", (max(1, *row.ratios), -place), (7, 0), textcoords="offset points",
            va="center", fontsize=7,
        )  # fmt: skip
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks([-place for place in range(len(rows))], [row.label for row in rows], fontsize=7)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, (1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"x{ratio:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.35, y=0.5 / len(rows))
    axes.set_xlabel("ratio of the medians, and its spread over the runs; above 1 we are ahead", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fibrostage"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return True


def _rows(record: Record) -> list[Row]:
    """In the order of the table; a ratio of zero has no place on a logarithmic axis."""
    rows = []
    for name in record.spread:
        for other in {o: None for run in record.runs for o in run.ratios.get(name, {})}:
            runs = [run for run in record.runs if run.ratios.get(name, {}).get(other, 0) > 0]
            if runs:
                ours = median(run.measures[name].p50 for run in runs)
                theirs = median(run.alternatives[name][other].p50 for run in runs)
                values = f"{ours:.3g} and {theirs:.3g} {runs[0].measures[name].unit}"
                ratios = [run.ratios[name][other] for run in runs]
                rows.append(Row(f"{name}\nagainst {other}", values, ratios))
    return rows
