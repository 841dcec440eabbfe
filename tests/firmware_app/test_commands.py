"""Commands: what is understood, what is not, and what they may act on."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_app.exam.events import Cancel, Discard, Finish, Resume, SerumEntered, Start
from firmware_app.exam.state import CommandFault, Exam
from firmware_app.serum import Serum
from firmware_app.ward.commands import (
    COMMANDS,
    LONGEST_BYTES,
    CommandError,
    DiscardCommand,
    SerumCommand,
    StartCommand,
    event_of,
    parse_command,
)
from firmware_app.ward.inbox import BURST, PER_SECOND, WAITING, Inbox, Request
from firmware_app.ward.reception import Incoming, may_answer, receive
from tests.firmware_app.exam_examples import acquired, after, moment, uid

EXAM, _ = after(acquired(1), acquired(2))
SERUM = {"ast_u_l": 40, "ast_uln_u_l": 40, "platelets_g_l": 200}


def fault_of(name: str, payload: bytes) -> CommandFault:
    """Why this is not understood."""
    with pytest.raises(CommandError) as error:
        parse_command(name, payload)
    return error.value.fault


def test_every_command_becomes_its_event() -> None:
    """Each command, with the exam that its sender sees, asks for what it says."""
    own = {"exam_id": str(EXAM.id)}
    wanted = {
        "start": ({}, Start(uid(7), moment(9))),
        "discard": ({**own, "acquisition_id": str(uid(1))}, Discard(uid(7), moment(9), uid(1))),
        "finish": (own, Finish(uid(7), moment(9))),
        "cancel": (own, Cancel(uid(7), moment(9))),
        "resume": (own, Resume(uid(7), moment(9))),
        "serum": ({**own, **SERUM}, SerumEntered(uid(7), moment(9), Serum(40, 40, 200))),
    }
    assert wanted.keys() == COMMANDS.keys()
    for name, (content, event) in wanted.items():
        command = parse_command(name, json.dumps(content).encode())
        assert event_of(command, EXAM, uid(7), moment(9)) == event


def test_an_empty_payload_is_an_empty_object() -> None:
    """`start` needs no payload."""
    assert parse_command("start", b"") == StartCommand()


@pytest.mark.parametrize(
    ("name", "payload", "fault"),
    [
        ("open_door", b"{}", CommandFault.UNKNOWN_COMMAND),
        ("", b"{}", CommandFault.UNKNOWN_COMMAND),
        ("start", b"[]", CommandFault.MALFORMED),
        ("start", b'{"force": true}', CommandFault.MALFORMED),
        ("start", b"\xff\xfe", CommandFault.MALFORMED),
        ("start", b" " * (LONGEST_BYTES + 1), CommandFault.MALFORMED),
        ("finish", b"{}", CommandFault.MALFORMED),
        ("finish", b'{"exam_id": "1"}', CommandFault.MALFORMED),
        ("discard", b"[" * 4000, CommandFault.MALFORMED),
        ("serum", b'{"exam_id": null, "ast_u_l": "much"}', CommandFault.MALFORMED),
    ],
)
def test_what_is_not_understood_is_named(name: str, payload: bytes, fault: CommandFault) -> None:
    """Unknown names, unknown or missing keys, other types, no JSON, too long: each has its fault."""
    assert fault_of(name, payload) is fault


@given(name=st.sampled_from([*COMMANDS, "x"]), payload=st.binary(max_size=200) | st.text().map(str.encode))
def test_garbage_is_refused_and_nothing_else_happens(name: str, payload: bytes) -> None:
    """Whatever arrives is a command or a `CommandError`."""
    try:
        command = parse_command(name, payload)
    except CommandError:
        return
    assert isinstance(command, COMMANDS[name])


@pytest.mark.parametrize("exam", [Exam(), EXAM])
def test_a_command_for_another_exam_changes_nothing(exam: Exam) -> None:
    """A page that is out of date can never act on the next patient's exam."""
    late = DiscardCommand(exam_id=UUID(int=99))
    with pytest.raises(CommandError) as error:
        event_of(late, exam, uid(7), moment(9))
    assert error.value.fault is (CommandFault.NO_EXAM if exam.id is None else CommandFault.OTHER_EXAM)


def test_implausible_serum_is_refused_by_name() -> None:
    """A slip of the unit is told with the range."""
    command = SerumCommand.model_validate({"exam_id": None, **SERUM, "platelets_g_l": 200_000})
    with pytest.raises(CommandError, match="platelets of 200000") as error:
        event_of(command, Exam(), uid(7), moment(9))
    assert error.value.fault is CommandFault.IMPLAUSIBLE


def request() -> Request:
    """Somebody asks for something."""
    return Request("start", StartCommand(), "mqtt", lambda _: None)


def offer(inbox: Inbox) -> bool:
    """Leave a request, if it is admitted."""
    admitted = inbox.admit()
    if admitted:
        inbox.put(request())
    return admitted


def test_no_more_commands_than_people_can_give(caplog: pytest.LogCaptureFixture) -> None:
    """A burst is taken, then so many a second; what is refused is counted, and told once in a while."""
    now_s = [0.0]
    inbox = Inbox(lambda: now_s[0])
    assert [offer(inbox) for _ in range(BURST + 3)] == [True] * BURST + [False] * 3
    assert len(inbox.take_all()) == BURST
    assert inbox.take_all() == []
    now_s[0] = 1.0
    assert [offer(inbox) for _ in range(20)].count(True) == int(PER_SECOND)
    assert inbox.refused == 3 + 20 - int(PER_SECOND)
    now_s[0] = 60.0
    assert [offer(inbox) for _ in range(20)].count(True) == BURST
    assert [record.getMessage() for record in caplog.records] == [
        "too many commands: 1 were dropped so far",
        f"too many commands: {inbox.refused - 9} were dropped so far",
    ]


def test_the_inbox_is_bounded() -> None:
    """However slowly they come, no more wait than can be answered soon."""
    now_s = [0.0]
    inbox = Inbox(lambda: now_s[0])
    for _ in range(WAITING + 5):
        now_s[0] += 10.0
        offer(inbox)
    assert len(inbox.take_all()) == WAITING


def incoming(name: str, payload: bytes = b"{}", *, retained: bool = False) -> Incoming:
    """A message on a command topic."""
    return Incoming(name, payload, retained, "fibrostage/v1/s/d/answer/me", b"1")


def test_a_retained_command_is_nobodys_wish() -> None:
    """What lay at the broker is not carried out; what cannot be read waits for its answer."""
    inbox = Inbox()
    receive(incoming("start", retained=True), inbox, lambda *_: None)
    receive(incoming("start"), inbox, lambda *_: None)
    receive(incoming("nonsense"), inbox, lambda *_: None)
    first, second = inbox.take_all()
    assert first.command == StartCommand()
    assert isinstance(second.command, CommandError)


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        ("fibrostage/v1/s/d/answer/ward-pc", True),
        ("fibrostage/v1/s/d/answer/ward/pc", True),
        ("fibrostage/v1/s/d/result", False),
        ("fibrostage/v1/s/e/answer/ward-pc", False),
        ("fibrostage/v1/s/d/answer/#", False),
        ("fibrostage/v1/s/d/answer/" + "x" * 300, False),
        ("", False),
        (None, False),
    ],
)
def test_answers_go_where_answers_belong(topic: str | None, allowed: bool) -> None:  # noqa: FBT001 - a parameter
    """Nobody can make the appliance publish anything else anywhere else."""
    assert may_answer("fibrostage/v1/s/d", topic) is allowed
