"""Capture and display: an open source, its graph, and what comes of it.

    source ! decode ! tee ! leaky queue of one ! appsink         -> newest-frame mailbox -> the analysis
                      tee ! overlay composition ! queue ! convert ! sink                 -> the display
                              (with a mirror: ! tee ! gate ! leaky queue ! jpeg ! appsink -> who watches)

`launch` writes the graph, `sources` and `sinks` its two ends, `stream_events` words what happens to it.

Everything is decided on one thread, the one that iterates `Pipeline.frames`; none is started here.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firmware_app.errors import SinkError
from firmware_app.journey import Frame
from firmware_app.overlay.layers import Scene
from firmware_app.video import sinks, sources, stream_events
from firmware_app.video.frame_meter import FrameMeter, PipelineStatistics
from firmware_app.video.graph import (
    NO_TIME_STAMP,
    Drawing,
    Sample,
    Session,
    has_element,
    pixels_of,
    pts_of,
)
from firmware_app.video.launch import launch_of
from firmware_app.video.mirror import Mirror
from firmware_app.video.sinks import FileSink, NoSink, Sink
from firmware_app.video.sources import Source
from firmware_app.video.stream_events import SignalLost, StreamEnded

_GLANCE_S = 0.25
"""How long the owner waits at most before it looks at the stop event again."""
_FIRST_FRAME_S = 10.0
"""A file that shows no picture within this time is given up."""
_SWITCH_S = 0.0005
"""How long a consumer that computes in Python may keep the display's callbacks from the interpreter."""
Event = Frame | SignalLost | StreamEnded


class Pipeline:
    """An open pipeline, made by `open_pipeline`. One thread iterates `frames`; any may call the rest."""

    def __init__(
        self,
        source: Source,
        sink: Sink,
        overlay: Scene,
        mirror: Mirror | None = None,
        *,
        every_frame: bool,
    ) -> None:
        self._source = source
        self._sink = sink
        self._mirror = mirror
        self._every_frame = every_frame
        self._meter = FrameMeter()
        self._drawing = Drawing()
        self.show(overlay)
        self._part = 0
        self._session = self._open()
        self._first_opened_ns = self._session.opened_ns

    def _open(self) -> Session:
        self._part += 1
        launch = launch_of(
            self._source,
            self._sink,
            self._part,
            has_element,
            every_frame=self._every_frame,
            mirrored=self._mirror is not None,
        )
        return Session(launch, self._meter, self._drawing, self._mirror, every_frame=self._every_frame)

    def frames(self, stop: threading.Event, timeout_s: float = 1.0) -> Iterator[Event]:
        """Deliver the newest frame each time the consumer is ready for one; in replay, every frame.

        A live source goes on for ever: after `timeout_s` without a frame it yields `SignalLost`, once per
        time-out, and is opened again until the signal is back. A file ends with `StreamEnded`.

        Args:
            stop: ends the iteration within a quarter of a second once it is set.
            timeout_s: seconds without a frame that count as loss of signal.

        Raises:
            SinkError: the recording or the window fails.
        """
        if sources.is_live(self._source):
            return self._follow(stop, timeout_s)
        return self._play(stop)

    def _play(self, stop: threading.Event) -> Iterator[Event]:
        last_pts_ns = 0
        while not stop.is_set():
            sample = self._session.take(_GLANCE_S)
            if sample is not None:
                frame = self._frame_of(sample)
                last_pts_ns = frame.pts_ns
                yield frame
                continue
            record = self._session.record()
            if record is not None:
                sinks.check_record(self._sink, record)
                end_ns = self._session.announced_end_ns()
                yield StreamEnded(stream_events.break_of(self._source, record, last_pts_ns, end_ns))
                return

    def _follow(self, stop: threading.Event, timeout_s: float) -> Iterator[Event]:
        heard_ns = reported_ns = time.monotonic_ns()
        attempts = 0
        while not stop.is_set():
            sample = self._session.take(min(_GLANCE_S, timeout_s))
            if sample is not None:
                attempts = 0
                yield self._frame_of(sample)
                heard_ns = reported_ns = time.monotonic_ns()
                continue
            record = self._session.record()
            sinks.check_record(self._sink, record)
            now_ns = time.monotonic_ns()
            if now_ns - reported_ns >= timeout_s * 1e9:
                reported_ns = now_ns
                state, cause = stream_events.state_of(record), stream_events.loss_of(record)
                yield SignalLost(state, (now_ns - heard_ns) / 1e9, cause, attempts)
            open_s, silent_s = (now_ns - self._session.opened_ns) / 1e9, (now_ns - heard_ns) / 1e9
            if stream_events.is_due(self._source, record, open_s, silent_s):
                self.close()
                self._meter.restarted()
                self._session = self._open()
                attempts += 1

    def _frame_of(self, sample: Sample) -> Frame:
        pts_ns = pts_of(sample)
        arrival, dropped = self._meter.taken(pts_ns)
        if pts_ns == NO_TIME_STAMP:
            pts_ns = arrival.captured_ns - self._session.opened_ns
        earlier_ns = self._session.opened_ns - self._first_opened_ns  # time stamps go on after a restart
        return Frame(pixels_of(sample), arrival.number, pts_ns + earlier_ns, arrival.captured_ns, dropped)

    def await_first_frame(self) -> None:
        """Wait until a file shows a picture.

        Raises:
            SourceError: it never will, and why.
        """
        self._session.begun.wait(_FIRST_FRAME_S)
        record = self._session.record()
        sinks.check_record(self._sink, record)
        if self._meter.statistics().frames_in == 0:
            raise stream_events.no_picture(self._source, record)

    def show(self, scene: Scene) -> None:
        """Draw this over every frame from now on, in place of what was drawn before."""
        self._drawing.show(scene)

    @property
    def display_size(self) -> tuple[int, int] | None:
        """Width and height of the picture on which is drawn, pixels; None: none was shown yet."""
        return self._drawing.size

    def snapshot(self, path: Path) -> None:
        """Write the newest picture of the display branch, with its overlay, as PNG.

        Raises:
            SinkError: there is no picture yet, in replay there is no display, or the file cannot be written.
        """
        png = self._session.snapshot()
        if png is None:
            raise SinkError("There is no picture to save: wait for the first frame of a live display.")
        sinks.write_snapshot(path, png)

    def statistics(self) -> PipelineStatistics:
        """What became of the frames so far."""
        return self._meter.statistics()

    def close(self) -> None:
        """Finalise the recording, stop the stream and release it; `open_pipeline` does so."""
        record, shown = self._session.record(), self._session.last_shown is not None
        recording = isinstance(self._sink, FileSink) and not self._every_frame
        self._session.close(finalise=recording and shown and not sinks.has_failed(record))
        if recording and not shown:
            sinks.discard_part(self._sink, self._part)
            self._part -= 1  # the number of a part without a picture is used again


@contextmanager
def open_pipeline(  # noqa: PLR0913 - its two ends, what is drawn, who watches, and how a source is treated
    source: Source,
    sink: Sink | None = None,
    overlay: Scene | None = None,
    mirror: Mirror | None = None,
    *,
    every_frame: bool = False,
    wait_for_source: bool = False,
) -> Iterator[Pipeline]:
    """Open a source and a display, and close both at the end of the block.

    Args:
        source: where the video comes from.
        sink: where the display branch ends; None: nowhere.
        overlay: what is drawn over the display from the first frame on; None: nothing. See `Pipeline.show`.
        mirror: who watches the composed picture from elsewhere; None: the graph has no branch for it.
        every_frame: replay of a file: each frame in order, as fast as the consumer goes, without a display.
        wait_for_source: a live source that is not there yet is waited for, as after a loss of signal.

    Raises:
        SourceError: the source is missing, cannot be opened or holds no picture.
        SinkError: the recording cannot be written.
    """
    sink = NoSink() if sink is None else sink
    sources.check(source, every_frame=every_frame, must_be_there=not wait_for_source)
    sinks.check(sink)
    pipeline = Pipeline(source, sink, overlay or Scene(), mirror, every_frame=every_frame)
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(min(switch_s, _SWITCH_S))
    try:
        if not sources.is_live(source):
            pipeline.await_first_frame()
        yield pipeline
    finally:
        sys.setswitchinterval(switch_s)
        pipeline.close()
