"""An independent subscriber: a plain MQTT client of its own that writes down everything the broker delivers.

It is connected to the broker directly. While the broker is down nobody else may reach it either (the proxy
sees to that), so whatever the broker acknowledges is heard here.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from uuid import uuid4

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

LOOPBACK = "127.0.0.1"
EVERYTHING = "fibrostage/#"
TIMEOUT_S = 10.0
ANSWERS = "answer/campaign"
"""Below the appliance's root: where it answers the campaign's commands."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message as it was delivered.

    Attributes:
        at_s: monotonic time of its arrival.
        topic: the last level, e.g. "result"; the whole topic elsewhere.
        payload: as it came; empty: a retained message was cleared.
        retained: delivered because of a new subscription, not because it was just published.
    """

    at_s: float
    topic: str
    payload: bytes
    retained: bool

    def content(self) -> dict[str, object]:
        """The payload as JSON object; empty if it is none, which no schema allows."""
        try:
            value = json.loads(self.payload)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Observer:
    """Listens on one appliance's topics from `listen` to `leave`, through any number of brokers' lives.

    Args:
        root: the appliance's topic above all topics.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._changed = threading.Condition()
        self._heard: list[Heard] = []
        self._answers: dict[bytes, float] = {}
        self._client: paho.Client | None = None

    def listen(self, port: int) -> None:
        """Subscribe; returns when the broker has confirmed it."""
        confirmed = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        client.on_connect = lambda c, *_: c.subscribe(EVERYTHING, 1)
        client.on_subscribe = lambda *_: confirmed.set()
        client.on_message = self._on_message
        client.connect(LOOPBACK, port)
        client.loop_start()
        self._client = client
        if not confirmed.wait(TIMEOUT_S):
            raise TimeoutError("the broker does not confirm the observer's subscription")

    def leave(self) -> None:
        """Read what was delivered, then disconnect; the broker may be gone already."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def messages(self) -> list[Heard]:
        """Everything heard so far, in order."""
        with self._changed:
            return list(self._heard)

    def send(self, command: str, payload: bytes) -> None:
        """Publish on one of the appliance's command topics; never waits for an answer."""
        if self._client is not None:
            self._client.publish(f"{self._root}/command/{command}", payload, qos=1)

    def ask(self, command: str, payload: bytes, timeout_s: float) -> float | None:
        """Send a command; returns after how many seconds the appliance answered, or None."""
        mark, asked_s = uuid4().bytes, time.monotonic()
        wanted = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        wanted.ResponseTopic, wanted.CorrelationData = f"{self._root}/{ANSWERS}", mark
        if self._client is not None:
            self._client.publish(f"{self._root}/command/{command}", payload, 1, properties=wanted)
        with self._changed:
            if not self._changed.wait_for(lambda: mark in self._answers, timeout_s):
                return None
            return self._answers[mark] - asked_s

    def is_live(self) -> bool:
        """Whether the appliance says that it is online and sees the scanner."""
        with self._changed:
            return self._last_status_is_live()

    def wait_live(self, timeout_s: float) -> bool:
        """Wait until it says so."""
        with self._changed:
            return self._changed.wait_for(self._last_status_is_live, timeout_s)

    def _last_status_is_live(self) -> bool:
        last = next((h for h in reversed(self._heard) if h.topic == "status"), None)
        status = {} if last is None else last.content()
        return status.get("state") == "online" and status.get("capture") == "live"

    def _on_message(self, _client: paho.Client, _userdata: None, message: paho.MQTTMessage) -> None:
        own = message.topic.startswith(f"{self._root}/")
        topic = message.topic.removeprefix(f"{self._root}/") if own else message.topic
        if topic.startswith("command/"):
            return  # the campaign's own
        with self._changed:
            now_s = time.monotonic()
            if topic == ANSWERS:
                self._answers[getattr(message.properties, "CorrelationData", b"")] = now_s
            self._heard.append(Heard(now_s, topic, bytes(message.payload), bool(message.retain)))
            self._changed.notify_all()
