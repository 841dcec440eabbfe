"""The plots of `docs/performance.md`: ours and the alternatives, with the spread over the runs."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

from benchmarks.record import Figures, Record

WIDTH_INCHES, BAR_INCHES = 7.5, 0.24
OURS, OTHERS = "#0072B2", ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
"""Okabe and Ito (2008)."""
Bar = tuple[str, list[Figures], str]


def draw_record(record: Record, path: Path) -> bool:
    """Draw every measure that has alternatives: medians, from the smallest to the largest run.

    Args:
        record: what was measured.
        path: of the SVG.

    Returns:
        Whether there was anything to draw.
    """
    bars = _bars(record)
    if not bars:
        return False
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 0.9 + BAR_INCHES * len(bars)), layout="constrained")
    for place, (_, runs, colour) in enumerate(bars):
        medians = [run.p50 for run in runs]
        middle = median(medians)
        axes.barh(-place, middle, color=colour, height=0.8)
        axes.plot([min(medians), max(medians)], [-place, -place], color="black", linewidth=1.5)
        axes.annotate(f" {middle:.3g} {runs[0].unit}", (max(medians), -place), va="center", fontsize=7)
    axes.set_yticks([-place for place in range(len(bars))], [label for label, _, _ in bars], fontsize=7)
    axes.set_xscale("log")
    axes.margins(x=0.12, y=0.01)
    axes.set_xlabel("median of the run; the black line goes from the smallest run to the largest", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fibrostage"}):
        figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
    return True


def _bars(record: Record) -> list[Bar]:
    """Label, figures of the runs, colour; zeros have no place on a logarithmic axis."""
    bars: list[Bar] = []
    for name in record.spread:
        others = {o: None for run in record.runs for o in run.alternatives.get(name, {})}
        if not others:
            continue
        ours = [run.measures[name] for run in record.runs if name in run.measures]
        bars.append((f"{name}: ours", ours, OURS))
        for number, other in enumerate(others):
            theirs = [
                r.alternatives[name][other] for r in record.runs if other in r.alternatives.get(name, {})
            ]
            bars.append((other, theirs, OTHERS[number % len(OTHERS)]))
    return [bar for bar in bars if all(run.p50 > 0 for run in bar[1])]
