"""What waits for the broker: a bounded queue in memory that keeps its order over every outage."""

from __future__ import annotations

from collections import deque

from firmware_app.publication import Publication


class Outbox:
    """What waits for the broker, oldest first, bounded; results are the last to go when it is full."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[tuple[Publication, float]] = deque()
        self.dropped = 0

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, publication: Publication, now_s: float) -> None:
        """Append; the head is never dropped, it may be on its way."""
        self._waiting.append((publication, now_s))
        if len(self._waiting) > self._capacity:
            lesser = (i for i, (p, _) in enumerate(self._waiting) if i > 0 and p.topic != "result")
            del self._waiting[next(lesser, 1)]
            self.dropped += 1

    def head(self) -> tuple[Publication, float]:
        """The oldest, and when it was put in; it stays until `take`."""
        return self._waiting[0]

    def take(self) -> None:
        """Forget the oldest: the broker has it."""
        self._waiting.popleft()
