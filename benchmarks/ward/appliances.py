"""Many appliances that publish at the pace of an exam a minute, in a few processes.

Each has the appliance's own outbox, its own connection and its own payloads; there is no video behind them.
What is noted is when a message was handed to the publisher, by the clock that all processes of one machine
share, under the appliance and the `sequence` that the payload carries.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as Flag
from typing import Protocol

import numpy as np

from firmware_app.config import MqttConfig
from firmware_app.exam.events import Event, PatientChanged
from firmware_app.exam.machine import advance
from firmware_app.exam.state import Exam
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.health_message import Health
from firmware_app.ward.messages import Status
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import Appliance, Publication, publication_of, status_message
from tests.firmware_app.exam_examples import acquired, appliance, moment, refused, uid
from tests.firmware_app.health_examples import health

MINUTE_S = 60.0
HEALTH_S = 10.0
PROCESSES = 2
"""A hospital's appliances are played by so many."""
READY_S = 120.0
"""So long may the appliances of a process take to connect."""
Key = tuple[str, int]
"""The root of an appliance and the sequence of a message."""


@dataclass(frozen=True, slots=True)
class Handed:
    """When a message was handed over, and whether it must arrive: of status and health the newest counts."""

    at_ns: int
    must_arrive: bool


class Way(Protocol):
    """How an appliance's messages leave it."""

    def publish(self, *publications: Publication) -> None:
        """A message of the exam."""

    def publish_status(self, status: Status) -> None:
        """The newest status."""

    def publish_health(self, health: Health) -> None:
        """The newest health."""

    def close(self) -> None:
        """Hang up."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The appliances of one process.

    Attributes:
        numbers: of the appliances.
        connect: gives each its way out; must be importable by name.
        port: where that leads.
        pace: times as fast as in a hospital.
        seed: decides when each appliance's minute begins.
    """

    numbers: tuple[int, ...]
    connect: Callable[[int, Appliance], Way]
    port: int
    pace: float
    seed: int


def over_mqtt(port: int, speaker: Appliance) -> Way:
    """The appliance's own publisher: outbox in memory, one connection, QoS 1."""
    now = datetime.now(timezone.utc)
    birth = status_message(speaker, CaptureState.STARTING, now, time_trusted=True)
    death = status_message(speaker, None, now, time_trusted=True)
    ward = Ward(MqttConfig(host="127.0.0.1", port=port), speaker.root, birth, death)
    ward.connect()
    return ward


def minute_of(late_s: float) -> list[tuple[float, Event | str]]:
    """What one appliance does in a minute, in seconds from its beginning: one exam, health, a status.

    Args:
        late_s: when it begins, 0 to 12 s, so that a hospital does not speak in chorus.
    """
    exam: tuple[Event, ...] = (acquired(1), refused(2), acquired(3), acquired(4), acquired(5), acquired(6))
    doings: list[tuple[float, Event | str]] = [(6.0 + 8.0 * n, event) for n, event in enumerate(exam)]
    doings += [(58.0, PatientChanged(uid(9), moment(9))), (30.0, "status")]
    doings += [(HEALTH_S * n + 3.0, "health") for n in range(int(MINUTE_S / HEALTH_S))]
    return [(late_s + 0.8 * at_s, doing) for at_s, doing in doings]


class Sender:
    """One appliance: what it is, where its exam stands, and what it handed over when."""

    def __init__(self, number: int, way: Way, speaker: Appliance) -> None:
        self._way, self._speaker, self._number = way, speaker, count(1000 * number + 1)
        self._exam = Exam()
        self.sent: dict[Key, Handed] = {}

    def tell(self, what: Event | str) -> None:
        """Publish what comes of this."""
        match what:
            case "health":
                self._way.publish_health(
                    health().model_copy(update={"sequence": self._note(must_arrive=False)})
                )
            case "status":
                now, sequence = datetime.now(timezone.utc), self._note(must_arrive=False)
                status = status_message(
                    self._speaker, CaptureState.LIVE, now, time_trusted=True, sequence=sequence
                )
                self._way.publish_status(status)
            case str():
                raise ValueError(what)
            case _:
                self._exam, effects = advance(self._exam, what)
                for effect in effects:
                    sequence = self._note(must_arrive=True)
                    made = publication_of(
                        effect, what.at, self._speaker, time_trusted=True, sequence=sequence
                    )
                    if made is None or made.message is None:  # a topic that is cleared carries no sequence
                        del self.sent[self._speaker.root, sequence]
                    if made is not None:
                        self._way.publish(made)

    def _note(self, *, must_arrive: bool) -> int:
        number = next(self._number)
        self.sent[self._speaker.root, number] = Handed(time.monotonic_ns(), must_arrive)
        return number

    def close(self) -> None:
        """Hang up."""
        self._way.close()


def play(crew: Crew, ready: Flag, begin: Flag, told: Connection) -> None:
    """Connect every appliance of a crew, wait, play a minute, and tell what was handed over when."""
    rng = np.random.default_rng([crew.seed, *crew.numbers])
    speakers = [appliance(f"us-{n:03}", f"Ultrasound {n}") for n in crew.numbers]
    ways = [crew.connect(crew.port, speaker) for speaker in speakers]
    senders = [Sender(*one) for one in zip(crew.numbers, ways, speakers, strict=True)]
    late_s = rng.uniform(0.0, 0.2 * MINUTE_S, len(senders))
    agenda = [
        (at_s / crew.pace, n, k, doing)
        for n, late in enumerate(late_s)
        for k, (at_s, doing) in enumerate(minute_of(float(late)))
    ]
    agenda.sort(key=lambda item: item[:3])
    ready.set()
    if begin.wait(READY_S):
        began_s = time.monotonic()
        for at_s, n, _, doing in agenda:
            time.sleep(max(0.0, began_s + at_s - time.monotonic()))
            senders[n].tell(doing)
        time.sleep(max(0.0, began_s + MINUTE_S / crew.pace - time.monotonic()))
    told.send({key: handed for sender in senders for key, handed in sender.sent.items()})
    for sender in senders:
        sender.close()


class Hospital:
    """Appliances in a few processes; they connect when it is entered and play when `begin` is called."""

    def __init__(
        self, appliances: int, connect: Callable[[int, Appliance], Way], port: int, pace: float, seed: int
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._begin = context.Event()
        self._ready: list[Flag] = []
        self._told: list[Connection] = []
        self._processes = []
        self._wait_s = MINUTE_S / pace
        for first in range(min(PROCESSES, appliances)):
            numbers = tuple(range(first + 1, appliances + 1, PROCESSES))
            receiver, sender = context.Pipe(duplex=False)
            ready = context.Event()
            crew = Crew(numbers, connect, port, pace, seed)
            self._processes.append(context.Process(target=play, args=(crew, ready, self._begin, sender)))
            self._ready.append(ready)
            self._told.append(receiver)

    def __enter__(self) -> Hospital:  # noqa: PYI034 - typing.Self needs Python 3.11
        """Connect."""
        for process in self._processes:
            process.start()
        for ready in self._ready:
            if not ready.wait(READY_S):
                raise TimeoutError("the appliances did not connect")
        return self

    def play(self) -> dict[Key, Handed]:
        """Play the minute; when each message was handed over."""
        self._begin.set()
        sent: dict[Key, Handed] = {}
        for told in self._told:
            if not told.poll(self._wait_s + READY_S):
                raise TimeoutError("the appliances did not finish")
            sent |= told.recv()
        return sent

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        for process in self._processes:
            process.join(READY_S)
            process.kill()
