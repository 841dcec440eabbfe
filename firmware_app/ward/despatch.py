"""What goes to the broker next: the status, what has to be said again, answers, the outbox, health.

Only the outbox survives a restart. Of status and health the newest counts. Answers are for somebody who waits
now: few are kept. What the broker retains is said again when it has forgotten: after a restart of its own.
Not safe between threads: `mqtt` guards it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from firmware_app.ward.commands import Answer
from firmware_app.ward.health_message import Health
from firmware_app.ward.messages import Payload, Status
from firmware_app.ward.outbox import Instant, Letter, Outbox
from firmware_app.ward.publication import HEALTH_EXPIRY_S

ANSWERS = 16
"""Answers that may wait."""
EXPIRY_AFTER_REBOOT_S = 60
"""What waited over a reboot may be of yesterday: it is delivered, but no display keeps it."""
ANSWER_EXPIRY_S = 30


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to be sent.

    Attributes:
        kind: where it comes from.
        topic: below the appliance's root, or whole for an answer.
        correlation: of an answer.
    """

    kind: Literal["status", "again", "answer", "outbox", "health"]
    topic: str
    payload: bytes
    retain: bool
    expiry_s: int | None
    correlation: bytes | None = None


class Despatch:
    """Chooses what is sent next.

    Args:
        root: the topic above all topics of this appliance.
        outbox: everything that must not be lost.
        birth: the first status.
    """

    def __init__(self, root: str, outbox: Outbox, birth: Status) -> None:
        self._root = root
        self.outbox = outbox
        self._status: Status | None = birth
        self._last_status = birth
        self._health: Health | None = None
        self._answers: deque[Parcel] = deque(maxlen=ANSWERS)
        self._standing: dict[str, Letter] = {}
        self._again: deque[Letter] = deque()
        self._answered_last = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits that somebody could miss."""
        return self._status is None and not self.outbox and not self._answers and not self._again

    @property
    def has_next(self) -> bool:
        """Whether there is something to send."""
        return not self.is_empty or self._health is not None

    def say_status(self, status: Status) -> None:
        """Send this status, in place of one that waits."""
        self._status = self._last_status = status

    def say_health(self, health: Health) -> None:
        """Send this state of health, in place of one that waits."""
        self._health = health

    def say_last(self, death: Status) -> None:
        """Send this status as the last one."""
        self._status = death

    def answer(self, topic: str, answer: Answer, correlation: bytes | None) -> None:
        """Send an answer; of too many the oldest goes."""
        payload = answer.to_json().encode()
        self._answers.append(
            Parcel("answer", topic, payload, retain=False, expiry_s=ANSWER_EXPIRY_S, correlation=correlation)
        )

    def connected(self, *, remembered: bool) -> None:
        """The broker is there; `remembered`: it knows this session, so it has not been restarted.

        The status is said anew in any case: the broker may have published the will.
        """
        self._status = self._last_status
        if not remembered:
            self._again = deque(self._standing.values())

    def next(self, now: Instant) -> Parcel | None:
        """What to send; it stays until `sent`."""
        if self._status is not None:
            return Parcel(
                "status", f"{self._root}/status", _encoded(self._status), retain=True, expiry_s=None
            )
        if self._again:
            return self._parcel("again", self._again[0], now)
        if self._answers and not (self._answered_last and self.outbox):
            return self._answers[0]
        if self.outbox:
            return self._parcel("outbox", self.outbox.head(), now)
        if self._health is not None:
            return Parcel(
                "health",
                f"{self._root}/health",
                _encoded(self._health),
                retain=False,
                expiry_s=HEALTH_EXPIRY_S,
            )
        return None

    def sent(self, parcel: Parcel) -> None:
        """The broker has this one."""
        self._answered_last = parcel.kind == "answer"
        match parcel.kind:
            case "status":
                self._status = None if parcel.payload == _encoded(self._status) else self._status
            case "health":
                self._health = None if parcel.payload == _encoded(self._health) else self._health
            case "answer":
                self._answers = deque((a for a in self._answers if a is not parcel), maxlen=ANSWERS)
            case "again":
                self._again = deque(letter for letter in self._again if letter.payload != parcel.payload)
            case "outbox":
                self._sent_from_outbox()

    def _sent_from_outbox(self) -> None:
        letter = self.outbox.head()
        if letter.retain:
            self._standing[letter.topic] = letter
        self.outbox.take()

    def _parcel(self, kind: Literal["again", "outbox"], letter: Letter, now: Instant) -> Parcel:
        topic = f"{self._root}/{letter.topic}"
        return Parcel(kind, topic, letter.payload, letter.retain, _left_s(letter, now))


def _encoded(message: Payload | None) -> bytes:
    """A message as it is sent; two of one content are the same."""
    return b"" if message is None else message.to_json().encode()


def _left_s(letter: Letter, now: Instant) -> int | None:
    """Expiry that is left: the time in the outbox counts."""
    if letter.expiry_s is None:
        return None
    age_s = letter.age_s(now)
    if age_s is None:
        return min(letter.expiry_s, EXPIRY_AFTER_REBOOT_S)
    return max(1, letter.expiry_s - int(age_s))
