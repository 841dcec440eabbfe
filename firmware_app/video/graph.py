"""GStreamer's bindings, loaded in one place: a built graph from its start to its end, and samples.

`session` and `display` are the two graphs of the appliance.
"""

from __future__ import annotations

import ctypes
import threading
import warnings
import zlib
from collections import deque
from collections.abc import Callable

from firmware_app.errors import SourceError
from firmware_app.journey import Picture
from firmware_app.video import stream_events
from firmware_app.video.pixels import Layout, to_bgr
from firmware_app.video.sources import Fragment
from firmware_app.video.stream_events import BusError, BusRecord, EndOfStream

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

_FINALISE_S = 10.0
"""A recording gets this long to write its last bytes."""
_LONG_S = 3600.0
Sample = Gst.Sample
__all__ = [
    "Graph",
    "Gst",
    "GstVideo",
    "Sample",
    "digest_of",
    "has_element",
    "is_damaged",
    "is_whole",
    "layout_of",
    "parse",
    "pixels_of",
    "pts_of",
]


def has_element(name: str) -> bool:
    """Whether this machine's GStreamer has an element of this name."""
    return Gst.ElementFactory.find(name) is not None


def pixels_of(sample: Gst.Sample) -> Picture | None:
    """Copy a sample into a contiguous BGR picture; None: it holds less than its format says."""
    buffer = sample.get_buffer()
    layout = layout_of(buffer, GstVideo.VideoInfo.new_from_caps(sample.get_caps()))
    mapped, info = buffer.map(Gst.MapFlags.READ)
    if not mapped:
        raise SourceError("The picture lies in memory that cannot be read: check the capture card's format.")
    try:
        if info.size < layout.size_bytes:
            return None
        return to_bgr(info.data, layout)
    finally:
        buffer.unmap(info)


def is_whole(buffer: Gst.Buffer, caps: Gst.Caps) -> bool:
    """Whether a picture holds as much as its format says; one that does not would end the display.

    Only plain memory can be measured; pictures that lie with a meta or with the GPU are the device's own.
    """
    elsewhere = caps.get_features(0).to_string() not in {"", "memory:SystemMemory"}
    if elsewhere or GstVideo.buffer_get_video_meta(buffer) is not None:
        return True
    return int(buffer.get_size()) >= int(GstVideo.VideoInfo.new_from_caps(caps).size)


def layout_of(buffer: Gst.Buffer, video: GstVideo.VideoInfo) -> Layout:
    """How a picture of this form lies in this buffer."""
    planes = GstVideo.buffer_get_video_meta(buffer) or video
    return Layout(video.finfo.name, video.width, video.height, tuple(planes.offset), tuple(planes.stride))


def parse(launch: str) -> Gst.Pipeline:
    """Build a graph; raises SourceError when an element is missing."""
    try:
        return Gst.parse_launch(launch)
    except GLib.Error as error:
        raise SourceError(f"GStreamer is not complete, see the README: {error.message}.") from None


def _ignored(_record: BusRecord) -> None:
    """Nobody is to be woken."""


class Graph:
    """A built graph on a thread of its own: to bring it up or down may hang for as long as a device does.

    What its bus says is noted as frozen records on GStreamer's threads. The owner calls `start` once, then
    `leave`, and looks with `released` whether everything was let go of.
    """

    def __init__(
        self, fragment: Fragment, name: str, on_record: Callable[[BusRecord], None] = _ignored
    ) -> None:
        self._graph = parse(fragment.launch)
        for setting in fragment.settings:
            self._graph.get_by_name(setting.element).set_property(setting.name, setting.value)
        self._on_record = on_record
        self._records: deque[BusRecord] = deque(maxlen=16)
        self._ended = threading.Event()
        self._up, self._leave = threading.Event(), threading.Event()
        self._finish: Callable[[], object] | None = None
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._probes: list[tuple[Gst.Pad, int]] = []
        self._handlers: list[tuple[Gst.Object, int]] = []
        self._bus = self._graph.get_bus()
        # A Python sync handler that drops messages leaks every one of them; the signal does not.
        self._bus.enable_sync_message_emission()
        self.connect(self._bus, "sync-message::error", self._on_error)
        self.connect(self._bus, "sync-message::eos", self._on_end)

    def element(self, name: str) -> Gst.Element:
        """The element of this name, which the launch string has."""
        return self._graph.get_by_name(name)

    def find(self, name: str) -> Gst.Element | None:
        """The element of this name; None: this graph has none."""
        return self._graph.get_by_name(name)

    def connect(self, emitter: Gst.Object, signal: str, handler: object) -> None:
        """Handle a signal on GStreamer's thread, until the graph is left."""
        self._handlers.append((emitter, emitter.connect(signal, handler)))

    def probe(self, pad: Gst.Pad, callback: object) -> None:
        """Look at every buffer that passes a pad, on GStreamer's thread, until the graph is left."""
        self._probes.append((pad, pad.add_probe(Gst.PadProbeType.BUFFER, callback)))

    def probe_once(self, pad: Gst.Pad, callback: Callable[[], object]) -> None:
        """Learn of the first buffer that passes a pad, on GStreamer's thread."""

        def on_buffer(_pad: Gst.Pad, _info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
            callback()
            return Gst.PadProbeReturn.REMOVE

        pad.add_probe(Gst.PadProbeType.BUFFER, on_buffer)

    def start(self) -> None:
        """Begin to bring the graph up; a failure is noted, with its reason."""
        self._thread.start()

    def leave(self, finish: Callable[[], object] | None = None) -> None:
        """Begin to bring the graph down; what is at work is left to end by itself.

        Args:
            finish: what ends the stream, so that its last bytes are written; None: they do not matter.
        """
        self._finish = finish
        self._leave.set()

    def released(self, timeout_s: float) -> bool:
        """Whether everything was let go of, within this time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def is_up(self, timeout_s: float) -> bool:
        """Whether the graph was brought up, or has failed to be, within this time."""
        return self._up.wait(timeout_s)

    def _live(self) -> None:
        self._graph.set_state(Gst.State.PLAYING)
        self._up.set()
        while not self._leave.wait(_LONG_S):
            pass
        if self._finish is not None and not self._ended.is_set():
            self._finish()
            self._ended.wait(_FINALISE_S)
        self._graph.set_state(Gst.State.NULL)
        self._bus.disable_sync_message_emission()
        for emitter, handler in self._handlers:
            emitter.disconnect(handler)
        for pad, probe in self._probes:
            pad.remove_probe(probe)
        self._handlers, self._probes = [], []
        self._on_record, self._finish = _ignored, None  # or owner and graph keep each other, and files

    def _on_error(self, _bus: Gst.Bus, message: Gst.Message) -> None:
        error, debug = message.parse_error()
        self._note(BusError(message.src.get_name(), error.domain, error.code, error.message, debug or ""))

    def _on_end(self, _bus: Gst.Bus, _message: Gst.Message) -> None:
        self._note(EndOfStream())

    def _note(self, record: BusRecord) -> None:
        self._records.append(record)
        self._ended.set()
        self._on_record(record)

    def record(self) -> BusRecord | None:
        """How the stream ended; None: it goes on."""
        while self._bus.pop() is not None:
            pass  # what matters has been noted already
        return stream_events.gravest(tuple(self._records))

    def duration_ns(self) -> int | None:
        """How long the stream says it is."""
        known, duration_ns = self._graph.query_duration(Gst.Format.TIME)
        return int(duration_ns) if known and duration_ns > 0 else None


def pts_of(sample: Gst.Sample) -> int:
    """Presentation time stamp of a sample in nanoseconds; `NO_TIME_STAMP`: its source gives none."""
    return int(sample.get_buffer().pts)


def digest_of(buffer: Gst.Buffer) -> int | None:
    """Tells two pictures apart by every byte of them; None: the memory cannot be read."""
    mapped, info = buffer.map(Gst.MapFlags.READ)
    if not mapped:
        return None
    try:
        return zlib.crc32(info.data)
    finally:
        buffer.unmap(info)


def is_damaged(sample: Gst.Sample) -> bool:
    """Whether the device or the decoder says that parts of the picture are missing or wrong."""
    return bool(sample.get_buffer().has_flags(Gst.BufferFlags.CORRUPTED))
