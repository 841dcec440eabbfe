"""Commands that enter the exam from outside, over MQTT or from the bedside page, and their answers.

A command names the exam that its sender sees (`exam_id`): one that comes late can never act on the next
patient's exam. Whatever is wrong with a command, its answer says so, and nothing changes.
"""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, ValidationError

from firmware_app.errors import FibrostageError, SerumError
from firmware_app.exam.events import Cancel, Discard, Event, Finish, Moment, Resume, SerumEntered, Start
from firmware_app.exam.state import CommandFault, Exam
from firmware_app.serum import PLAUSIBLE, Serum
from firmware_app.ward.messages import Header, Payload
from firmware_app.wording import sentences

LONGEST_BYTES = 4096
"""No command is longer; what is, is not read."""


class CommandError(FibrostageError):
    """A command that cannot be carried out."""

    def __init__(self, fault: CommandFault, detail: str = "") -> None:
        super().__init__(sentences("en").fault(fault.value, detail))
        self.fault = fault
        self.detail = detail


ExamId = Annotated[UUID, Field(description="the exam that the sender sees; another one is never touched")]


class StartCommand(Payload):
    """Begin a new exam; an open one is closed."""


class DiscardCommand(Payload):
    """Take an acquisition out."""

    exam_id: ExamId
    acquisition_id: UUID | None = Field(default=None, description="null: the last one")


class FinishCommand(Payload):
    """End the exam with what there is; a result needs three acquisitions."""

    exam_id: ExamId


class CancelCommand(Payload):
    """End the exam without a result."""

    exam_id: ExamId


class ResumeCommand(Payload):
    """It is the same patient: go on with the exam that an interruption holds."""

    exam_id: ExamId


def _bounded(key: str) -> object:
    name, unit, (low, high) = PLAUSIBLE[key]
    return Field(description=f"{name} in {unit}, {low:g} to {high:g}")


class SerumCommand(Payload):
    """Serum values of the patient of this exam; they are neither stored nor published."""

    exam_id: UUID | None = Field(description="the exam that the sender sees; null: none is open yet")
    ast_u_l: Annotated[float, _bounded("ast_u_l")]
    ast_uln_u_l: Annotated[float, _bounded("ast_uln_u_l")]
    platelets_g_l: Annotated[float, _bounded("platelets_g_l")]
    alt_u_l: Annotated[float | None, _bounded("alt_u_l")] = None
    age_years: Annotated[float | None, _bounded("age_years")] = None


Command = StartCommand | DiscardCommand | FinishCommand | CancelCommand | ResumeCommand | SerumCommand
COMMANDS: dict[str, type[Command]] = {
    "start": StartCommand,
    "discard": DiscardCommand,
    "finish": FinishCommand,
    "cancel": CancelCommand,
    "resume": ResumeCommand,
    "serum": SerumCommand,
}


class Answer(Header):
    """What became of a command; published to its response topic, with its correlation data."""

    type: Literal["answer"] = "answer"
    command: str
    ok: bool
    fault: CommandFault | None = Field(description="null: it was carried out")
    text: str = Field(description="one sentence for people")
    exam_id: UUID | None = Field(description="the exam as it is afterwards")


def parse_command(name: str, payload: bytes) -> Command:
    """The command of a message.

    Args:
        name: last level of the topic.
        payload: JSON; empty stands for an empty object.

    Raises:
        CommandError: it is none of the commands, or not readable; the sentence names the key.
    """
    model = COMMANDS.get(name)
    if model is None:
        raise CommandError(CommandFault.UNKNOWN_COMMAND, f"use one of {', '.join(COMMANDS)}")
    if len(payload) > LONGEST_BYTES:
        raise CommandError(CommandFault.MALFORMED, f"longer than {LONGEST_BYTES} bytes")
    try:
        return model.model_validate_json(payload or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise CommandError(CommandFault.MALFORMED, f"{key}: {first['msg']}" if key else "not JSON") from None
    except (ValueError, RecursionError):
        raise CommandError(CommandFault.MALFORMED, "not JSON") from None


def event_of(command: Command, exam: Exam, new_id: UUID, at: Moment) -> Event:
    """What the command asks of the exam as it stands.

    Raises:
        CommandError: the sender sees another exam, or a serum value is not plausible.
    """
    if not isinstance(command, StartCommand) and command.exam_id != exam.id:
        raise CommandError(CommandFault.NO_EXAM if exam.id is None else CommandFault.OTHER_EXAM)
    match command:
        case StartCommand():
            return Start(new_id, at)
        case DiscardCommand():
            return Discard(new_id, at, command.acquisition_id)
        case FinishCommand():
            return Finish(new_id, at)
        case CancelCommand():
            return Cancel(new_id, at)
        case ResumeCommand():
            return Resume(new_id, at)
        case SerumCommand():
            return SerumEntered(new_id, at, _serum(command))


def _serum(command: SerumCommand) -> Serum:
    try:
        return Serum(
            command.ast_u_l,
            command.ast_uln_u_l,
            command.platelets_g_l,
            command.alt_u_l,
            command.age_years,
        )
    except SerumError as error:
        raise CommandError(CommandFault.IMPLAUSIBLE, str(error)) from None
