"""Counts frames on their way: numbers them as they arrive, and says what was passed over and how late it was.

A frame is recognised further down by its presentation time stamp, the one value that conversion and overlay
leave as it is.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from firmware_app.health.stopwatch import Latency, Window

_REMEMBERED = 512
"""Frames on their way whose arrival is remembered; queues hold fewer than ten."""


@dataclass(frozen=True, slots=True)
class PipelineStatistics:
    """What became of the frames since the pipeline was opened.

    Attributes:
        frames_in: frames that the source delivered.
        analysed: frames that the analysis took.
        dropped_analysis: frames passed over before the last one taken, because a newer one was there.
        displayed: frames that reached the display, the recording or the sink that stands for them.
        dropped_display: frames missing before the last one displayed; anything but 0 is a fault.
        restarts: how often the source was opened again after a loss of signal.
        display_latency: from the source to the display, of the minute before the newest; None: there is none.
    """

    frames_in: int
    analysed: int
    dropped_analysis: int
    displayed: int
    dropped_display: int
    restarts: int
    display_latency: Latency | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame's place in the stream: its number from 0, and `time.monotonic_ns()` of its arrival."""

    number: int
    captured_ns: int


class FrameMeter:
    """Numbers, gaps and latencies; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrivals: OrderedDict[int, Arrival] = OrderedDict()
        self._latencies = Window()
        self._displayed_ns = 0
        self._frames_in = 0
        self._analysed = 0
        self._last_taken = -1
        self._dropped_analysis = 0
        self._displayed = 0
        self._last_displayed = -1
        self._dropped_display = 0
        self._restarts = 0

    def arrived(self, pts_ns: int, now_ns: int) -> None:
        """Note a frame that the source delivered."""
        with self._lock:
            self._arrivals[pts_ns] = Arrival(self._frames_in, now_ns)
            self._arrivals.move_to_end(pts_ns)
            self._frames_in += 1
            if len(self._arrivals) > _REMEMBERED:
                self._arrivals.popitem(last=False)

    def taken(self, pts_ns: int) -> tuple[Arrival, int]:
        """Note a frame that the analysis took; returns its arrival and the frames passed over before it."""
        with self._lock:
            arrival = self._arrivals[pts_ns]
            passed_over = max(0, arrival.number - self._last_taken - 1)  # 0: a time stamp that came twice
            self._last_taken = arrival.number
            self._analysed += 1
            self._dropped_analysis += passed_over
            return arrival, passed_over

    def arrived_ns(self, pts_ns: int) -> int | None:
        """When a frame arrived, by `time.monotonic_ns()`; None: too long ago to be remembered."""
        with self._lock:
            arrival = self._arrivals.get(pts_ns)
        return None if arrival is None else arrival.captured_ns

    def displayed(self, pts_ns: int, now_ns: int) -> None:
        """Note a frame that reached the end of the display branch."""
        with self._lock:
            arrival = self._arrivals.get(pts_ns)
            if arrival is None:  # the branch was held up for longer than we remember: the gap counts it
                return
            self._displayed += 1
            self._dropped_display += arrival.number - self._last_displayed - 1
            self._last_displayed = arrival.number
            self._latencies.note(now_ns - arrival.captured_ns, now_ns)
            self._displayed_ns = now_ns

    def restarted(self) -> None:
        """Note that the source is opened again; frames still under way in the old stream will not come."""
        with self._lock:
            self._arrivals.clear()
            self._last_displayed = self._frames_in - 1
            self._restarts += 1

    def statistics(self) -> PipelineStatistics:
        """What became of the frames so far."""
        with self._lock:
            return PipelineStatistics(
                self._frames_in,
                self._analysed,
                self._dropped_analysis,
                self._displayed,
                self._dropped_display,
                self._restarts,
                display_latency=self._latencies.latency(self._displayed_ns),
            )
