"""How long each stage took during the last minute: noted in a microsecond, counted when somebody asks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

import numpy as np

WINDOW_NS = 60_000_000_000
"""Durations that ended longer ago than a minute count no more."""
CAPACITY = 3600
"""Durations kept of each stage: a minute at 60 Hz; at higher rates the last 3600."""


class Stage(str, Enum):
    """What is timed.

    `read` and `overlay` come with every frame that is analysed, `text` to `score` with every examination,
    `preview` with a live frame now and then, `publish` with every message.
    """

    READ = "read"
    TEXT = "text"
    CROP = "crop"
    SCORE = "score"
    PREVIEW = "preview"
    PUBLISH = "publish"
    OVERLAY = "overlay"


@dataclass(frozen=True, slots=True)
class Latency:
    """How many durations there were, and their percentiles in milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


class Window:
    """The durations of the last minute, in memory that never grows. For one thread at a time."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._ended_ns = np.zeros(capacity, np.int64)
        self._took_ns = np.zeros(capacity, np.int64)
        self._count = 0

    def note(self, took_ns: int, ended_ns: int) -> None:
        """Add one; the oldest one makes room."""
        place = self._count % len(self._took_ns)
        self._took_ns[place], self._ended_ns[place] = took_ns, ended_ns
        self._count += 1

    def latency(self, now_ns: int) -> Latency | None:
        """Percentiles over the minute before `now_ns`; None: nothing ended in it."""
        kept = min(self._count, len(self._took_ns))
        recent = self._ended_ns[:kept] > now_ns - WINDOW_NS
        took_ms = self._took_ns[:kept][recent] / 1e6
        if not took_ms.size:
            return None
        p50, p95, p99, worst = np.percentile(took_ms, (50, 95, 99, 100))
        return Latency(int(took_ms.size), float(p50), float(p95), float(p99), float(worst))


class Stopwatch:
    """One window for each stage. The frame loop's thread feeds and reads it."""

    def __init__(self) -> None:
        self._windows = {stage: Window() for stage in Stage}

    def note(self, stage: Stage, took_ns: int, ended_ns: int) -> None:
        """Add a duration that was measured elsewhere."""
        self._windows[stage].note(took_ns, ended_ns)

    @contextmanager
    def timing(self, stage: Stage) -> Iterator[None]:
        """Time the block."""
        began_ns = time.monotonic_ns()
        try:
            yield
        finally:
            ended_ns = time.monotonic_ns()
            self.note(stage, ended_ns - began_ns, ended_ns)

    def latency(self, stage: Stage, now_ns: int) -> Latency | None:
        """Percentiles of one stage over the minute before `now_ns`; None: it did not run."""
        return self._windows[stage].latency(now_ns)

    def latencies(self, now_ns: int) -> dict[Stage, Latency | None]:
        """Percentiles of each stage over the minute before `now_ns`; None: it did not run."""
        return {stage: self.latency(stage, now_ns) for stage in Stage}
