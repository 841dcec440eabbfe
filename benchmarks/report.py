"""Make `docs/performance.md` of the result files: budgets, where we are not ahead, one section each.

python -m benchmarks.report
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.budgets import BUDGETS, Budget
from benchmarks.plots import draw_record
from benchmarks.record import RESULTS, Figures, Record, Run, read

DOCUMENT = Path(__file__).parents[1] / "docs" / "performance.md"
INTRODUCTION = Path(__file__).with_name("introduction.md")
LOST = ("lost:", "missing:")
"""How a finding of the fault campaign begins that says that a result is not there."""

WHY_BEHIND = {
    "whole_appliance": (
        "The loop reads no text and no stiffness, knows the layout beforehand, asks nobody whether a picture "
        "is good enough, notices no other patient, has no previews and no self-test, and keeps nothing on a "
        "disk. While it computes, its picture stands still: the tail of its latency, and the frames without "
        "an overlay."
    ),
    "screen_reading": (
        "`HoughCircles` finds circles; the step beside it also decides which one is the Q-box, and measures "
        "it."
    ),
    "overlay_drawing": (
        "`gdkpixbufoverlay` lays one ready picture over every frame, whatever the frame shows."
    ),
    "inference": (
        "Where INT8 sums overflow, the faster answers are wrong "
        "([ADR 24](decisions/0024-int8-in-float32.md)). Before its first answer OpenVINO compiles the graph."
    ),
}
"""Why something else is faster somewhere, by benchmark; told only where it is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What was measured for one budget: a value of each run, and the day of the last."""

    budget: Budget
    values: list[float]
    day: str

    @property
    def worst(self) -> float:
        """The value that counts."""
        return self.budget.worst(self.values)


def records_in(results: Path) -> dict[str, Record]:
    """The result files in the common form, by name."""
    found = {path.stem: read(path) for path in sorted(results.glob("*.json"))}
    return {name: record for name, record in found.items() if record is not None}


def kept_budgets(results: Path) -> list[Kept]:
    """What was measured for each budget, in their order; no values: nothing was."""
    records = records_in(results)
    kept = []
    for budget in BUDGETS:
        record = records.get(budget.source)
        if record is None:
            kept.append(_of_other_form(budget, results / f"{budget.source}.json"))
            continue
        runs = [run for run in record.runs if budget.name in run.budgets]
        day = runs[-1].when[:10] if runs else ""
        kept.append(Kept(budget, [run.budgets[budget.name] for run in runs], day))
    return kept


def _of_other_form(budget: Budget, path: Path) -> Kept:
    """What campaign and soak wrote."""
    figures = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    values: list[float] = []
    if budget.name == "results_lost" and "findings" in figures:
        values = [float(sum(finding.startswith(LOST) for finding in figures["findings"]))]
    if budget.name == "memory_growth_percent" and "pss_growth" in figures:
        values = [100.0 * figures.get("uss_growth", figures["pss_growth"])]
    return Kept(budget, values, str(figures.get("date", "")))


def budget_lines(results: Path) -> list[str]:
    """`budget NAME VALUE LIMIT met|missed` of all budgets; those measured by others say when."""
    lines = []
    for kept in kept_budgets(results):
        if not kept.values:
            lines.append(f"budget {kept.budget.name} not-measured {kept.budget.limit:g} missed")
            continue
        lines.append(f"{kept.budget.line(kept.worst)} (recorded {kept.day})")
    return lines


def write_document(results: Path, document: Path, order: Sequence[str]) -> None:
    """Write the page, and its plots into a folder of the same name.

    Args:
        results: folder of the result files.
        document: the page; its folder exists.
        order: in which the sections stand.
    """
    records = records_in(results)
    sections = [records[name] for name in order if name in records]
    plots = document.with_suffix("")
    plots.mkdir(exist_ok=True)
    text = [INTRODUCTION.read_text(encoding="utf-8"), _budgets(kept_budgets(results)), _not_ahead(sections)]
    for record in sections:
        plot = plots / f"{record.name}.svg"
        drawn = draw_record(record, plot)
        text.append(_section(record, f"{plots.name}/{plot.name}" if drawn else None))
    document.write_text("\n".join(text), encoding="utf-8")


def _budgets(all_kept: list[Kept]) -> str:
    rows, reasons = [], []
    for kept in all_kept:
        budget = kept.budget
        value, spread, met = "not measured", "", "**missed**"
        if kept.values:
            value = f"{kept.worst:.4g} {budget.unit}".strip()
            spread = f"{min(kept.values):.4g} to {max(kept.values):.4g} ({len(kept.values)})"
            met = "met" if budget.is_met(kept.worst) else "**missed**"
        if met != "met" and budget.why_missed:
            reasons.append(f"- `{budget.name}`: {budget.why_missed}")
        limit = f"{budget.relation} {budget.limit:g} {budget.unit}".strip()
        measured = f"{value} | {spread} | {limit} | {met} | {budget.source} | {kept.day} |"
        rows.append(f"| `{budget.name}` | {budget.says} | {measured}")
    head = (
        "## Budgets\n\n| budget | says | worst run | runs, from to (number) | limit | | measured by | on |\n"
        "|---|---|--:|--:|--:|---|---|---|\n"
    )
    why = "\nWhy they are missed:\n\n" + "\n".join(reasons) + "\n" if reasons else ""
    return head + "\n".join(rows) + "\n" + why


def _not_ahead(records: Sequence[Record]) -> str:
    lines = []
    for record in records:
        behind = []
        for name, others in _alternatives(record).items():
            for other in others:
                ratio = _ratio(record, name, other)
                if ratio is not None and ratio[1] < 1:
                    spread = f"{ratio[0]:.2f} to {ratio[2]:.2f}"
                    behind.append(
                        f"- {record.name}, {name}: x{ratio[1]:.2f} against {other} (runs: {spread})"
                    )
        if behind and record.name in WHY_BEHIND:
            behind.append(f"\n  {WHY_BEHIND[record.name]}\n")
        lines += behind
    nothing = "Nowhere, in what was measured." if records else "Nothing was measured."
    return "## Where we are not ahead\n\n" + ("\n".join(lines) or nothing) + "\n"


def _section(record: Record, plot: str | None) -> str:
    lines = [
        f"## {record.name.replace('_', ' ').capitalize()}",
        "",
        record.about,
        "",
        _circumstances(record),
        "",
        "| measure | | p50 | p95 | p99 | p99.9 | max | n | ratio | medians or ratios of the runs |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
        *_rows(record),
        "",
    ]
    if record.runs:
        lines += [f"- {note}" for note in record.runs[-1].notes]
    if plot is not None:
        lines += ["", f"![{record.name}]({plot})"]
    return "\n".join(lines) + "\n"


def _circumstances(record: Record) -> str:
    """How, when and where it was measured."""
    machine = record.machine
    times = (f"{run.when[:16].replace('T', ' ')} UTC (load {run.load_average:g})" for run in record.runs)
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"`{record.command}`, {_counted(len(record.runs), 'run')}: {'; '.join(times)}. {machine.processor}, "
        f"{_counted(machine.cores, 'core')}, {machine.memory_gib:g} GiB, {machine.kernel}, "
        f"Python {machine.python}; {versions}; seed {record.seed}."
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _rows(record: Record) -> list[str]:
    rows = []
    for name, (low, high) in record.spread.items():
        figures = [run.measures[name] for run in record.runs if name in run.measures]
        unit = f", {figures[0].unit}" if figures[0].unit else ""
        rows.append(f"| {name}{unit} | **ours** | {_cells(figures)} | | {low:.4g} to {high:.4g} |")
        for other in _alternatives(record).get(name, ()):
            theirs = [
                run.alternatives[name][other]
                for run in record.runs
                if other in run.alternatives.get(name, {})
            ]
            ratio = _ratio(record, name, other)
            words = " | " if ratio is None else f"x{ratio[1]:.2f} | x{ratio[0]:.2f} to x{ratio[2]:.2f}"
            rows.append(f"| | {other} | {_cells(theirs)} | {words} |")
        for other, why in record.runs[-1].not_available.get(name, {}).items():
            rows.append(f"| | {other} | not available here: {why} | | | | | | | |")
    return rows


def _cells(figures: list[Figures]) -> str:
    """Of several runs the median of each percentile, the largest maximum, and all samples.

    A percentile that rests on less than one sample of a run is left out; the 95th of a few exams is not.
    """
    cells = [f"{median(f.p50 for f in figures):.4g}"]
    for cut, needed in (("p95", 2), ("p99", 100), ("p999", 1000)):
        known = min(f.n for f in figures) >= needed
        cells.append(f"{median(getattr(f, cut) for f in figures):.4g}" if known else "")
    cells += [
        "" if figures[0].n == 1 else f"{max(f.max for f in figures):.4g}",
        str(sum(f.n for f in figures)),
    ]
    return " | ".join(cells)


def _alternatives(record: Record) -> dict[str, list[str]]:
    """Names of the alternatives to each measure, in their order."""
    found: dict[str, dict[str, None]] = {}
    for run in record.runs:
        for name, others in run.alternatives.items():
            found.setdefault(name, {}).update(dict.fromkeys(others))
    return {name: list(others) for name, others in found.items()}


def _ratio(record: Record, name: str, other: str) -> tuple[float, float, float] | None:
    """Smallest, median and largest ratio of the runs."""
    ratios = [ratio for run in record.runs if (ratio := _of_run(run, name, other)) is not None]
    return (min(ratios), median(ratios), max(ratios)) if ratios else None


def _of_run(run: Run, name: str, other: str) -> float | None:
    return run.ratios.get(name, {}).get(other)


def main() -> int:
    """Write the page from the committed results."""
    from benchmarks.run import BY_NAME, DEFAULT  # noqa: PLC0415 - it imports this module

    write_document(RESULTS, DOCUMENT, DEFAULT + BY_NAME)
    print("\n".join(budget_lines(RESULTS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
