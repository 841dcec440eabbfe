"""What enters the exam: moments, acquisitions, refusals, and the events and commands that carry them.

Every event carries its moment and a fresh id; the exam itself reads no clock and draws no random number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from firmware_app.journey import Circle, ImageScores, ReadOut, Roi, Stiffness
from firmware_app.screen.likeness import Likeness
from firmware_app.serum import Serum
from firmware_app.wording import Reason


@dataclass(frozen=True, slots=True)
class Moment:
    """When: wall clock (aware, UTC), `time.monotonic_ns()` of this boot, and the stream's time stamp."""

    utc: datetime
    monotonic_ns: int
    pts_ns: int = 0


@dataclass(frozen=True, slots=True)
class CropDigests:
    """SHA-256 of the two crops, as hexadecimal digits."""

    elastogram: str
    gray: str


@dataclass(frozen=True, slots=True)
class FreezeEvidence:
    """Which freeze a frame belongs to, and what it looked like.

    Attributes:
        since_ns: `time.monotonic_ns()` when the freeze began.
        verdict: id of the first acquisition or refusal that came of this freeze; None: there was none yet.
        likeness: of the frame; None: no panes were seen.
    """

    since_ns: int
    verdict: UUID | None = None
    likeness: Likeness | None = None


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One freeze that may be counted.

    Attributes:
        id: fresh for each acquisition.
        at: when its frame was captured (not when the networks had finished).
        frame_number: of the frame, see `journey.Frame`.
        stiffness: decoded in the Q-box.
        readout: what the scanner printed; None: not read.
        scores: what the networks say; None: no bundle is loaded.
        q_box: where, in pixels of the frame.
        roi: the square that was cropped, in pixels of the frame.
        crop_digests: of the two crops.
        dropped: frames passed over since the previous acquisition or refusal.
        latency_ms: from the capture of the frame to this value.
        freeze: which freeze; None: one that is known by nothing but its crops.
    """

    id: UUID
    at: Moment
    frame_number: int
    stiffness: Stiffness
    readout: ReadOut | None
    scores: ImageScores | None
    q_box: Circle
    roi: Roi
    crop_digests: CropDigests
    dropped: int
    latency_ms: float
    freeze: FreezeEvidence | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """One freeze that is not counted: the reason, the measured detail, and as much evidence as there is."""

    id: UUID
    at: Moment
    frame_number: int
    reason: Reason
    detail: str = ""
    stiffness: Stiffness | None = None
    readout: ReadOut | None = None
    q_box: Circle | None = None
    roi: Roi | None = None
    crop_digests: CropDigests | None = None
    dropped: int = 0
    latency_ms: float = 0.0
    freeze: FreezeEvidence | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen in the frame of a verdict: `Acquisition` without what an acquisition must have."""

    id: UUID
    at: Moment
    frame_number: int
    stiffness: Stiffness | None
    readout: ReadOut | None
    q_box: Circle | None
    roi: Roi | None
    crop_digests: CropDigests | None
    dropped: int
    latency_ms: float
    freeze: FreezeEvidence | None


def refusal_of(seen: Sight | Acquisition, reason: Reason, detail: str = "") -> Refusal:
    """The refusal of what was seen, with its evidence."""
    return Refusal(
        id=seen.id,
        at=seen.at,
        frame_number=seen.frame_number,
        reason=reason,
        detail=detail,
        stiffness=seen.stiffness,
        readout=seen.readout,
        q_box=seen.q_box,
        roi=seen.roi,
        crop_digests=seen.crop_digests,
        dropped=seen.dropped,
        latency_ms=seen.latency_ms,
        freeze=seen.freeze,
    )


def same_freeze(first: Acquisition | Refusal, second: Acquisition | Refusal) -> bool:
    """Whether two verdicts came of one freeze."""
    if first.freeze is None or second.freeze is None:
        return False
    return (first.freeze.verdict or first.id) == (second.freeze.verdict or second.id)


@dataclass(frozen=True, slots=True)
class Acquired:
    """A freeze passed every stage."""

    id: UUID
    at: Moment
    acquisition: Acquisition


@dataclass(frozen=True, slots=True)
class Refused:
    """A freeze was refused on its way."""

    id: UUID
    at: Moment
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class PatientChanged:
    """The banner changed; `at` is the capture of the first frame with the new banner."""

    id: UUID
    at: Moment


@dataclass(frozen=True, slots=True)
class Identified:
    """After an interruption: the banner on the screen is the one that stood there before it."""

    id: UUID
    at: Moment


@dataclass(frozen=True, slots=True)
class Resume:
    """Command: it is the same patient; go on with the exam that an interruption holds."""

    id: UUID
    at: Moment


@dataclass(frozen=True, slots=True)
class Start:
    """Command: begin a new exam; an open one is closed."""

    id: UUID
    at: Moment


@dataclass(frozen=True, slots=True)
class Discard:
    """Command: take an acquisition out; None: the last one."""

    id: UUID
    at: Moment
    acquisition_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Command: end the exam with what there is."""

    id: UUID
    at: Moment


@dataclass(frozen=True, slots=True)
class Cancel:
    """Command: end the exam without a result."""

    id: UUID
    at: Moment


@dataclass(frozen=True, slots=True)
class SerumEntered:
    """Command: serum values of the patient of this exam."""

    id: UUID
    at: Moment
    serum: Serum


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passes; about once a second."""

    id: UUID
    at: Moment


Event = (
    Acquired
    | Refused
    | PatientChanged
    | Identified
    | Resume
    | Start
    | Discard
    | Finish
    | Cancel
    | SerumEntered
    | Tick
)
