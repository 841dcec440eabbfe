"""Where commands from the broker arrive: from a message to a request for the frame loop, and its answer back.

A command counts only while it is fresh: one that was retained at the broker is nobody's wish any more. An
answer goes to the response topic of the message, below `answer/` of this appliance and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from firmware_app.ward.commands import Answer, CommandError, parse_command
from firmware_app.ward.inbox import Inbox, Request

LOG = logging.getLogger(__name__)
LONGEST_TOPIC = 256


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message on a command topic.

    Attributes:
        name: last level of its topic.
        payload: as it came.
        retained: whether it lay at the broker.
        response_topic: where the answer is wanted; None: nowhere.
        correlation: goes back with the answer.
    """

    name: str
    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None


Reply = Callable[[Incoming, Answer], None]


def receive(incoming: Incoming, inbox: Inbox, reply: Reply) -> None:
    """Take a command in; what is wrong with it is answered by the frame loop, too many are dropped."""
    if incoming.retained:
        LOG.warning("a retained command %r is not carried out", incoming.name)
        return
    if not inbox.admit():
        return
    try:
        asked = parse_command(incoming.name, incoming.payload)
    except CommandError as error:
        request = Request(incoming.name[:64], error, "mqtt", lambda answer: reply(incoming, answer))
    else:
        request = Request(incoming.name, asked, "mqtt", lambda answer: reply(incoming, answer))
    inbox.put(request)


def may_answer(root: str, topic: str | None) -> bool:
    """Whether an answer may be published to this response topic."""
    if topic is None or not topic.startswith(f"{root}/answer/"):
        return False
    return len(topic) <= LONGEST_TOPIC and not set(topic) & {"+", "#", "\0"}
