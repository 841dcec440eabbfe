"""From evidence to the result again: the stored crops through the networks, and the same decision.

What comes from the networks is computed anew, and everything that follows from it. What was measured on the
whole screen (stiffness, printed values, places), when it was, and how often was refused are inputs. So are
APRI and FIB-4: the serum values that they come from are kept nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID

from firmware_app.assembly import SOFTWARE
from firmware_app.exam.events import Acquisition, Moment, Refusal
from firmware_app.exam.state import AcquisitionAccepted, Exam, Phase, ResultIssued
from firmware_app.examination import crop_digests_of
from firmware_app.journey import Circle, ReadOut, Roi, Square, Stiffness
from firmware_app.model import Model
from firmware_app.processor import processor
from firmware_app.records.comparison import Difference, differences
from firmware_app.records.opening import Evidence, TakenAcquisition
from firmware_app.ward import messages
from firmware_app.ward.publication import Appliance, publication_of


class Verdict(str, Enum):
    """How a result came out again."""

    IDENTICAL = "identical"
    EQUAL_WITHIN = "equal_within"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What became of a result that was scored again.

    Attributes:
        verdict: identical: every byte; equal_within: what scored is another one, and the numbers agree.
        conditions: what scored then and now, where that differs.
        faults: what should be equal and is not.
        largest: difference of any probability.
        tolerance: of the bundle.
        payload: the result as it comes out now; None: crops are missing.
    """

    verdict: Verdict
    conditions: tuple[str, ...]
    faults: tuple[str, ...]
    largest: float
    tolerance: float
    payload: bytes | None


def reproduce(evidence: Evidence, model: Model | None) -> Reproduction:
    """Score the stored crops, decide again, and compare with what was published.

    Args:
        evidence: checked.
        model: to score with; None: the result had none.

    Raises:
        EngineError: the runtime failed.
    """
    counted = [one for one in evidence.manifest.acquisitions if one.counted]
    missing = [str(n) for n, one in enumerate(counted, start=1) if not one.kept]
    if missing:
        fault = f"the crops of acquisition {', '.join(missing)} were not kept"
        return Reproduction(Verdict.DIFFERENT, (), (fault,), 0.0, 0.0, None)
    appliance = _appliance(evidence, model)
    again = {id_: _scored(taken, model) for id_, taken in evidence.taken.items()}
    pairs = {"": (evidence.payload, _result(evidence, again, appliance))}
    for number, (id_, taken) in enumerate(evidence.taken.items(), start=1):
        pairs[f"acquisition {number}: "] = (taken.payload, _acquisition(taken, again[id_], appliance))
    tolerance = 0.0 if model is None else model.bundle.manifest.self_test.tolerance
    return _compared(pairs, _other_processor(evidence), tolerance)


def _compared(
    pairs: Mapping[str, tuple[bytes, bytes]], processors: tuple[str, ...], tolerance: float
) -> Reproduction:
    payload = pairs[""][1]
    if all(then == now for then, now in pairs.values()):
        return Reproduction(Verdict.IDENTICAL, processors, (), 0.0, tolerance, payload)
    found: list[tuple[str, Difference]] = [
        (where, difference)
        for where, (then, now) in pairs.items()
        for difference in differences(json.loads(then), json.loads(now))
    ]
    conditions = dict.fromkeys(str(d) for _, d in found if d.is_condition)
    sizes = [d.size for _, d in found if d.size is not None]
    faults = tuple(
        f"{where}{d}" for where, d in found if not d.is_condition and (d.size is None or d.size > tolerance)
    )
    told = (*conditions, *processors)
    if not told and not faults:
        faults = (
            f"a probability differs by {max(sizes):.1e}, and nothing that scored is known to differ"
            if sizes
            else "the same content was written in another way",
        )
    verdict = Verdict.DIFFERENT if faults else Verdict.EQUAL_WITHIN
    return Reproduction(verdict, told, faults, max(sizes, default=0.0), tolerance, payload)


def _other_processor(evidence: Evidence) -> tuple[str, ...]:
    then, now = evidence.manifest.processor, processor()
    return () if then == now else (f"processor was {then}, is {now}",)


def _appliance(evidence: Evidence, model: Model | None) -> Appliance:
    return Appliance(
        site="replay",
        device="replay",
        room="replay",
        software=SOFTWARE,
        runtime=None if model is None else model.engine.name,
        profile_id=evidence.result.profile_id,
        manifest=None if model is None else model.bundle.manifest,
        language=evidence.manifest.language,
    )


def _scored(taken: TakenAcquisition, model: Model | None) -> Acquisition:
    """The acquisition as it was measured, and what the networks say about its crops now."""
    message, seen = taken.message, taken.message.evidence
    if seen.stiffness is None or seen.q_box is None or seen.roi is None:
        raise ValueError("an acquisition has a stiffness, a Q-box and a region")
    return Acquisition(
        id=message.id,
        at=_moment(message.time, seen.pts_ns),
        frame_number=seen.frame,
        stiffness=Stiffness(**dict(seen.stiffness)),
        readout=None if seen.readout is None else ReadOut(**dict(seen.readout)),
        scores=None if model is None else model.engine.score(taken.crops),
        q_box=Circle(**dict(seen.q_box)),
        roi=Roi(Square(**dict(seen.roi.elastogram)), Square(**dict(seen.roi.gray))),
        crop_digests=crop_digests_of(taken.crops),
        dropped=seen.dropped,
        latency_ms=seen.latency_ms,
    )


def _acquisition(taken: TakenAcquisition, again: Acquisition, appliance: Appliance) -> bytes:
    message = taken.message
    accepted = AcquisitionAccepted(message.exam_id, again, message.n, message.replaces)
    published = publication_of(
        accepted, again.at, appliance, time_trusted=message.time_trusted, sequence=message.sequence
    )
    return b"" if published is None else published.payload


def _result(evidence: Evidence, again: Mapping[UUID, Acquisition], appliance: Appliance) -> bytes:
    result, manifest = evidence.result, evidence.manifest
    at = _moment(result.time)
    exam = Exam(
        id=result.exam_id,
        phase=Phase.COMPLETE,
        opened=_moment(result.evidence.opened),
        acquisitions=tuple(again[one.id] for one in manifest.acquisitions if one.counted),
        refusals=tuple(Refusal(result.id, at, 0, r.reason, dropped=r.dropped) for r in manifest.refusals),
    )
    issued = ResultIssued(result.id, at, exam, result.replaces)
    published = publication_of(
        issued, at, appliance, time_trusted=result.time_trusted, sequence=result.sequence
    )
    if published is None or not isinstance(published.message, messages.ResultMessage):
        raise ValueError("a result that is issued is published")
    message = published.message
    serum = {"apri": result.methods.apri, "fib4": result.methods.fib4}
    discarded = [one.id for one in manifest.acquisitions if not one.counted]
    whole = message.model_copy(
        update={
            "methods": message.methods.model_copy(update=serum),
            "evidence": message.evidence.model_copy(update={"discarded": discarded}),
        }
    )
    return whole.to_json().encode()


def _moment(time: datetime, pts_ns: int = 0) -> Moment:
    return Moment(time, 0, pts_ns)
