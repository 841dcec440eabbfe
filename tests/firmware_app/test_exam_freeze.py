"""One freeze is at most one acquisition: its last verdict stands, and no picture counts twice (ADR 10)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_app.exam.events import Discard, Event, Finish, FreezeEvidence, PatientChanged, SerumEntered
from firmware_app.exam.state import (
    AcquisitionAccepted,
    AcquisitionRefused,
    Effect,
    Exam,
    ExamChanged,
    Phase,
    ResultCleared,
    ResultIssued,
)
from firmware_app.outcome import decide
from firmware_app.serum import Serum
from firmware_app.ward.payloads import acquisition_message, refusal_message, result_message
from firmware_app.wording import Reason, sentences
from tests.firmware_app.exam_examples import (
    acquired,
    after,
    appliance,
    frozen,
    likeness,
    moment,
    refused,
    uid,
)

FIVE = tuple(acquired(n, freeze=frozen(n)) for n in range(1, 6))
HEADER = appliance(with_model=False).header(moment(9).utc, time_trusted=True)


def ids(exam: Exam) -> list[int]:
    """The counted acquisitions."""
    return [a.id.int for a in exam.acquisitions]


def noisy(picture: int) -> bytes:
    """A picture as another pass through a codec shows it."""
    pixels = np.frombuffer(likeness(picture), np.uint8).astype(np.int16)
    off = np.random.default_rng(1).integers(-3, 4, pixels.size)
    return bytes(np.clip(pixels + off, 0, 255).astype(np.uint8).tobytes())


def test_last_q_box_of_a_freeze_takes_the_place_of_the_earlier_one() -> None:
    """A second acquisition of a freeze is never added; it names the one whose place it takes."""
    moved = acquired(3, picture=33, freeze=frozen(2))
    exam, effects = after(*FIVE[:2], moved)
    assert ids(exam) == [1, 3]
    assert [a.id for a in exam.discarded] == [uid(2)]
    accepted, changed = effects
    assert isinstance(accepted, AcquisitionAccepted)
    assert (accepted.n, accepted.replaces) == (2, uid(2))
    assert isinstance(changed, ExamChanged)
    assert acquisition_message(accepted, HEADER).replaces == uid(2)


def test_q_box_that_returns_to_its_first_place_counts() -> None:
    """Within its own freeze a picture is no duplicate, however often the Q-box comes back to it."""
    again = acquired(4, picture=2, freeze=frozen(2))
    exam, effects = after(*FIVE[:2], acquired(3, picture=33, freeze=frozen(2)), again)
    assert ids(exam) == [1, 4]
    assert isinstance(effects[0], AcquisitionAccepted)
    assert effects[0].replaces == uid(3)


def test_refused_last_verdict_takes_the_acquisition_out() -> None:
    """A second Q-box, or a last place that cannot be measured, leaves nothing of the freeze counted."""
    exam, effects = after(*FIVE[:2], refused(3, Reason.SEVERAL_Q_BOXES, freeze=frozen(2)))
    assert ids(exam) == [1]
    refusal = effects[0]
    assert isinstance(refusal, AcquisitionRefused)
    assert refusal.replaces == uid(2)
    assert refusal_message(refusal, HEADER, sentences("en")).replaces == uid(2)
    exam, effects = after(acquired(4, picture=33, freeze=frozen(2)), exam=exam)
    assert ids(exam) == [1, 4]
    assert isinstance(effects[0], AcquisitionAccepted)
    assert effects[0].replaces is None


def test_result_of_the_fifth_is_withdrawn_and_issued_anew() -> None:
    """A Q-box moved after the fifth acquisition withdraws the result and issues another, which names it."""
    exam, effects = after(*FIVE, acquired(6, picture=66, freeze=frozen(5)))
    assert ids(exam) == [1, 2, 3, 4, 6]
    assert exam.phase is Phase.COMPLETE
    accepted, cleared, issued, _ = effects
    assert isinstance(accepted, AcquisitionAccepted)
    assert (accepted.n, accepted.replaces) == (5, uid(5))
    assert cleared == ResultCleared(uid(1005))
    assert issued == ResultIssued(uid(1006), moment(6), exam, uid(1005))
    assert isinstance(issued, ResultIssued)
    outcome = decide(exam.acquisitions, None, None)
    assert result_message(issued, outcome, HEADER, sentences("en")).replaces == uid(1005)


def test_result_is_withdrawn_when_the_fifth_is_refused() -> None:
    """A last verdict that refuses the fifth freeze withdraws the result; a new freeze makes another one."""
    exam, effects = after(*FIVE, refused(6, Reason.SEVERAL_Q_BOXES, freeze=frozen(5)))
    assert (exam.phase, ids(exam), exam.result_id) == (Phase.SCANNING, [1, 2, 3, 4], None)
    assert [type(e) for e in effects] == [AcquisitionRefused, ResultCleared, ExamChanged]
    exam, effects = after(acquired(7, freeze=frozen(7)), exam=exam)
    assert exam.result_id == uid(1007)


def test_only_the_last_freeze_can_change_a_complete_exam() -> None:
    """A sixth freeze is refused and changes nothing, whatever is done with it."""
    exam, _ = after(*FIVE, acquired(6, freeze=frozen(6)), acquired(7, picture=77, freeze=frozen(6)))
    assert ids(exam) == [1, 2, 3, 4, 5]
    assert [r.reason for r in exam.refusals] == [Reason.EXAM_COMPLETE, Reason.EXAM_COMPLETE]
    assert exam.result_id == uid(1005)


def test_reissued_result_names_the_one_before() -> None:
    """Serum values that come late re-issue the result in the same way."""
    serum = Serum(ast_u_l=48, ast_uln_u_l=40, platelets_g_l=160, alt_u_l=52, age_years=57)
    _, effects = after(*FIVE, SerumEntered(uid(9), moment(6), serum))
    issued = [e for e in effects if isinstance(e, ResultIssued)]
    assert [e.replaces for e in issued] == [uid(1005)]


def test_same_picture_through_a_codec_is_a_duplicate() -> None:
    """A stored picture that is shown again is refused although no byte of its crops is the same."""
    shown = replace(frozen(6), likeness=noisy(1))
    exam, effects = after(*FIVE[:2], acquired(6, freeze=shown))
    assert isinstance(effects[0], AcquisitionRefused)
    assert effects[0].refusal.reason is Reason.DUPLICATE
    assert ids(exam) == [1, 2]


@pytest.mark.parametrize("end", [Finish(uid(99), moment(7)), PatientChanged(uid(99), moment(7))])
def test_last_exam_s_picture_opens_no_new_exam(end: Event) -> None:
    """A picture of the exam before is refused, belongs to no exam and opens none, refused ones included."""
    closed, _ = after(*FIVE[:4], refused(6, freeze=frozen(6)), end)
    for picture in (1, 6):
        shown = FreezeEvidence(moment(8).monotonic_ns, None, noisy(picture))
        exam, effects = after(acquired(9, freeze=shown), exam=closed)
        assert exam.phase is Phase.CLOSED
        assert [type(e) for e in effects] == [AcquisitionRefused]
        assert isinstance(effects[0], AcquisitionRefused)
        assert (effects[0].exam_id, effects[0].refusal.reason) == (None, Reason.DUPLICATE)


def test_freeze_that_began_before_the_exam_ended_counts_for_no_other() -> None:
    """A Q-box moved, or a cine loop scrolled, after the exam was finished begins no exam."""
    closed, _ = after(*FIVE[:4], Finish(uid(99), moment(5)))
    exam, effects = after(acquired(6, freeze=frozen(6, began=4.5)), exam=closed)
    assert exam.phase is Phase.CLOSED
    assert isinstance(effects[0], AcquisitionRefused)
    assert effects[0].refusal.reason is Reason.BEFORE_EXAM


def test_discarded_freeze_may_be_measured_again() -> None:
    """After a discard by the operator the same freeze with a moved Q-box counts, as an addition."""
    moved = acquired(4, picture=44, freeze=frozen(2))
    exam, effects = after(*FIVE[:2], Discard(uid(9), moment(3)), moved)
    assert ids(exam) == [1, 4]
    assert isinstance(effects[0], AcquisitionAccepted)
    assert effects[0].replaces is None


@settings(max_examples=150, deadline=None)
@given(
    verdicts=st.lists(
        st.tuples(st.integers(1, 7), st.booleans(), st.sampled_from(["-", "discard", "finish"])), max_size=16
    )
)
def test_no_freeze_is_ever_counted_twice(verdicts: list[tuple[int, bool, str]]) -> None:
    """Whatever the order of verdicts and commands: one acquisition per freeze, a result only on five."""
    exam, standing = Exam(), None
    for number, (freeze, good, command) in enumerate(sorted(verdicts, key=lambda v: v[0]), 10):
        evidence = frozen(freeze, began=9 + number, picture=freeze)
        event = acquired if good else refused
        exam, effects = after(event(number, second=10 + number, freeze=evidence), exam=exam)
        standing = _standing(standing, effects)
        if command != "-":
            kind = Discard if command == "discard" else Finish
            exam, effects = after(kind(uid(2000 + number), moment(10 + number)), exam=exam)
            standing = _standing(standing, effects)
        freezes = [a.freeze.verdict for a in exam.acquisitions if a.freeze is not None]
        assert len(freezes) == len(set(freezes)) == len(exam.acquisitions)
        assert (exam.phase is Phase.COMPLETE) == (len(exam.acquisitions) == 5 and exam.is_open)
        assert standing == exam.result_id


def _standing(standing: object, effects: tuple[Effect, ...]) -> object:
    """The result that stands at the ward."""
    for effect in effects:
        match effect:
            case ResultIssued():
                standing = effect.result_id
            case ResultCleared():
                standing = None
    return standing
