"""Rows of measurements to figures, and figures to criteria."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.screen.judge import Row

CODED_WORDS = ("mjpeg", "h264", "limited", "420", "matrix")
"""Words in the name of a chain that changes levels or colours."""


def values(rows: list[Row], key: str) -> npt.NDArray[np.float64]:
    """A column's numbers, without the rows that have none."""
    return np.array([float(row[key]) for row in rows if row.get(key) is not None], np.float64)  # type: ignore[arg-type]  # numbers and truth values only


def figures_of(rows: list[Row]) -> dict[str, float | int | None]:
    """What is reported of some elastography screens; None where nothing was measured."""

    def figure(key: str, summary: Callable[[npt.NDArray[np.float64]], float]) -> float | None:
        column = values(rows, key)
        return round(float(summary(column)), 4) if column.size else None

    return {
        "screens": len(rows),
        "seen": round(float(np.mean([row["view"] == "swe_dual" for row in rows])), 5),
        "iou_median": figure("iou", np.median),
        "iou_p5": figure("iou", lambda v: float(np.quantile(v, 0.05))),
        "q_box_p99_px": figure("q_error", lambda v: float(np.quantile(v, 0.99))),
        "q_box_within_2_px": figure("q_error", lambda v: float((v <= 2).mean())),
        "q_box_count_right": round(float(np.mean([row["q_true"] == row["q_found"] for row in rows])), 4),
        "roi_solver_largest_px": figure("roi_solver", np.max),
        "roi_inside": figure("roi_inside", np.mean),
        "roi_over_truth_p99_px": figure("roi_over", lambda v: float(np.quantile(v, 0.99))),
        "roi_from_optimum_p99_px": figure("roi_truth", lambda v: float(np.quantile(v, 0.99))),
        "mean_mae_kpa": figure("mean_error", lambda v: float(np.abs(v).mean())),
        "mean_bias_kpa": figure("mean_error", np.mean),
        "mean_p99_kpa": figure("mean_error", lambda v: float(np.quantile(np.abs(v), 0.99))),
        "printed_right": figure("printed_right", np.mean),
        "range_right": figure("range_right", np.mean),
        "opacity_right": figure("opacity_right", np.mean),
        "frozen_right": figure("frozen_right", np.mean),
    }


def criteria_of(rows: list[Row]) -> dict[str, tuple[object, str, bool]]:
    """Each criterion: what was measured, what is asked, whether it is met."""
    swe = [row for row in rows if row["kind"] == "swe"]
    every = figures_of(swe)
    at_40 = [row for row in swe if row["range"] == 40.0]
    clean = figures_of([row for row in at_40 if not any(word in str(row["chain"]) for word in CODED_WORDS)])
    coded = figures_of([row for row in at_40 if any(word in str(row["chain"]) for word in CODED_WORDS)])
    wrongly = [row for row in rows if row["kind"] == "negative" and row["view"] == "swe_dual"]
    negatives = sum(row["kind"] == "negative" for row in rows)
    real_screen = next((row for row in rows if row["kind"] == "aixplorer"), None)

    def least(key: str, figures: dict[str, float | int | None], limit: float) -> tuple[object, str, bool]:
        value = figures[key]
        return value, f">= {limit}", value is not None and value >= limit

    def most(key: str, figures: dict[str, float | int | None], limit: float) -> tuple[object, str, bool]:
        value = figures[key]
        return value, f"<= {limit}", value is not None and value <= limit

    return {
        "elastography screens seen": least("seen", every, 0.995),
        f"false acceptances among {negatives}": (len(wrongly), "0", not wrongly),
        "box IoU, median": least("iou_median", every, 0.97),
        "box IoU, 5th percentile": least("iou_p5", every, 0.93),
        "Q-box centre and radius within 2 px": least("q_box_within_2_px", every, 0.99),
        "ROI side from the search, largest, px": most("roi_solver_largest_px", every, 2.0),
        "ROI inside the box found": least("roi_inside", every, 1.0),
        "Q-box mean MAE, 40 kPa, clean, kPa": most("mean_mae_kpa", clean, 0.3),
        "Q-box mean MAE, 40 kPa, coded or limited, kPa": most("mean_mae_kpa", coded, 0.6),
        "printed values exact": least("printed_right", every, 0.99),
        "real Aixplorer: box within 3 px, 150 kPa, ticks, 50 %, frozen": (
            real_screen,
            "all",
            real_screen is not None
            and real_screen["view"] == "swe_dual"
            and float(real_screen["box_error"] or 9) <= 3
            and (real_screen["range"], real_screen["unit"]) == (150.0, "kPa")
            and (real_screen["opacity"], real_screen["frozen"]) == (0.5, True)
            and real_screen["ticks"] == "120 90 60 30",
        ),
    }


def table_of(chains: dict[str, dict[str, float | int | None]]) -> list[str]:
    """The figures of each chain as a table for the documentation."""
    columns = {
        "screens": "screens",
        "seen": "seen",
        "iou_median": "IoU median",
        "iou_p5": "IoU 5th percentile",
        "q_box_p99_px": "Q-box 99 %, px",
        "roi_from_optimum_p99_px": "ROI side 99 %, px",
        "mean_mae_kpa": "mean MAE, kPa",
        "mean_bias_kpa": "bias, kPa",
        "printed_right": "print exact",
        "range_right": "range exact",
    }
    lines = ["| chain | " + " | ".join(columns.values()) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, figures in chains.items():
        cells = [
            "" if figures[key] is None else f"{figures[key]:.3f}".removesuffix(".000") for key in columns
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines
