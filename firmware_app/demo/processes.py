"""Programs that run beside the demonstration and end with it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from firmware_app.errors import FibrostageError

STOP_TIMEOUT_S = 10.0


class DemoError(FibrostageError):
    """A part of the demonstration did not do its work."""


@contextmanager
def process(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside us, its output in a log; at the end it is asked to stop, then made to.

    It has a session of its own: Ctrl-C reaches us alone, and we end everything in the right order.
    """
    with log.open("wb") as stream:
        child = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield child
        finally:
            _stop(child)


@contextmanager
def subscriber(port: int, timeout_s: int) -> Iterator[IO[str]]:
    """An independent subscriber: one line "topic payload" per message, for as long as `timeout_s`."""
    command = ["mosquitto_sub", "-V", "mqttv5", "-p", str(port), "-W", str(timeout_s), "-F", "%t %p"]
    child = subprocess.Popen(
        [*command, "-t", "fibrostage/#"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    if child.stdout is None:
        raise DemoError("mosquitto_sub gives no output")
    with child.stdout:
        try:
            yield child.stdout
        finally:
            _stop(child)


def _stop(child: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
    try:
        child.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
