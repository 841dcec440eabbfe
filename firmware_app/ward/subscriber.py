"""An independent client that listens, for the demonstration and the tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from firmware_app.config import MqttConfig
from firmware_app.errors import BrokerError
from firmware_app.ward.link import LinkState, complaint_of
from firmware_app.ward.mqtt import QOS, client_for


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
        self._client = client_for(config, client_id="")
        self._client.on_connect = lambda client, *_: client.subscribe(topic_filter, QOS)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = lambda _client, _userdata, message: on_message(
            Received(message.topic, bytes(message.payload), bool(message.retain))
        )
        try:
            self._client.connect(config.host, config.port, config.keepalive_s)
        except OSError as error:
            raise BrokerError(complaint_of(config, LinkState.UNREACHABLE, str(error))) from error
        self._client.loop_start()
        if not self._subscribed.wait(5.0):
            self.close()
            raise BrokerError(complaint_of(config, LinkState.REFUSED, "no answer to the subscription"))

    def close(self) -> None:
        """Leave the broker and stop the thread."""
        self._client.disconnect()
        self._client.loop_stop()
