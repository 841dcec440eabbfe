"""The ward: one connection to the MQTT broker that outlives every outage.

MQTT 5, QoS 1. `publish` only puts a message into the outbox and never waits for the network; a thread of
its own hands one message after the other to paho and takes it from the outbox when the broker has
acknowledged it, so the order holds over any outage, and over a crash where the outbox is a file. The status
is kept apart: the newest one is published at every connection (birth), by the broker if the appliance
vanishes (will), and at the end (death). Health is kept apart, too: only the newest one waits, and only for
as long as nothing else does.

This is the only module that imports paho.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from firmware_app.config import MqttConfig
from firmware_app.errors import BrokerError, ConfigError
from firmware_app.ward.health_message import Health
from firmware_app.ward.messages import Status
from firmware_app.ward.outbox import Instant, Letter, Outbox
from firmware_app.ward.publication import HEALTH_EXPIRY_S, Publication

LOG = logging.getLogger(__name__)
QOS = 1
EXPIRY_AFTER_REBOOT_S = 60
"""What waited over a reboot may be of yesterday: it is delivered, but no display keeps it."""
BACK_OFF_S = (1, 10)
"""Shortest and longest pause between two attempts to connect; it doubles from one to the next."""


class LinkState(str, Enum):
    """How the appliance and the broker stand."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    LOST = "lost"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Link:
    """The connection: its state, what the broker or the network said, and what waits.

    `trouble` is None, or why what waits is kept in memory only.
    """

    state: LinkState
    detail: str
    queued: int
    dropped: int
    trouble: str | None = None


class Ward:
    """Publishes to the department.

    Args:
        config: where the broker is.
        root: the topic above all topics of this appliance.
        birth: first status.
        death: what the broker shall say when the appliance has vanished.
    """

    def __init__(self, config: MqttConfig, root: str, birth: Status, death: Status) -> None:
        self._config = config
        self._root = root
        self._death = death
        self._changed = threading.Condition()
        self._status: Status | None = birth
        self._health: Health | None = None
        self._state = LinkState.CONNECTING
        self._detail = ""
        self._acknowledged: dict[int, ReasonCode] = {}
        self._last_status = birth
        self._closing = False
        self._client = _client_for(config, client_id=root.replace("/", "-"))
        self._client.will_set(f"{root}/status", death.to_json(), QOS, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._outbox = Outbox(config.queue, config.outbox)
        self._sender = threading.Thread(target=self._send_all, name="ward-sender", daemon=True)

    @property
    def link(self) -> Link:
        """The connection as it stands."""
        with self._changed:
            outbox = self._outbox
            return Link(self._state, self._detail, len(outbox), outbox.dropped, outbox.trouble)

    def connect(self, timeout_s: float = 5.0) -> None:
        """Begin to connect; afterwards the connection is restored by itself, however often it is lost.

        Raises:
            BrokerError: the configuration requires a broker, and there is none or it refuses.
            ConfigError: the address cannot be used at all.
        """
        try:
            self._client.connect_async(self._config.host, self._config.port, self._config.keepalive_s)
        except ValueError as error:
            raise ConfigError(
                f"the broker's address {self._config.host!r} cannot be used: {error}"
            ) from error
        self._client.loop_start()
        self._sender.start()
        if not self._config.required:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._state is not LinkState.CONNECTING, timeout_s)
            state, detail = self._state, self._detail
        if state is not LinkState.CONNECTED:
            self.close(timeout_s=0.0)
            raise BrokerError(_complaint(self._config, state, detail))

    def publish(self, publication: Publication) -> None:
        """Put a message into the outbox; returns when it is on the disk, whatever the network does."""
        with self._changed:
            self._outbox.put(publication, Instant.now())
            self._changed.notify_all()

    def publish_status(self, status: Status) -> None:
        """Replace the status; only the newest one is ever sent."""
        with self._changed:
            self._status = self._last_status = status
            self._changed.notify_all()

    def publish_health(self, health: Health) -> None:
        """Replace the health that waits; it goes out when nothing else waits, and never enters the outbox."""
        with self._changed:
            self._health = health
            self._changed.notify_all()

    def close(self, timeout_s: float = 3.0) -> None:
        """Send what waits and the death, for at most `timeout_s`; then stop every thread."""
        with self._changed:
            if self._closing:
                return
            if self._state is LinkState.CONNECTED:
                self._changed.wait_for(lambda: not len(self._outbox) and self._status is None, timeout_s)
                self._status = self._death
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._status is None, timeout_s)
            self._closing = True
            self._changed.notify_all()
        if self._sender.is_alive():
            self._sender.join()
        self._client.disconnect()
        self._client.loop_stop()
        with self._changed:
            self._outbox.close()
            self._state, self._detail = LinkState.CLOSED, ""

    def _send_all(self) -> None:
        """Send one acknowledged message after the other: the newest status, what waits, the newest health."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._is_due())
                if self._closing:
                    return
                status = self._status
                head = self._outbox.head() if status is None and len(self._outbox) else None
                health = self._health if status is None and head is None else None
            if status is not None:
                sent = self._deliver(
                    f"{self._root}/status", status.to_json().encode(), retain=True, expiry_s=None
                )
            elif head is not None:
                sent = self._deliver(
                    f"{self._root}/{head.topic}", head.payload, retain=head.retain, expiry_s=_left_s(head)
                )
            elif health is not None:
                sent = self._deliver(
                    f"{self._root}/health",
                    health.to_json().encode(),
                    retain=False,
                    expiry_s=HEALTH_EXPIRY_S,
                )
            with self._changed:
                if sent and head is not None:
                    self._outbox.take()
                elif sent and status is not None and self._status is status:
                    self._status = None
                elif sent and health is not None and self._health is health:
                    self._health = None
                self._changed.notify_all()

    def _is_due(self) -> bool:
        waits = self._status is not None or self._health is not None or len(self._outbox) > 0
        return waits and self._state is LinkState.CONNECTED

    def _deliver(self, topic: str, payload: bytes, *, retain: bool, expiry_s: int | None) -> bool:
        """Hand a message to paho and wait for the broker's word; paho repeats it after an outage."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.ContentType = "application/json"
        if expiry_s is not None:
            properties.MessageExpiryInterval = expiry_s
        mid = self._client.publish(topic, payload, QOS, retain, properties).mid
        with self._changed:
            self._changed.wait_for(lambda: self._closing or mid in self._acknowledged)
            reason = self._acknowledged.pop(mid, None)
        if reason is not None and reason.is_failure:
            LOG.warning("the broker refuses a message on %s: %s", topic, reason)
        return reason is not None

    # paho calls these on its own thread.

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: None,
        _flags: paho.ConnectFlags,
        reason: ReasonCode,
        _p: Properties | None,
    ) -> None:
        with self._changed:
            if reason.is_failure:
                self._state, self._detail = LinkState.REFUSED, str(reason)
            else:
                self._state, self._detail = LinkState.CONNECTED, ""
                self._status = self._last_status
            self._changed.notify_all()
        LOG.log(logging.WARNING if reason.is_failure else logging.INFO, "the broker answers: %s", reason)

    def _on_connect_fail(self, _client: paho.Client, _userdata: None) -> None:
        with self._changed:
            if self._state is not LinkState.LOST:
                self._state, self._detail = LinkState.UNREACHABLE, ""
            self._changed.notify_all()

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: None,
        _flags: paho.DisconnectFlags,
        reason: ReasonCode,
        _p: Properties | None,
    ) -> None:
        with self._changed:
            if self._state is LinkState.CONNECTED:
                self._state, self._detail = LinkState.LOST, str(reason)
            self._changed.notify_all()

    def _on_publish(
        self, _client: paho.Client, _userdata: None, mid: int, reason: ReasonCode, _p: Properties
    ) -> None:
        with self._changed:
            self._acknowledged[mid] = reason
            self._changed.notify_all()


@dataclass(frozen=True, slots=True)
class Received:
    """One message as a subscriber got it; an empty payload clears a retained one."""

    topic: str
    payload: bytes
    retained: bool


class Subscriber:
    """An independent client that listens, for the demonstration and the tests.

    Args:
        config: where the broker is.
        topic_filter: for example `fibrostage/v1/#`.
        on_message: called on paho's thread.

    Raises:
        BrokerError: there is no broker, or it refuses.
    """

    def __init__(self, config: MqttConfig, topic_filter: str, on_message: Callable[[Received], None]) -> None:
        self._subscribed = threading.Event()
        self._client = _client_for(config, client_id="")
        self._client.on_connect = lambda client, *_: client.subscribe(topic_filter, QOS)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _userdata, message: on_message(
            Received(message.topic, bytes(message.payload), bool(message.retain))
        )
        try:
            self._client.connect(config.host, config.port, config.keepalive_s)
        except OSError as error:
            raise BrokerError(_complaint(config, LinkState.UNREACHABLE, str(error))) from error
        self._client.loop_start()
        if not self._subscribed.wait(5.0):
            self.close()
            raise BrokerError(_complaint(config, LinkState.REFUSED, "no answer to the subscription"))

    def close(self) -> None:
        """Leave the broker and stop the thread."""
        self._client.disconnect()
        self._client.loop_stop()


def _client_for(config: MqttConfig, client_id: str) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
    client.connect_timeout = 3.0
    client.reconnect_delay_set(*BACK_OFF_S)
    if config.username is not None:
        client.username_pw_set(config.username, _password(config))
    if config.tls:
        ca, cert, key = (
            None if file is None else str(file)
            for file in (config.ca_file, config.cert_file, config.key_file)
        )
        try:
            client.tls_set(ca, cert, key)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise ConfigError(f"the certificates of [mqtt] cannot be used: {error}") from error
    return client


def _password(config: MqttConfig) -> str | None:
    if config.password_file is None:
        return None
    try:
        lines = config.password_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"mqtt.password_file {config.password_file} cannot be read: {error}") from error
    if not lines or not lines[0]:
        raise ConfigError(
            f"mqtt.password_file {config.password_file} is empty: write the password in its first line"
        )
    return lines[0]


def _left_s(letter: Letter) -> int | None:
    """Expiry that is left: the time in the outbox counts."""
    if letter.expiry_s is None:
        return None
    age_s = letter.age_s(Instant.now())
    if age_s is None:
        return min(letter.expiry_s, EXPIRY_AFTER_REBOOT_S)
    return max(1, letter.expiry_s - int(age_s))


def _complaint(config: MqttConfig, state: LinkState, detail: str) -> str:
    address = f"{config.host}:{config.port}"
    if state is LinkState.REFUSED:
        return f"the broker at {address} refuses the connection ({detail}): check user, password and its log"
    cause = detail or _network_cause(config)
    return f"no broker at {address} ({cause}): start it, or correct host and port in [mqtt]"


def _network_cause(config: MqttConfig) -> str:
    """Why it cannot be reached; paho does not tell."""
    try:
        with socket.create_connection((config.host, config.port), timeout=2.0):
            return "something answers, but not as an MQTT broker with these TLS settings"
    except OSError as error:
        return error.strerror or str(error)
