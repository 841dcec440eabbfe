"""The alternatives to DeLong's test agree with ours, and stop in time; the power of n is found."""

from __future__ import annotations

import pytest

from benchmarks.delong import Alternative, Times, bootstrap, draw, exponent, obvious, ours
from benchmarks.record import Run
from model_export.statistics.figure import BoolArray, FloatArray


def test_every_alternative_tests_the_same() -> None:
    """The formulas agree to the last digits, the bootstrap roughly."""
    scores = draw(300)
    assert obvious(*scores) == pytest.approx(ours(*scores), rel=1e-9)
    assert bootstrap(*scores, resamples=200) == pytest.approx(ours(*scores), abs=0.1)


def test_power() -> None:
    """Time that grows as n squared has the exponent 2."""
    assert exponent({n: 1e-6 * n**2 for n in (100, 1_000, 10_000)}) == pytest.approx(2)


def test_an_alternative_stops_where_it_would_take_too_long() -> None:
    """Foreseen from the last size, told with its time, and not measured."""
    run = Run()
    asked: list[int] = []

    def slow(a: FloatArray, _b: FloatArray, _truth: BoolArray, _repeats: int) -> Times:
        asked.append(a.size)
        return [2_000.0], 0.5

    other = Alternative("slow", 1.0, slow)
    for n in (100, 1_000):
        run.measure(f"{n}", [1.0], "ms")
        other.compare(run, f"{n}", draw(n), 1, 0.5)
    assert asked == [100]
    assert "one test of 100 takes 2 s" in run.not_available["1000"]["slow"]
    assert run.ratios == {"100": {"slow": 2_000.0}}
