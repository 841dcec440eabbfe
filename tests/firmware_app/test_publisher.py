"""The publisher: in which order things are written, said and answered, and commands over a real mosquitto."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from calibration.profile import load_profile
from firmware_app.appliance import Beginning, Step, Video, follow
from firmware_app.assembly import captured_at
from firmware_app.config import MqttConfig
from firmware_app.examination import Examiner
from firmware_app.health.stopwatch import Stopwatch
from firmware_app.live import exam_of
from firmware_app.records.audit import Audit
from firmware_app.screen import ScreenReader
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.stream_events import SignalLost
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.inbox import Inbox
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.outbox import Outbox
from firmware_app.ward.publication import status_message
from firmware_app.ward.publisher import Publisher
from firmware_app.ward.reception import receive
from firmware_app.ward.subscriber import Received, Subscriber
from tests.firmware_app.exam_examples import BIRTH, acquired, after, appliance, moment

ROOT = appliance().root
BUNDLE = "example-1"
ANSWERS = f"{ROOT}/answer/ward-pc"


class Loop:
    """A frame loop without frames: the signal is lost, commands are carried out all the same."""

    def __init__(self, ward: Ward, outbox: Outbox, audit: Audit, inbox: Inbox) -> None:
        self._stop = threading.Event()
        publisher = Publisher(outbox, ward, audit, lambda: True, Stopwatch())
        examiner = Examiner(ScreenReader(load_profile("aixplorer")), None, 40.0, uuid4)

        def run() -> None:
            for step in follow(
                self._video(), examiner, captured_at, Beginning(exam_of(outbox, BUNDLE)), inbox.take_all
            ):
                publisher.tell(step, appliance())

        self._thread = threading.Thread(target=run, name="test-loop")
        self._thread.start()

    def _video(self) -> Iterator[Video]:
        while not self._stop.wait(0.02):
            yield SignalLost(CaptureState.NO_SIGNAL, 1.0, "no picture arrives", 0)

    def close(self) -> None:
        """End it."""
        self._stop.set()
        self._thread.join(10)


class Commander:
    """A client that gives commands and waits for the answers."""

    def __init__(self, broker: PrivateBroker) -> None:
        self.answers: queue.Queue[tuple[bytes, dict[str, object]]] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.on_message = lambda _c, _u, message: self.answers.put(
            (bytes(getattr(message.properties, "CorrelationData", b"")), json.loads(message.payload))
        )
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect(broker.host, broker.port)
        self._client.loop_start()
        self._client.subscribe(ANSWERS, 1)
        assert subscribed.wait(10)

    def give(self, name: str, content: object = None, *, to: str = ANSWERS, retain: bool = False) -> None:
        """Give a command; its name comes back as correlation."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.ResponseTopic, properties.CorrelationData = to, name.encode()
        payload = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self._client.publish(f"{ROOT}/command/{name}", payload, 1, retain, properties).wait_for_publish(10)

    def asked(self, name: str, content: object = None) -> dict[str, object]:
        """Give a command, and its answer."""
        self.give(name, content)
        correlation, answer = self.answers.get(timeout=20)
        assert correlation == name.encode()
        return answer

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def room(broker: PrivateBroker, folder: Path) -> Iterator[Audit]:
    """A ward with its loop."""
    speaker, inbox = appliance(), Inbox()
    birth, death = (
        status_message(speaker, state, BIRTH, time_trusted=True) for state in (CaptureState.LIVE, None)
    )
    config = MqttConfig(host=broker.host, port=broker.port)
    with closing(Outbox(100, folder / "outbox.sqlite")) as outbox, closing(Audit(folder / "audit")) as audit:
        ward = Ward(
            config,
            ROOT,
            birth,
            death,
            outbox=outbox,
            on_command=lambda incoming: receive(incoming, inbox, ward.answer),
        )
        ward.connect()
        with closing(ward), closing(Loop(ward, outbox, audit, inbox)):
            yield audit


@pytest.fixture
def broker() -> Iterator[PrivateBroker]:
    """A real broker."""
    with PrivateBroker() as running:
        yield running


@pytest.fixture
def commander(broker: PrivateBroker) -> Iterator[Commander]:
    """Somebody on the ward."""
    with closing(Commander(broker)) as made:
        yield made


def lines_of(folder: Path) -> list[dict[str, object]]:
    """The audit log."""
    files = sorted((folder / "audit").glob("audit-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def test_commands_are_carried_out_and_answered(
    broker: PrivateBroker, commander: Commander, tmp_path: Path
) -> None:
    """Start, serum, cancel: each is answered under its correlation, and written down without its values."""
    with room(broker, tmp_path):
        started = commander.asked("start")
        exam_id = started["exam_id"]
        assert started["ok"]
        assert "simulated data" in str(started["notice"])
        serum = {"exam_id": exam_id, "ast_u_l": 43.25, "ast_uln_u_l": 40, "platelets_g_l": 187}
        assert commander.asked("serum", serum)["ok"]
        refused = commander.asked("discard", {"exam_id": str(uuid4())})
        assert (refused["ok"], refused["fault"], refused["exam_id"]) == (False, "other_exam", exam_id)
        assert commander.asked("discard", {"exam_id": exam_id})["fault"] == "no_such_acquisition"
        assert commander.asked("fly")["fault"] == "unknown_command"
        assert commander.asked("finish", b"{")["fault"] == "malformed"
        assert commander.asked("cancel", {"exam_id": exam_id})["ok"]
    commands = [line["content"] for line in lines_of(tmp_path) if line["kind"] == "command"]
    assert [c["name"] for c in commands if isinstance(c, dict)] == [
        "start", "serum", "discard", "discard", "fly", "finish", "cancel",
    ]  # fmt: skip
    assert all(isinstance(c, dict) and c["origin"] == "mqtt" for c in commands)
    written = (tmp_path / "outbox.sqlite").read_bytes() + b"".join(
        file.read_bytes() for file in (tmp_path / "audit").iterdir()
    )
    assert b"43.25" not in written


def test_a_flood_of_garbage_changes_nothing(
    broker: PrivateBroker, commander: Commander, tmp_path: Path
) -> None:
    """Hundreds of senseless commands, retained ones and foreign response topics: the next one is answered."""
    rng = np.random.default_rng(8)
    strangers: queue.Queue[Received] = queue.Queue()
    config = MqttConfig(host=broker.host, port=broker.port)
    with room(broker, tmp_path):
        before = commander.asked("start")["exam_id"]
        with closing(Subscriber(config, "elsewhere/#", strangers.put)):
            for number in range(200):
                commander.give(
                    "start" if number % 2 else "x/y"[number % 3 :], rng.bytes(number), to="elsewhere/me"
                )
            commander.give("start", retain=True, to="elsewhere/me")

        def is_answered() -> bool:
            commander.give("discard", {"exam_id": before})
            try:
                return commander.answers.get(timeout=1.0)[1]["fault"] == "no_such_acquisition"
            except queue.Empty:
                return False

        until(is_answered)
    assert strangers.empty()
    with room(broker, tmp_path):  # the retained one still lies at the broker
        assert commander.asked("discard", {"exam_id": before})["fault"] in {"no_exam", "other_exam"}
    starts = [line for line in lines_of(tmp_path) if _is_start(line)]
    assert len(starts) == 1


def _is_start(line: dict[str, object]) -> bool:
    content = line["content"]
    return (
        line["kind"] == "command"
        and isinstance(content, dict)
        and content["name"] == "start"
        and content["ok"]
    )


def until(condition: Callable[[], bool], tries: int = 30) -> None:
    """Try again, but not for ever."""
    assert any(condition() for _ in range(tries))


def test_the_sequence_grows_over_restarts(broker: PrivateBroker, tmp_path: Path) -> None:
    """Every message has a larger number than the one before, also after a restart."""
    messages: queue.Queue[Received] = queue.Queue()
    config = MqttConfig(host=broker.host, port=broker.port)
    sequence: list[int] = []
    with closing(Subscriber(config, f"{ROOT}/exam", messages.put)):
        for _ in range(2):
            with room(broker, tmp_path):
                sequence.append(json.loads(messages.get(timeout=20).payload)["sequence"])
    first, second = sequence
    assert 0 < first < second


def test_without_a_ward_the_exam_is_kept(tmp_path: Path) -> None:
    """An appliance that publishes nothing resumes its exam all the same."""
    exam, effects = after(acquired(1))
    with closing(Outbox(10, tmp_path / "outbox.sqlite")) as outbox:
        publisher = Publisher(outbox, None, None, lambda: True, Stopwatch())
        lost = SignalLost(CaptureState.NO_SIGNAL, 1.0, "no picture arrives", 0)
        publisher.tell(Step(lost, None, moment(1), exam, effects), appliance())
        assert len(outbox) == 0
    with closing(Outbox(10, tmp_path / "outbox.sqlite")) as again:
        assert exam_of(again, BUNDLE).id == exam.id
        assert isinstance(exam.id, UUID)
