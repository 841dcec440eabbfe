"""A hospital's feed: 1, 10, 100 and 500 appliances through one mosquitto on this machine.

The appliances have no video here: their own publishers (outbox, connection, payloads, QoS 1) play an exam a
minute each, with health every ten seconds, which is several times what a room does. A subscriber hears
everything. Latency is from handing a message to the publisher until the subscriber has it, by one clock;
processor and memory are the broker's. Publishers, broker, subscriber and browser share this machine's cores.
Then a real Chromium shows that many cards, while the others go on talking.

Beside it: what one would write without a broker, a server that keeps the newest states and a display that
asks once a second. What is overwritten before it is asked for is never seen.

    python -m benchmarks.feed [--pace 1] [--messages 30]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil
from tqdm import tqdm

from benchmarks.record import Run, keep, parser
from benchmarks.ward.appliances import MINUTE_S, Handed, Hospital, Key, Way, over_mqtt
from benchmarks.ward.page import shown_ms
from benchmarks.ward.polling import ASKED_EVERY_S, Display, OverHttp, Server
from firmware_app.config import MqttConfig
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.publication import Appliance
from firmware_app.ward.subscriber import Subscriber

SIZES = (1, 10, 100, 500)
PATIENCE_S = 30.0
POLLED = f"HTTP, asked every {ASKED_EVERY_S:.0f} s"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one minute of a hospital.

    Attributes:
        latencies_ms: of every message that arrived.
        missing: messages of exams that never did.
        overtaken: states that a newer one took the place of, before they were sent or asked for.
        doubled: messages that arrived again.
        sent: messages handed over.
        received_bytes: of payload.
        processor_percent: of one core, of the broker or server, while the hospital spoke.
        memory_mib: of it, resident, at the end.
        seconds: how long the hospital spoke.
    """

    latencies_ms: list[float]
    missing: int
    overtaken: int
    doubled: int
    sent: int
    received_bytes: int
    processor_percent: float
    memory_mib: float
    seconds: float


class Ear:
    """Notes when which message arrived."""

    def __init__(self) -> None:
        self.heard: dict[Key, int] = {}
        self.again: list[Key] = []
        self.received_bytes = 0

    def hear(self, topic: str, payload: bytes) -> None:
        """One message."""
        now_ns = time.monotonic_ns()
        if not payload:
            return
        key = topic.rpartition("/")[0], int(json.loads(payload)["sequence"])
        self.received_bytes += len(payload)
        if key in self.heard:
            self.again.append(key)
        self.heard.setdefault(key, now_ns)


@dataclass(frozen=True, slots=True)
class Middle:
    """What stands between appliances and display: how one connects, its port, its process."""

    connect: Callable[[int, Appliance], Way]
    port: int
    pid: int


def minute(appliances: int, middle: Middle, ear: Ear, pace: float, seed: int) -> Heard:
    """One minute of a hospital, with somebody listening."""
    process = psutil.Process(middle.pid)
    with Hospital(appliances, middle.connect, middle.port, pace, seed) as hospital:
        before, began_s = process.cpu_times(), time.monotonic()
        sent = hospital.play()
        after, seconds = process.cpu_times(), time.monotonic() - began_s
        # What was overwritten on a server never comes.
        patience_s = PATIENCE_S if middle.connect is over_mqtt else 2 * ASKED_EVERY_S
        deadline_s = time.monotonic() + patience_s
        while _missing(sent, ear) and time.monotonic() < deadline_s:
            time.sleep(0.1)
    arrived = [key for key in sent if key in ear.heard]
    used_s = after.user + after.system - before.user - before.system
    return Heard(
        latencies_ms=[(ear.heard[key] - sent[key].at_ns) / 1e6 for key in arrived],
        missing=_missing(sent, ear),
        overtaken=len(sent) - len(arrived) - _missing(sent, ear),
        doubled=sum(key in sent for key in ear.again),
        sent=len(sent),
        received_bytes=ear.received_bytes,
        processor_percent=100 * used_s / seconds,
        memory_mib=process.memory_info().rss / (1 << 20),
        seconds=seconds,
    )


def _missing(sent: Mapping[Key, Handed], ear: Ear) -> int:
    return sum(handed.must_arrive and key not in ear.heard for key, handed in sent.items())


def by_mqtt(appliances: int, pace: float, seed: int) -> Heard:
    """Through one mosquitto."""
    ear = Ear()
    with PrivateBroker() as broker:
        listening = MqttConfig(host=broker.host, port=broker.port)
        subscriber = Subscriber(listening, "fibrostage/v1/#", lambda got: ear.hear(got.topic, got.payload))
        try:
            return minute(appliances, Middle(over_mqtt, broker.port, broker.pid), ear, pace, seed)
        finally:
            subscriber.close()


def by_http(appliances: int, pace: float, seed: int) -> Heard:
    """Through a server that is asked once a second."""
    ear = Ear()
    with Server() as server:
        display = Display(server.port, ear.hear)
        try:
            return minute(appliances, Middle(OverHttp, server.port, server.pid), ear, pace, seed)
        finally:
            display.close()


def tell(run: Run, row: str, ours: Heard, other: Heard) -> None:
    """The rows of one size."""
    for name, unit, value in (
        (f"handed over until received, {row}", "ms", lambda heard: heard.latencies_ms),
        (f"messages of exams that never arrived, {row}", "messages", lambda heard: [heard.missing]),
        (f"processor of broker or server, {row}", "% of a core", lambda heard: [heard.processor_percent]),
        (f"memory of broker or server, {row}", "MiB", lambda heard: [heard.memory_mib]),
    ):
        run.measure(name, value(ours), unit)
        run.compare(name, POLLED, value(other))
    rate, kilobytes = ours.sent / ours.seconds, ours.received_bytes / ours.seconds / 1e3
    told = f"{ours.sent} messages, {rate:.1f} and {kilobytes:.0f} kB a second"
    run.note(f"{row}: {told}; {ours.doubled} came twice, {ours.overtaken} states were overtaken.")


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--pace", type=float, default=1.0, help="times as fast as an exam a minute")
    options.add_argument("--busy", type=float, default=5.0, help="times as fast in the last row")
    options.add_argument("--messages", type=int, default=30, help="to the page")
    chosen = options.parse_args()
    sizes, pace, messages = ((1, 4), 30.0, 3) if chosen.smoke else (SIZES, chosen.pace, chosen.messages)
    run = Run()
    for appliances in tqdm(sizes, unit="size", disable=None, file=sys.stderr):
        row = f"{appliances} appliance{'s' if appliances > 1 else ''}"
        ours, other = by_mqtt(appliances, pace, chosen.seed), by_http(appliances, pace, chosen.seed)
        tell(run, row, ours, other)
        seen_ms, opened_ms = shown_ms(appliances, messages, ours.sent / MINUTE_S * pace)
        run.measure(f"published until painted on the page, {row}", seen_ms, "ms")
        run.measure(f"navigation until every card is painted, {row}", [opened_ms], "ms")
    busy = pace * chosen.busy
    row = f"{sizes[-1]} appliances, {chosen.busy:g} times as busy"
    tell(run, row, by_mqtt(sizes[-1], busy, chosen.seed), by_http(sizes[-1], busy, chosen.seed))
    return keep("feed", run, chosen)


if __name__ == "__main__":
    sys.exit(main())
