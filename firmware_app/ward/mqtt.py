"""The ward: one connection to the MQTT broker that outlives every outage.

MQTT 5, QoS 1. `publish` only puts a message into the outbox and never waits for the network; a thread of
its own hands one message after the other to paho and takes it from the outbox when the broker has
acknowledged it, so the order holds over any outage, and over a crash where the outbox is a file. The status
is kept apart: the newest one is published at every connection (birth), by the broker if the appliance
vanishes (will), and at the end (death). `despatch` says what goes next.

The session outlives a short outage (`SESSION_S`). Commands are received at QoS 0 all the same: what was asked
while the appliance was away is nobody's wish any more.

This is the only module that imports paho.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from firmware_app.config import MqttConfig
from firmware_app.errors import BrokerError, ConfigError
from firmware_app.ward.commands import Answer
from firmware_app.ward.despatch import Despatch, Parcel
from firmware_app.ward.health_message import Health
from firmware_app.ward.link import Link, LinkState, complaint_of
from firmware_app.ward.messages import Status
from firmware_app.ward.outbox import Instant, Outbox
from firmware_app.ward.publication import Publication
from firmware_app.ward.reception import Incoming, may_answer

LOG = logging.getLogger(__name__)
QOS = 1
SESSION_S = 60
"""The broker keeps the session over an outage of so long."""
LARGEST_PACKET = 65_536
"""The broker sends nothing larger; a command has at most 4 KiB."""
SILENCE = 1.5
"""Times the keep-alive: a broker that acknowledges nothing for so long counts as lost."""
BACK_OFF_S = (1.0, 10.0)
"""Shortest and longest pause between two attempts to connect; it doubles from one to the next."""
JITTER = 0.4
"""Share by which the pauses differ from device to device and from outage to outage: a broker that comes back
is not met by the whole hospital in the same second."""

_FRESH = SubscribeOptions(qos=0, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)


class Ward:
    """Publishes to the department.

    Args:
        config: where the broker is.
        root: the topic above all topics of this appliance.
        birth: first status.
        death: what the broker shall say when the appliance has vanished.
        outbox: what waits; None: one of its own, as configured.
        on_command: called on paho's thread for each command; None: nobody takes commands.
    """

    def __init__(  # noqa: PLR0913 - where, who, and what waits
        self,
        config: MqttConfig,
        root: str,
        birth: Status,
        death: Status,
        *,
        outbox: Outbox | None = None,
        on_command: Callable[[Incoming], None] | None = None,
    ) -> None:
        self._config = config
        self._root = root
        self._death = death
        self._on_command = on_command
        self._changed = threading.Condition()
        waiting = Outbox(config.queue, config.outbox) if outbox is None else outbox
        self._despatch = Despatch(root, waiting, birth)
        self._state = LinkState.CONNECTING
        self._detail = ""
        self._connected_s, self._silence_s = 0.0, SILENCE * config.keepalive_s
        self._acknowledged: dict[int, ReasonCode] = {}
        self._closing = False
        self._client = client_for(config, client_id=root.replace("/", "-"))
        self._client.will_set(f"{root}/status", death.to_json(), QOS, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish
        self._client.on_message = self._on_message
        self._sender = threading.Thread(target=self._send_all, name="ward-sender", daemon=True)
        self._network = threading.Thread(target=self._keep_connected, name="ward-network", daemon=True)

    @property
    def link(self) -> Link:
        """The connection as it stands."""
        with self._changed:
            outbox = self._despatch.outbox
            return Link(self._state, self._detail, len(outbox), outbox.dropped, outbox.trouble)

    def connect(self, timeout_s: float = 5.0) -> None:
        """Begin to connect; afterwards the connection is restored by itself, however often it is lost.

        Raises:
            BrokerError: the configuration requires a broker, and there is none or it refuses.
            ConfigError: the address cannot be used at all.
        """
        try:
            self._client.connect_async(
                self._config.host,
                self._config.port,
                self._config.keepalive_s,
                clean_start=paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=_session(),
            )
        except ValueError as error:
            raise ConfigError(
                f"the broker's address {self._config.host!r} cannot be used: {error}"
            ) from error
        self._network.start()
        self._sender.start()
        if not self._config.required:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._state is not LinkState.CONNECTING, timeout_s)
            state, detail = self._state, self._detail
        if state is not LinkState.CONNECTED:
            self.close(timeout_s=0.0)
            raise BrokerError(complaint_of(self._config, state, detail))

    def publish(self, *publications: Publication, exam: bytes | None = None) -> None:
        """Put messages into the outbox; returns when they are on the disk, whatever the network does.

        Args:
            publications: in this order.
            exam: as it stands after them, kept with them.
        """
        with self._changed:
            self._despatch.outbox.commit(publications, Instant.now(), exam)
            self._changed.notify_all()

    def publish_status(self, status: Status) -> None:
        """Replace the status; only the newest one is ever sent."""
        with self._changed:
            self._despatch.say_status(status)
            self._changed.notify_all()

    def publish_health(self, health: Health) -> None:
        """Replace the state of health; only the newest one is ever sent, after all that must not be lost."""
        with self._changed:
            self._despatch.say_health(health)
            self._changed.notify_all()

    def answer(self, incoming: Incoming, answer: Answer) -> None:
        """Answer a command, if its sender asked for that at a topic where this appliance may answer."""
        topic = incoming.response_topic
        if topic is None or not may_answer(self._root, topic):
            return
        with self._changed:
            self._despatch.answer(topic, answer, incoming.correlation)
            self._changed.notify_all()

    def close(self, timeout_s: float = 3.0) -> None:
        """Send what waits and the death, for at most `timeout_s`; then stop every thread."""
        with self._changed:
            if self._closing:
                return
            if self._state is LinkState.CONNECTED:
                self._changed.wait_for(lambda: self._despatch.is_empty, timeout_s)
                self._despatch.say_last(self._death)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._despatch.is_empty, timeout_s)
            self._closing = True
            self._changed.notify_all()
        if self._sender.is_alive():
            self._sender.join()
        self._client.disconnect()
        if self._network.is_alive():
            self._network.join()
        with self._changed:
            self._despatch.outbox.close()
            self._state, self._detail = LinkState.CLOSED, ""

    def _keep_connected(self) -> None:
        """Run paho, and run it again if it gives up: it must not end before the appliance does."""
        while not self._closing:
            try:
                self._client.loop_forever(retry_first_connection=True)
            except (OSError, ValueError) as error:
                LOG.error("the MQTT client broke off (%s): it begins anew", error)  # noqa: TRY400 - no bug of ours
            with self._changed:
                self._changed.wait_for(lambda: self._closing, BACK_OFF_S[0])

    def _send_all(self) -> None:
        """Send one message after the other, each when the one before is acknowledged."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._is_due())
                if self._closing:
                    return
                parcel = self._despatch.next(Instant.now())
            if parcel is None or not self._deliver(parcel):
                continue
            with self._changed:
                self._despatch.sent(parcel)
                self._changed.notify_all()

    def _is_due(self) -> bool:
        return self._state is LinkState.CONNECTED and self._despatch.has_next

    def _deliver(self, parcel: Parcel) -> bool:
        """Hand a message to paho and wait for the broker's word; paho repeats it after an outage."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.ContentType = "application/json"
        if parcel.expiry_s is not None:
            properties.MessageExpiryInterval = parcel.expiry_s
        if parcel.correlation is not None:
            properties.CorrelationData = parcel.correlation
        mid = self._client.publish(parcel.topic, parcel.payload, QOS, parcel.retain, properties).mid
        with self._changed:
            while not self._changed.wait_for(
                lambda: self._closing or mid in self._acknowledged, self._silence_s
            ):
                self._hang_up()
            reason = self._acknowledged.pop(mid, None)
        if reason is not None and reason.is_failure:
            LOG.warning("the broker refuses a message on %s: %s", parcel.topic, reason)
        return reason is not None

    def _hang_up(self) -> None:
        """Let paho connect anew: its keep-alive is content with any byte of a stream that lost its place."""
        link, connected = self._client.socket(), self._state is LinkState.CONNECTED
        if link is not None and connected and time.monotonic() - self._connected_s >= self._silence_s:
            LOG.warning("the broker has acknowledged nothing for %.0f s: connecting anew", self._silence_s)
            with suppress(OSError), socket.socket(fileno=os.dup(link.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)  # its owner, on another thread, is told at once

    # paho calls these on its own thread.

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: None,
        flags: paho.ConnectFlags,
        reason: ReasonCode,
        _p: Properties | None,
    ) -> None:
        with self._changed:
            if reason.is_failure:
                self._state, self._detail = LinkState.REFUSED, str(reason)
            else:
                self._state, self._detail, self._connected_s = LinkState.CONNECTED, "", time.monotonic()
                self._despatch.connected(remembered=flags.session_present)
            self._changed.notify_all()
        if not reason.is_failure and self._on_command is not None:
            self._client.subscribe(f"{self._root}/command/+", options=_FRESH)
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
        self._client.reconnect_delay_set(*_back_off_s())  # type: ignore[arg-type]  # fractions of seconds work

    def _on_publish(
        self, _client: paho.Client, _userdata: None, mid: int, reason: ReasonCode, _p: Properties
    ) -> None:
        with self._changed:
            self._acknowledged[mid] = reason
            self._changed.notify_all()

    def _on_message(self, _client: paho.Client, _userdata: None, message: paho.MQTTMessage) -> None:
        if self._on_command is None:
            return
        properties = message.properties
        self._on_command(
            Incoming(
                name=message.topic.rpartition("/")[2],
                payload=bytes(message.payload),
                retained=message.retain,
                response_topic=getattr(properties, "ResponseTopic", None),
                correlation=getattr(properties, "CorrelationData", None),
            )
        )


def client_for(config: MqttConfig, client_id: str) -> paho.Client:
    """A client with the user, the password and the certificates of the configuration; raises ConfigError."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
    client.connect_timeout = 3.0
    client.reconnect_delay_set(*_back_off_s())  # type: ignore[arg-type]  # fractions of seconds work
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


def _back_off_s() -> tuple[float, float]:
    """Shortest and longest pause, drawn anew."""
    shortest, longest = (pause_s * (1 + random.uniform(-JITTER, 0)) for pause_s in BACK_OFF_S)
    return shortest, longest


def _session() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.SessionExpiryInterval = SESSION_S
    properties.MaximumPacketSize = LARGEST_PACKET
    return properties
