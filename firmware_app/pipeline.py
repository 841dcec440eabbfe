"""Capture and display: the one module that speaks to GStreamer.

    source ! decode ! tee ! leaky queue of one ! appsink         -> newest-frame mailbox -> the analysis
                      tee ! overlay composition ! queue ! convert ! sink                 -> the display

`launch` writes the graph, `sources` and `sinks` its two ends, `stream_events` words what happens to it.

GStreamer's threads only count frames, leave the newest one in the mailbox and turn bus messages into frozen
records. Everything is decided on one thread, the one that iterates `Pipeline.frames`; none is started here.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from firmware_app import sinks, sources, stream_events
from firmware_app.errors import SinkError, SourceError
from firmware_app.frame_meter import FrameMeter, PipelineStatistics
from firmware_app.journey import Frame, Picture
from firmware_app.launch import ANALYSIS, OVERLAY, SPLIT, launch_of
from firmware_app.mailbox import Mailbox
from firmware_app.overlay import Patch
from firmware_app.pixels import Layout, to_bgr
from firmware_app.sinks import FileSink, NoSink, Sink
from firmware_app.sources import Source
from firmware_app.stream_events import BusError, BusRecord, EndOfStream, SignalLost, StreamEnded

# GStreamer brings libunwind, whose unwinder must not stand before the compiler's own: an exception inside a
# C++ library that is loaded later (OpenVINO's, when no kernel fits) would then end the process.
ctypes.CDLL("libgcc_s.so.1", mode=ctypes.RTLD_GLOBAL)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)  # PyGObject's importer is older than Python's own protocol
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstVideo", "1.0")
    from gi.repository import GLib, Gst, GstVideo

    Gst.init(None)


def _log(domain: str, level: GLib.LogLevelFlags, message: str, _data: None) -> None:
    if "gst_poll_remove_fd" not in message:  # shmsrc stops twice, up to GStreamer 1.22: noise, no fault
        GLib.log_default_handler(domain, level, message, None)


GLib.log_set_handler("GStreamer", GLib.LogLevelFlags.LEVEL_CRITICAL, _log, None)

_GLANCE_S = 0.25
"""How long the owner waits at most before it looks at the stop event again."""
_FIRST_FRAME_S = 10.0
"""A file that shows no picture within this time is given up."""
_FINALISE_S = 10.0
"""A recording gets this long to write its last bytes."""
_SWITCH_S = 0.0005
"""How long a consumer that computes in Python may keep the display's callbacks from the interpreter."""
_COMPOSED_S = 1.0
"""A snapshot waits this long for the display's first picture."""
Event = Frame | SignalLost | StreamEnded


def has_element(name: str) -> bool:
    """Whether this machine's GStreamer has an element of this name."""
    return Gst.ElementFactory.find(name) is not None


def composition_of(patches: Sequence[Patch]) -> Gst.MiniObject | None:
    """Build what GStreamer blends; once per change of the overlay, not per frame. None: nothing to draw."""
    composition = None
    for patch in patches:
        height, width = patch.pixels.shape[:2]
        buffer = Gst.Buffer.new_wrapped(patch.pixels.tobytes())
        # GStreamer reads the patch's format and size from this meta; without it, it crashes.
        GstVideo.buffer_add_video_meta(
            buffer, GstVideo.VideoFrameFlags.NONE, GstVideo.VideoFormat.BGRA, width, height
        )
        rectangle = GstVideo.VideoOverlayRectangle.new_raw(
            buffer, patch.x, patch.y, width, height, GstVideo.VideoOverlayFormatFlags.NONE
        )
        if composition is None:
            composition = GstVideo.VideoOverlayComposition.new(rectangle)
        else:
            composition.add_rectangle(rectangle)
    return composition


def _pixels_of(sample: Gst.Sample) -> Picture:
    """Copy a sample into a contiguous BGR picture."""
    buffer, video = sample.get_buffer(), GstVideo.VideoInfo.new_from_caps(sample.get_caps())
    planes = GstVideo.buffer_get_video_meta(buffer) or video
    layout = Layout(video.finfo.name, video.width, video.height, tuple(planes.offset), tuple(planes.stride))
    mapped, info = buffer.map(Gst.MapFlags.READ)
    if not mapped:
        raise SourceError("The picture lies in memory that cannot be read: check the capture card's format.")
    try:
        return to_bgr(info.data, layout)
    finally:
        buffer.unmap(info)


def _parse(launch: str) -> Gst.Pipeline:
    try:
        return Gst.parse_launch(launch)
    except GLib.Error as error:
        raise SourceError(f"GStreamer is not complete, see the README: {error.message}.") from None


class _Drawing:
    """What the overlay draws; outlives the sessions, and is replaced as a whole."""

    composition: Gst.MiniObject | None = None


class _Session:
    """One built graph, from an opening of the source to its end. The callbacks run on GStreamer's threads."""

    def __init__(
        self, launch: sources.Fragment, meter: FrameMeter, drawing: _Drawing, *, every_frame: bool
    ) -> None:
        self._meter = meter
        self._drawing = drawing
        self._every_frame = every_frame
        self.opened_ns = time.monotonic_ns()
        self.mailbox: Mailbox[Gst.Sample] = Mailbox()
        self.last_shown: tuple[Gst.Buffer, Gst.Caps] | None = None
        self._records: deque[BusRecord] = deque(maxlen=16)
        self.begun = threading.Event()
        self.composed = threading.Event()
        self._ended = threading.Event()
        self._graph = _parse(launch.launch)
        for setting in launch.settings:
            self._graph.get_by_name(setting.element).set_property(setting.name, setting.value)
        self._bus = self._graph.get_bus()
        self._analysis = self._graph.get_by_name(ANALYSIS)
        self._handlers: list[tuple[Gst.Object, int]] = []
        self._probes: list[tuple[Gst.Pad, int]] = []
        self._connect()
        self._graph.set_state(Gst.State.PLAYING)  # a failure arrives on the bus, with its reason

    def _connect(self) -> None:
        # A Python sync handler that drops messages leaks every one of them; the signal does not.
        self._bus.enable_sync_message_emission()
        self._handlers = [
            (self._bus, self._bus.connect("sync-message::error", self._on_error)),
            (self._bus, self._bus.connect("sync-message::eos", self._on_end)),
        ]
        if self._every_frame:
            self._probe(self._analysis.get_static_pad("sink"), self._on_arrival)
            return
        overlay = self._graph.get_by_name(OVERLAY)
        self._handlers += [
            (self._analysis, self._analysis.connect("new-sample", self._on_sample)),
            (overlay, overlay.connect("draw", self._on_draw)),
        ]
        arrival = self._graph.get_by_name(sources.ARRIVAL) or self._graph.get_by_name(SPLIT)
        self._probe(arrival.get_static_pad("sink"), self._on_arrival)
        self._probe(overlay.get_static_pad("src"), self._on_composed)
        self._probe(self._graph.get_by_name(sinks.DISPLAY_END).get_static_pad("sink"), self._on_displayed)

    def _probe(self, pad: Gst.Pad, callback: object) -> None:
        self._probes.append((pad, pad.add_probe(Gst.PadProbeType.BUFFER, callback)))

    def _on_arrival(self, _pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        self._meter.arrived(info.get_buffer().pts, time.monotonic_ns())
        self.begun.set()
        return Gst.PadProbeReturn.OK

    def _on_sample(self, analysis: Gst.Element) -> Gst.FlowReturn:
        sample = analysis.emit("pull-sample")
        if sample is not None:
            self.mailbox.put(sample)
        return Gst.FlowReturn.OK

    def _on_draw(self, _overlay: Gst.Element, _sample: Gst.Sample) -> Gst.MiniObject | None:
        return self._drawing.composition

    def _on_composed(self, pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        self.last_shown = (info.get_buffer(), pad.get_current_caps())
        self.composed.set()
        return Gst.PadProbeReturn.OK

    def _on_displayed(self, _pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        self._meter.displayed(info.get_buffer().pts, time.monotonic_ns())
        return Gst.PadProbeReturn.OK

    def _on_error(self, _bus: Gst.Bus, message: Gst.Message) -> None:
        error, debug = message.parse_error()
        self._note(BusError(message.src.get_name(), error.domain, error.code, error.message, debug or ""))

    def _on_end(self, _bus: Gst.Bus, _message: Gst.Message) -> None:
        self._note(EndOfStream())
        self._ended.set()

    def _note(self, record: BusRecord) -> None:
        self._records.append(record)
        self.begun.set()
        self.mailbox.wake()

    def take(self, timeout_s: float) -> Gst.Sample | None:
        """The next frame to analyse; None when none came in time or the stream is over."""
        if not self._every_frame:
            return self.mailbox.take(timeout_s)
        return self._analysis.emit("try-pull-sample", int(timeout_s * Gst.SECOND))

    def record(self) -> BusRecord | None:
        """How the stream ended; None: it goes on."""
        while self._bus.pop() is not None:
            pass  # what matters has been noted already
        return stream_events.gravest(tuple(self._records))

    def announced_end_ns(self) -> int | None:
        """How long the file says it is."""
        known, duration_ns = self._graph.query_duration(Gst.Format.TIME)
        return int(duration_ns) if known and duration_ns > 0 else None

    def close(self, *, finalise: bool) -> None:
        """Stop the graph and let go of everything; with `finalise` the recording is completed first."""
        if finalise and not self._ended.is_set():
            self._graph.get_by_name(SPLIT).get_static_pad("sink").send_event(Gst.Event.new_eos())
            self._ended.wait(_FINALISE_S)
        self.mailbox.close()
        self._graph.set_state(Gst.State.NULL)
        self._bus.disable_sync_message_emission()
        for emitter, handler in self._handlers:
            emitter.disconnect(handler)
        for pad, probe in self._probes:
            pad.remove_probe(probe)
        self._handlers, self._probes, self.last_shown = [], [], None


class Pipeline:
    """An open pipeline, made by `open_pipeline`. One thread iterates `frames`; any may call the rest."""

    def __init__(self, source: Source, sink: Sink, overlay: Sequence[Patch], *, every_frame: bool) -> None:
        self._source = source
        self._sink = sink
        self._every_frame = every_frame
        self._meter = FrameMeter()
        self._drawing = _Drawing()
        self.show(overlay)
        self._part = 0
        self._session = self._open()
        self._first_opened_ns = self._session.opened_ns

    def _open(self) -> _Session:
        self._part += 1
        launch = launch_of(self._source, self._sink, self._part, has_element, every_frame=self._every_frame)
        return _Session(launch, self._meter, self._drawing, every_frame=self._every_frame)

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
                yield SignalLost((now_ns - heard_ns) / 1e9, stream_events.loss_of(record), attempts)
            open_s, silent_s = (now_ns - self._session.opened_ns) / 1e9, (now_ns - heard_ns) / 1e9
            if stream_events.is_due(self._source, record, open_s, silent_s):
                self.close()
                self._meter.restarted()
                self._session = self._open()
                attempts += 1

    def _frame_of(self, sample: Gst.Sample) -> Frame:
        pts_ns = sample.get_buffer().pts
        arrival, dropped = self._meter.taken(pts_ns)
        if pts_ns == Gst.CLOCK_TIME_NONE:
            pts_ns = arrival.captured_ns - self._session.opened_ns
        earlier_ns = self._session.opened_ns - self._first_opened_ns  # time stamps go on after a restart
        return Frame(_pixels_of(sample), arrival.number, pts_ns + earlier_ns, arrival.captured_ns, dropped)

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

    def show(self, patches: Sequence[Patch]) -> None:
        """Draw these patches over every frame from now on, in place of those before."""
        self._drawing.composition = composition_of(patches)

    def snapshot(self, path: Path) -> None:
        """Write the newest picture of the display branch, with its overlay, as PNG.

        Raises:
            SinkError: there is no picture yet, in replay there is no display, or the file cannot be written.
        """
        shown = self._session.last_shown if self._session.composed.wait(_COMPOSED_S) else None
        if shown is None:
            raise SinkError("There is no picture to save: wait for the first frame of a live display.")
        sample = Gst.Sample.new(*shown, None, None)
        png = GstVideo.video_convert_sample(sample, Gst.Caps.from_string("image/png"), 5 * Gst.SECOND)
        sinks.write_snapshot(path, png.get_buffer().extract_dup(0, png.get_buffer().get_size()))

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
def open_pipeline(
    source: Source,
    sink: Sink | None = None,
    overlay: Sequence[Patch] = (),
    *,
    every_frame: bool = False,
    wait_for_source: bool = False,
) -> Iterator[Pipeline]:
    """Open a source and a display, and close both at the end of the block.

    Args:
        source: where the video comes from.
        sink: where the display branch ends; None: nowhere.
        overlay: what is drawn over the display from the first frame on; see `Pipeline.show`.
        every_frame: replay of a file: each frame in order, as fast as the consumer goes, without a display.
        wait_for_source: a live source that is not there yet is waited for, as after a loss of signal.

    Raises:
        SourceError: the source is missing, cannot be opened or holds no picture.
        SinkError: the recording cannot be written.
    """
    sink = NoSink() if sink is None else sink
    sources.check(source, every_frame=every_frame, must_be_there=not wait_for_source)
    sinks.check(sink)
    pipeline = Pipeline(source, sink, overlay, every_frame=every_frame)
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(min(switch_s, _SWITCH_S))
    try:
        if not sources.is_live(source):
            pipeline.await_first_frame()
        yield pipeline
    finally:
        sys.setswitchinterval(switch_s)
        pipeline.close()
