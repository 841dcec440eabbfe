"""Time of DeLong's paired test: ours beside what somebody would use instead.

Each row is one paired test of two methods on n patients, half of them positive, with scores rounded to a
thousandth (many ties). Every implementation gets the same scores in memory; reading and starting R do not
count. Beside it: R's pROC, MLstatkit (in Python), the formulas of 1988 written out in NumPy, which compare
every pair, and the bootstrap that one writes around scikit-learn. An alternative stops where one test would
take more than ten seconds, or gigabytes.

    python -m benchmarks.delong [--largest N] [--repeats K]
"""

from __future__ import annotations

import csv
import importlib.util
import io
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from tqdm import tqdm

from benchmarks.record import Run, keep, parser
from model_export.statistics.auc import delong_test
from model_export.statistics.figure import BoolArray, FloatArray

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
LIMIT_S = 10.0
"""An alternative that would take longer for one test is not run with so many patients, nor with more."""
RESAMPLES = 2_000
"""Of the bootstrap; what pROC takes unless told otherwise."""
GROWING = 1_000
"""The growth of time is told from so many patients on: below, the call itself counts."""
LARGEST_OBVIOUS = 10_000
"""The kernel of every pair takes 800 MB at ten times as many."""
PROC, OBVIOUS = "R, pROC", "every pair, in NumPy"
MLSTATKIT, BOOTSTRAP = "MLstatkit", f"bootstrap of scikit-learn's roc_auc_score, {RESAMPLES:,} times"
Times = tuple[list[float], float]
"""Milliseconds of one test, and its p-value."""
Scores = tuple[FloatArray, FloatArray, BoolArray]
"""Two scores of each patient, and the truth."""
Measure = Callable[[FloatArray, FloatArray, BoolArray, int], Times | None]
"""Scores and how often to measure; None: it is not installed."""

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


def draw(n: int) -> Scores:
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


def bootstrap(a: FloatArray, b: FloatArray, positive: BoolArray, resamples: int = RESAMPLES) -> float:
    """p-value from the spread of the difference over resampled patients."""
    generator = np.random.default_rng(1)
    differences: list[float] = []
    while len(differences) < resamples:
        chosen = generator.integers(0, a.size, a.size)
        if 0 < positive[chosen].sum() < a.size:
            truth = positive[chosen]
            differences.append(roc_auc_score(truth, a[chosen]) - roc_auc_score(truth, b[chosen]))
    difference = roc_auc_score(positive, a) - roc_auc_score(positive, b)
    return float(2 * norm.sf(abs(difference) / np.std(differences, ddof=1)))


def mlstatkit(a: FloatArray, b: FloatArray, positive: BoolArray) -> float:
    """p-value of MLstatkit's paired test."""
    from MLstatkit import Delong_test  # noqa: PLC0415 - only this function needs it

    _, p_value = Delong_test(positive.astype(int), a, b, return_ci=False, return_auc=False)
    return float(p_value)


def timed(work: Callable[[], float], repeats: int) -> Times:
    """Milliseconds of a call and its result; short calls are repeated until they fill 20 ms.

    What takes more than two seconds is called once only.
    """
    begin = time.perf_counter()
    result = work()
    first_s = max(time.perf_counter() - begin, 1e-9)
    if first_s > 2:
        return [1e3 * first_s], result
    rounds = max(1, int(0.02 / first_s))
    times_ms = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(rounds):
            result = work()
        times_ms.append(1e3 * (time.perf_counter() - begin) / rounds)
    return times_ms, result


def timed_proc(a: FloatArray, b: FloatArray, positive: BoolArray, repeats: int) -> Times | None:
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


class Alternative:
    """One alternative over growing numbers of patients, until one test would take too long.

    Args:
        name: of the alternative.
        power: of n with which its time grows at least, to foresee the next size.
        measure: two scores, the truth and how often; None: it is not installed.
        largest: number of patients beyond which its memory does not suffice; None: it always does.
    """

    def __init__(self, name: str, power: float, measure: Measure, largest: int | None = None) -> None:
        self.name, self._power, self._measure, self._largest = name, power, measure, largest
        self.took: dict[int, float] = {}
        self.gaps: list[float] = []

    def compare(self, run: Run, row: str, scores: Scores, repeats: int, p: float) -> None:
        """Measure it for a row, or say why not; `p` is ours."""
        n = scores[0].size
        if self._largest is not None and n > self._largest:
            run.absent(row, self.name, "it would take gigabytes")
            return
        if self.took:
            last, last_s = max(self.took), self.took[max(self.took)]
            if last_s * (n / last) ** self._power > LIMIT_S:
                run.absent(row, self.name, f"one test of {last:,} takes {last_s:.2g} s already")
                return
        times = self._measure(*scores, repeats)
        if times is None:
            run.absent(row, self.name, "it is not installed")
            return
        self.took[n] = statistics.median(times[0]) / 1e3
        self.gaps.append(abs(times[1] - p))
        run.compare(row, self.name, times[0])


def alternatives(resamples: int) -> list[Alternative]:
    """What ours is compared with."""
    has_mlstatkit = importlib.util.find_spec("MLstatkit") is not None

    def of_mlstatkit(a: FloatArray, b: FloatArray, positive: BoolArray, repeats: int) -> Times | None:
        return timed(lambda: mlstatkit(a, b, positive), repeats) if has_mlstatkit else None

    return [
        Alternative(PROC, 1.0, timed_proc),
        Alternative(MLSTATKIT, 1.0, of_mlstatkit),
        Alternative(OBVIOUS, 2.0, lambda a, b, y, k: timed(lambda: obvious(a, b, y), k), LARGEST_OBVIOUS),
        # With few patients a call of roc_auc_score takes as long as with many.
        Alternative(BOOTSTRAP, 0.5, lambda a, b, y, k: timed(lambda: bootstrap(a, b, y, resamples), k)),
    ]


def exponent(took: Mapping[int, float]) -> float:
    """The power of n with which time grows: slope of the line through log n and log time."""
    return float(np.polyfit(np.log(list(took)), np.log(list(took.values())), 1)[0])


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--largest", type=int, default=SIZES[-1], help="largest number of patients")
    options.add_argument("--repeats", type=int, default=5, help="measurements per number")
    chosen = options.parse_args()
    largest, repeats = (1_000, 1) if chosen.smoke else (chosen.largest, chosen.repeats)
    run, others, took = Run(), alternatives(20 if chosen.smoke else RESAMPLES), {}
    for n in tqdm([n for n in SIZES if n <= largest], disable=None, file=sys.stderr):
        scores, row = draw(n), f"paired test, {n:,} patients"
        our_ms, p = timed(partial(ours, *scores), repeats)
        took[n] = statistics.median(our_ms) / 1e3
        run.measure(row, our_ms, "ms")
        for other in others:
            other.compare(run, row, scores, repeats, p)
    tell_growth(run, "ours", took)
    for other in others:
        tell_growth(run, other.name, other.took)
        if other.gaps:
            run.note(f"{other.name}: its p-values differ from ours by {max(other.gaps):.1g} at most.")
    return keep("delong", run, chosen)


def tell_growth(run: Run, name: str, took: Mapping[int, float]) -> None:
    """Note with which power of n the time grows."""
    large = {n: seconds for n, seconds in took.items() if n >= GROWING}
    if len(large) > 1:
        sizes = f"from {min(large):,} to {max(large):,} patients"
        run.note(f"{name}: the time grows as n to the power of {exponent(large):.2f}, {sizes}.")


if __name__ == "__main__":
    sys.exit(main())
