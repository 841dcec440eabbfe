"""Run the benchmarks, write `docs/performance.md`, and say which budgets are met.

    python -m benchmarks.run [NAME ...] [--runs 3] [--smoke]

Without a name the default set runs, in less than a quarter of an hour. `--smoke` runs every benchmark for
some seconds, the others too, and writes nothing into the repository: it only shows that they still work.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.record import RESULTS
from benchmarks.report import DOCUMENT, budget_lines, write_document

ROOT = Path(__file__).parents[1]
DEFAULT = (
    "whole_appliance",
    "screen_reading",
    "overlay_drawing",
    "display_branch",
    "inference",
    "profile_path",
)
"""What `make bench` runs, in this order; so stands it in the document."""
BY_NAME = (
    "archive",
    "capture_states",
    "delong",
    "department",
    "feed",
    "mirror",
    "records",
    "replay_exams",
    "screen_accuracy",
    "study_speed",
)
"""Only by name: no budget that is soon measured rests on them, and some take half an hour."""
SMOKED_AT_ONCE = 2
"""Where numbers mean nothing, benchmarks need not wait for each other."""


def run_one(name: str, results: Path, *, smoke: bool) -> int:
    """Run one benchmark in a process of its own; its exit code. A smoke run shows what it says at its end."""
    words = ["--results", str(results), *(["--smoke"] if smoke else [])]
    if not smoke:
        print(f"== {name}", flush=True)
    began_s = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *words],
        cwd=ROOT,
        check=False,
        text=True,
        stdout=subprocess.PIPE if smoke else None,
        stderr=subprocess.STDOUT if smoke else None,
    )
    said = f"== {name}\n{done.stdout}" if smoke else ""
    print(f"{said}   {name}: {time.monotonic() - began_s:.0f} s, exit code {done.returncode}", flush=True)
    return done.returncode


def main(words: Sequence[str]) -> int:
    """Run; 2 for a name that nobody knows, 1 if a benchmark failed. A missed budget is no failure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(DEFAULT + BY_NAME))
    parser.add_argument(
        "--runs", type=int, default=1, help="how often, for the spread; the newest 3 are kept"
    )
    parser.add_argument("--smoke", action="store_true", help="some seconds of each; nothing is written")
    chosen = parser.parse_args(words)
    unknown = sorted(set(chosen.names) - {*DEFAULT, *BY_NAME})
    if unknown:
        print(f"error: no benchmark {unknown[0]}; known: {', '.join(DEFAULT + BY_NAME)}", file=sys.stderr)
        return 2
    if chosen.smoke:
        with tempfile.TemporaryDirectory() as folder:
            return _run(
                chosen.names or DEFAULT + BY_NAME, Path(folder), Path(folder) / DOCUMENT.name, smoke=True
            )
    failed = 0
    for _ in range(chosen.runs):
        failed |= _run(chosen.names or DEFAULT, RESULTS, DOCUMENT, smoke=False)
    return failed


def _run(names: Sequence[str], results: Path, document: Path, *, smoke: bool) -> int:
    with ThreadPoolExecutor(SMOKED_AT_ONCE if smoke else 1) as pool:
        codes = list(pool.map(partial(run_one, results=results, smoke=smoke), names))
    failed = [name for name, code in zip(names, codes, strict=True) if code != 0]
    write_document(results, document, DEFAULT + BY_NAME)
    print("\n".join(budget_lines(results)))
    for name in failed:
        print(f"error: the benchmark {name} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
