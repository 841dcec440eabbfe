"""The display: fed with the source's frames, it draws the overlay, shows, records and mirrors the outcome.

It outlives every opening of the source. While no frame comes it is fed with black, so that what is wrong can
be read on it and no old picture passes for a live one.
"""

from __future__ import annotations

import threading
import time

from firmware_app.errors import SinkError
from firmware_app.overlay.layers import Scene
from firmware_app.video import sinks
from firmware_app.video.composition import Drawing
from firmware_app.video.frame_meter import FrameMeter
from firmware_app.video.graph import Graph, Gst, GstVideo, has_element, pixels_of, pts_of
from firmware_app.video.launch import FEED, MIRROR, MIRROR_GATE, MIRROR_PACE, OVERLAY, display_of
from firmware_app.video.mirror import Mirror
from firmware_app.video.sinks import FileSink, Sink, WindowSink
from firmware_app.video.stream_events import BusError

_COMPOSED_S = 1.0
"""A snapshot waits this long for the display's first picture."""
_DRAINED_S = 5.0
"""The last frames of a file get this long to be shown."""
_CLOSED_S, _FINISHED_S = 2.0, 12.0
"""A screen that is not closed after this is left behind; a recording takes up to ten seconds to finish."""
_ANSWERS_S = 5.0
"""A screen that is not up, or shows nothing of what it is given, for so long is held for one that hangs."""
_BLACK_STEP_NS = 1_000_000
"""Between the stamps of two black pictures: little, so that the next frame surely comes later."""
_SIZE = (1440, 1080)
"""Of a black picture while no size is known: the screen of the scanner."""


class Display:
    """One graph from `appsrc` to the sink. The source's thread calls `push`, the owner everything else."""

    def __init__(self, sink: Sink, meter: FrameMeter, mirror: Mirror | None) -> None:
        self._sink = sink
        self._meter = meter
        self._mirror = mirror
        self._drawing = Drawing()
        self._lock = threading.Lock()
        self._caps: Gst.Caps | None = None
        self._rate: object | None = None
        self._last_pts_ns = -1
        self._composed = threading.Event()
        self._has_displayed = False
        self._last_shown: tuple[Gst.Buffer, Gst.Caps] | None = None
        self._graph = Graph(display_of(sink, has_element, mirrored=mirror is not None), "display")
        self._feed = self._graph.element(FEED)
        self._recorded = self._graph.find(sinks.RECORDED_FORM)
        overlay = self._graph.element(OVERLAY)
        self._graph.connect(overlay, "draw", self._on_draw)
        self._graph.connect(overlay, "caps-changed", self._on_form)
        self._graph.probe(overlay.get_static_pad("src"), self._on_composed)
        self._graph.probe(self._graph.element(sinks.DISPLAY_END).get_static_pad("sink"), self._on_displayed)
        if mirror is not None:
            gate, mirrored = self._graph.element(MIRROR_GATE), self._graph.element(MIRROR)
            self._graph.connect(mirrored, "new-sample", self._on_mirrored)
            self._graph.probe(self._graph.element(MIRROR_PACE).get_static_pad("src"), self._on_pace)
            self._open_gate = lambda is_open: gate.set_property("drop", not is_open)
        self._mirrors = False
        self._started_s = time.monotonic()
        self._waiting_since_s: float | None = None
        self._graph.start()

    def mirror(self) -> None:
        """Begin to mirror: from now on this is the display that whoever watches sees."""
        if self._mirror is not None:
            self._mirrors = True
            self._mirror.connect(self._open_gate)

    def show(self, scene: Scene) -> None:
        """Draw this over every picture from now on, in place of what was drawn before."""
        self._drawing.show(scene)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture on which is drawn; None: none was shown yet."""
        return self._drawing.size

    def push(self, buffer: Gst.Buffer, caps: Gst.Caps, pts_ns: int) -> None:
        """Show a frame; waits while the display has not taken the one before.

        Args:
            buffer: its memory is shared, not copied.
            caps: its format; may be another than that of the frame before.
            pts_ns: its stamp, on the line that goes on over all openings of the source.
        """
        with self._lock:
            self._push(_own(buffer), caps, max(pts_ns, self._last_pts_ns + 1))

    def _push(self, buffer: Gst.Buffer, caps: Gst.Caps, pts_ns: int) -> None:
        if self._recorded is not None:
            caps = self._recorded_form(self._recorded, caps)
        self._caps, self._last_pts_ns = caps, pts_ns
        buffer.pts, buffer.dts = pts_ns, Gst.CLOCK_TIME_NONE
        if self._waiting_since_s is None:
            self._waiting_since_s = time.monotonic()
        self._feed.emit("push-sample", Gst.Sample.new(buffer, caps, None, None))

    def blank(self) -> None:
        """Show black, with the overlay on it; nothing happens while a frame is on its way.

        A recording waits for its first frame, whose size it takes.
        """
        if isinstance(self._sink, FileSink) and self._caps is None:
            return
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._feed.get_property("current-level-buffers") > 0:
                return
            width, height = self._blank_size()
            caps = Gst.Caps.from_string(
                f"video/x-raw,format=I420,width={width},height={height},framerate=0/1,colorimetry=bt601"
            )
            black = bytes((16,)) * (width * height) + bytes((128,)) * (width * height // 2)
            self._push(Gst.Buffer.new_wrapped(black), caps, self._last_pts_ns + _BLACK_STEP_NS)
        finally:
            self._lock.release()

    def _blank_size(self) -> tuple[int, int]:
        """As the scene was drawn, so that it is seen; else as the last picture."""
        wanted = self._drawing.wanted_size
        if wanted is not None:
            return wanted[0] & ~1, wanted[1] & ~1
        return _SIZE if self._caps is None else _size_of(self._caps)

    def _recorded_form(self, form: Gst.Element, caps: Gst.Caps) -> Gst.Caps:
        """The caps at the first picture's rate; its size and colours are kept by a filter.

        Another rate or other colours would begin another H.264 sequence, of which mp4 knows nothing.
        """
        if self._caps is None:
            first = caps.get_structure(0)
            kept = form.get_property("caps").copy()
            for name, pixels in zip(("width", "height"), _size_of(caps), strict=True):
                kept.set_value(name, pixels)
            for name in ("colorimetry", "chroma-site", "pixel-aspect-ratio"):
                if first.has_field(name):
                    kept.set_value(name, first.get_value(name))
            form.set_property("caps", kept)
            self._rate = first.get_value("framerate") if first.has_field("framerate") else None
        if self._rate is None:
            return caps
        same_rate = caps.copy()
        same_rate.set_value("framerate", self._rate)
        return same_rate

    def _on_draw(self, _overlay: Gst.Element, sample: Gst.Sample) -> Gst.MiniObject | None:
        return self._drawing.over(sample.get_buffer())

    def _on_form(self, _overlay: Gst.Element, caps: Gst.Caps, _width: int, _height: int) -> None:
        self._drawing.begin(caps)

    def _on_composed(self, pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        self._last_shown = (info.get_buffer(), pad.get_current_caps())
        self._composed.set()
        return Gst.PadProbeReturn.OK

    def _on_displayed(self, _pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        self._meter.displayed(info.get_buffer().pts, time.monotonic_ns())
        self._waiting_since_s = None
        self._has_displayed = True
        return Gst.PadProbeReturn.OK

    def _on_pace(self, _pad: Gst.Pad, _info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        due = self._mirror is not None and self._mirror.is_due(time.monotonic_ns())
        return Gst.PadProbeReturn.OK if due else Gst.PadProbeReturn.DROP

    def _on_mirrored(self, mirrored: Gst.Element) -> Gst.FlowReturn:
        sample = mirrored.emit("pull-sample")
        picture = None if sample is None else pixels_of(sample)
        if picture is not None and self._mirror is not None:
            arrived_ns = self._meter.arrived_ns(pts_of(sample))
            captured_ns = time.monotonic_ns() if arrived_ns is None else arrived_ns  # black has not arrived
            self._mirror.put(picture, captured_ns)
        return Gst.FlowReturn.OK

    @property
    def records(self) -> bool:
        """Whether what it shows is written to a file."""
        return isinstance(self._sink, FileSink)

    @property
    def is_screen(self) -> bool:
        """Whether people look at it: a window, or the whole screen."""
        return isinstance(self._sink, WindowSink)

    @property
    def is_up(self) -> bool:
        """Whether the graph was brought up, or has failed to be, see `check`."""
        return self._graph.is_up(0.0)

    @property
    def has_displayed(self) -> bool:
        """Whether a picture has reached the end of the graph."""
        return self._has_displayed

    def check(self) -> None:
        """Look whether the display still works.

        Raises:
            SinkError: the recording or the window fails or hangs, and why.
        """
        record = self._graph.record()
        if isinstance(record, BusError):
            raise sinks.failure_of(self._sink, record)
        since_s = self._waiting_since_s if self.is_up else self._started_s
        if self.is_screen and since_s is not None and time.monotonic() - since_s > _ANSWERS_S:
            raise SinkError(f"{sinks.name_of(self._sink)} does not answer.")

    def drain(self) -> None:
        """Wait until the last frame has been shown."""
        deadline_s = time.monotonic() + _DRAINED_S
        while not self._meter.all_displayed and time.monotonic() < deadline_s and self._works():
            time.sleep(0.002)

    def _works(self) -> bool:
        return not isinstance(self._graph.record(), BusError)

    def snapshot(self) -> bytes:
        """The newest picture, with its overlay, as PNG.

        Raises:
            SinkError: there is none yet.
        """
        shown = self._last_shown if self._composed.wait(_COMPOSED_S) else None
        if shown is None:
            raise SinkError("There is no picture to save: wait for the first frame of a live display.")
        sample = Gst.Sample.new(*shown, None, None)
        png = GstVideo.video_convert_sample(sample, Gst.Caps.from_string("image/png"), 5 * Gst.SECOND)
        return bytes(png.get_buffer().extract_dup(0, png.get_buffer().get_size()))

    def leave(self) -> None:
        """Begin to show what is on its way, to finalise the recording and to let go of everything."""
        if self._mirrors and self._mirror is not None:
            self._mirror.disconnect()
        if self._last_shown is not None and self._works():
            self._graph.leave(self._finish)
            return
        self._finish()  # whoever waits in `push` for a graph that never came up would wait for ever
        self._graph.leave()

    def close(self) -> None:
        """Finalise the recording and let go of everything."""
        self.leave()
        self._graph.released(_FINISHED_S if self.records else _CLOSED_S)
        if isinstance(self._sink, FileSink) and self._last_shown is None:
            self._sink.path.unlink(missing_ok=True)  # a recording that never had a picture
        self._last_shown = None

    @property
    def is_closed(self) -> bool:
        """Whether everything was let go of; False: not yet, or something in it hangs."""
        return self._graph.released(0.0)

    def _finish(self) -> None:
        self._feed.emit("end-of-stream")


def _own(buffer: Gst.Buffer) -> Gst.Buffer:
    """A buffer of one's own on the same memory.

    `buffer.copy()` is none: for the bindings that is one more reference, and a stamp that is set on it
    changes under the hands of the analysis, which then does not know its frame.
    """
    flags = Gst.BufferCopyFlags
    everything = flags.FLAGS | flags.TIMESTAMPS | flags.META | flags.MEMORY
    return buffer.copy_region(everything, 0, buffer.get_size())


def _size_of(caps: Gst.Caps) -> tuple[int, int]:
    """Width and height, even: of a picture whose colour has half its size."""
    structure = caps.get_structure(0)
    return tuple(structure.get_value(name) & ~1 for name in ("width", "height"))
