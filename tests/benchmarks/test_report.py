"""The page that is made of the result files, and the budget lines at the end of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.budgets import BUDGETS
from benchmarks.record import Run, keep, parser
from benchmarks.report import budget_lines, write_document
from firmware_app.wording import NOTICE

DOC = """How fast it draws.

    python -m benchmarks.drawing
"""
SOAK = {"date": "2026-11-24", "pss_growth": 0.02, "uss_growth": 0.004}
FAULTS = {
    "date": "2026-11-23",
    "findings": ["lost: result 1 never arrived", "missing: patient 2 has no result", "late: well again"],
}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two runs of one benchmark, and what campaign and soak wrote."""
    folder = tmp_path / "results"
    for ours_ms, value_s in ((2.0, 0.5), (3.0, 1.5)):
        one = Run()
        one.measure("squares", [ours_ms] * 3, "ms")
        one.compare("squares", "by hand", [6.0] * 3)
        one.compare("squares", "by magic", [1.0] * 3)
        one.absent("squares", "cairo", "not installed")
        one.budget("result_p95_s", value_s)
        one.note("drawn in memory")
        keep("whole_appliance", one, parser(DOC).parse_args(["--results", str(folder)]))
    (folder / "soak.json").write_text(json.dumps(SOAK))
    (folder / "faults.json").write_text(json.dumps(FAULTS))
    return folder


def test_budget_lines(results: Path) -> None:
    """Every budget has its line: the worst run counts, and what nobody measured is no promise kept."""
    lines = budget_lines(results)
    assert len(lines) == len(BUDGETS)
    told = {line.split()[1]: line for line in lines}
    assert told["result_p95_s"].startswith("budget result_p95_s 1.5 1 missed (recorded 20")
    assert told["results_lost"] == "budget results_lost 2 0 missed (recorded 2026-11-23)"
    assert told["memory_growth_percent"] == "budget memory_growth_percent 0.4 1 met (recorded 2026-11-24)"
    assert told["inference_ms"] == "budget inference_ms not-measured 60 missed"


def test_document(results: Path, tmp_path: Path) -> None:
    """The page tells budgets, where we are behind, every measure with its alternatives, and draws them."""
    page = tmp_path / "performance.md"
    write_document(results, page, ("whole_appliance", "never_run"))
    text = page.read_text(encoding="utf-8")
    assert NOTICE in text.replace("*", "")
    behind = text.partition("## Where we are not ahead\n\n")[2].splitlines()
    assert behind[0] == "- whole_appliance, squares: x0.42 against by magic (runs: 0.33 to 0.50)"
    assert behind[1] == ""
    assert "How fast it draws." in text
    assert "| squares, ms | **ours** | 2.5 | 2.5 |  |  | 3 | 6 | | 2 to 3 |" in text
    assert "| | by hand | 6 | 6 |  |  | 6 | 6 | x2.50 | x2.00 to x3.00 |" in text
    assert "| | cairo | not available here: not installed |" in text
    assert "- drawn in memory\n" in text
    assert "by magic" in (tmp_path / "performance" / "whole_appliance.svg").read_text(encoding="utf-8")


def test_document_twice(results: Path, tmp_path: Path) -> None:
    """The same results give the same page and the same plots."""
    written = []
    for name in ("first", "second"):
        page = tmp_path / name / "performance.md"
        page.parent.mkdir()
        write_document(results, page, ("whole_appliance",))
        written.append((page.read_text(), (page.parent / "performance" / "whole_appliance.svg").read_text()))
    assert written[0] == written[1]


def test_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that nobody knows is one clear line and exit code 2."""
    assert run.main(["screen_writing"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: no benchmark screen_writing; known: ")
    assert told.count("\n") == 1


def test_every_benchmark_is_there() -> None:
    """Whatever the runner knows is a module, and is run once."""
    names = run.DEFAULT + run.BY_NAME
    assert len(set(names)) == len(names)
    folder = Path(run.__file__).parent
    assert [name for name in names if not (folder / f"{name}.py").exists()] == []


def test_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A benchmark that fails is named, the others run all the same, and the exit code tells."""
    codes = {"delong": 1}
    monkeypatch.setattr(run, "run_one", lambda name, *_, **__: codes.get(name, 0))
    assert run.main(["delong", "mirror", "--smoke"]) == 1
    assert capsys.readouterr().err == "error: the benchmark delong failed\n"
    assert run.main(["mirror", "--smoke"]) == 0
