"""How the appliance and the broker stand, and what to say about it."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from enum import Enum

from firmware_app.config import MqttConfig


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


def complaint_of(config: MqttConfig, state: LinkState, detail: str) -> str:
    """Why there is no connection, and what to do about it."""
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
