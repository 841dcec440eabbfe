"""The payloads of the MQTT contract as models; `docs/asyncapi.yaml` is generated from them.

JSON, UTF-8, unknown keys forbidden. No name, no identifier and no serum value of a patient, no picture: an
exam is known by a random uuid. Keys are never renamed within `v1` of the topics; new ones may be added.
The same payloads are the lines of `fibrostage replay --json`.
"""

from __future__ import annotations

import json
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from firmware_app.exam.state import NEEDED, Phase
from firmware_app.video.capture_state import CaptureState
from firmware_app.wording import Closing, Doubt, Reason, Rung, Severity

Probability = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Counted = Annotated[int, Field(ge=0, le=NEEDED)]
Stage = Annotated[int, Field(ge=0, le=4)]
NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]

TOPICS: tuple[Topic, ...]
Topic = Literal["status", "exam", "acquisition", "result", "health"]
TOPICS = ("status", "exam", "acquisition", "result", "health")


class Payload(BaseModel):
    """What all payloads have in common: unknown keys are forbidden, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def to_json(self) -> str:
        """One line of JSON, under the names of the contract; what it is and its ids stand first."""
        content = self.model_dump(mode="json", by_alias=True)
        first = {key: content[key] for key in ("type", "id", "exam_id") if key in content}
        return json.dumps(first | content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class Probabilities(Payload):
    """Calibrated probabilities, never increasing from >=S2 to S4."""

    ge_s2: Probability
    ge_s3: Probability
    s4: Probability


class Lsm(Payload):
    """Liver stiffness over the acquisitions, in kPa; quartiles by linear interpolation."""

    mean_kpa: Positive
    median_kpa: Positive
    iqr_kpa: NonNegative
    iqr_over_median: NonNegative


class LsmStage(Payload):
    """The stage by stiffness alone."""

    mean_kpa: Positive
    stage: Stage
    cutoffs: str = Field(description="where the cut-offs come from")


class SerumScore(Payload):
    """APRI or FIB-4; the serum values themselves are not published."""

    value: NonNegative


class Methods(Payload):
    """Every method beside the others; null: not to be had."""

    gm: Probabilities | None = Field(alias="GM", description="gray-scale picture")
    em: Probabilities | None = Field(alias="EM", description="elastogram")
    gm_em: Probabilities | None = Field(alias="GM+EM", description="both fused; names the stage")
    gm_lsm: Probabilities | None = Field(alias="GM+LSM", description="gray-scale picture and stiffness")
    lsm: LsmStage = Field(alias="LSM", description="stiffness against cut-offs")
    apri: SerumScore | None = Field(alias="APRI")
    fib4: SerumScore | None = Field(alias="FIB-4")


class Reliability(Payload):
    """Whether the outcome is reliable, and why not."""

    ok: bool
    reasons: list[Doubt]
    texts: list[str] = Field(description="the reasons in words, in the same order")


class Estimate(Payload):
    """What result and provisional outcome have in common."""

    n_acquisitions: Annotated[int, Field(ge=1, le=NEEDED)]
    stage: Stage | None = Field(description="Scheuer stage; 0 stands for S0-S1; null: indeterminate")
    stage_interval: list[Stage] = Field(
        min_length=2, max_length=2, description="lowest and highest stage that the probabilities leave open"
    )
    stage_text: str = Field(description="for people: S3, or S2-S3 where indeterminate")
    indeterminate: bool
    probabilities: Probabilities | None = Field(description="of GM+EM; null: no model")
    lsm: Lsm
    reliability: Reliability


class Square(Payload):
    """Left, top and side of a square, in pixels of the frame."""

    x: int
    y: int
    side: Count


class Roi(Payload):
    """The same square in both panes."""

    elastogram: Square
    gray: Square


class QBox(Payload):
    """Centre and vertical radius of the Q-box, in pixels of the frame."""

    x: float
    y: float
    r: Positive


class Stiffness(Payload):
    """Decoded stiffness in the Q-box, in kPa; `filled_fraction` of the colour box."""

    region: str
    mean_kpa: NonNegative
    median_kpa: NonNegative
    sd_kpa: NonNegative
    min_kpa: NonNegative
    max_kpa: NonNegative
    filled_fraction: Probability


class ReadOut(Payload):
    """What the scanner printed; null: not printed. A speed c becomes 3 c^2 kPa, its spread 6 c SD."""

    unit: str = Field(description="as printed: kPa or m/s")
    mean_kpa: float | None
    min_kpa: float | None
    max_kpa: float | None
    sd_kpa: float | None
    diameter_mm: float | None
    depth_mm: float | None = None
    stability_index: float | None = Field(default=None, description="percent")
    blocks: Count = Field(
        default=1, description="Q-boxes whose values are printed; these are the first one's"
    )


class CropDigests(Payload):
    """SHA-256 of the two crops."""

    elastogram: Sha256
    gray: Sha256


class FrameEvidence(Payload):
    """Which frame, and what was seen in it."""

    frame: Count = Field(description="number of the frame since the source was opened")
    pts_ns: int = Field(description="presentation time stamp of the stream")
    stiffness: Stiffness | None
    readout: ReadOut | None
    q_box: QBox | None
    roi: Roi | None
    crop_digests: CropDigests | None
    dropped: Count = Field(description="frames passed over since the previous acquisition or refusal")
    latency_ms: NonNegative = Field(description="from the capture of the frame to its value")


class Header(Payload):
    """On every message: which software and model speak, when, and that it is research."""

    runtime: str | None = Field(description="where the networks run; null: no bundle")
    bundle_id: str | None
    profile_id: str | None
    software: str
    time: AwareDatetime = Field(description="UTC")
    time_trusted: bool = Field(description="whether the clock was synchronised")
    sequence: Count = Field(
        default=0,
        description="grows from message to message of this appliance, over restarts too: their order where "
        "the clock is not to be trusted; 0 in a replay",
    )
    notice: str


class Shadow(Payload):
    """A second runtime scores what the first has scored; nothing that is published rests on it."""

    runtime: str = Field(description="of the shadow; empty until it has started")
    compared: Count = Field(description="pictures that both have scored, live previews among them")
    passed_by: Count = Field(description="pictures that it had no time for")
    largest_difference: Probability = Field(description="of any probability of GM, EM and GM+EM")
    stage_flips: Count = Field(description="pictures whose GM+EM passes another number of cut-offs")
    failure: str | None = Field(description="why it has ended; null: it has not")


class BundleEvent(Payload):
    """What happened to the installed bundle when the appliance started."""

    event: Literal["rolled_back", "no_bundle"] = Field(
        description="the bundle before runs instead; or none works, and stiffness is all there is"
    )
    bundle_id: str = Field(description="of the bundle that failed")
    detail: str = Field(description="why, in one sentence")


class Status(Header):
    """Birth, life and death of the appliance; the broker publishes the last one if it vanishes."""

    type: Literal["status"] = "status"
    state: Literal["online", "offline"]
    site: str
    device: str
    room: str = Field(description="name of the room for displays")
    capture: CaptureState | None = Field(description="state of the video; null: offline")
    versions: dict[str, str] = Field(description="of the software beneath")
    runtime_reason: str | None = Field(
        default=None, description="why this runtime is in use, in one sentence"
    )
    runtime_degraded: bool = Field(
        default=False, description="the GPU failed, and another runtime took over without losing a result"
    )
    shadow: Shadow | None = Field(default=None, description="null: no second runtime scores beside the first")
    bundle_event: BundleEvent | None = Field(default=None, description="null: the chosen bundle runs")
    degraded: list[Rung] = Field(default=[], description="what the appliance goes without, the gravest first")
    degraded_texts: list[str] = Field(
        default=[], description="the same in words, with what to do, in the same order"
    )
    trouble: str | None = Field(
        default=None,
        description="why the appliance gives no results (safe mode), in one sentence; null: it works",
    )


class LastRefusal(Payload):
    """The refusal that the sonographer sees."""

    reason: Reason
    severity: Severity
    text: str
    remedy: str
    detail: str
    time: AwareDatetime


class ExamMessage(Header):
    """The exam as it stands."""

    type: Literal["exam"] = "exam"
    exam_id: UUID | None = Field(description="random; null while waiting")
    phase: Phase
    n: Counted
    needed: Count
    opened: AwareDatetime | None
    closing: Closing | None = Field(description="why it is closed")
    text: str | None = Field(description="one sentence for people, if there is something to say")
    reasons: dict[Reason, Count] = Field(description="how often was refused, by reason")
    last_refusal: LastRefusal | None
    provisional: Estimate | None = Field(description="from three acquisitions on, until the exam is complete")


class AcquisitionMessage(Header):
    """One acquisition that counts."""

    type: Literal["acquisition"] = "acquisition"
    id: UUID
    exam_id: UUID
    n: Annotated[int, Field(ge=1, le=NEEDED)] = Field(description="its number in the exam")
    replaces: UUID | None = Field(
        default=None, description="acquisition of the same freeze that this one takes the place of"
    )
    needed: Count
    probabilities: Probabilities | None = Field(description="of GM+EM, of this picture alone")
    evidence: FrameEvidence


class RefusalMessage(Header):
    """One acquisition that does not count, and why."""

    type: Literal["refusal"] = "refusal"
    id: UUID
    exam_id: UUID | None = Field(description="null: it belongs to no exam")
    replaces: UUID | None = Field(
        default=None, description="acquisition of the same freeze that counts no more"
    )
    reason: Reason
    severity: Severity
    text: str
    remedy: str
    detail: str
    evidence: FrameEvidence


class AcquisitionEvidence(FrameEvidence):
    """One acquisition that the result rests on."""

    id: UUID
    time: AwareDatetime


class Evidence(Payload):
    """What the result rests on."""

    opened: AwareDatetime
    acquisitions: list[AcquisitionEvidence]
    discarded: list[UUID] = Field(
        description="taken out by the operator, or by a later verdict on the same freeze"
    )
    refused: dict[Reason, Count] = Field(description="how often was refused, by reason")
    dropped: Count = Field(description="frames passed over in all")
    latency_ms: NonNegative = Field(description="the longest of the acquisitions")


class ResultMessage(Header, Estimate):
    """The outcome of an exam. The same `id` always carries the same content."""

    type: Literal["result"] = "result"
    id: UUID
    exam_id: UUID
    replaces: UUID | None = Field(default=None, description="result that it takes the place of")
    methods: Methods
    evidence: Evidence


Message = Status | ExamMessage | AcquisitionMessage | RefusalMessage | ResultMessage
