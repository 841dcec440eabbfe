"""What must hold whatever happens: checked afterwards, on what the observer heard and on what was shown.

Each check returns sentences, one for each promise that was broken.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.faults.appliance import Life
from tests.faults.injector import Injection, spoils
from tests.faults.observer import Heard
from tests.faults.patients import Printed
from tests.faults.sonographer import NEEDED, Freeze, Visit

CONTRACT = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
MARGIN_S = 1.5
"""A fault that comes so soon after a freeze may still spoil it: it is being examined."""
LSM_TOLERANCE, LSM_TOLERANCE_KPA = 0.05, 0.3
"""Share, or kPa, whichever is more: half-size pictures of soft livers are decoded no better."""
READY_WITHIN_S = 8.0
"""A process, once started, is ready within this time (systemd's pause of 2 s comes on top)."""

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All there is afterwards.

    Attributes:
        heard: by the observer, in order.
        visits: what was shown.
        injections: what was done to the appliance.
        lives: its processes.
        committed: results in its audit log, by id.
        audit_fault: what `fibrostage audit verify` found; None: nothing.
        slack: factor on the bounds.
    """

    heard: tuple[Heard, ...]
    visits: tuple[Visit, ...]
    injections: tuple[Injection, ...]
    lives: tuple[Life, ...]
    committed: Mapping[str, Json]
    audit_fault: str | None
    slack: float = 1.0


def findings_of(evidence: Evidence) -> list[str]:
    """Every broken promise; empty: all were kept."""
    return [
        *_outside_the_contract(evidence),
        *_ambiguous(evidence),
        *_lost(evidence),
        *_mixed(evidence),
        *_missing(evidence),
        *_stale(evidence),
        *_late(evidence),
        *_ended_by_itself(evidence),
        *([] if evidence.audit_fault is None else [f"audit log: {evidence.audit_fault}"]),
    ]


def results_of(heard: tuple[Heard, ...]) -> dict[str, Json]:
    """The results that arrived, by id."""
    return {str(c["id"]): c for h in heard if (c := _content(h, "result")) is not None}


def repeated(heard: tuple[Heard, ...]) -> int:
    """How many messages were delivered more than once, as QoS 1 allows."""
    ids = [str(c["id"]) for h in heard if not h.retained and "id" in (c := h.content())]
    return len(ids) - len(set(ids))


def required(evidence: Evidence) -> list[Visit]:
    """The visits in which five freezes were shown that no fault has spoiled: each must have its result."""
    return [visit for visit in evidence.visits if len(_good(evidence, visit)) >= NEEDED]


def _outside_the_contract(evidence: Evidence) -> Iterator[str]:
    for heard in evidence.heard:
        if not heard.payload:
            if heard.topic != "result":
                yield f"schema: an empty message on {heard.topic}"
            continue
        content = heard.content()
        validator = _validators().get(str(content.get("type")))
        if validator is None:
            yield f"schema: {heard.topic} has no type that the contract knows: {heard.payload[:80]!r}"
            continue
        error = next(iter(validator.iter_errors(dict(content))), None)
        if error is not None:
            yield f"schema: {heard.topic}: {error.json_path}: {error.message[:120]}"


@cache
def _validators() -> dict[str, Draft202012Validator]:
    """For each value of `type`, the validator of the published contract."""
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    schemas = contract["components"]["schemas"]
    found = {}
    for name, schema in schemas.items():
        kind = schema.get("properties", {}).get("type", {}).get("const")
        if kind is not None:
            whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
            found[kind] = Draft202012Validator(whole)
    return found


def _ambiguous(evidence: Evidence) -> Iterator[str]:
    """The same id always carries the same content."""
    known: dict[str, bytes] = {}
    for heard in evidence.heard:
        content = heard.content() if heard.payload else {}
        name = content.get("id")
        if isinstance(name, str) and known.setdefault(name, heard.payload) != heard.payload:
            yield f"twice: {heard.topic} {name} arrived with two contents"


def _lost(evidence: Evidence) -> Iterator[str]:
    """What the appliance has committed arrives, as it was committed."""
    arrived = results_of(evidence.heard)
    for name, content in evidence.committed.items():
        if name not in arrived:
            yield f"lost: result {name} of {content.get('time')} never arrived"
        elif dict(arrived[name]) != dict(content):
            yield f"altered: result {name} arrived with another content than was committed"


def _mixed(evidence: Evidence) -> Iterator[str]:
    """No exam, and no result, holds measurements of two patients, or what no screen has shown."""
    shown = {f.printed: f for visit in evidence.visits for f in visit.freezes}
    patients: defaultdict[str, set[int]] = defaultdict(set)
    for heard in evidence.heard:
        accepted = _content(heard, "acquisition")
        if accepted is not None:
            freeze = shown.get(_printed(accepted["evidence"]))
            if freeze is None:
                yield f"wrong: acquisition {accepted['id']} holds values that no screen has shown"
            else:
                patients[str(accepted["exam_id"])].add(freeze.patient)
    for exam, numbers in patients.items():
        if len(numbers) > 1:
            yield f"mixed: exam {exam} holds acquisitions of patients {sorted(numbers)}"
    for name, result in results_of(evidence.heard).items():
        yield from _wrong(name, result, shown)


def _wrong(name: str, result: Json, shown: Mapping[Printed, Freeze]) -> Iterator[str]:
    freezes = [shown.get(printed) for printed in _measurements(result)]
    known = [freeze for freeze in freezes if freeze is not None]
    if len(known) < len(freezes) or len(set(known)) < NEEDED:
        yield f"wrong: result {name} rests on {len(set(known))} freezes that were shown, not {NEEDED}"
        return
    if len({freeze.patient for freeze in known}) > 1:
        yield f"mixed: result {name} holds patients {sorted({freeze.patient for freeze in known})}"
    truth_kpa, lsm = mean(freeze.mean_kpa for freeze in known), result["lsm"]
    told_kpa = float(str(lsm["mean_kpa"])) if isinstance(lsm, dict) else 0.0
    if abs(told_kpa - truth_kpa) > max(LSM_TOLERANCE * truth_kpa, LSM_TOLERANCE_KPA):
        yield f"wrong: result {name} says {told_kpa:.2f} kPa, the patient has {truth_kpa:.2f}"


def _missing(evidence: Evidence) -> Iterator[str]:
    """Five good freezes of one patient make a result."""
    shown = {f.printed: f for visit in evidence.visits for f in visit.freezes}
    served = {
        freeze.patient
        for result in results_of(evidence.heard).values()
        for printed in _measurements(result)
        if (freeze := shown.get(printed)) is not None
    }
    for visit in required(evidence):
        if visit.patient not in served:
            yield f"missing: patient {visit.patient} was measured five times undisturbed and has no result"


def _good(evidence: Evidence, visit: Visit) -> list[Freeze]:
    """The freezes that no fault has spoiled, and whose picture the networks do not refuse at any time."""
    strange = {
        _printed(content["evidence"])
        for heard in evidence.heard
        if (content := _content(heard, "refusal")) is not None and content["reason"] == "picture_quality"
    }
    return [
        freeze
        for freeze in visit.freezes
        if freeze.printed not in strange
        and not spoils(evidence.injections, freeze.began_s, freeze.ended_s, MARGIN_S)
    ]


def _stale(evidence: Evidence) -> Iterator[str]:
    """A result no longer stands at the broker when the next exam's first acquisition is told."""
    standing: object = None
    for heard in evidence.heard:
        if heard.retained:
            continue
        if heard.topic == "result":
            standing = heard.content().get("exam_id") if heard.payload else None
        accepted = _content(heard, "acquisition")
        if accepted is not None and standing not in {None, accepted["exam_id"]}:
            yield f"stale: the result of exam {standing} stands while exam {accepted['exam_id']} goes on"


def _late(evidence: Evidence) -> Iterator[str]:
    for injection in evidence.injections:
        after_s = injection.well_after_s
        if after_s is None or after_s > injection.bound_s:
            said = "never" if after_s is None else f"{after_s:.1f} s"
            yield f"late: well again {said} after {injection.fault.name}, promised {injection.bound_s:.0f} s"


def _ended_by_itself(evidence: Evidence) -> Iterator[str]:
    for number, life in enumerate(evidence.lives, start=1):
        if life.code is not None and not life.wanted:
            yield f"process: number {number} ended by itself with code {life.code}"
        if life.ready_s is not None and life.ready_s - life.started_s > READY_WITHIN_S * evidence.slack:
            yield f"process: number {number} was ready only after {life.ready_s - life.started_s:.1f} s"


def _content(heard: Heard, kind: str) -> Json | None:
    content = heard.content() if heard.payload else {}
    return content if content.get("type") == kind else None


def _measurements(result: Json) -> list[Printed]:
    evidence = result["evidence"]
    seen = evidence["acquisitions"] if isinstance(evidence, dict) else []
    return [_printed(one) for one in seen]


def _printed(evidence: object) -> Printed:
    """What the appliance read of the printed values; zeros where it read none."""
    read = evidence.get("readout") if isinstance(evidence, dict) else None
    values = read if isinstance(read, dict) else {}
    numbers = [float(values.get(key) or 0.0) for key in ("mean_kpa", "min_kpa", "max_kpa", "sd_kpa")]
    return numbers[0], numbers[1], numbers[2], numbers[3]


def committed_results(audit: Path) -> dict[str, Json]:
    """The results in an audit log that were committed, by id.

    The log is written before the outbox. A result of the very last moment before a process was killed was
    only intended: the exam that was kept knows nothing of it, and its result comes under another id.
    """
    committed: dict[str, Json] = {}
    latest: list[tuple[str, Json]] = []
    moment, stopped = None, True
    for entry in _entries(audit):
        if entry["kind"] == "started" and not stopped:
            latest = []
        if entry["kind"] == "started" or entry["time"] != moment:
            committed.update(latest)
            latest, moment = [], entry["time"]
        if entry["kind"] == "result":
            latest.append((str(entry["content"]["id"]), entry["content"]))
        stopped = entry["kind"] == "stopped"
    return committed | dict(latest)


def _entries(audit: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(audit.glob("audit-*.jsonl")):
        for line in file.read_bytes().splitlines():
            yield json.loads(line)
