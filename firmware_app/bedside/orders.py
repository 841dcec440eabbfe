"""Commands from the page to the exam, and their answers in words.

Every command names the exam that its page shows. What is open by now may be the next patient's: then nothing
happens, and the answer says so.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast
from uuid import UUID

from firmware_app.bedside.board import Board
from firmware_app.bedside.view import Method, serum_scores, unit_text
from firmware_app.bedside.words import Words, words_of
from firmware_app.exam.state import CommandFault
from firmware_app.serum import PLAUSIBLE, Serum
from firmware_app.ward.commands import Answer, Command, CommandError, parse_command
from firmware_app.ward.inbox import Inbox, Request
from firmware_app.wording import Sentences

PATIENCE_S = 5.0
"""The frame loop answers within a frame, or within a second without a signal."""
OPTIONAL = frozenset({"alt_u_l", "age_years"})
Body = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reply:
    """What the page is told: whether it was done, one sentence, serum scores where they were asked for."""

    ok: bool
    text: str
    scores: tuple[Method, ...] = ()

    @property
    def status(self) -> int:
        """HTTP status: a conflict where the exam did not take it."""
        return 200 if self.ok else 409


class Orders:
    """Gives commands to the frame loop and waits for what became of them."""

    def __init__(self, board: Board, inbox: Inbox) -> None:
        self._board = board
        self._inbox = inbox

    async def give(self, name: str, body: Body) -> Reply:
        """Carry out the command `name` for a page that sends `body`, JSON with the `exam_id` it shows."""
        said = self._board.snapshot.appliance.words
        words = words_of(said.language)
        complaint = self._stale(body)
        if complaint is not None:
            return Reply(ok=False, text=words.faults[complaint])
        scores: tuple[Method, ...] = ()
        if name == "serum":
            checked = _serum(body, words, said)
            if isinstance(checked, str):
                return Reply(ok=False, text=checked)
            scores = serum_scores(checked, said)
        content = {key: value for key, value in body.items() if name != "start" or key != "exam_id"}
        try:
            command = parse_command(name, json.dumps(content).encode())
        except CommandError as error:
            return Reply(ok=False, text=words.faults[error.fault])
        return await self._carry_out(name, command, words, scores)

    def _stale(self, body: Body) -> CommandFault | None:
        """The exam decides again when it takes the command; a start, which names none, is decided on here."""
        shown, exam = body.get("exam_id"), self._board.snapshot.exam
        if "exam_id" not in body or not (shown is None or isinstance(shown, str)):
            return CommandFault.MALFORMED
        return None if shown == (None if exam.id is None else str(exam.id)) else CommandFault.OTHER_EXAM

    async def _carry_out(
        self, name: str, command: Command, words: Words, scores: tuple[Method, ...]
    ) -> Reply:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Answer] = loop.create_future()

        def settle(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        def answer(given: Answer) -> None:
            with suppress(RuntimeError):  # the page's loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, given)

        if not self._inbox.admit():
            return Reply(ok=False, text=words.faults[CommandFault.TOO_MANY])
        self._inbox.put(Request(name, command, "bedside", answer))
        try:
            given = await asyncio.wait_for(answered, PATIENCE_S)
        except asyncio.TimeoutError:
            return Reply(ok=False, text=words.no_answer)
        if given.fault is not None:
            return Reply(ok=False, text=words.faults[given.fault])
        return Reply(ok=True, text=words.done[name], scores=scores)


def _serum(body: Body, words: Words, said: Sentences) -> Serum | str:
    """The values, or a sentence that names the one that is missing or absurd."""
    values: dict[str, float | None] = {}
    for key, (_, unit_of_table, (low, high)) in PLAUSIBLE.items():
        name, value = words.serum_names[key], body.get(key)
        unit = words.age_unit if key == "age_years" else unit_text(unit_of_table)
        if value is None and key in OPTIONAL:
            values[key] = None
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return words.missing.format(name=name)
        if not low <= value <= high:
            sentence = words.implausible.format(
                name=name, value=f"{value:g}", unit=unit, low=f"{low:g}", high=f"{high:g}"
            )
            return said.number(sentence)
        values[key] = float(value)
    return Serum(
        cast("float", values["ast_u_l"]),
        cast("float", values["ast_uln_u_l"]),
        cast("float", values["platelets_g_l"]),
        values["alt_u_l"],
        values["age_years"],
    )


def acquisition_id_of(text: str) -> UUID | None:
    """The id in an address; None: it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
