"""Tells systemd how the appliance stands: ready, alive, stopping (the protocol of sd_notify(3)).

Fed by the frame loop and by no timer: a loop that hangs is restarted by the watchdog.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping

LOG = logging.getLogger(__name__)


class ServiceManager:
    """The service manager that started this process, or nobody.

    Args:
        environment: `NOTIFY_SOCKET` and `WATCHDOG_USEC`, as systemd sets them; without the first one every
            call does nothing.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for Linux's abstract namespace.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        every_us = environment.get("WATCHDOG_USEC", "")
        # Four signs of life within the watchdog's time: one lost datagram does no harm.
        self._alive_every_ns = int(every_us) * 1000 // 4 if every_us.isdecimal() else None
        self._alive_ns: int | None = None

    @property
    def is_there(self) -> bool:
        """Whether this process is a service."""
        return bool(self._address)

    def ready(self, status: str) -> None:
        """The first frame may come; `status` is shown by `systemctl status`."""
        self._tell(f"READY=1\nSTATUS={_one_line(status)}")

    def status(self, status: str) -> None:
        """One line for `systemctl status`."""
        self._tell(f"STATUS={_one_line(status)}")

    def alive(self, now_ns: int) -> None:
        """The loop has turned; call it every time, most calls send nothing."""
        every_ns = self._alive_every_ns
        if every_ns is None or (self._alive_ns is not None and now_ns - self._alive_ns < every_ns):
            return
        self._alive_ns = now_ns
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
                link.sendto(message.encode(), self._address)
        except OSError as error:
            LOG.warning("systemd cannot be told %s: %s", message.partition("\n")[0], error)


def _one_line(text: str) -> str:
    return " ".join(text.split())
