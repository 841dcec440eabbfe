"""The figures of a campaign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from tests.faults.catalogue import FAULTS
from tests.faults.document import machine_in_words, today
from tests.faults.invariants import Evidence, repeated, required, results_of


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of fault: how often, and how soon all was well again, in seconds."""

    fault: str
    group: str
    times: int
    median_s: float | None
    longest_s: float | None
    promised_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """How the campaign was run; `skipped` names groups of faults and why they were left out."""

    command: str
    seed: int
    minutes: float
    skipped: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """A campaign in figures."""

    run: Run
    machine: str
    date: str
    exams: int
    faults: int
    processes: int
    messages: int
    repeated: int
    results: int
    committed: int
    required: int
    findings: list[str]
    rows: list[Row]


def report_of(evidence: Evidence, findings: list[str], run: Run) -> Report:
    """Count."""
    return Report(
        run=run,
        machine=machine_in_words(),
        date=today(),
        exams=len(evidence.visits),
        faults=len(evidence.injections),
        processes=len(evidence.lives),
        messages=len(evidence.heard),
        repeated=repeated(evidence.heard),
        results=len(results_of(evidence.heard)),
        committed=len(evidence.committed),
        required=len(required(evidence)),
        findings=findings,
        rows=[row for fault in FAULTS if (row := _row(evidence, fault.name)) is not None],
    )


def _row(evidence: Evidence, name: str) -> Row | None:
    injections = [i for i in evidence.injections if i.fault.name == name]
    if not injections:
        return None
    after_s = [i.well_after_s for i in injections if i.well_after_s is not None]
    return Row(
        name,
        injections[0].fault.group,
        len(injections),
        round(median(after_s), 2) if after_s else None,
        round(max(after_s), 2) if after_s else None,
        min(i.bound_s for i in injections),
    )
