"""A hospital for the tests of the department page: many appliances that publish what real exams say.

The payloads are those of the appliance, made by its own code; a hundred of them share a few connections.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import cycle
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from playwright.sync_api import Browser, Page, sync_playwright

from firmware_app.department.assembly import SOURCE, assemble
from firmware_app.exam.events import Event, PatientChanged
from firmware_app.exam.machine import advance
from firmware_app.exam.state import Exam
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.publication import Appliance, publication_of, status_message
from firmware_app.wording import Reason
from tests.firmware_app.exam_examples import acquired, appliance, moment, refused, uid

ROOT = Path(__file__).parents[2]
PLACES = ("firmware_app/department/node_modules/mqtt/dist/mqtt.min.js", "build/test/mqtt.min.js")
MQTT_JS = next((ROOT / place for place in PLACES if (ROOT / place).exists()), None)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_S = 20.0
WATCH = """() => {
    window.seen = [];
    const note = (records) => {
        if (records.some(({ target }) => target.dataset.rank === 'running')) window.seen.push(Date.now());
    };
    window.watch = new MutationObserver((records) =>
        requestAnimationFrame(() => setTimeout(() => note(records))));
    window.watch.observe(document.body, { subtree: true, attributeFilter: ['data-rank'] });
}"""
"""Notes when a card that has begun to scan is on the screen: after the frame that painted it."""
CONNECTIONS = 4


def page_in(folder: Path, source: Path = SOURCE) -> Path:
    """The page as `make` puts it together."""
    if MQTT_JS is None:
        raise FileNotFoundError("mqtt.js is not installed: make setup-test")
    return assemble(folder, MQTT_JS, source)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A real Chromium."""
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield running
        finally:
            running.close()


def until(page: Page, condition: str) -> float:
    """Wait until a condition of JavaScript holds in the page, looking with every frame.

    Playwright's own `wait_for_function` evaluates text, which the page's security policy forbids.

    Returns:
        When it was seen: after the frame that painted it, in milliseconds since the page was asked for.
    """
    seen = page.evaluate(f"""new Promise((done, fail) => {{
        const end = performance.now() + {PATIENCE_S * 1000};
        const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now())));
        const look = () => {{
            if ({condition}) painted();
            else if (performance.now() > end) fail(new Error('it never came'));
            else requestAnimationFrame(look);
        }};
        look();
    }})""")
    return float(seen)


class Line:
    """One connection to the broker."""

    def __init__(self, broker: PrivateBroker) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(max_delay=1)
        self._connected = threading.Event()
        self._client.on_connect = lambda *_: self._connected.set()
        self._client.on_disconnect = lambda *_: self._connected.clear()
        self._client.connect(broker.host, broker.port, keepalive=30)
        self._client.loop_start()
        assert self._connected.wait(PATIENCE_S)

    def send(self, topic: str, payload: bytes | str, *, retain: bool, expiry_s: int | None = None) -> None:
        """Publish, as soon as there is a broker, and wait until it has it."""
        assert self._connected.wait(PATIENCE_S)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        self._client.publish(topic, payload, 1, retain, properties).wait_for_publish(PATIENCE_S)

    def close(self) -> None:
        """Hang up."""
        self._client.disconnect()
        self._client.loop_stop()


@dataclass(slots=True)
class Room:
    """One appliance: what it is, where its exam stands, and the connection that it shares."""

    speaker: Appliance
    line: Line
    exam: Exam = field(default_factory=Exam)

    def status(self, capture: CaptureState | None) -> None:
        """Say what the video does; None: offline."""
        made = status_message(self.speaker, capture, datetime.now(timezone.utc), time_trusted=True)
        self.line.send(f"{self.speaker.root}/status", made.to_json(), retain=True)

    def heartbeat(self) -> None:
        """Say that all is well."""
        self.line.send(f"{self.speaker.root}/health", '{"type": "health"}', retain=False)

    def play(self, *events: Event, expiry_s: int | None = None) -> None:
        """Advance the exam and publish."""
        for event in events:
            self.exam, effects = advance(self.exam, event)
            for effect in effects:
                made = publication_of(effect, event.at, self.speaker, time_trusted=True)
                if made is not None:
                    topic = f"{self.speaker.root}/{made.topic}"
                    expiry = expiry_s if made.topic == "result" and expiry_s else made.expiry_s
                    self.line.send(topic, made.payload, retain=made.retain, expiry_s=expiry)


class Hospital:
    """Many rooms over a few connections; closes them at the end of its `with` block."""

    def __init__(self, broker: PrivateBroker) -> None:
        self.rooms: list[Room] = []
        self._lines = [Line(broker) for _ in range(CONNECTIONS)]
        self._next = cycle(self._lines)

    def __enter__(self) -> Hospital:  # noqa: PYI034 -- typing.Self needs Python 3.11
        """Ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        for line in self._lines:
            line.close()

    def room(self, speaker: Appliance | None = None) -> Room:
        """One more appliance, online."""
        number = len(self.rooms) + 1
        made = Room(speaker or appliance(f"us-{number:03}", f"Ultrasound {number}"), next(self._next))
        made.status(CaptureState.LIVE)
        self.rooms.append(made)
        return made

    def mixed(self, n: int) -> None:
        """`n` appliances in the states of an ordinary morning: most are quiet, some scan."""
        for number in range(n):
            room = self.room()
            match number % 12:
                case 0:
                    room.play(acquired(1), refused(2), acquired(3), acquired(4))
                case 1:
                    room.play(*(acquired(k) for k in range(1, 6)))
                case 2:
                    room.play(acquired(1), refused(2, Reason.BOX_UNFILLED))
                case 3:
                    room.play(*(acquired(k) for k in range(1, 6)), PatientChanged(uid(9), moment(6)))
                case 4 if number < 24:
                    room.status(list(CaptureState)[2 + number // 12])
                case 5 if number < 24:
                    room.play(acquired(1))
                    room.status(None)
                case 6:
                    room.play(acquired(1), acquired(2))


def delays_ms(page: Page, hospital: Hospital, messages: int) -> list[float]:
    """How long it takes from just before publication until a quiet card is painted as scanning."""
    rooms = [room for n, room in enumerate(hospital.rooms) if n % 12 > 6 and room.exam.id is None]
    page.evaluate(WATCH)
    delays = []
    for number, room in enumerate(rooms[:messages], start=1):
        sent_ms = time.time() * 1000
        room.play(acquired(1))
        until(page, f"window.seen.length >= {number}")
        delays.append(float(page.evaluate("window.seen.at(-1)")) - sent_ms)
    page.evaluate("window.watch.disconnect()")
    return delays
