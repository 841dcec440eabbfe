"""After an interruption: what is kept, what goes on, and what must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_app.exam.events import (
    Cancel,
    Discard,
    Event,
    Finish,
    Identified,
    PatientChanged,
    Resume,
    SerumEntered,
    Start,
    Tick,
)
from firmware_app.exam.keeping import from_bytes, to_bytes
from firmware_app.exam.machine import IDLE_NS
from firmware_app.exam.resumption import resumed
from firmware_app.exam.state import (
    AcquisitionAccepted,
    AcquisitionRefused,
    CommandFault,
    CommandRefused,
    Exam,
    Phase,
    ResultCleared,
    ResultIssued,
)
from firmware_app.live import exam_of
from firmware_app.serum import Serum
from firmware_app.ward.outbox import Instant, Kept, Outbox
from firmware_app.wording import Closing, Reason
from tests.firmware_app.exam_examples import acquired, after, frozen, moment, refused, uid

FIVE: tuple[Event, ...] = tuple(acquired(n, freeze=frozen(n)) for n in range(1, 6))
NOW = moment(100)
BUNDLE = "example-1"
EVENTS = st.lists(
    st.one_of(
        st.integers(1, 8).map(lambda n: acquired(n, freeze=frozen(n))),
        st.integers(1, 8).map(lambda n: refused(n, freeze=frozen(n))),
        st.just(PatientChanged(uid(70), moment(70))),
        st.just(Start(uid(71), moment(71))),
        st.just(Discard(uid(72), moment(72))),
        st.just(Cancel(uid(73), moment(73))),
    ),
    max_size=12,
)


def held(count: int = 3) -> Exam:
    """An exam that was interrupted after so many acquisitions."""
    kept, _ = after(*FIVE[:count])
    return resumed(kept, NOW, 0)


@given(EVENTS)
def test_what_is_kept_is_what_was(events: list[Event]) -> None:
    """Every exam comes back from its bytes as it was."""
    exam, _ = after(*events)
    assert from_bytes(to_bytes(exam, BUNDLE), BUNDLE) == exam


def test_serum_values_are_not_kept() -> None:
    """They are entered again."""
    exam, _ = after(acquired(1), SerumEntered(uid(9), moment(9), Serum(41.5, 40, 200)))
    assert b"41.5" not in to_bytes(exam, BUNDLE)
    back = from_bytes(to_bytes(exam, BUNDLE), BUNDLE)
    assert back == replace(exam, serum=None)


@pytest.mark.parametrize("other", [None, "example-2"])
def test_scores_of_another_bundle_are_not_mixed_with_this_one_s(other: str | None) -> None:
    """An update of the bundle, or its loss, ends the exam: what was scored before is not decided anew."""
    exam, _ = after(*FIVE)
    back = from_bytes(to_bytes(exam, BUNDLE), other)
    assert back is not None
    begun = resumed(back, NOW, 0)
    assert (begun.phase, begun.acquisitions) == (Phase.WAITING, ())
    assert begun.result_id == exam.result_id
    assert begun.foreign_pictures >= exam.seen_pictures


@given(st.data())
def test_damage_never_becomes_an_exam(data: st.DataObject) -> None:
    """Bytes that were cut or altered anywhere are no exam."""
    whole = to_bytes(after(*FIVE[:2])[0], BUNDLE)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert from_bytes(cut, BUNDLE) is None
    place = data.draw(st.integers(0, len(whole) - 1))
    altered = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 127))]) + whole[place + 1 :]
    assert from_bytes(altered, BUNDLE) is None


@pytest.mark.parametrize("count", [1, 4, 5])
def test_an_interrupted_exam_is_held(count: int) -> None:
    """With something counted it waits to be known; the result of a complete one still stands."""
    exam = held(count)
    assert exam.phase is Phase.HELD
    assert len(exam.acquisitions) == count
    assert (exam.result_id is not None) == (count == 5)
    assert not exam.is_provisional


def test_nothing_counted_is_nothing_to_hold() -> None:
    """An exam of refusals only, a closed one and none at all begin as waiting, and forget no picture."""
    only_refused, _ = after(refused(1, freeze=frozen(1)))
    closed, _ = after(*FIVE, PatientChanged(uid(8), moment(9)))
    for kept in (Exam(), only_refused, closed):
        exam = resumed(kept, NOW, 0)
        assert exam.phase is Phase.WAITING
        assert exam.id is None
        assert exam.result_id == kept.result_id
        assert exam.foreign_pictures >= kept.seen_pictures
        assert exam.barrier == kept.barrier


@pytest.mark.parametrize("sign", [Identified(uid(50), moment(101)), Resume(uid(50), moment(101))])
def test_a_known_patient_goes_on(sign: Event) -> None:
    """The same banner, or the operator's word: two more acquisitions complete the exam, under its own id."""
    exam = held()
    again, _ = after(sign, exam=exam)
    assert again.phase is Phase.SCANNING
    done, effects = after(acquired(104), acquired(105), exam=again)
    assert done.id == exam.id
    assert done.phase is Phase.COMPLETE
    assert any(isinstance(e, ResultIssued) for e in effects)


def test_a_picture_of_the_exam_is_a_sign() -> None:
    """The screen still shows what was counted: the exam goes on, and the picture is not counted twice."""
    exam = held()
    again, effects = after(acquired(101, picture=3, freeze=frozen(101, picture=3)), exam=exam)
    assert again.phase is Phase.SCANNING
    assert again.id == exam.id
    assert len(again.acquisitions) == 3
    assert [e.refusal.reason for e in effects if isinstance(e, AcquisitionRefused)] == [Reason.DUPLICATE]


def test_an_unknown_patient_begins_a_new_exam() -> None:
    """A freeze that proves nothing closes the held exam by name and is the first of a new one."""
    exam = held(5)
    fresh, effects = after(acquired(101), exam=exam)
    assert fresh.id != exam.id
    assert len(fresh.acquisitions) == 1
    closings = [e.exam.closing for e in effects if hasattr(e, "exam") and e.exam.phase is Phase.CLOSED]
    assert closings == [Closing.INTERRUPTED]
    assert ResultCleared(exam.result_id) in effects
    assert [e.n for e in effects if isinstance(e, AcquisitionAccepted)] == [1]


def test_a_refusal_proves_nothing_and_ends_nothing() -> None:
    """A freeze without a map leaves the held exam as it is, and belongs to no exam."""
    exam = held()
    still, effects = after(refused(101), exam=exam)
    assert still == exam
    assert [e.exam_id for e in effects if isinstance(e, AcquisitionRefused)] == [None]


def test_another_banner_closes_it() -> None:
    """The patient has changed while the appliance was down."""
    closed, _ = after(PatientChanged(uid(60), moment(101)), exam=held())
    assert (closed.phase, closed.closing) == (Phase.CLOSED, Closing.PATIENT_CHANGED)


@pytest.mark.parametrize(("count", "result"), [(2, False), (3, True), (5, True)])
def test_a_held_exam_can_be_finished(count: int, result: bool) -> None:  # noqa: FBT001 - a parameter
    """What was counted before is all of one patient: the operator may end the exam with it."""
    closed, _ = after(Finish(uid(60), moment(101)), exam=held(count))
    assert closed.phase is Phase.CLOSED
    assert (closed.result_id is not None) == result


def test_a_held_exam_can_be_cancelled_or_replaced() -> None:
    """Cancelling withdraws its result; starting anew closes it first."""
    cancelled, effects = after(Cancel(uid(60), moment(101)), exam=held(5))
    assert cancelled.closing is Closing.CANCELLED
    assert any(isinstance(e, ResultCleared) for e in effects)
    fresh, _ = after(Start(uid(61), moment(101)), exam=held())
    assert (fresh.phase, fresh.acquisitions) == (Phase.SCANNING, ())


@pytest.mark.parametrize(
    "command",
    [Discard(uid(60), moment(101)), SerumEntered(uid(60), moment(101), Serum(40, 40, 200))],
)
def test_whose_values_they_are_must_be_known(command: Event) -> None:
    """While it is held nothing is taken out of it, and no serum values are added to it."""
    exam = held()
    assert after(command, exam=exam) == (exam, (CommandRefused(uid(60), CommandFault.NO_EXAM),))


def test_only_a_held_exam_is_resumed() -> None:
    """`resume` for an exam that is not held is refused, a banner that is the same is no news."""
    exam, _ = after(acquired(1))
    assert after(Resume(uid(60), moment(2)), exam=exam)[1] == (
        CommandRefused(uid(60), CommandFault.NOT_HELD),
    )
    assert after(Identified(uid(60), moment(2)), exam=exam) == (exam, ())


def test_a_held_exam_is_not_held_for_ever() -> None:
    """After half an hour without a sign it ends by itself."""
    exam = held()
    late = replace(moment(100), monotonic_ns=NOW.monotonic_ns + IDLE_NS)
    closed, _ = after(Tick(uid(60), late), exam=exam)
    assert closed.closing is Closing.IDLE


def test_moments_of_another_boot_are_shifted() -> None:
    """The boot's clock began anew: what was kept lies just before now, in its order, and stays stale."""
    kept, _ = after(*FIVE, PatientChanged(uid(8), moment(9)))
    assert kept.barrier is not None
    exam = resumed(kept, moment(2), -7_000_000_000)
    assert exam.barrier is not None
    assert exam.barrier.monotonic_ns == kept.barrier.monotonic_ns - 7_000_000_000
    going, _ = after(*FIVE[:2])
    moved = resumed(going, moment(2), -7_000_000_000)
    assert [a.at.monotonic_ns for a in moved.acquisitions] == [-6_000_000_000, -5_000_000_000]
    assert [a.at.utc for a in moved.acquisitions] == [a.at.utc for a in going.acquisitions]


def test_the_outbox_keeps_the_exam_with_its_messages(tmp_path: Path) -> None:
    """What was committed is there after a crash; what cannot be read begins as waiting."""
    file = tmp_path / "outbox.sqlite"
    first = Outbox(10, file)
    first.commit([], Instant.now(), to_bytes(after(*FIVE[:3])[0], BUNDLE))
    second = Outbox(10, file)  # the first was never closed
    assert exam_of(second, BUNDLE).phase is Phase.HELD
    assert second.starts == first.starts + 1
    second.kept = Kept(b"{}", Instant.now())
    assert exam_of(second, BUNDLE) == Exam()
    first.close()
    second.close()


def test_another_boot_holds_the_exam_as_well(tmp_path: Path) -> None:
    """After a power cut the exam waits for a sign, and its moments lie in the past of this boot."""
    outbox = Outbox(10, tmp_path / "outbox.sqlite")
    outbox.kept = Kept(to_bytes(after(*FIVE[:3])[0], BUNDLE), Instant("another boot", 50_000.0))
    exam = exam_of(outbox, BUNDLE)
    assert exam.phase is Phase.HELD
    assert exam.changed is not None
    assert all(a.at.monotonic_ns < exam.changed.monotonic_ns for a in exam.acquisitions)
    outbox.close()
