"""GStreamer: the one module that speaks to it. A built graph, from an opening of the source to its end.

Its threads only count frames, leave the newest one in the mailbox and turn bus messages into frozen records;
the owner is `pipeline`, on a thread of its own choice.
"""

from __future__ import annotations

import ctypes
import threading
import time
import warnings
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from firmware_app.errors import SourceError
from firmware_app.journey import Picture
from firmware_app.overlay.guards import Luma, ScaledLuma
from firmware_app.overlay.layers import Patch, Scene
from firmware_app.video import sinks, sources, stream_events
from firmware_app.video.frame_meter import FrameMeter
from firmware_app.video.launch import ANALYSIS, MIRROR, MIRROR_GATE, OVERLAY, SPLIT
from firmware_app.video.mailbox import Mailbox
from firmware_app.video.mirror import Mirror, MirrorPicture, jpeg_of
from firmware_app.video.pixels import BufferLuma, Layout, to_bgr
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
_COMPOSED_S = 1.0
"""A snapshot waits this long for the display's first picture."""
Sample = Gst.Sample
NO_TIME_STAMP: int = Gst.CLOCK_TIME_NONE


def has_element(name: str) -> bool:
    """Whether this machine's GStreamer has an element of this name."""
    return Gst.ElementFactory.find(name) is not None


def rectangle_of(patch: Patch) -> GstVideo.VideoOverlayRectangle:
    """Prepare what GStreamer blends; once per patch, not per frame."""
    height, width = patch.pixels.shape[:2]
    buffer = Gst.Buffer.new_wrapped(patch.pixels.tobytes())
    # GStreamer reads the patch's format and size from this meta; without it, it crashes.
    GstVideo.buffer_add_video_meta(
        buffer, GstVideo.VideoFrameFlags.NONE, GstVideo.VideoFormat.BGRA, width, height
    )
    return GstVideo.VideoOverlayRectangle.new_raw(
        buffer, patch.x, patch.y, width, height, GstVideo.VideoOverlayFormatFlags.NONE
    )


def composition_of(rectangles: Sequence[GstVideo.VideoOverlayRectangle]) -> Gst.MiniObject | None:
    """What GStreamer blends into a frame; None: nothing."""
    if not rectangles:
        return None
    composition = GstVideo.VideoOverlayComposition.new(rectangles[0])
    for rectangle in rectangles[1:]:
        composition.add_rectangle(rectangle)
    return composition


def pixels_of(sample: Gst.Sample) -> Picture:
    """Copy a sample into a contiguous BGR picture."""
    buffer = sample.get_buffer()
    layout = _layout_of(buffer, GstVideo.VideoInfo.new_from_caps(sample.get_caps()))
    mapped, info = buffer.map(Gst.MapFlags.READ)
    if not mapped:
        raise SourceError("The picture lies in memory that cannot be read: check the capture card's format.")
    try:
        return to_bgr(info.data, layout)
    finally:
        buffer.unmap(info)


def _layout_of(buffer: Gst.Buffer, video: GstVideo.VideoInfo) -> Layout:
    planes = GstVideo.buffer_get_video_meta(buffer) or video
    return Layout(video.finfo.name, video.width, video.height, tuple(planes.offset), tuple(planes.stride))


def parse(launch: str) -> Gst.Pipeline:
    """Build a graph; raises SourceError when an element is missing."""
    try:
        return Gst.parse_launch(launch)
    except GLib.Error as error:
        raise SourceError(f"GStreamer is not complete, see the README: {error.message}.") from None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A scene, its patches as GStreamer takes them, and what was composed of them by verdict."""

    scene: Scene
    rectangles: dict[Patch, GstVideo.VideoOverlayRectangle]
    compositions: dict[tuple[bool, ...], Gst.MiniObject | None]


class Drawing:
    """What the overlay draws; outlives the sessions.

    The owner replaces the scene as a whole; GStreamer's thread looks at each frame and draws what holds.
    """

    def __init__(self) -> None:
        self._prepared = _Prepared(Scene(), {}, {})
        self._video: GstVideo.VideoInfo | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the picture that is drawn on; None: none was seen yet."""
        return None if self._video is None else (self._video.width, self._video.height)

    def show(self, scene: Scene) -> None:
        """Draw this from the next frame on."""
        known = self._prepared.rectangles
        patches = [p for layer in scene.layers for p in (*layer.patches, *layer.otherwise)]
        rectangles = {patch: known.get(patch) or rectangle_of(patch) for patch in patches}
        self._prepared = _Prepared(scene, rectangles, {})

    def begin(self, caps: Gst.Caps) -> None:
        """Frames of this form follow."""
        self._video = GstVideo.VideoInfo.new_from_caps(caps)

    def over(self, buffer: Gst.Buffer) -> Gst.MiniObject | None:
        """What is drawn over this frame."""
        prepared = self._prepared
        if self._video is None or prepared.scene.size not in {None, self.size}:
            return None
        verdict = self._look(prepared.scene, buffer, self._video)
        if verdict not in prepared.compositions:
            chosen = [prepared.rectangles[patch] for patch in prepared.scene.patches(verdict)]
            prepared.compositions[verdict] = composition_of(chosen)
        return prepared.compositions[verdict]

    @staticmethod
    def _look(scene: Scene, buffer: Gst.Buffer, video: GstVideo.VideoInfo) -> tuple[bool, ...]:
        if not scene.is_guarded:
            return scene.verdict(None)
        mapped, info = buffer.map(Gst.MapFlags.READ)
        if not mapped:
            return scene.verdict(None)
        try:
            luma: Luma = BufferLuma(np.frombuffer(info.data, np.uint8), _layout_of(buffer, video))
            if scene.measured not in {None, scene.size} and scene.measured is not None:
                across, down = video.width / scene.measured[0], video.height / scene.measured[1]
                luma = ScaledLuma(luma, across, down)
            return scene.verdict(luma)
        finally:
            buffer.unmap(info)


class Session:
    """One built graph, from an opening of the source to its end. The callbacks run on GStreamer's threads."""

    def __init__(
        self,
        launch: sources.Fragment,
        meter: FrameMeter,
        drawing: Drawing,
        mirror: Mirror | None = None,
        *,
        every_frame: bool,
    ) -> None:
        self._meter = meter
        self._drawing = drawing
        self._mirror = mirror
        self._every_frame = every_frame
        self.opened_ns = time.monotonic_ns()
        self.mailbox: Mailbox[Gst.Sample] = Mailbox()
        self.last_shown: tuple[Gst.Buffer, Gst.Caps] | None = None
        self._records: deque[BusRecord] = deque(maxlen=16)
        self.begun = threading.Event()
        self.composed = threading.Event()
        self._ended = threading.Event()
        self._graph = parse(launch.launch)
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
            (overlay, overlay.connect("caps-changed", self._on_form)),
        ]
        arrival = self._graph.get_by_name(sources.ARRIVAL) or self._graph.get_by_name(SPLIT)
        self._probe(arrival.get_static_pad("sink"), self._on_arrival)
        self._probe(overlay.get_static_pad("src"), self._on_composed)
        self._probe(self._graph.get_by_name(sinks.DISPLAY_END).get_static_pad("sink"), self._on_displayed)
        if self._mirror is not None:
            gate, mirrored = self._graph.get_by_name(MIRROR_GATE), self._graph.get_by_name(MIRROR)
            self._handlers.append((mirrored, mirrored.connect("new-sample", self._on_mirrored)))
            self._mirror.connect(lambda is_open: gate.set_property("drop", not is_open))

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

    def _on_draw(self, _overlay: Gst.Element, sample: Gst.Sample) -> Gst.MiniObject | None:
        return self._drawing.over(sample.get_buffer())

    def _on_form(self, _overlay: Gst.Element, caps: Gst.Caps, _width: int, _height: int) -> None:
        self._drawing.begin(caps)

    def _on_composed(self, pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        self.last_shown = (info.get_buffer(), pad.get_current_caps())
        self.composed.set()
        return Gst.PadProbeReturn.OK

    def _on_displayed(self, _pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        self._meter.displayed(info.get_buffer().pts, time.monotonic_ns())
        return Gst.PadProbeReturn.OK

    def _on_mirrored(self, mirrored: Gst.Element) -> Gst.FlowReturn:
        sample = mirrored.emit("pull-sample")
        captured_ns = None if sample is None else self._meter.arrived_ns(pts_of(sample))
        if captured_ns is not None and self._mirror is not None:
            self._mirror.put(MirrorPicture(jpeg_of(pixels_of(sample)), captured_ns))
        return Gst.FlowReturn.OK

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
        if self._mirror is not None:
            self._mirror.disconnect()
        self._graph.set_state(Gst.State.NULL)
        self._bus.disable_sync_message_emission()
        for emitter, handler in self._handlers:
            emitter.disconnect(handler)
        for pad, probe in self._probes:
            pad.remove_probe(probe)
        self._handlers, self._probes, self.last_shown = [], [], None

    def snapshot(self) -> bytes | None:
        """The newest picture of the display branch, with its overlay, as PNG; None: there is none yet."""
        shown = self.last_shown if self.composed.wait(_COMPOSED_S) else None
        if shown is None:
            return None
        sample = Gst.Sample.new(*shown, None, None)
        png = GstVideo.video_convert_sample(sample, Gst.Caps.from_string("image/png"), 5 * Gst.SECOND)
        return bytes(png.get_buffer().extract_dup(0, png.get_buffer().get_size()))


def pts_of(sample: Gst.Sample) -> int:
    """Presentation time stamp of a sample in nanoseconds; `NO_TIME_STAMP`: its source gives none."""
    return int(sample.get_buffer().pts)
