"""After an interruption: from the exam that was kept to the one that the appliance begins with.

    kept      what is known                        begins with
    --------  -----------------------------------  ------------------------------------------------------
    waiting   anything                             waiting
    closed    anything                             waiting; its result stands until the next exam
    scanning  nothing counted yet                  waiting
    scanning  something counted                    held, until the patient is known to be the same
    complete  anything                             held, likewise; its result stands
    held      anything                             held

Whoever was on the couch may have left while the appliance was down. So an exam goes on only after one of
three signs (see `machine`): the banner is the one from before, which a process that was started again in the
same boot can tell; the screen still shows a picture of this exam; or the operator says so.

Moments of an earlier boot are shifted, so that what was kept lies just before the present one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from firmware_app.exam.events import Acquisition, Moment, Refusal
from firmware_app.exam.state import Exam, Phase

Verdict = TypeVar("Verdict", Acquisition, Refusal)


def resumed(kept: Exam, at: Moment, shift_ns: int) -> Exam:
    """The exam to begin with.

    Args:
        kept: as it stood when the appliance went down.
        at: now.
        shift_ns: to be added to what was kept of `monotonic_ns`; 0 within one boot.
    """
    exam = kept if shift_ns == 0 else _shifted(kept, shift_ns)
    if exam.is_current and exam.acquisitions:
        return replace(exam, phase=Phase.HELD, changed=at)
    return Exam(
        result_id=exam.result_id,
        barrier=exam.barrier,
        foreign_digests=exam.foreign_digests | exam.seen_digests,
        foreign_pictures=exam.foreign_pictures | exam.seen_pictures,
    )


def _shifted(exam: Exam, shift_ns: int) -> Exam:
    def moved(moment: Moment | None) -> Moment | None:
        return None if moment is None else replace(moment, monotonic_ns=moment.monotonic_ns + shift_ns)

    def later(verdict: Verdict) -> Verdict:
        at = replace(verdict.at, monotonic_ns=verdict.at.monotonic_ns + shift_ns)
        freeze = verdict.freeze
        if freeze is not None:
            freeze = replace(freeze, since_ns=freeze.since_ns + shift_ns)
        return replace(verdict, at=at, freeze=freeze)

    barrier = exam.barrier
    return replace(
        exam,
        opened=moved(exam.opened),
        changed=moved(exam.changed),
        acquisitions=tuple(later(acquisition) for acquisition in exam.acquisitions),
        discarded=tuple(later(acquisition) for acquisition in exam.discarded),
        refusals=tuple(later(refusal) for refusal in exam.refusals),
        barrier=None if barrier is None else replace(barrier, monotonic_ns=barrier.monotonic_ns + shift_ns),
    )
