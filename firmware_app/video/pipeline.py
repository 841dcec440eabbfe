"""Capture and display: an open source, its graph, and what comes of it.

    source ! decode ! tee ! leaky queue of one ! appsink -> newest-frame mailbox -> the analysis
                      tee ! appsink
                               | every frame; black while none comes
                            appsrc ! overlay composition ! queue ! convert ! sink          -> the display
                              (with a mirror: ! tee ! gate ! leaky queue ! jpeg ! appsink -> who watches)

`session` is one opening of the source; `display` outlives them all, and `showing` puts another one in its
place when it fails. `launch` writes both graphs, `sources` and `sinks` their ends, `stream_events` words what
happens, `diagnosis` says what is wrong.

Everything is decided on one thread, the one that iterates `Pipeline.frames`. It never waits for a device:
each graph is brought up and down on a thread of its own (`graph`), and one that hangs is left behind.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from firmware_app.errors import SinkError, SourceError
from firmware_app.journey import Frame
from firmware_app.overlay.layers import Scene
from firmware_app.video import sinks, sources, stream_events
from firmware_app.video.diagnosis import Diagnosis
from firmware_app.video.frame_meter import FrameMeter, PipelineStatistics
from firmware_app.video.graph import Sample, pixels_of, pts_of
from firmware_app.video.mirror import Mirror
from firmware_app.video.session import Session
from firmware_app.video.showing import Showing
from firmware_app.video.sinks import NoSink, Sink
from firmware_app.video.sources import Source
from firmware_app.video.stream_events import SignalLost, StreamEnded

_GLANCE_S = 0.25
"""How long the owner waits at most before it looks at the stop event again."""
_FIRST_FRAME_S = 10.0
"""A file that shows no picture within this time is given up."""
_RELEASED_S = 4.0
"""An opening that is not closed after this is left behind, and the source is opened beside it."""
_MOST_HUNG = 4
"""So many openings may hang at once; with more the process ends, and is started anew."""
_SWITCH_S = 0.0005
"""How long a consumer that computes in Python may keep the display's callbacks from the interpreter."""
Event = Frame | SignalLost | StreamEnded


class Pipeline:
    """An open pipeline, made by `open_pipeline`. One thread iterates `frames`; any may call the rest."""

    def __init__(
        self,
        source: Source,
        overlay: Scene,
        showing_with: Callable[[FrameMeter], Showing] | None,
    ) -> None:
        self._source = source
        self._meter = FrameMeter(live=sources.is_live(source), closest_ns=sources.closest_ns(source))
        self._diagnosis = Diagnosis(source, self._meter)
        self._showing = None if showing_with is None else showing_with(self._meter)
        self._hung: list[Session] = []
        self.show(overlay)
        try:
            self._session = self._open()
        except SourceError:
            if self._showing is not None:
                self._showing.close()
            raise

    def _open(self) -> Session:
        display = None if self._showing is None else self._showing.display
        return Session(self._source, self._meter, display)

    def frames(self, stop: threading.Event, timeout_s: float | None = None) -> Iterator[Event]:
        """Deliver the newest frame each time the consumer is ready for one; in replay, every frame.

        A live source goes on for ever: after `timeout_s` without a frame it yields `SignalLost`, once per
        time-out, and is opened again until the signal is back. A file ends with `StreamEnded`.

        Args:
            stop: ends the iteration within a quarter of a second once it is set.
            timeout_s: seconds without a frame that count as loss of signal; None: as the source has it.

        Raises:
            SinkError: the screen fails, and the pipeline is not patient; else see `screen_trouble`.
                What fails of a recording is in `recording_trouble`.
            SourceError: the source hangs again and again, so that only a new process can help.
        """
        if sources.is_live(self._source):
            return self._follow(stop, timeout_s or sources.silence_s(self._source))
        return self._play(stop)

    def _play(self, stop: threading.Event) -> Iterator[Event]:
        last_pts_ns = 0
        while not stop.is_set():
            sample = self._session.take(_GLANCE_S)
            self._check_display()
            frame = None if sample is None else self._frame_of(sample)
            if frame is not None:
                last_pts_ns = frame.pts_ns
                yield frame
                continue
            record = self._session.record()
            if sample is None and record is not None:
                if self._showing is not None:
                    self._showing.display.drain()
                self._check_display()
                end_ns = self._session.announced_end_ns()
                yield StreamEnded(stream_events.break_of(self._source, record, last_pts_ns, end_ns))
                return

    def _follow(self, stop: threading.Event, timeout_s: float) -> Iterator[Event]:
        heard_ns = reported_ns = time.monotonic_ns()
        attempts = 0
        while not stop.is_set():
            due_s = timeout_s - (time.monotonic_ns() - reported_ns) / 1e9
            sample = self._take(min(_GLANCE_S, max(due_s, 0.0)))
            self._check_display()
            frame = None if sample is None else self._frame_of(sample)
            if frame is not None:
                attempts = 0
                yield frame
                heard_ns = reported_ns = time.monotonic_ns()
                continue
            record, now_ns = self._session.record(), time.monotonic_ns()
            if now_ns - reported_ns >= timeout_s * 1e9:
                reported_ns = now_ns
                open_s = (now_ns - self._session.opened_ns) / 1e9
                fault = self._diagnosis.of(record, open_s, answered=self._session.answered)
                yield SignalLost(fault.state, (now_ns - heard_ns) / 1e9, fault.cause, attempts)
                self._paint_black()
            attempts += self._reopened(record, (now_ns - heard_ns) / 1e9)

    def _take(self, timeout_s: float) -> Sample | None:
        """The next frame to analyse; while an opening is being left, only time passes."""
        if self._session.is_leaving:
            self._session.released(timeout_s)
            return None
        return self._session.take(timeout_s)

    def _reopened(self, record: stream_events.BusRecord | None, silent_s: float) -> bool:
        """Leave an opening of which nothing is to be expected; open the source anew once it is left."""
        session, now_ns = self._session, time.monotonic_ns()
        if not session.is_leaving:
            open_s = (now_ns - session.opened_ns) / 1e9
            flowing = session.flowing.is_set()
            if stream_events.is_due(self._source, record, open_s, silent_s, flowing=flowing):
                session.leave()
            return False
        if not session.released(0.0):
            if time.monotonic_ns() - session.left_ns < _RELEASED_S * 1e9:
                return False
            self._leave_behind(session)
        self._session = self._open()
        return True

    def _leave_behind(self, session: Session) -> None:
        self._meter.hung()
        self._hung = [hung for hung in (*self._hung, session) if not hung.released(0.0)]
        if len(self._hung) > _MOST_HUNG:
            name = sources.name_of(self._source)
            raise SourceError(f"{name} hangs, and cannot be closed: start the appliance anew.")

    def _check_display(self) -> None:
        if self._showing is not None and self._showing.check():
            self._session.show_on(self._showing.display)

    @property
    def recording_trouble(self) -> str | None:
        """Why nothing is recorded any more; None: nothing is wrong."""
        return None if self._showing is None else self._showing.recording_trouble

    @property
    def screen_trouble(self) -> str | None:
        """Why nothing is shown on the screen; None: nothing is wrong."""
        return None if self._showing is None else self._showing.screen_trouble

    def stop_recording(self, because: str) -> None:
        """Complete the recording as far as the disk allows, and show on without it; harmless without one."""
        if self._showing is not None and self._showing.stop_recording(because):
            self._session.show_on(self._showing.display)

    def _paint_black(self) -> None:
        if self._showing is not None:
            self._showing.display.blank()

    def _frame_of(self, sample: Sample) -> Frame | None:
        """The sample as a frame; None: it belongs to an opening that is over, or holds no whole picture."""
        pixels = pixels_of(sample)
        taken = None if pixels is None else self._meter.taken(pts_of(sample))
        if taken is None or pixels is None:
            return None
        self._diagnosis.heard()
        arrival, dropped = taken
        return Frame(pixels, arrival.number, arrival.pts_ns, arrival.captured_ns, dropped)

    def await_first_frame(self) -> None:
        """Wait until a file shows a picture.

        Raises:
            SourceError: it never will, and why.
        """
        self._session.begun.wait(_FIRST_FRAME_S)
        record = self._session.record()
        self._check_display()
        if self._meter.statistics().frames_in == 0:
            raise stream_events.no_picture(self._source, record)

    def show(self, scene: Scene) -> None:
        """Draw this over every picture from now on, in place of what was drawn before."""
        if self._showing is not None:
            self._showing.show(scene)

    @property
    def display_size(self) -> tuple[int, int] | None:
        """Width and height of the picture on which is drawn, pixels; None: none was shown yet."""
        return None if self._showing is None else self._showing.display.size

    def snapshot(self, path: Path) -> None:
        """Write the newest picture of the display branch, with its overlay, as PNG.

        Raises:
            SinkError: there is no picture yet, in replay there is no display, or the file cannot be written.
        """
        if self._showing is None:
            raise SinkError("There is no picture to save: a replay has no display.")
        sinks.write_snapshot(path, self._showing.display.snapshot())

    def statistics(self) -> PipelineStatistics:
        """What became of the frames so far."""
        return self._meter.statistics()

    def close(self) -> None:
        """Finalise the recording, stop the stream and release it; `open_pipeline` does so."""
        self._session.leave()
        if self._showing is not None:
            self._showing.close()
        self._session.released(_RELEASED_S)
        self._diagnosis.close()


@contextmanager
def open_pipeline(  # noqa: PLR0913 - its two ends, what is drawn, who watches, and how a source is treated
    source: Source,
    sink: Sink | None = None,
    overlay: Scene | None = None,
    mirror: Mirror | None = None,
    *,
    every_frame: bool = False,
    patient: bool = False,
) -> Iterator[Pipeline]:
    """Open a source and a display, and close both at the end of the block.

    Args:
        source: where the video comes from.
        sink: where the display branch ends; None: nowhere.
        overlay: what is drawn over the display from the first frame on; None: nothing. See `Pipeline.show`.
        mirror: who watches the composed picture from elsewhere; None: the graph has no branch for it.
        every_frame: replay of a file: each frame in order, as fast as the consumer goes, without a display.
        patient: a live source that is not there yet is waited for, as after a loss of signal; a screen that
            fails or is not there is done without, and tried again.

    Raises:
        SourceError: the source is missing, cannot be opened or holds no picture.
        SinkError: the recording cannot be written, or there is no screen.
    """
    sink = NoSink() if sink is None else sink
    sources.check(source, every_frame=every_frame, must_be_there=not patient)
    showing = None if every_frame else partial(Showing, sink, mirror, patient=patient)
    pipeline = Pipeline(source, overlay or Scene(), showing)
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(min(switch_s, _SWITCH_S))
    try:
        if not sources.is_live(source):
            pipeline.await_first_frame()
        yield pipeline
    finally:
        sys.setswitchinterval(switch_s)
        pipeline.close()
