"""The soak's measure of growth, and a short soak; the documents show the figures that were measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.document import DOCUMENT, rendered
from tests.faults.soak import growth_of, run_soak


def test_growth_is_a_share_of_the_level() -> None:
    """One per cent over the whole time is one per cent, and one outlier changes nothing."""
    times = [float(second) for second in range(0, 1000, 10)]
    values = [100 + second / 1000 for second in times]
    assert growth_of(times, values) == pytest.approx(0.0098, abs=0.0003)
    values[50] = 900
    assert growth_of(times, values) == pytest.approx(0.0098, abs=0.0003)


def test_a_level_that_only_wavers_does_not_grow() -> None:
    """Up and down again is no growth."""
    assert growth_of([float(t) for t in range(60)], [100.0 + t % 3 for t in range(60)]) == pytest.approx(0)


def test_the_document_shows_the_figures() -> None:
    """The tables of docs/reliability.md are those of the result files, word for word."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == rendered(text)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_minutes_at_full_rate(tmp_path: Path) -> None:
    """The real appliance on the real rate: it lives, measures, and neither threads nor descriptors grow."""
    soak = run_soak(tmp_path, minutes=2.0)
    unexpected = [f for f in soak.findings if not f.startswith("memory")]  # its caches fill for minutes
    assert unexpected == []
    assert soak.exams >= 1
    assert len(soak.samples) >= 10
