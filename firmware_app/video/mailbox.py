"""A mailbox for one item: the newest wins, and what it pushed out is counted.

The capture thread puts, the analysis takes. Neither ever waits for the other's work: putting returns at
once, taking waits only while the box is empty, and never longer than its time-out.
"""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Holds at most one item; safe between threads."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: Item | None = None
        self._woken = False
        self._closed = False
        self._dropped = 0

    def put(self, item: Item) -> None:
        """Leave an item; one that still lies there is pushed out and counted as dropped.

        After `close` the item is dropped too, so that a late capture thread needs no special care.
        """
        with self._condition:
            if self._closed:
                self._dropped += 1
                return
            if self._item is not None:
                self._dropped += 1
            self._item = item
            self._condition.notify()

    def take(self, timeout_s: float) -> Item | None:
        """Take the item, waiting at most `timeout_s` seconds for one.

        Returns:
            The newest item; None when none came in time, when `wake` was called, or when the box is closed
            and empty. An item that lies in the box always comes first.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._item is not None or self._woken or self._closed, timeout_s)
            item, self._item = self._item, None
            self._woken = self._woken and item is not None
            return item

    def wake(self) -> None:
        """Make the taker look around: the present or the next `take` that finds no item returns at once."""
        with self._condition:
            self._woken = True
            self._condition.notify_all()

    def close(self) -> None:
        """Accept no more items and let nobody wait; an item that lies in the box may still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    @property
    def dropped(self) -> int:
        """Items that nobody took."""
        with self._condition:
            return self._dropped
