"""DeLong's paired tests in the three families of the paper's argument, with Holm's correction within each."""

from __future__ import annotations

import math
from dataclasses import dataclass

from statsmodels.stats.multitest import multipletests

from model_export.evaluate_figures import PANELS
from model_export.evaluate_results import CohortResult
from model_export.evaluate_scores import base_of
from model_export.evaluate_tables import DASH, Cell, p_cell, paired_test
from model_export.statistics.auc import PairedTest
from model_export.statistics.figure import normal_quantile


@dataclass(frozen=True, slots=True)
class PairTest:
    """Method a against method b at one threshold.

    Attributes:
        threshold: its name.
        a: the method expected to be better.
        b: the other one.
        difference: AUC of a minus AUC of b; None where it is undefined.
        reach: half of its 95 % interval; None where it is undefined.
        p: two-sided; None where no test is possible.
        p_holm: p after Holm's correction for all tests of the family.
    """

    threshold: str
    a: str
    b: str
    difference: float | None
    reach: float | None
    p: float | None
    p_holm: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Of the difference, 95 %; None where it is undefined."""
        if self.difference is None or self.reach is None:
            return None
        return self.difference - self.reach, self.difference + self.reach


@dataclass(frozen=True, slots=True)
class Family:
    """Tests that answer one question."""

    title: str
    tests: tuple[PairTest, ...]


@dataclass(frozen=True, slots=True)
class PairRow:
    """A pair as printed: for each threshold its difference, p and corrected p."""

    name: str
    cells: tuple[Cell, ...]


def families(result: CohortResult) -> tuple[Family, ...]:
    """The families of tests whose methods the cohort has; empty ones are left out."""
    methods = list(result.methods[PANELS[0].name])
    twins = [(base_of(name), name) for name in methods if base_of(name) != name]
    combined = [("GM+EM", "GM"), ("GM+EM", "EM"), ("GM+LSM", "GM"), ("GM+LSM", "LSM"), ("GM+EM", "GM+LSM")]
    with_lsm = [(name, "LSM") for name in methods if name != "LSM" and base_of(name) == name]
    listed = (
        ("With against without transfer learning", twins),
        ("Combined against single", combined),
        ("All methods against liver stiffness (LSM)", with_lsm),
    )
    made = (_family(result, title, pairs) for title, pairs in listed)
    return tuple(family for family in made if family.tests)


def _family(result: CohortResult, title: str, pairs: list[tuple[str, str]]) -> Family:
    methods = result.methods[PANELS[0].name]
    there = [(a, b) for a, b in pairs if a in methods and b in methods]
    tests = [paired_test(result, threshold.name, a, b) for a, b in there for threshold in PANELS]
    found = [test.p for test in tests if test.p is not None]
    corrected = iter(multipletests(found, method="holm")[1].tolist() if found else [])
    return Family(
        title,
        tuple(
            PairTest(
                threshold=threshold.name,
                a=a,
                b=b,
                difference=test.difference,
                reach=None if test.variance is None else normal_quantile() * math.sqrt(test.variance),
                p=test.p,
                p_holm=None if test.p is None else next(corrected),
            )
            for ((a, b), threshold), test in zip(
                ((pair, threshold) for pair in there for threshold in PANELS), tests, strict=True
            )
        ),
    )


def pair_rows(family: Family) -> tuple[PairRow, ...]:
    """One row per pair, its thresholds side by side in the order of the paper."""
    rows: dict[str, list[Cell]] = {}
    for test in family.tests:
        rows.setdefault(f"{test.a} − {test.b}", []).extend(_cells(test))  # noqa: RUF001 - a minus
    return tuple(PairRow(name, tuple(cells)) for name, cells in rows.items())


def _cells(test: PairTest) -> tuple[Cell, Cell, Cell]:
    if test.difference is None:
        return Cell(DASH), Cell(DASH), Cell(DASH)
    interval = "" if test.interval is None else "{:+.3f} to {:+.3f}".format(*test.interval)
    p_values = (p_cell(PairedTest(None, None, None, p)) for p in (test.p, test.p_holm))
    return (Cell(f"{test.difference:+.3f}", interval), *p_values)  # type: ignore[return-value]  # two
