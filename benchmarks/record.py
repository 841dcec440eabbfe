"""The one form in which every benchmark writes what it measured: `benchmarks/results/NAME.json`.

A benchmark is a module `benchmarks/NAME.py` that runs as `python -m benchmarks.NAME` and stands in the list
of `benchmarks/run.py`. It fills in one `Run` and keeps it:

    from benchmarks.record import Run, keep, parser

    def main() -> int:
        options = parser(__doc__).parse_args()          # --smoke, --seed, --results; add your own
        run = Run()
        run.measure("publish", ours_ms, "ms")           # samples: percentiles are taken of them
        run.compare("publish", "paho in the loop", other_ms)
        run.absent("publish", "another one", "not installed here")
        run.budget("result_p95_s", value)               # a name of benchmarks/budgets.py
        run.note("on tmpfs")                            # what a reader must know
        return keep("NAME", run, options)               # writes, prints, returns the exit code

Nothing else is needed: table, plot and budget of `docs/performance.md` are made from the file
(`python -m benchmarks.report`). Its section begins with the first paragraphs of the module's docstring, up to
the indented command. With `--smoke` it takes a few seconds, and its numbers mean nothing.

Ratios are of medians, and above 1 we are ahead: other / ours where less is better, ours / other where
more is (`better="more"`). The newest `RUNS` runs are kept as long as machine, versions, command and seed are
the same; the spread over them is that of their medians, from the smallest to the largest.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import cattrs
import numpy as np

from benchmarks.budgets import BY_NAME
from firmware_app.processor import processor

RESULTS = Path(__file__).parent / "results"
RUNS = 3
PACKAGES = ("fibrostage", "numpy", "opencv-python", "openvino", "onnxruntime", "torch", "paho-mqtt")
Better = Literal["less", "more"]


@dataclass(frozen=True, slots=True)
class Figures:
    """One quantity: percentiles of its samples, in `unit`."""

    unit: str
    better: Better
    n: int
    p50: float
    p95: float
    p99: float
    p999: float
    max: float


@dataclass(frozen=True, slots=True)
class Machine:
    """What it was measured on."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    versions: dict[str, str]


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(slots=True)
class Run:
    """One run of one benchmark.

    Attributes:
        when: its beginning, UTC.
        load_average: of the minute before: far above zero, other work was in the way.
        measures: ours, by the name of the measure.
        alternatives: for a measure, what somebody would use instead, by its name.
        ratios: the same keys; missing where ours is zero.
        not_available: for a measure, why an alternative could not be measured here.
        budgets: value by the name of the budget.
        notes: what a reader must know.
    """

    when: str = field(default_factory=_now)
    load_average: float = field(default_factory=lambda: round(os.getloadavg()[0], 2))
    measures: dict[str, Figures] = field(default_factory=dict)
    alternatives: dict[str, dict[str, Figures]] = field(default_factory=dict)
    ratios: dict[str, dict[str, float]] = field(default_factory=dict)
    not_available: dict[str, dict[str, str]] = field(default_factory=dict)
    budgets: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def measure(self, name: str, samples: Sequence[float], unit: str, better: Better = "less") -> None:
        """What ours takes (or gives) for `name`."""
        self.measures[name] = figures_of(samples, unit, better)

    def compare(self, name: str, alternative: str, samples: Sequence[float]) -> None:
        """What an alternative takes for the measure `name`, in the same unit, on the same input."""
        ours = self.measures[name]
        theirs = figures_of(samples, ours.unit, ours.better)
        self.alternatives.setdefault(name, {})[alternative] = theirs
        above, below = (theirs, ours) if ours.better == "less" else (ours, theirs)
        if below.p50:
            self.ratios.setdefault(name, {})[alternative] = rounded(above.p50 / below.p50)

    def absent(self, name: str, alternative: str, why: str) -> None:
        """An alternative to `name` that cannot be measured here."""
        self.not_available.setdefault(name, {})[alternative] = why

    def budget(self, name: str, value: float) -> None:
        """What was measured for a budget.

        Raises:
            KeyError: there is no such budget in `benchmarks.budgets`.
        """
        self.budgets[BY_NAME[name].name] = rounded(value)

    def note(self, text: str) -> None:
        """Something a reader must know, one sentence."""
        self.notes.append(text)


@dataclass(slots=True)
class Record:
    """All kept runs of one benchmark, and `spread`: smallest and largest median of each of our measures."""

    name: str
    about: str
    command: str
    seed: int
    machine: Machine
    runs: list[Run]
    spread: dict[str, tuple[float, float]] = field(default_factory=dict)


def figures_of(samples: Sequence[float], unit: str, better: Better = "less") -> Figures:
    """Percentiles of at least one sample."""
    cuts = np.quantile(np.asarray(samples, float), (0.5, 0.95, 0.99, 0.999, 1.0))
    return Figures(unit, better, len(samples), *(rounded(float(cut)) for cut in cuts))


def rounded(value: float) -> float:
    """To five significant digits."""
    return float(f"{value:.5g}")


def this_machine() -> Machine:
    """Processor with its instructions, kernel, versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    system = f"{platform.system()} {platform.release()}"
    versions = {name: v for name in PACKAGES if (v := _version(name))}
    cores = len(os.sched_getaffinity(0))
    return Machine(processor(), cores, round(memory, 1), system, platform.python_version(), versions)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def parser(doc: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has; `doc` is its module's docstring."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--smoke", action="store_true", help="a few seconds; the numbers mean nothing")
    made.add_argument("--seed", type=int, default=1, help="of everything that is drawn at random")
    made.add_argument("--results", type=Path, default=RESULTS, help="folder of the result files")
    made.set_defaults(about=_about(doc or ""))
    return made


def _about(doc: str) -> str:
    """A module's docstring up to its command, as paragraphs."""
    paragraphs = doc.split("\n    ", maxsplit=1)[0].strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def keep(name: str, run: Run, options: argparse.Namespace) -> int:
    """Add a run to its benchmark's file, and print it.

    Args:
        name: of the benchmark.
        run: filled in.
        options: of `parser`. A smoke run is written only to a folder that was named.

    Returns:
        The exit code, 0: a budget that is missed is told by its line.
    """
    command = _command(name, sys.argv[1:])
    record = Record(name, options.about, command, options.seed, this_machine(), [run])
    path = options.results / f"{name}.json"
    known = read(path) if path.exists() else None
    if known is not None and _is_alike(known, record):
        record.runs = [*known.runs, run][-RUNS:]
    for measure in run.measures:
        medians = [r.measures[measure].p50 for r in record.runs if measure in r.measures]
        record.spread[measure] = min(medians), max(medians)
    if not (options.smoke and options.results == RESULTS):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(record), indent=1) + "\n", encoding="utf-8")
    print("\n".join(lines_of(run)))
    return 0


def read(path: Path) -> Record | None:
    """A result file in this form; None: it has another one (faults, soak, accuracy)."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not {"name", "about", "runs", "spread"} <= content.keys():
        return None
    return cattrs.structure(content, Record)


def _command(name: str, words: Sequence[str]) -> str:
    """What to type; where the results go is nobody else's business."""
    kept = list(words)
    if "--results" in kept:
        at = kept.index("--results")
        del kept[at : at + 2]
    return " ".join(["python", "-m", f"benchmarks.{name}", *kept])


def _is_alike(known: Record, new: Record) -> bool:
    return (known.command, known.seed, known.machine) == (new.command, new.seed, new.machine)


def lines_of(run: Run) -> list[str]:
    """What a benchmark prints: ours, each alternative below it, the budgets last."""
    lines = []
    for name, ours in run.measures.items():
        lines.append(f"{name:44s} {_in_words(ours)}")
        for alternative, theirs in run.alternatives.get(name, {}).items():
            ratio = run.ratios.get(name, {}).get(alternative)
            times = "" if ratio is None else f"   x{ratio:.2f}"
            lines.append(f"  {alternative:42s} {_in_words(theirs)}{times}")
        for alternative, why in run.not_available.get(name, {}).items():
            lines.append(f"  {alternative:42s} not available here: {why}")
    lines += [f"note: {note}" for note in run.notes]
    return [*lines, *(BY_NAME[name].line(value) for name, value in run.budgets.items())]


def _in_words(figures: Figures) -> str:
    if figures.n == 1:
        return f"{figures.p50:10.4g} {figures.unit}"
    return (
        f"p50 {figures.p50:9.4g}  p95 {figures.p95:9.4g}  p99 {figures.p99:9.4g}  max {figures.max:9.4g} "
        f"{figures.unit} (n = {figures.n})"
    )
