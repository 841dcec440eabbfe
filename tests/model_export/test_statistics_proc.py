"""R's pROC beside our DeLong, on the same random data (marker `oracle`)."""

from __future__ import annotations

import csv
import io
import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from model_export.statistics.auc import auc_figure, delong_auc, delong_test
from model_export.statistics.figure import BoolArray, FloatArray
from model_export.statistics.operating_figures import operating_figures, two_by_two, youden_cutoff

pytestmark = pytest.mark.oracle

TOLERANCE = 1e-9

COMPARE = """
suppressWarnings(suppressMessages(library(pROC)))
data <- read.csv(file("stdin"))
number <- function(x) sprintf("%.17g", x)
cat("case,auc_a,auc_b,var_a,var_b,low,high,z,p\\n")
for (case in unique(data$case)) suppressWarnings({
  rows <- data[data$case == case, ]
  a <- roc(rows$y, rows$a, levels = c(0, 1), direction = "<", quiet = TRUE)
  b <- roc(rows$y, rows$b, levels = c(0, 1), direction = "<", quiet = TRUE)
  test <- roc.test(a, b, method = "delong", paired = TRUE)
  interval <- ci.auc(a, method = "delong")
  cat(paste(case, number(auc(a)), number(auc(b)), number(var(a, method = "delong")),
            number(var(b, method = "delong")), number(interval[1]), number(interval[3]),
            number(test$statistic), number(test$p.value), sep = ","), "\\n", sep = "")
})
"""

ANEURYSM = """
suppressWarnings(suppressMessages(library(pROC)))
data(aSAH)
write.csv(data.frame(poor = as.integer(aSAH$outcome == "Poor"), wfns = as.integer(aSAH$wfns),
                     s100b = aSAH$s100b, ndka = aSAH$ndka), row.names = FALSE)
"""


@pytest.fixture(scope="module")
def r_with_proc() -> str:
    """Path of Rscript, when R and pROC are there."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed (Debian: r-base-core r-cran-proc)")
    probe = subprocess.run(
        [program, "-e", "suppressMessages(library(pROC))"], capture_output=True, check=False, timeout=50
    )
    if probe.returncode:
        pytest.skip("R has no pROC (Debian: r-cran-proc)")
    return program


def run_r(program: str, script: str, tmp_path: Path, given: str = "") -> list[dict[str, str]]:
    """Run a script of R on a CSV and read the CSV that it prints."""
    path = tmp_path / "script.R"
    path.write_text(script)
    done = subprocess.run(
        [program, "--vanilla", str(path)], input=given, capture_output=True, text=True, check=True, timeout=50
    )
    return list(csv.DictReader(io.StringIO(done.stdout)))


Case = tuple[str, BoolArray, FloatArray, FloatArray]


def random_cases() -> list[Case]:
    """Heavy ties, tiny classes, perfect separation, nearly identical models, continuous scores."""
    generator = np.random.default_rng(20261123)
    cases: list[Case] = []
    for index in range(40):
        n_positive, n_negative = generator.integers(2, 80, 2)
        positive = generator.permutation(np.arange(n_positive + n_negative) < n_positive)
        signal = np.where(positive, generator.uniform(0, 2), 0.0)
        shared = generator.normal(size=positive.size)
        a = signal + shared + generator.normal(size=positive.size)
        b = signal + shared + generator.normal(size=positive.size)
        cases.append((f"continuous{index}", positive, a, b))
        tied_a, tied_b = (values.astype(np.float64) for values in (np.rint(a), np.rint(b / 2)))
        cases.append((f"ties{index}", positive, tied_a, tied_b))
        near = a.copy()
        near[: 1 + index % 5] += 0.5
        cases.append((f"near{index}", positive, a, near))
        cases.append((f"same{index}", positive, np.round(a, 1), np.round(a, 1)))
        perfect: FloatArray = positive + 0.5 * generator.random(positive.size)
        cases.append((f"one_perfect{index}", positive, perfect, b))
        cases.append((f"two_perfect{index}", positive, perfect, perfect**2))
    for n_positive, n_negative in [(2, 2), (2, 3), (3, 2), (2, 60), (60, 2)]:
        for index in range(8):
            positive = np.arange(n_positive + n_negative) < n_positive
            a, b = generator.integers(0, 4, (2, positive.size)).astype(float)
            cases.append((f"tiny{n_positive}_{n_negative}_{index}", positive, a, b))
    positive = np.arange(12) >= 5
    cases.append(("perfect_constant", positive, positive.astype(np.float64), np.zeros(12)))
    cases.append(("perfect_reversed", positive, positive.astype(np.float64), -positive.astype(np.float64)))
    return cases


def close(ours: float | None, theirs: str) -> bool:
    """Within 1e-9, an infinite number only equal to itself."""
    assert ours is not None
    reference = float(theirs)
    return ours == reference or abs(ours - reference) <= TOLERANCE * max(1.0, abs(reference))


def test_auc_variance_z_and_p_agree_with_proc(r_with_proc: str, tmp_path: Path) -> None:
    """On hundreds of random cohorts pROC and we agree to 1e-9 on AUC, variance, interval, Z and p."""
    cases = random_cases()
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["case", "y", "a", "b"])
    for name, positive, a, b in cases:
        writer.writerows(
            (name, int(y), repr(float(s)), repr(float(t))) for y, s, t in zip(positive, a, b, strict=True)
        )
    answers = {row["case"]: row for row in run_r(r_with_proc, COMPARE, tmp_path, table.getvalue())}
    assert len(answers) == len(cases)
    for name, positive, a, b in cases:
        answer, first, second = answers[name], delong_auc(a, positive), delong_auc(b, positive)
        test, interval = delong_test(a, b, positive), auc_figure(first)
        pairs = [
            (first.auc, "auc_a"),
            (second.auc, "auc_b"),
            (first.variance, "var_a"),
            (second.variance, "var_b"),
            (interval.low, "low"),
            (interval.high, "high"),
            (test.z, "z"),
            (test.p, "p"),
        ]
        wrong = {key: (ours, answer[key]) for ours, key in pairs if not close(ours, answer[key])}
        assert not wrong, (name, wrong)


def test_aneurysm_data_give_the_published_numbers(r_with_proc: str, tmp_path: Path) -> None:
    """On pROC's own aSAH data our figures are those that pROC's tests hold it to."""
    rows = run_r(r_with_proc, ANEURYSM, tmp_path)
    positive = np.array([row["poor"] == "1" for row in rows])
    scores = {name: np.array([float(row[name]) for row in rows]) for name in ("wfns", "s100b", "ndka")}
    assert (positive.size, positive.sum()) == (113, 41)
    known = {
        "wfns": (0.823678862, 0.00146991470882),
        "s100b": (0.731368563, 0.00266868245717),
        "ndka": (0.611957995, 0.00319081054939),
    }
    for name, (auc, variance) in known.items():
        estimate = delong_auc(scores[name], positive)
        assert estimate.auc == pytest.approx(auc, abs=1e-9)
        assert estimate.variance == pytest.approx(variance, abs=1e-13)
    for a, b, z, p in [
        ("wfns", "s100b", 2.20898359144091, 0.0271757822291882),
        ("wfns", "ndka", 2.79777591868904, 0.00514557970691098),
        ("ndka", "s100b", -1.39077002573558, 0.164295175223054),
    ]:
        test = delong_test(scores[a], scores[b], positive)
        assert test.z == pytest.approx(z, abs=1e-11)
        assert test.p == pytest.approx(p, abs=1e-12)
    interval = auc_figure(delong_auc(scores["ndka"], positive))
    assert interval.low == pytest.approx(0.501244999, abs=1e-9)
    assert interval.high == pytest.approx(0.722670990, abs=1e-9)
    choice = youden_cutoff(scores["s100b"], positive)
    assert math.isclose(choice.cutoff, 0.205, abs_tol=1e-12)
    figures = operating_figures(two_by_two(scores["s100b"], positive, choice.cutoff))
    assert figures.sensitivity.value == pytest.approx(0.634, abs=5e-4)
    assert figures.specificity.value == pytest.approx(0.806, abs=5e-4)
