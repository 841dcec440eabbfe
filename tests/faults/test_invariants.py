"""The checks of the fault campaign find what they are there for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_app.ward.publication import publication_of
from tests.faults.appliance import Life
from tests.faults.catalogue import FAULTS
from tests.faults.injector import Injection, order_of_faults
from tests.faults.invariants import Evidence, committed_results, findings_of, repeated, results_of
from tests.faults.observer import Heard
from tests.faults.sonographer import Freeze, Visit
from tests.firmware_app.exam_examples import acquired, after, appliance

KILLED = next(fault for fault in FAULTS if fault.name == "killed")
CUT = next(fault for fault in FAULTS if fault.name == "connection cut")


def _measured(patient: int, number: int) -> dict[str, Any]:
    """What is printed of a patient's measurement."""
    mean = 6.0 + 4 * patient + 0.1 * number
    return {"mean_kpa": mean, "min_kpa": mean - 1, "max_kpa": mean + 1, "sd_kpa": 0.5}


def _exam(patient: int) -> list[Heard]:
    """Everything that is heard of one patient's exam: cleared, five acquisitions, the result."""
    events = [acquired(100 * patient + n) for n in range(1, 6)]
    messages: list[Heard] = []
    for count in range(1, 6):
        _, effects = after(*events[:count])
        for effect in effects:
            publication = publication_of(effect, events[0].at, appliance(), time_trusted=True)
            if publication is not None:
                heard = Heard(float(len(messages)), publication.topic, publication.payload, retained=False)
                messages.append(heard)
    return [_as_shown(heard, patient) for heard in messages]


def _as_shown(heard: Heard, patient: int) -> Heard:
    """The message with this patient's values in place of the examples'."""
    if not heard.payload:
        return heard
    content: dict[str, Any] = json.loads(heard.payload)
    if content["type"] == "acquisition":
        content["evidence"]["readout"].update(_measured(patient, content["n"]))
    if content["type"] == "result":
        for number, seen in enumerate(content["evidence"]["acquisitions"], start=1):
            seen["readout"].update(_measured(patient, number))
        content["lsm"]["mean_kpa"] = 6.3 + 4 * patient
    return replace(heard, payload=json.dumps(content).encode())


def _visit(patient: int) -> Visit:
    began_s = 100.0 * patient
    freezes = tuple(
        Freeze(patient, tuple(_measured(patient, n).values()), _measured(patient, n)["mean_kpa"],
               began_s + 3 * n, began_s + 3 * n + 2.5, good=True)
        for n in range(1, 6)
    )  # fmt: skip
    return Visit(patient, began_s, began_s + 20.0, freezes)


def _evidence() -> Evidence:
    """Two patients, one fault that spoiled nothing, nothing wrong."""
    heard = (*_exam(0), *_exam(1))
    return Evidence(
        heard=heard,
        visits=(_visit(0), _visit(1)),
        injections=(Injection(CUT, 5.0, 13.0, released_s=5.5, well_after_s=1.0),),
        lives=(Life(0.0, ready_s=3.0, ended_s=200.0, code=0, wanted=True),),
        committed=results_of(heard),
        audit_fault=None,
    )


def _changed(heard: Heard, **changes: object) -> Heard:
    return replace(heard, payload=json.dumps({**heard.content(), **changes}).encode())


def _edit(kind: str, change: Callable[[Heard], list[Heard]]) -> Callable[[Evidence], Evidence]:
    """Evidence in which the first message of this kind became others."""

    def edited(evidence: Evidence) -> Evidence:
        index = next(i for i, h in enumerate(evidence.heard) if h.content().get("type", "") == kind)
        heard = (*evidence.heard[:index], *change(evidence.heard[index]), *evidence.heard[index + 1 :])
        return replace(evidence, heard=heard)

    return edited


def _swap_patients(evidence: Evidence) -> Evidence:
    """The second patient's acquisitions are told under the first one's exam."""
    first = str(evidence.heard[1].content()["exam_id"])
    heard = tuple(
        _changed(h, exam_id=first) if h.content().get("type") == "acquisition" else h for h in evidence.heard
    )
    return replace(evidence, heard=heard)


BREAKS: dict[str, Callable[[Evidence], Evidence]] = {
    "lost": _edit("result", lambda _: []),
    "missing": lambda e: replace(_edit("result", lambda _: [])(e), committed={}),
    "altered": lambda e: replace(e, committed={k: {**v, "stage": 1} for k, v in e.committed.items()}),
    "twice": _edit("result", lambda h: [h, _changed(h, n_acquisitions=4)]),
    "wrong": _edit("result", lambda h: [_changed(h, lsm={**dict(h.content()["lsm"]), "mean_kpa": 7.0})]),  # type: ignore[call-overload]
    "mixed": _swap_patients,
    "stale": lambda e: replace(e, heard=tuple(h for h in e.heard if h.payload)),
    "schema": _edit("exam", lambda h: [_changed(h, surplus=1)]),
    "late": lambda e: replace(e, injections=(replace(e.injections[0], well_after_s=14.0),)),
    "process": lambda e: replace(e, lives=(replace(e.lives[0], wanted=False, code=1),)),
    "audit log": lambda e: replace(e, audit_fault="audit-000001.jsonl line 3: it was altered"),
}


def test_kept_promises_are_no_findings() -> None:
    """Two exams that arrive whole, and a fault that is over in time, are in order."""
    assert findings_of(_evidence()) == []


@pytest.mark.parametrize("kind", BREAKS)
def test_a_broken_promise_is_found(kind: str) -> None:
    """Whatever is broken is named."""
    findings = findings_of(BREAKS[kind](_evidence()))
    assert any(finding.startswith(f"{kind}: ") for finding in findings), findings


def test_a_message_repeated_by_the_broker_is_counted_once() -> None:
    """QoS 1 may deliver twice: the same id with the same content is one result."""
    evidence = _edit("result", lambda h: [h, h])(_evidence())
    assert findings_of(evidence) == []
    assert repeated(evidence.heard) == 1


def test_a_spoiled_freeze_need_not_count() -> None:
    """Four good freezes and one during which the process was killed make no result, and nobody misses it."""
    evidence = replace(_edit("result", lambda _: [])(_evidence()), committed={})
    freeze = evidence.visits[0].freezes[2]
    killed = Injection(KILLED, freeze.began_s + 1, 10.0, released_s=freeze.began_s + 1, well_after_s=5.0)
    assert findings_of(replace(evidence, injections=(killed,))) == []


def test_every_fault_comes_about_equally_often() -> None:
    """The order is random, the numbers are not; what this machine cannot do is left out."""
    coming = order_of_faults(random.Random(3), {fault.group for fault in FAULTS} - {"disk"})
    made = [fault for _ in range(150) for fault in next(coming)]
    counts = {fault.name: made.count(fault) for fault in FAULTS if fault.group != "disk"}
    assert max(counts.values()) - min(counts.values()) <= 2, counts
    assert not any(fault.group == "disk" for fault in made)


def test_a_result_that_was_only_intended_is_not_committed(tmp_path: Path) -> None:
    """What the log holds of the last moment before a kill need not arrive; everything else must."""

    def lines(*entries: tuple[str, int, int | None]) -> dict[str, object]:
        text = "".join(
            json.dumps({"kind": kind, "time": time, "content": {"id": name}}) + "\n"
            for kind, time, name in entries
        )
        (tmp_path / "audit-000001.jsonl").write_text(text)
        return dict(committed_results(tmp_path))

    begun, result, exam = ("started", 1, None), ("result", 2, 7), ("exam", 2, None)
    assert set(lines(begun, result, exam, ("started", 9, None))) == set()
    assert set(lines(begun, result, exam, ("exam", 3, None), ("started", 9, None))) == {"7"}
    assert set(lines(begun, result, exam, ("stopped", 2, None), ("started", 9, None))) == {"7"}
    assert set(lines(begun, result, exam)) == {"7"}
