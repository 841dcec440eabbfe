"""The appliance started as systemd would start it, over a real notify socket and a real broker."""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_app.config import MqttConfig
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.subscriber import Received, Subscriber
from tests.conftest import PROGRAMS

PATIENCE_S = 90.0


@dataclass
class Service:
    """A running appliance, started as systemd would: what it tells systemd, and what the ward hears."""

    process: subprocess.Popen[str]
    notify: socket.socket
    inbox: queue.Queue[Received]
    log: Path

    def told(self, word: str) -> str:
        """Wait until systemd is told something that begins with this word."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            message = self.notify.recv(4096).decode()
            if message.startswith(word):
                return message
        raise AssertionError(f"systemd never heard {word}")

    def unread(self) -> list[str]:
        """What systemd was told since it last listened."""
        self.notify.setblocking(False)
        said: list[str] = []
        try:
            while True:
                said.append(self.notify.recv(4096).decode())
        except BlockingIOError:
            return said
        finally:
            self.notify.settimeout(PATIENCE_S)

    def status(self, state: str = "online") -> dict[str, Any]:
        """Wait for a status of this state."""
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            received = self.inbox.get(timeout=PATIENCE_S)
            content = json.loads(received.payload) if received.payload else {}
            if received.topic.endswith("/status") and content["state"] == state:
                return dict(content, topic=received.topic)
        raise AssertionError(f"never {state}")

    def ended(self) -> int:
        """Wait until it has ended; its exit code."""
        return self.process.wait(PATIENCE_S)


@contextmanager
def service(broker: PrivateBroker, config: Path, state: Path) -> Iterator[Service]:
    """The appliance with a notify socket and a state folder, stopped at the end of the block."""
    inbox: queue.Queue[Received] = queue.Queue()
    subscriber = Subscriber(MqttConfig(host=broker.host, port=broker.port), "fibrostage/#", inbox.put)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, (state / "log").open("w") as log:
        notify.bind(str(state / "notify"))
        notify.settimeout(PATIENCE_S)
        environment = {
            **os.environ,
            "NOTIFY_SOCKET": str(state / "notify"),
            "WATCHDOG_USEC": "2000000",
            "STATE_DIRECTORY": str(state),
        }
        command = [str(PROGRAMS / "fibrostage"), "run", "--config", str(config)]
        process = subprocess.Popen(command, env=environment, stderr=log, text=True)
        try:
            yield Service(process, notify, inbox, state / "log")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_S)
            subscriber.close()
