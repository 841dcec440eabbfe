"""Run the benchmarks, write `docs/performance.md`, and say which budgets are met.

    python -m benchmarks.run [NAME ...] [--runs 3] [--smoke]

Without a name the default set runs, in less than a quarter of an hour. `--smoke` runs every benchmark for
some seconds, the long ones too, and writes nothing into the repository: it only shows that they still work.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.record import RESULTS
from benchmarks.report import DOCUMENT, budget_lines, write_document

ROOT = Path(__file__).parents[1]
DEFAULT = (
    "screen_reading",
    "overlay_drawing",
    "display_branch",
    "inference",
    "delong",
    "mirror",
    "department",
)
"""What `make bench` runs, in this order; so stands it in the document."""
LONG = ("capture_states", "screen_accuracy", "replay_exams", "records")
"""Only by name: they take more than some minutes, or want a disk of their own."""


def run_one(name: str, results: Path, *, smoke: bool) -> int:
    """Run one benchmark in a process of its own; its exit code."""
    print(f"== {name}", flush=True)
    words = ["--results", str(results), *(["--smoke"] if smoke else [])]
    began_s = time.monotonic()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *words], cwd=ROOT, check=False)
    print(f"   {name}: {time.monotonic() - began_s:.0f} s, exit code {done.returncode}", flush=True)
    return done.returncode


def main(words: Sequence[str]) -> int:
    """Run; 2 for a name that nobody knows, 1 if a benchmark failed. A missed budget is no failure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DEFAULT + LONG))
    parser.add_argument(
        "--runs", type=int, default=1, help="how often, for the spread; the newest 3 are kept"
    )
    parser.add_argument("--smoke", action="store_true", help="some seconds of each; nothing is written")
    chosen = parser.parse_args(words)
    unknown = sorted(set(chosen.names) - {*DEFAULT, *LONG})
    if unknown:
        print(f"error: no benchmark {unknown[0]}; known: {', '.join(DEFAULT + LONG)}", file=sys.stderr)
        return 2
    if chosen.smoke:
        with tempfile.TemporaryDirectory() as folder:
            return _run(
                chosen.names or DEFAULT + LONG, Path(folder), Path(folder) / DOCUMENT.name, smoke=True
            )
    failed = 0
    for _ in range(chosen.runs):
        failed |= _run(chosen.names or DEFAULT, RESULTS, DOCUMENT, smoke=False)
    return failed


def _run(names: Sequence[str], results: Path, document: Path, *, smoke: bool) -> int:
    failed = [name for name in names if run_one(name, results, smoke=smoke) != 0]
    write_document(results, document, DEFAULT + LONG)
    print("\n".join(budget_lines(results)))
    for name in failed:
        print(f"error: the benchmark {name} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
