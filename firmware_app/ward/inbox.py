"""Where commands wait for the frame loop: bounded, from any thread, never faster than people are."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from firmware_app.ward.commands import Answer, Command, CommandError

WAITING = 16
"""Commands that may wait; the loop takes all of them at every frame."""
PER_SECOND = 5.0
BURST = 10
"""So many may come at once before the rate counts."""
TELL_AGAIN_S = 10.0
"""Of a flood one line is written in this time: a line for each command would be what slows it down most."""
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A command on its way.

    Attributes:
        name: of the command, as it was called.
        command: what is asked, or why that cannot be read.
        origin: where it comes from, for the audit log.
        answer: called once on the main thread, after what the command brought about is on the disk.
    """

    name: str
    command: Command | CommandError
    origin: Literal["mqtt", "bedside"]
    answer: Callable[[Answer], None]


class Inbox:
    """Takes requests from any thread; the frame loop takes them out.

    Args:
        now_s: a clock that never goes back.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[Request] = deque()
        self._now_s = now_s
        self._credit, self._credited_s = float(BURST), now_s()
        self._told_s = -TELL_AGAIN_S
        self.refused = 0

    def admit(self) -> bool:
        """Whether one more may come now; ask before anything of it is read: it may be one of many."""
        with self._lock:
            now_s = self._now_s()
            self._credit = min(float(BURST), self._credit + (now_s - self._credited_s) * PER_SECOND)
            self._credited_s = now_s
            if self._credit < 1 or len(self._waiting) >= WAITING:
                self.refused += 1
                if now_s - self._told_s >= TELL_AGAIN_S:
                    self._told_s = now_s
                    LOG.warning("too many commands: %d were dropped so far", self.refused)
                return False
            self._credit -= 1
            return True

    def put(self, request: Request) -> None:
        """Leave a request that was admitted."""
        with self._lock:
            self._waiting.append(request)

    def take_all(self) -> list[Request]:
        """What waits, oldest first."""
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
            return taken
