"""Counts frames on their way: numbers them as they arrive, and says what was passed over and how late it was.

A frame is recognised further down by its presentation time stamp, the one value that conversion and overlay
leave as it is. Each opening of the source counts its stamps anew; here they are put on one line that goes on
over all of them. A live stamp that comes again is a device that repeats its last picture: it is not let in.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from firmware_app.health.stopwatch import Latency, Window

NO_TIME_STAMP = (1 << 64) - 1
"""What GStreamer calls CLOCK_TIME_NONE."""
_SURE = 3
"""So many repeats are no accident."""
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
        repeated: pictures that were not let in, because the device gave the last one again.
        damaged: frames that the decoder marked as damaged; shown, never analysed.
        hung: openings of the source that could not be closed in time and were left behind.
    """

    frames_in: int
    analysed: int
    dropped_analysis: int
    displayed: int
    dropped_display: int
    restarts: int
    display_latency: Latency | None
    repeated: int = 0
    damaged: int = 0
    hung: int = 0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A frame's place in the stream.

    Attributes:
        number: from 0.
        captured_ns: `time.monotonic_ns()` when it arrived.
        pts_ns: its time stamp on the line that goes on over all openings of the source.
    """

    number: int
    captured_ns: int
    pts_ns: int


class _Remembered(OrderedDict[int, Arrival]):
    """The latest arrivals by a time stamp; the oldest are forgotten."""

    def note(self, stamp_ns: int, arrival: Arrival) -> None:
        self[stamp_ns] = arrival
        self.move_to_end(stamp_ns)
        if len(self) > _REMEMBERED:
            self.popitem(last=False)


class FrameMeter:
    """Numbers, gaps and latencies; safe between threads.

    Args:
        live: whether a time stamp that comes again is refused; in a file it is a picture like any other.
        closest_ns: live stamps that are no further apart are the same one; pictures never come so fast.
    """

    def __init__(self, *, live: bool = False, closest_ns: int = 0) -> None:
        self._live = live
        self._closest_ns = closest_ns
        self._lock = threading.Lock()
        self._latencies = Window()
        self._displayed_ns = 0
        self._arrived = _Remembered()
        self._shown = _Remembered()
        self._opened_ns: int | None = None
        self._begun_ns = 0
        self._shift_ns: int | None = None
        self._last_stamp_ns = NO_TIME_STAMP
        self._last_pts_ns = -1
        self._frames_in = 0
        self._analysed = 0
        self._last_taken = -1
        self._dropped_analysis = 0
        self._displayed = 0
        self._last_displayed = -1
        self._dropped_display = 0
        self._restarts = 0
        self._repeated = 0
        self._repeats_now = 0
        self._is_suspect = False
        self._digest: int | None = None
        self._damaged = 0
        self._damaged_now = 0
        self._first = 0
        self._hung = 0

    def opened(self, now_ns: int) -> None:
        """Note that the source is opened, or opened again; frames still under way will not come."""
        with self._lock:
            if self._opened_ns is None:
                self._opened_ns = now_ns
            else:
                self._restarts += 1
            self._begun_ns = now_ns
            self._arrived.clear()
            self._shown.clear()
            self._last_displayed = self._frames_in - 1
            self._first, self._damaged_now = self._frames_in, 0
            self._shift_ns, self._last_stamp_ns, self._repeats_now = None, NO_TIME_STAMP, 0

    def arrived(self, stamp_ns: int, now_ns: int, digest: int | None = None) -> Arrival | None:
        """Note a frame that the source delivered.

        Args:
            stamp_ns: its time stamp in the present opening, or `NO_TIME_STAMP`.
            now_ns: `time.monotonic_ns()`.
            digest: of its picture; needed only while the device `is_suspect`.

        Returns:
            Its place; None: it is the last picture again, and is not let in.
        """
        with self._lock:
            if self._live and self._is_repeated(stamp_ns, digest):
                self._repeated += 1
                self._repeats_now += 1
                return None
            arrival = Arrival(self._frames_in, now_ns, self._placed(stamp_ns, now_ns))
            self._last_stamp_ns, self._last_pts_ns, self._repeats_now = stamp_ns, arrival.pts_ns, 0
            self._frames_in += 1
            self._arrived.note(stamp_ns, arrival)
            self._shown.note(arrival.pts_ns, arrival)
            return arrival

    def _is_repeated(self, stamp_ns: int, digest: int | None) -> bool:
        known = NO_TIME_STAMP not in {stamp_ns, self._last_stamp_ns}
        again = known and abs(stamp_ns - self._last_stamp_ns) <= self._closest_ns
        if not (again or self._is_suspect):
            return False
        # Once it has repeated itself, new stamps prove nothing: GStreamer makes them up where a card's are
        # ten seconds old. Only another picture does.
        changed = None not in {digest, self._digest} and digest != self._digest
        self._digest, self._last_stamp_ns = digest, stamp_ns
        if changed and not again:
            self._is_suspect, self._digest = False, None
            return False
        self._is_suspect |= self._repeats_now + 1 >= _SURE
        return True

    def _placed(self, stamp_ns: int, now_ns: int) -> int:
        """The stamp on the line that never goes back, also where the sender began to count anew."""
        opened_ns = now_ns if self._opened_ns is None else self._opened_ns
        if stamp_ns == NO_TIME_STAMP:
            return max(now_ns - opened_ns, self._last_pts_ns + 1)
        earlier_ns = max(self._begun_ns - opened_ns, 0)
        if self._shift_ns is None:
            self._shift_ns = max(earlier_ns, self._last_pts_ns + 1 - stamp_ns)
        elif self._live and stamp_ns + self._shift_ns <= self._last_pts_ns:
            self._shift_ns = self._last_pts_ns + 1 - stamp_ns
        return stamp_ns + self._shift_ns

    def taken(self, stamp_ns: int) -> tuple[Arrival, int] | None:
        """Note a frame that the analysis took.

        Returns:
            Its arrival, and the frames passed over before it; None: it belongs to an opening that is over.
        """
        with self._lock:
            arrival = self._arrived.get(stamp_ns)
            if arrival is None:
                return None
            passed_over = max(0, arrival.number - self._last_taken - 1)  # 0: a time stamp that came twice
            self._last_taken, self._damaged_now = arrival.number, 0
            self._analysed += 1
            self._dropped_analysis += passed_over
            return arrival, passed_over

    def place_of(self, stamp_ns: int) -> Arrival | None:
        """Where a frame of the present opening stands in the stream; None: too long ago to be remembered."""
        with self._lock:
            return self._arrived.get(stamp_ns)

    def arrived_ns(self, pts_ns: int) -> int | None:
        """When a displayed frame arrived, by `time.monotonic_ns()`; None: long ago, or it is no frame."""
        with self._lock:
            arrival = self._shown.get(pts_ns)
        return None if arrival is None else arrival.captured_ns

    def displayed(self, pts_ns: int, now_ns: int) -> None:
        """Note a frame that reached the end of the display branch."""
        with self._lock:
            arrival = self._shown.get(pts_ns)
            if arrival is None:  # the branch was held up for longer than we remember: the gap counts it
                return
            self._displayed += 1
            self._dropped_display += arrival.number - self._last_displayed - 1
            self._last_displayed = arrival.number
            self._latencies.note(now_ns - arrival.captured_ns, now_ns)
            self._displayed_ns = now_ns

    def damaged(self) -> None:
        """Note a frame that the decoder marked as damaged."""
        with self._lock:
            self._damaged += 1
            self._damaged_now += 1

    def hung(self) -> None:
        """Note an opening that could not be closed in time."""
        with self._lock:
            self._hung += 1

    @property
    def untaken(self) -> int:
        """Frames of the present opening that arrived after the last one that the analysis took."""
        with self._lock:
            return self._frames_in - 1 - max(self._last_taken, self._first - 1)

    @property
    def damaged_now(self) -> int:
        """Damaged frames since the last whole one."""
        with self._lock:
            return self._damaged_now

    @property
    def is_suspect(self) -> bool:
        """Whether the device has repeated its last picture, and has given no other since."""
        with self._lock:
            return self._is_suspect

    @property
    def all_displayed(self) -> bool:
        """Whether every frame that arrived has reached the display."""
        with self._lock:
            return self._last_displayed == self._frames_in - 1

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
                repeated=self._repeated,
                damaged=self._damaged,
                hung=self._hung,
            )
