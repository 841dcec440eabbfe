"""Where the exam stands, and what is to be done about it: the snapshot and the effects of `exam.advance`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from firmware_app.exam.events import Acquisition, CropDigests, Moment, Refusal
from firmware_app.screen.likeness import Likeness
from firmware_app.serum import Serum
from firmware_app.wording import Closing, Reason

NEEDED = 5
"""Acquisitions that make an outcome (Xue et al. 2020)."""
PROVISIONAL_FROM = 3
"""Acquisitions from which a provisional outcome is shown, and a finished exam has a result."""


class Phase(str, Enum):
    """Where the exam stands."""

    WAITING = "waiting"
    HELD = "held"
    SCANNING = "scanning"
    COMPLETE = "complete"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Barrier:
    """What was captured before `monotonic_ns` belongs to no later exam; `reason` says why."""

    monotonic_ns: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Exam:
    """A snapshot of the exam.

    Attributes:
        id: None before the first exam, and while waiting.
        phase: see the table in `exam`.
        opened: when this exam began.
        changed: when something last happened in it.
        acquisitions: the counted ones, oldest first, at most five.
        discarded: those that were taken out again, by the operator or by a later verdict on the same freeze;
            their pictures stay duplicates.
        refusals: the latest refusals, oldest first.
        serum: as entered.
        result_id: the result that stands at the ward; outlives its exam until the next one opens.
        closing: why it was closed.
        barrier: see `exam`.
        foreign_digests: crops seen before this exam; a freeze that still shows one is a duplicate.
        foreign_pictures: likewise the pictures, through whatever codec they come again.
    """

    id: UUID | None = None
    phase: Phase = Phase.WAITING
    opened: Moment | None = None
    changed: Moment | None = None
    acquisitions: tuple[Acquisition, ...] = ()
    discarded: tuple[Acquisition, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    serum: Serum | None = None
    result_id: UUID | None = None
    closing: Closing | None = None
    barrier: Barrier | None = None
    foreign_digests: frozenset[str] = frozenset()
    foreign_pictures: frozenset[Likeness] = frozenset()

    @property
    def is_open(self) -> bool:
        """Whether acquisitions can be added or taken out."""
        return self.phase in {Phase.SCANNING, Phase.COMPLETE}

    @property
    def is_current(self) -> bool:
        """Whether it has not ended: open, or held by an interruption."""
        return self.is_open or self.phase is Phase.HELD

    @property
    def is_provisional(self) -> bool:
        """Whether a provisional outcome may be shown."""
        return self.phase is Phase.SCANNING and len(self.acquisitions) >= PROVISIONAL_FROM

    @property
    def last_refusal(self) -> Refusal | None:
        """The refusal to show: the newest, unless something was counted after it."""
        if not self.refusals:
            return None
        newest = self.refusals[-1]
        counted = self.acquisitions and self.acquisitions[-1].at.monotonic_ns > newest.at.monotonic_ns
        return None if counted else newest

    @property
    def counted_digests(self) -> frozenset[str]:
        """Digests of every crop that was counted in this exam, discarded ones included."""
        return digests_of(*(a.crop_digests for a in (*self.acquisitions, *self.discarded)))

    @property
    def seen_digests(self) -> frozenset[str]:
        """Those, and the crops of what was refused: none of them may be counted in a later exam."""
        return self.counted_digests | digests_of(*(r.crop_digests for r in self.refusals))

    @property
    def seen_pictures(self) -> frozenset[Likeness]:
        """What the pictures of every verdict of this exam look like."""
        return pictures_of(*self.acquisitions, *self.discarded, *self.refusals)


def digests_of(*crops: CropDigests | None) -> frozenset[str]:
    """Every digest of these crops."""
    return frozenset(d for c in crops if c is not None for d in (c.elastogram, c.gray))


def pictures_of(*verdicts: Acquisition | Refusal) -> frozenset[Likeness]:
    """What the pictures of these verdicts look like."""
    freezes = (verdict.freeze for verdict in verdicts)
    return frozenset(f.likeness for f in freezes if f is not None and f.likeness is not None)


@dataclass(frozen=True, slots=True)
class ExamChanged:
    """Show and publish this snapshot."""

    exam: Exam


@dataclass(frozen=True, slots=True)
class AcquisitionAccepted:
    """Publish: counted, as number `n` of five; `replaces` is one of the same freeze that counts no more."""

    exam_id: UUID
    acquisition: Acquisition
    n: int
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True)
class AcquisitionRefused:
    """Publish: not counted; `exam_id` is None for what belongs to no exam, `replaces` as above."""

    exam_id: UUID | None
    refusal: Refusal
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True)
class ResultIssued:
    """Decide on and publish the outcome of this snapshot, under this id; `replaces` is a withdrawn result."""

    result_id: UUID
    at: Moment
    exam: Exam
    replaces: UUID | None = None


@dataclass(frozen=True, slots=True)
class ResultCleared:
    """Take the retained result away; None: whatever an earlier run may have left."""

    result_id: UUID | None


class CommandFault(str, Enum):
    """Why a command changes nothing."""

    UNKNOWN_COMMAND = "unknown_command"
    MALFORMED = "malformed"
    TOO_MANY = "too_many"
    NO_EXAM = "no_exam"
    OTHER_EXAM = "other_exam"
    NO_SUCH_ACQUISITION = "no_such_acquisition"
    NOT_HELD = "not_held"
    IMPLAUSIBLE = "implausible"


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """Answer: the command with this event id changes nothing."""

    event_id: UUID
    fault: CommandFault


Effect = (
    ExamChanged | AcquisitionAccepted | AcquisitionRefused | ResultIssued | ResultCleared | CommandRefused
)
