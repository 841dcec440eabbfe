"""The exam: five acquisitions of one patient, whatever happens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_app.exam.events import (
    Acquired,
    Cancel,
    Discard,
    Event,
    Finish,
    PatientChanged,
    SerumEntered,
    Start,
    Tick,
)
from firmware_app.exam.machine import CLOSED_SHOWN_NS, IDLE_NS, REFUSALS_KEPT, advance
from firmware_app.exam.state import (
    AcquisitionAccepted,
    AcquisitionRefused,
    CommandFault,
    CommandRefused,
    Effect,
    Exam,
    ExamChanged,
    Phase,
    ResultCleared,
    ResultIssued,
)
from firmware_app.serum import Serum
from firmware_app.wording import Closing, Reason
from tests.firmware_app.exam_examples import SECOND_NS, acquired, after, moment, refused, uid

SERUM = Serum(ast_u_l=48, ast_uln_u_l=40, platelets_g_l=160, alt_u_l=52, age_years=57)
FIVE = tuple(acquired(n) for n in range(1, 6))


def kinds(effects: tuple[Effect, ...]) -> list[type[Effect]]:
    """What kinds of effects, in order."""
    return [type(effect) for effect in effects]


@pytest.mark.parametrize(
    ("events", "phase", "counted", "closing"),
    [
        ((), Phase.WAITING, 0, None),
        ((acquired(1),), Phase.SCANNING, 1, None),
        ((refused(1),), Phase.SCANNING, 0, None),
        ((Start(uid(9), moment(1)),), Phase.SCANNING, 0, None),
        ((SerumEntered(uid(9), moment(1), SERUM),), Phase.SCANNING, 0, None),
        (FIVE[:4], Phase.SCANNING, 4, None),
        (FIVE, Phase.COMPLETE, 5, None),
        ((*FIVE, acquired(6)), Phase.COMPLETE, 5, None),
        ((*FIVE, Discard(uid(9), moment(6))), Phase.SCANNING, 4, None),
        ((*FIVE, Discard(uid(9), moment(6)), acquired(7)), Phase.COMPLETE, 5, None),
        ((*FIVE, Finish(uid(9), moment(6))), Phase.CLOSED, 5, Closing.FINISHED),
        ((*FIVE[:3], Finish(uid(9), moment(6))), Phase.CLOSED, 3, Closing.FINISHED),
        ((*FIVE[:2], Finish(uid(9), moment(6))), Phase.CLOSED, 2, Closing.UNFINISHED),
        ((*FIVE[:2], Cancel(uid(9), moment(6))), Phase.CLOSED, 2, Closing.CANCELLED),
        ((*FIVE, PatientChanged(uid(9), moment(6))), Phase.CLOSED, 5, Closing.PATIENT_CHANGED),
        ((*FIVE[:4], PatientChanged(uid(9), moment(6))), Phase.CLOSED, 4, Closing.PATIENT_CHANGED),
        ((PatientChanged(uid(9), moment(6)),), Phase.WAITING, 0, None),
        ((*FIVE[:2], Start(uid(9), moment(6))), Phase.SCANNING, 0, None),
        ((*FIVE[:2], PatientChanged(uid(9), moment(6)), acquired(7)), Phase.SCANNING, 1, None),
    ],
)
def test_phase_follows_the_table(
    events: tuple[Event, ...], phase: Phase, counted: int, closing: Closing | None
) -> None:
    """Each sequence of events ends in the phase of the table at the top of the module."""
    exam, _ = after(*events)
    assert (exam.phase, len(exam.acquisitions), exam.closing) == (phase, counted, closing)


def test_fifth_acquisition_issues_one_result() -> None:
    """The fifth acquisition, and only the fifth, issues a result under the id of its event."""
    exam, effects = after(*FIVE)
    assert kinds(effects) == [AcquisitionAccepted, ResultIssued, ExamChanged]
    assert effects[1] == ResultIssued(uid(1005), moment(5), exam)
    assert exam.result_id == uid(1005)
    for count in range(1, 5):
        assert ResultIssued not in kinds(after(*FIVE[:count])[1])


def test_first_freeze_opens_and_clears_the_last_result() -> None:
    """The first freeze of an exam takes the retained result away, before anything else is said."""
    _, effects = after(acquired(1))
    assert kinds(effects) == [ResultCleared, AcquisitionAccepted, ExamChanged]
    _, effects = after(*FIVE, PatientChanged(uid(9), moment(6)), refused(7))
    assert kinds(effects) == [ResultCleared, AcquisitionRefused, ExamChanged]
    assert effects[0] == ResultCleared(uid(1005))


def test_provisional_from_three_until_complete() -> None:
    """The outcome is provisional with three and with four acquisitions, and not otherwise."""
    assert [after(*FIVE[:n])[0].is_provisional for n in range(6)] == [False, False, False, True, True, False]


def test_sixth_freeze_is_refused_by_name() -> None:
    """A freeze after the fifth acquisition is refused as `exam_complete`."""
    _, effects = after(*FIVE, acquired(6))
    assert isinstance(effects[0], AcquisitionRefused)
    assert effects[0].refusal.reason is Reason.EXAM_COMPLETE


@pytest.mark.parametrize("crop", ["elastogram", "gray"])
def test_duplicate_is_refused_by_either_crop(crop: str) -> None:
    """A freeze of which one crop has been counted before is a duplicate."""
    again = acquired(2)
    same = getattr(FIVE[0].acquisition.crop_digests, crop)
    crops = replace(again.acquisition.crop_digests, **{crop: same})
    again = replace(again, acquisition=replace(again.acquisition, crop_digests=crops))
    exam, effects = after(FIVE[0], again)
    assert isinstance(effects[0], AcquisitionRefused)
    assert effects[0].refusal.reason is Reason.DUPLICATE
    assert len(exam.acquisitions) == 1


def test_discarded_picture_does_not_come_back() -> None:
    """A picture that the operator took out stays a duplicate."""
    exam, _ = after(acquired(1), Discard(uid(9), moment(2)), acquired(3, picture=1))
    assert exam.acquisitions == ()
    assert exam.refusals[-1].reason is Reason.DUPLICATE


def test_discard_withdraws_the_result_and_five_issue_a_new_one() -> None:
    """Discarding after the fifth withdraws the result; the next fifth issues one with another id."""
    exam, effects = after(*FIVE, Discard(uid(9), moment(6), uid(2)))
    assert kinds(effects) == [ResultCleared, ExamChanged]
    assert [a.id for a in exam.acquisitions] == [uid(1), uid(3), uid(4), uid(5)]
    exam, effects = after(acquired(7), exam=exam)
    assert exam.result_id == uid(1007)
    assert [a.id for a in exam.discarded] == [uid(2)]


def test_finish_with_three_issues_a_result_of_three() -> None:
    """Finishing early with at least three acquisitions issues a result that rests on those."""
    _, effects = after(*FIVE[:3], Finish(uid(9), moment(6)))
    assert isinstance(effects[0], ResultIssued)
    assert len(effects[0].exam.acquisitions) == 3
    _, effects = after(*FIVE[:2], Finish(uid(9), moment(6)))
    assert kinds(effects) == [ExamChanged]


def test_cancel_withdraws_the_result() -> None:
    """Cancelling a complete exam takes its result away."""
    exam, effects = after(*FIVE, Cancel(uid(9), moment(6)))
    assert effects[0] == ResultCleared(uid(1005))
    assert exam.result_id is None


def test_serum_values_reissue_the_result() -> None:
    """Serum values that come after the fifth acquisition replace the result by one with another id."""
    exam, effects = after(*FIVE, SerumEntered(uid(9), moment(6), SERUM))
    assert kinds(effects) == [ResultCleared, ResultIssued, ExamChanged]
    assert exam.result_id == uid(9)
    assert exam.serum == SERUM


def test_late_acquisition_of_the_last_patient_is_refused() -> None:
    """What was captured before the banner changed belongs to no later exam, however late it arrives."""
    events: tuple[Event, ...] = (*FIVE[:2], PatientChanged(uid(9), moment(6)))
    exam, effects = after(*events, acquired(3))
    assert isinstance(effects[0], AcquisitionRefused)
    assert effects[0].exam_id is None
    assert effects[0].refusal.reason is Reason.PATIENT_CHANGED
    assert exam.phase is Phase.CLOSED
    exam, _ = after(*events, acquired(7), acquired(4))
    assert [a.id for a in exam.acquisitions] == [uid(7)]


def test_acquisition_of_the_next_patient_is_taken_out() -> None:
    """What was counted after the banner had changed is taken out, and its result with it."""
    exam, effects = after(*FIVE, PatientChanged(uid(9), moment(4.5)))
    assert kinds(effects) == [ResultCleared, ExamChanged]
    assert [a.id for a in exam.acquisitions] == [uid(1), uid(2), uid(3), uid(4)]
    assert exam.result_id is None


def test_old_freeze_still_on_the_screen_is_a_duplicate() -> None:
    """The last patient's picture, frozen once more under the new banner, opens no exam."""
    exam, effects = after(*FIVE[:2], PatientChanged(uid(9), moment(6)), acquired(7, picture=2))
    assert exam.phase is Phase.CLOSED
    assert isinstance(effects[0], AcquisitionRefused)
    assert (effects[0].exam_id, effects[0].refusal.reason) == (None, Reason.DUPLICATE)


def test_picture_refused_in_the_last_exam_is_foreign_to_the_next() -> None:
    """The last patient's sixth picture, or one that arrived late, is a duplicate under the new banner."""
    change = PatientChanged(uid(9), moment(7))
    orders: tuple[tuple[Event, ...], ...] = ((*FIVE, acquired(6), change), (*FIVE, change, acquired(6)))
    for events in orders:
        exam, _ = after(*events, acquired(8, picture=6), acquired(9))
        assert [a.id for a in exam.acquisitions] == [uid(9)]


def test_frozen_before_the_cancel_is_refused() -> None:
    """A freeze from before the end of a cancelled exam is refused as `before_exam`."""
    _, effects = after(FIVE[0], Cancel(uid(9), moment(6)), acquired(5))
    assert isinstance(effects[0], AcquisitionRefused)
    assert effects[0].refusal.reason is Reason.BEFORE_EXAM


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (Finish(uid(9), moment(1)), CommandFault.NO_EXAM),
        (Cancel(uid(9), moment(1)), CommandFault.NO_EXAM),
        (Discard(uid(9), moment(1)), CommandFault.NO_EXAM),
    ],
)
def test_command_without_exam_is_refused(command: Event, fault: CommandFault) -> None:
    """A command that needs an exam changes nothing while there is none, and says so."""
    assert after(command) == (Exam(), (CommandRefused(uid(9), fault),))


def test_unknown_acquisition_cannot_be_discarded() -> None:
    """Discarding names an acquisition of this exam, else it is refused."""
    cases: tuple[tuple[tuple[Event, ...], UUID | None], ...] = ((FIVE[:2], uid(77)), ((refused(1),), None))
    for events, wanted in cases:
        _, effects = after(*events, Discard(uid(9), moment(6), wanted))
        assert effects == (CommandRefused(uid(9), CommandFault.NO_SUCH_ACQUISITION),)


def test_serum_of_a_closed_exam_is_refused() -> None:
    """Serum values after the end could be the next patient's: they are refused."""
    _, effects = after(*FIVE, Finish(uid(8), moment(6)), SerumEntered(uid(9), moment(7), SERUM))
    assert effects == (CommandRefused(uid(9), CommandFault.NO_EXAM),)


def test_closed_exam_gives_way_to_waiting() -> None:
    """A closed exam is shown for a while; then the appliance waits, and knows nothing of the patient."""
    closed, _ = after(*FIVE, Finish(uid(8), moment(6)))
    shown_s = CLOSED_SHOWN_NS / SECOND_NS
    assert after(Tick(uid(9), moment(6 + shown_s - 1)), exam=closed) == (closed, ())
    waiting, effects = after(Tick(uid(9), moment(6 + shown_s)), exam=closed)
    assert effects == (ExamChanged(waiting),)
    assert (waiting.phase, waiting.id, waiting.acquisitions) == (Phase.WAITING, None, ())
    assert after(Tick(uid(9), moment(9999)), exam=waiting) == (waiting, ())


def test_idle_exam_ends_by_itself() -> None:
    """An exam in which nothing happens for half an hour is closed without a result."""
    _, effects = after(*FIVE[:4], Tick(uid(9), moment(4 + IDLE_NS / SECOND_NS - 1)))
    assert effects == ()
    exam, effects = after(*FIVE[:4], Tick(uid(9), moment(4 + IDLE_NS / SECOND_NS)))
    assert (exam.phase, exam.closing) == (Phase.CLOSED, Closing.IDLE)
    assert kinds(effects) == [ExamChanged]


def test_refusal_is_shown_until_something_is_counted() -> None:
    """The last refusal stands until the next accepted acquisition."""
    exam, _ = after(acquired(1), refused(2))
    assert exam.last_refusal == refused(2).refusal
    assert after(acquired(3), exam=exam)[0].last_refusal is None


def test_refusals_are_bounded() -> None:
    """An exam remembers the latest refusals only."""
    exam, _ = after(*(refused(n) for n in range(1, REFUSALS_KEPT + 11)))
    assert [r.id for r in exam.refusals] == [uid(n) for n in range(11, REFUSALS_KEPT + 11)]


# Any sequence of events ------------------------------------------------------------------------------

ACTIONS = (
    *("freeze",) * 6,
    "same",
    "refuse",
    "discard",
    "finish",
    "cancel",
    "start",
    "serum",
    "tick",
    "long_tick",
    "patient",
    "patient_noticed_late",
    "freeze_delivered_late",
)


@dataclass
class Room:
    """Plays actions; remembers which patient each picture shows and what the ward is shown."""

    exam: Exam = field(default_factory=Exam)
    second: float = 0.0
    patient: int = 0
    number: int = 0
    patient_of: dict[int, int] = field(default_factory=dict)
    standing: ResultIssued | None = None

    def play(self, action: str) -> None:
        """One action, and what must hold after each of its events."""
        self.second += 1.0
        self.number += 1
        event_id, at = uid(10_000 + self.number), moment(self.second)
        if action in {"freeze", "same"}:
            self.deliver(self.freeze(same=action == "same"))
        elif action == "refuse":
            self.deliver(refused(self.number, second=self.second))
        elif action == "long_tick":
            self.second += 60.0
            self.deliver(Tick(event_id, moment(self.second)))
        elif action == "serum":
            self.deliver(SerumEntered(event_id, at, SERUM))
        elif action == "patient":
            self.patient += 1
            self.deliver(PatientChanged(event_id, at))
        elif action == "patient_noticed_late":
            self.patient += 1
            self.second += 0.5
            self.deliver(self.freeze())
            self.deliver(PatientChanged(event_id, at))
        elif action == "freeze_delivered_late":
            late = self.freeze()
            self.patient += 1
            self.second += 0.5
            self.deliver(PatientChanged(event_id, moment(self.second)))
            self.deliver(late)
        else:
            command = {"discard": Discard, "finish": Finish, "cancel": Cancel, "start": Start, "tick": Tick}
            self.deliver(command[action](event_id, at))

    def freeze(self, *, same: bool = False) -> Acquired:
        """A freeze that shows the patient on the couch, or the picture before once more."""
        picture = max(self.patient_of, default=self.number) if same else self.number
        self.patient_of.setdefault(picture, self.patient)
        return acquired(self.number, second=self.second, picture=picture)

    def deliver(self, event: Event) -> None:
        """Advance, and check every promise."""
        before = self.exam
        self.exam, effects = advance(before, event)
        issued = [effect for effect in effects if isinstance(effect, ResultIssued)]
        completed = self.exam.phase is Phase.COMPLETE and before.phase is not Phase.COMPLETE
        assert len(issued) <= 1
        if not isinstance(event, Finish | SerumEntered):
            assert bool(issued) == completed
        for effect in effects:
            if isinstance(effect, ResultCleared):
                self.standing = None
            elif isinstance(effect, ResultIssued):
                assert self.standing is None
                assert 3 <= len(effect.exam.acquisitions) <= 5
                self.standing = effect
        pictures = [int(a.crop_digests.elastogram, 16) for a in self.exam.acquisitions]
        assert len(pictures) <= 5
        assert len(set(pictures)) == len(pictures)
        assert (self.exam.phase is Phase.COMPLETE) == (self.exam.is_open and len(pictures) == 5)
        if isinstance(event, PatientChanged):
            self.check_patients(pictures)
            if self.standing is not None:
                of_result = self.standing.exam.acquisitions
                self.check_patients([int(a.crop_digests.elastogram, 16) for a in of_result])

    def check_patients(self, pictures: list[int]) -> None:
        """All of one patient."""
        assert len({self.patient_of[picture] for picture in pictures}) <= 1


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.sampled_from(ACTIONS), max_size=60))
def test_any_sequence_keeps_every_promise(actions: list[str]) -> None:
    """Never more than five, never a duplicate, one result per completion, one patient per result."""
    room = Room()
    for action in actions:
        room.play(action)
    room.play("patient")
