"""The plot of the soak in docs/reliability.md."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

from matplotlib import pyplot as plt

from tests.faults.document import DOCUMENT

PLOT = DOCUMENT.with_name("soak.svg")
SIZE_INCHES = (7.0, 2.6)


def draw_soak(figures: Path) -> None:
    """Draw memory, threads and descriptors over time; the warm-up is grey."""
    soak = json.loads(figures.read_text(encoding="utf-8"))
    minutes = [sample["at_s"] / 60 for sample in soak["samples"]]
    figure, (left, right) = plt.subplots(1, 2, figsize=SIZE_INCHES, layout="constrained")
    left.plot(minutes, [sample["pss"] / (1 << 20) for sample in soak["samples"]], label="PSS")
    left.plot(minutes, [sample["rss"] / (1 << 20) for sample in soak["samples"]], label="RSS")
    left.set_ylabel("MiB")
    right.plot(minutes, [sample["threads"] for sample in soak["samples"]], label="threads")
    right.plot(minutes, [sample["descriptors"] for sample in soak["samples"]], label="descriptors")
    for axes in (left, right):
        axes.axvspan(0, soak["warm_up_minutes"], color="0.9", label="warm-up")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("minutes")
        axes.legend(loc="lower right", fontsize="small")
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fibrostage"}):
        figure.savefig(PLOT, metadata={"Date": None})
    plt.close(figure)
