"""Time of DeLong's paired test: ours beside R's pROC and the formulas of 1988 written out in NumPy.

Each row is one paired test of two methods on n patients, half of them positive, with scores rounded to a
thousandth (many ties). Every implementation gets the same scores in memory; reading and starting R do not
count. The obvious version compares every pair, so it stops at 10,000 patients (800 MB at more).

    python -m benchmarks.delong [--largest N] [--repeats K]
"""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import norm
from tqdm import tqdm

from benchmarks.record import Run, keep, parser
from model_export.statistics.auc import delong_test
from model_export.statistics.figure import BoolArray, FloatArray

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
LARGEST_OBVIOUS = 10_000
PROC, OBVIOUS = "R, pROC", "every pair, in NumPy"

TIME_PROC = """
suppressWarnings(suppressMessages(library(pROC)))
arguments <- commandArgs(trailingOnly = TRUE)
data <- read.csv(arguments[1])
for (repeat_number in seq_len(as.integer(arguments[2]))) {
  begin <- proc.time()[["elapsed"]]
  rounds <- as.integer(arguments[3])
  for (i in seq_len(rounds)) {
    a <- roc(data$y, data$a, levels = c(0, 1), direction = "<", quiet = TRUE)
    b <- roc(data$y, data$b, levels = c(0, 1), direction = "<", quiet = TRUE)
    p <- roc.test(a, b, method = "delong", paired = TRUE)$p.value
  }
  cat((proc.time()[["elapsed"]] - begin) / rounds, sprintf("%.17g", p), "\\n")
}
"""


def draw(n: int) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Two correlated scores with ties and a truth, half positive."""
    generator = np.random.default_rng(n)
    positive = np.arange(n) % 2 == 0
    shared = generator.normal(size=n) + positive
    a, b = (np.round(shared + generator.normal(size=n), 3) for _ in range(2))
    return a, b, positive


def obvious(a: FloatArray, b: FloatArray, positive: BoolArray) -> float:
    """p-value from the kernel of every pair, O(n^2) in time and memory."""
    of_positives, of_negatives, aucs = [], [], []
    for scores in (a, b):
        above, below = scores[positive][:, None], scores[~positive][None, :]
        pairs = (above > below) + 0.5 * (above == below)
        of_positives.append(pairs.mean(axis=1))
        of_negatives.append(pairs.mean(axis=0))
        aucs.append(pairs.mean())
    covariance = np.cov(of_positives) / positive.sum() + np.cov(of_negatives) / (~positive).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    return float(2 * norm.sf(abs(aucs[0] - aucs[1]) / np.sqrt(variance)))


def ours(a: FloatArray, b: FloatArray, positive: BoolArray) -> float:
    """p-value of our paired test."""
    p_value = delong_test(a, b, positive).p
    assert p_value is not None
    return p_value


def timed(work: Callable[[], float], repeats: int) -> tuple[list[float], float]:
    """Milliseconds of a call and its result; short calls are repeated until they fill 20 ms."""
    begin = time.perf_counter()
    result = work()
    rounds = max(1, int(0.02 / max(time.perf_counter() - begin, 1e-9)))
    times_ms = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(rounds):
            result = work()
        times_ms.append(1e3 * (time.perf_counter() - begin) / rounds)
    return times_ms, result


def timed_proc(
    a: FloatArray, b: FloatArray, positive: BoolArray, repeats: int
) -> tuple[list[float], float] | None:
    """Milliseconds of pROC for the same test and its p-value; None without R or pROC."""
    program = shutil.which("Rscript")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        script, table = Path(folder) / "time.R", Path(folder) / "scores.csv"
        script.write_text(TIME_PROC)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["y", "a", "b"])
        writer.writerows(zip(positive.astype(int).tolist(), a.tolist(), b.tolist(), strict=True))
        table.write_text(text.getvalue())
        # R's clock ticks in milliseconds: small cohorts are done several times over.
        rounds = max(1, 2_000 // a.size)
        done = subprocess.run(
            [program, "--vanilla", str(script), str(table), str(repeats), str(rounds)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return None
    answers = [line.split() for line in done.stdout.splitlines()]
    return [1e3 * float(seconds) for seconds, _ in answers], float(answers[-1][1])


def compared(run: Run, n: int, repeats: int) -> None:
    """One size: milliseconds of each, and how far the p-values are apart."""
    a, b, positive = draw(n)
    name = f"paired test, {n:,} patients"
    our_ms, our_p = timed(lambda: ours(a, b, positive), repeats)
    run.measure(name, our_ms, "ms")
    proc = timed_proc(a, b, positive, repeats)
    if proc is None:
        run.absent(name, PROC, "R or its package pROC is not installed")
    else:
        run.compare(name, PROC, proc[0])
        run.note(f"{name}: the p-values of ours and pROC differ by {abs(proc[1] - our_p):.1g}.")
    if n > LARGEST_OBVIOUS:
        run.absent(name, OBVIOUS, "it would take gigabytes")
        return
    obvious_ms, _ = timed(lambda: obvious(a, b, positive), repeats)
    run.compare(name, OBVIOUS, obvious_ms)


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--largest", type=int, default=SIZES[-1], help="largest number of patients")
    options.add_argument("--repeats", type=int, default=5, help="measurements per number")
    chosen = options.parse_args()
    largest, repeats = (100, 1) if chosen.smoke else (chosen.largest, chosen.repeats)
    run = Run()
    for n in tqdm([n for n in SIZES if n <= largest], disable=None, file=sys.stderr):
        compared(run, n, repeats)
    return keep("delong", run, chosen)


if __name__ == "__main__":
    sys.exit(main())
