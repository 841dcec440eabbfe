"""The form of the benchmarks' results, and the lines of the budgets."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmarks import record
from benchmarks.budgets import BUDGETS, BY_NAME
from benchmarks.record import Run, keep, parser, read

DOC = """What it measures.

Beside it: something
else.

    python -m benchmarks.example
"""


def options(folder: Path, *words: str) -> argparse.Namespace:
    """The options of a benchmark that writes here."""
    return parser(DOC).parse_args(["--results", str(folder), *words])


def a_run(ours: float = 2.0) -> Run:
    """A run whose figures are known."""
    run = Run()
    run.measure("drawing", [ours, ours, 10 * ours], "ms")
    run.compare("drawing", "by hand", [8.0, 8.0, 9.0])
    run.measure("rate", [50.0], "1/s", better="more")
    run.compare("rate", "by hand", [100.0])
    run.absent("drawing", "cairo", "not installed")
    run.budget("result_p95_s", 0.25)
    run.note("in memory")
    return run


def test_round_trip(tmp_path: Path) -> None:
    """A record is read back as it was written."""
    run = a_run()
    assert keep("example", run, options(tmp_path)) == 0
    kept = read(tmp_path / "example.json")
    assert kept is not None
    assert kept.runs == [run]
    assert kept.machine == record.this_machine()
    assert kept.about == "What it measures.\n\nBeside it: something else."
    assert kept.spread == {"drawing": (2.0, 2.0), "rate": (50.0, 50.0)}


def test_ratio() -> None:
    """Above 1 we are ahead, whether less or more is better."""
    run = a_run()
    assert run.ratios == {"drawing": {"by hand": 4.0}, "rate": {"by hand": 0.5}}


def test_zero() -> None:
    """Nothing is a multiple of zero."""
    run = Run()
    run.measure("dropped", [0], "frames")
    run.compare("dropped", "by hand", [100])
    assert run.ratios == {}
    assert run.alternatives["dropped"]["by hand"].p50 == 100


def test_spread(tmp_path: Path) -> None:
    """The newest runs are kept, with the spread of their medians."""
    for ours in (9.0, 2.0, 4.0, 3.0):
        keep("example", a_run(ours), options(tmp_path))
    kept = read(tmp_path / "example.json")
    assert kept is not None
    assert [run.measures["drawing"].p50 for run in kept.runs] == [2.0, 4.0, 3.0]
    assert kept.spread["drawing"] == (2.0, 4.0)


def test_other_seed(tmp_path: Path) -> None:
    """A run with another seed is not put beside the others."""
    keep("example", a_run(), options(tmp_path))
    keep("example", a_run(), options(tmp_path, "--seed", "2"))
    kept = read(tmp_path / "example.json")
    assert kept is not None
    assert len(kept.runs) == 1


def test_smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A smoke run writes nothing beside the real results."""
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    keep("example", a_run(), options(tmp_path, "--smoke"))
    assert list(tmp_path.iterdir()) == []


def test_other_form(tmp_path: Path) -> None:
    """What campaign and soak write is not taken for this form."""
    path = tmp_path / "soak.json"
    path.write_text('{"command": "make soak"}')
    assert read(path) is None


def test_budget_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A budget's line: name, value, limit, met or missed."""
    keep("example", a_run(), options(tmp_path))
    assert capsys.readouterr().out.splitlines()[-1] == "budget result_p95_s 0.25 1 met"
    assert BY_NAME["result_p95_s"].line(1.5) == "budget result_p95_s 1.5 1 missed"


def test_worst() -> None:
    """A budget counts by its worst run, and less than one frame is not one frame."""
    assert BY_NAME["inference_over_torch_eager"].worst([2.5, 1.9]) == 1.9
    assert BY_NAME["inference_ms"].worst([2.5, 1.9]) == 2.5
    assert not BY_NAME["display_latency_p99_frames"].is_met(1.0)
    assert BY_NAME["result_p95_s"].is_met(1.0)


def test_names() -> None:
    """No two budgets have one name, and an unknown one is refused."""
    assert len(BY_NAME) == len(BUDGETS)
    with pytest.raises(KeyError):
        Run().budget("speed", 1.0)
