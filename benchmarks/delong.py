"""Time of DeLong's paired test: ours beside R's pROC and the formulas of 1988 written out in NumPy.

    python benchmarks/delong.py [--largest N] [--repeats K] [--json]

Each row is one paired test of two methods on n patients, half of them positive, with scores rounded to a
thousandth (many ties). Every implementation gets the same scores in memory; the median over the repeats
counts, reading and starting R do not. The obvious version compares every pair, so it stops at 10,000 patients
(800 MB at more). The ratio is other / ours: above 1 ours is faster.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import norm
from tqdm import tqdm

from model_export.statistics.auc import delong_test
from model_export.statistics.figure import BoolArray, FloatArray

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
LARGEST_OBVIOUS = 10_000

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


def timed(work: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Median seconds of a call and its result; short calls are repeated until they fill 20 ms."""
    begin = time.perf_counter()
    result = work()
    rounds = max(1, int(0.02 / max(time.perf_counter() - begin, 1e-9)))
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(rounds):
            result = work()
        seconds.append((time.perf_counter() - begin) / rounds)
    return statistics.median(seconds), result


def timed_proc(a: FloatArray, b: FloatArray, positive: BoolArray, repeats: int) -> tuple[float, float] | None:
    """Median seconds of pROC for the same test and its p-value; None without R or pROC."""
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
    return statistics.median(float(seconds) for seconds, _ in answers), float(answers[-1][1])


def measure(n: int, repeats: int) -> dict[str, float | int | None]:
    """One row: seconds of each, ratios, and how far the p-values are apart."""
    a, b, positive = draw(n)
    our_seconds, our_p = timed(lambda: ours(a, b, positive), repeats)
    row: dict[str, float | int | None] = {"n": n, "ours_s": our_seconds, "p": our_p}
    others = {
        "proc": timed_proc(a, b, positive, repeats),
        "obvious": timed(lambda: obvious(a, b, positive), repeats) if n <= LARGEST_OBVIOUS else None,
    }
    for name, answer in others.items():
        row[f"{name}_s"] = None if answer is None else answer[0]
        row[f"{name}_over_ours"] = None if answer is None else answer[0] / our_seconds
        row[f"{name}_p_gap"] = None if answer is None else abs(answer[1] - our_p)
    return row


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="largest number of patients")
    parser.add_argument("--repeats", type=int, default=5, help="measurements per number; the median counts")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    sizes = [n for n in SIZES if n <= options.largest]
    rows = [measure(n, options.repeats) for n in tqdm(sizes, disable=None, file=sys.stderr)]
    if options.json:
        print(json.dumps({"benchmark": "delong", "rows": rows}, indent=1))
        return
    print(f"{'n':>9} {'ours':>11} {'pROC':>11} {'ratio':>8} {'obvious':>11} {'ratio':>8}")
    for row in rows:
        cells = [_milliseconds(row["ours_s"])]
        for name in ("proc", "obvious"):
            ratio = row[f"{name}_over_ours"]
            cells += [_milliseconds(row[f"{name}_s"]), "-" if ratio is None else f"{ratio:.1f}x"]
        print(f"{row['n']:>9} {cells[0]:>11} {cells[1]:>11} {cells[2]:>8} {cells[3]:>11} {cells[4]:>8}")


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.3f} ms"


if __name__ == "__main__":
    main()
