"""One opening of the source: its graph, the newest frame for the analysis, every frame for the display.

The callbacks run on GStreamer's threads. They count, leave the newest frame in the mailbox and pass every one
to the display; the owner is `pipeline`, on a thread of its own choice.
"""

from __future__ import annotations

import threading
import time

from firmware_app.video import sources
from firmware_app.video.display import Display
from firmware_app.video.frame_meter import FrameMeter
from firmware_app.video.graph import Graph, Gst, digest_of, has_element, is_damaged, is_whole, pts_of
from firmware_app.video.launch import ANALYSIS, SHOWN, SPLIT, input_of, replay_of
from firmware_app.video.mailbox import Mailbox
from firmware_app.video.sources import Source
from firmware_app.video.stream_events import BusRecord


class Session:
    """From one opening of the source to its end; without a display every frame is delivered, in order."""

    def __init__(self, source: Source, meter: FrameMeter, display: Display | None) -> None:
        self._meter = meter
        self._display = display
        self.opened_ns = time.monotonic_ns()
        self.is_leaving, self.left_ns = False, 0
        self.begun = threading.Event()
        self.flowing = threading.Event()
        self._mailbox: Mailbox[Gst.Sample] = Mailbox()
        meter.opened(self.opened_ns)
        launch = replay_of(source, has_element) if display is None else input_of(source, has_element)
        self._graph = Graph(launch, "video source", self._on_record)
        self._analysis = self._graph.element(ANALYSIS)
        # Looked up now: an element that hangs while it is opened may hold the lock on its own name.
        self._source = self._graph.element(sources.SOURCE)
        flow = self._graph.find(sources.FLOW)
        self._promises = flow is not None
        if flow is not None:
            self._graph.probe_once(flow.get_static_pad("sink"), self.flowing.set)
        if display is None:
            self._graph.probe(self._analysis.get_static_pad("sink"), self._on_arrival)
        else:
            arrival = self._graph.find(sources.ARRIVAL) or self._graph.element(SPLIT)
            self._graph.probe(arrival.get_static_pad("sink"), self._on_arrival)
            self._graph.connect(self._analysis, "new-sample", self._on_sample)
            self._graph.connect(self._graph.element(SHOWN), "new-sample", self._on_shown)
        self._graph.start()

    def _on_arrival(self, _pad: Gst.Pad, info: Gst.PadProbeInfo) -> Gst.PadProbeReturn:
        buffer = info.get_buffer()
        digest = digest_of(buffer) if self._meter.is_suspect else None
        arrival = self._meter.arrived(buffer.pts, time.monotonic_ns(), digest)
        if arrival is None:
            return Gst.PadProbeReturn.DROP
        self.begun.set()
        return Gst.PadProbeReturn.OK

    def _on_sample(self, analysis: Gst.Element) -> Gst.FlowReturn:
        sample = analysis.emit("pull-sample")
        if sample is not None and is_damaged(sample):
            self._meter.damaged()
        elif sample is not None:
            self._mailbox.put(sample)
        return Gst.FlowReturn.OK

    def _on_shown(self, shown: Gst.Element) -> Gst.FlowReturn:
        sample = shown.emit("pull-sample")
        if sample is None or self._display is None or self.is_leaving:
            return Gst.FlowReturn.OK
        if not is_whole(sample.get_buffer(), sample.get_caps()):
            return Gst.FlowReturn.OK
        arrival = self._meter.place_of(pts_of(sample))
        if arrival is not None:
            self._display.push(sample.get_buffer(), sample.get_caps(), arrival.pts_ns)
        return Gst.FlowReturn.OK

    def show_on(self, display: Display) -> None:
        """Feed another display from the next frame on."""
        self._display = display

    def _on_record(self, _record: BusRecord) -> None:
        self.begun.set()
        self._mailbox.wake()

    def take(self, timeout_s: float) -> Gst.Sample | None:
        """The next frame to analyse; None when none came in time or the stream is over."""
        if self._display is not None:
            return self._mailbox.take(timeout_s)
        if not self._graph.is_up(timeout_s):  # until then it would answer at once
            return None
        sample = self._analysis.emit("try-pull-sample", int(timeout_s * Gst.SECOND))
        while sample is not None and is_damaged(sample):
            self._meter.damaged()
            sample = self._analysis.emit("try-pull-sample", int(timeout_s * Gst.SECOND))
        return sample

    @property
    def answered(self) -> bool:
        """Whether a network encoder has promised a picture; True for sources that make no promises."""
        return not self._promises or self._source.numsrcpads > 0

    def record(self) -> BusRecord | None:
        """How the stream ended; None: it goes on."""
        return self._graph.record()

    def announced_end_ns(self) -> int | None:
        """How long the file says it is."""
        return self._graph.duration_ns()

    def leave(self) -> None:
        """Begin to let go of everything; from now on nothing more comes of it."""
        if self.is_leaving:
            return
        self.is_leaving, self.left_ns = True, time.monotonic_ns()
        self._mailbox.close()
        self._graph.leave()

    def released(self, timeout_s: float) -> bool:
        """Whether everything was let go of, within this time."""
        return self._graph.released(timeout_s)
