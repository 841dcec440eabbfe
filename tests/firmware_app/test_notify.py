"""The service manager is told over a real socket: ready once, alive while the loop turns, stopping."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from firmware_app.notify import ServiceManager

SECOND_NS = 1_000_000_000


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    """A datagram socket, as systemd listens on one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(0.2)
        yield bound


def heard(listener: socket.socket) -> list[str]:
    """Everything that was said so far."""
    said: list[str] = []
    with suppress(TimeoutError):
        while True:
            said.append(listener.recv(4096).decode())
    return said


def environment(listener: socket.socket, **further: str) -> dict[str, str]:
    """What systemd sets for the process."""
    return {"NOTIFY_SOCKET": str(listener.getsockname()), **further}


def test_protocol_from_start_to_end(listener: socket.socket) -> None:
    """Ready, status and stopping arrive as sd_notify writes them; a status is one line."""
    manager = ServiceManager(environment(listener))
    manager.ready("OpenVINO,\nbundle demo")
    manager.status("no\r\nsignal")
    manager.stopping()
    assert heard(listener) == ["READY=1\nSTATUS=OpenVINO, bundle demo", "STATUS=no signal", "STOPPING=1"]


def test_watchdog_is_fed_four_times_within_its_time_and_only_by_the_loop(listener: socket.socket) -> None:
    """A loop of 60 turns a second feeds a watchdog of 2 s twice a second; one that stands does not."""
    manager = ServiceManager(environment(listener, WATCHDOG_USEC="2000000"))
    for turn in range(180):
        manager.alive(turn * SECOND_NS // 60)
    assert heard(listener) == ["WATCHDOG=1"] * 6
    assert heard(listener) == []


def test_abstract_address() -> None:
    """An address that begins with @ lies in the abstract namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind("\0fibrostage-test-notify")
        bound.settimeout(0.2)
        ServiceManager({"NOTIFY_SOCKET": "@fibrostage-test-notify"}).stopping()
        assert heard(bound) == ["STOPPING=1"]


@pytest.mark.parametrize("given", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}, {"WATCHDOG_USEC": "soon"}])
def test_nobody_listens(given: dict[str, str]) -> None:
    """Without a service manager, or with one that went away, the appliance runs on."""
    manager = ServiceManager(given)
    manager.ready("here")
    manager.alive(1)
    manager.stopping()
