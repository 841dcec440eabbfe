"""What happens to a stream in a hospital: sizes that change, damage, devices that hang; nothing leaks."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from firmware_app.errors import SourceError
from firmware_app.journey import Frame
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.video import pipeline as pipeline_module
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.pipeline import Event, Pipeline, open_pipeline
from firmware_app.video.sinks import FileSink
from firmware_app.video.sources import FileSource, PhantomSource
from firmware_app.video.stream_events import SignalLost, StreamEnded
from tests.firmware_app.video import make_clip, sender

PATIENCE_S = 30.0
CARD = Patch(30, 20, np.full((40, 60, 4), (255, 255, 255, 255), np.uint8))


def _frame(events: Iterator[Event]) -> Frame:
    return next(event for event in events if isinstance(event, Frame))


def _lost(events: Iterator[Event], state: CaptureState) -> SignalLost:
    began_s = time.monotonic()
    for event in events:
        if isinstance(event, SignalLost) and event.state is state:
            return event
        assert time.monotonic() - began_s < PATIENCE_S, f"never {state.value}; last: {event}"
    raise AssertionError("the events ended")


def _raw_h264(path: Path, width: int, height: int) -> Path:
    launch = (
        f"videotestsrc num-buffers=45 ! video/x-raw,format=I420,width={width},height={height},framerate=30/1 "
        f"! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15 ! h264parse "
        f"! video/x-h264,stream-format=byte-stream ! filesink location={path}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *launch.split()], check=True, timeout=30)
    return path


@pytest.fixture(scope="module")
def resized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream whose pictures are 320x240, and then 640x480."""
    folder = tmp_path_factory.mktemp("resized")
    parts = [_raw_h264(folder / f"{w}.h264", w, h).read_bytes() for w, h in ((320, 240), (640, 480))]
    path = folder / "resized.h264"
    path.write_bytes(b"".join(parts))
    return path


def test_a_size_that_changes_in_flight_is_followed(resized: Path, tmp_path: Path) -> None:
    """Replay, display and recording go on; the recording keeps the size that it began with."""
    with open_pipeline(FileSource(resized), every_frame=True) as pipeline:
        sizes = [e.pixels.shape[:2] for e in pipeline.frames(threading.Event()) if isinstance(e, Frame)]
    assert sizes == [(240, 320)] * 45 + [(480, 640)] * 45
    recording = tmp_path / "recording.mp4"
    with open_pipeline(FileSource(resized), FileSink(recording)) as pipeline:
        events = list(pipeline.frames(threading.Event()))
        shown = pipeline.statistics()
    assert events[-1] == StreamEnded()
    assert {e.pixels.shape[:2] for e in events if isinstance(e, Frame)} == {(240, 320), (480, 640)}
    assert (shown.displayed, shown.dropped_display) == (90, 0)
    with open_pipeline(FileSource(recording), every_frame=True) as pipeline:
        recorded = [e.pixels.shape[:2] for e in pipeline.frames(threading.Event()) if isinstance(e, Frame)]
    assert recorded == [(240, 320)] * 90


@pytest.mark.parametrize(
    ("container", "every_frame"), [("mp4", True), ("ts", True), ("h264", True), ("ts", False)]
)
def test_a_damaged_middle_is_no_end(tmp_path: Path, container: str, *, every_frame: bool) -> None:
    """Bytes in the middle are overwritten: the pictures before and after are analysed, and it ends."""
    clip = make_clip(tmp_path / "clip.mp4", frames=90)
    path = tmp_path / f"clip.{container}"
    if container != "mp4":
        mux = "mpegtsmux" if container == "ts" else "h264parse"
        form = "video/x-h264,stream-format=byte-stream"
        launch = f"filesrc location={clip} ! qtdemux ! h264parse ! {form} ! {mux} ! filesink location={path}"
        subprocess.run(["gst-launch-1.0", "-q", *launch.split()], check=True, timeout=30)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(3)
    middle = len(content) // 2
    content[middle : middle + 3000] = rng.integers(0, 256, 3000, np.uint8).tobytes()
    path.write_bytes(bytes(content))
    with open_pipeline(FileSource(path), every_frame=every_frame) as pipeline:
        *events, end = list(pipeline.frames(threading.Event()))
    assert isinstance(end, StreamEnded)
    frames = [event for event in events if isinstance(event, Frame)]
    assert len(frames) >= (30 if every_frame else 10)


def test_pictures_smaller_than_announced_are_an_unsupported_timing(tmp_path: Path) -> None:
    """A sender of another size than agreed is told as such, and taken once it sends what was agreed."""
    path = tmp_path / "scanner"
    source = PhantomSource(path, 640, 480, 30)
    with open_pipeline(source, patient=True) as pipeline:
        events = pipeline.frames(threading.Event())
        with sender(path, width=320, height=240):
            _lost(events, CaptureState.UNSUPPORTED_TIMING)
        with sender(path, width=640, height=480):
            assert _frame(events).pixels.shape == (480, 640, 3)


def test_what_is_wrong_is_painted_where_the_picture_was(tmp_path: Path) -> None:
    """Without a source the display shows black and the overlay; no old picture passes for a live one."""
    path = tmp_path / "scanner"
    with open_pipeline(PhantomSource(path, 320, 240, 30), patient=True) as pipeline:
        events = pipeline.frames(threading.Event())
        with sender(path):
            _frame(events)
        _lost(events, CaptureState.NO_DEVICE)
        pipeline.show(Scene((Layer((CARD,)),)))
        next(events)  # painted with each report
        next(events)
        pipeline.snapshot(tmp_path / "lost.png")
    picture = cv2.imread(str(tmp_path / "lost.png"))
    assert picture is not None
    assert picture[22:58, 32:88].min() > 200
    picture[20:60, 30:90] = 0
    assert picture.max() < 12


@contextmanager
def _deaf(path: Path) -> Iterator[None]:
    """A socket that never accepts, with a full queue: whoever connects hangs until the end of the block."""
    kind = socket.AF_UNIX, socket.SOCK_STREAM
    full = path.with_suffix(".full")
    with socket.socket(*kind) as listening, socket.socket(*kind) as waiting:
        listening.bind(str(full))
        listening.listen(0)
        waiting.connect(str(full))
        full.replace(path)  # only now: a pipeline that came first would take the one place in the queue
        yield


def test_a_device_that_hangs_when_it_is_opened_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports go on while openings hang; with too many of them the appliance ends, to be started anew."""
    monkeypatch.setattr(pipeline_module, "_RELEASED_S", 0.3)
    path = tmp_path / "scanner"
    reported_s: list[float] = []
    with (
        _deaf(path),
        open_pipeline(PhantomSource(path, 320, 240, 30), patient=True) as pipeline,
        pytest.raises(SourceError, match="hangs, and cannot be closed"),
    ):
        reported_s.extend(time.monotonic() for _ in pipeline.frames(threading.Event()))
    assert pipeline.statistics().hung > 4
    assert max(np.diff(reported_s)) < 3


def test_an_opening_that_hangs_for_a_while_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hung and came free later does not add up; the picture comes as soon as the device is there."""
    monkeypatch.setattr(pipeline_module, "_RELEASED_S", 0.3)
    path = tmp_path / "scanner"
    with open_pipeline(PhantomSource(path, 320, 240, 30), patient=True) as pipeline:
        events = pipeline.frames(threading.Event())
        for _ in range(2):
            hung = pipeline.statistics().hung
            with _deaf(path):
                while pipeline.statistics().hung < hung + 2:
                    next(events)
            with sender(path):
                _frame(events)


class Usage:
    """Files, threads and memory of this process."""

    def __init__(self) -> None:
        gc.collect()
        self.files = len(list(Path("/proc/self/fd").iterdir()))
        self.threads = len(list(Path("/proc/self/task").iterdir()))
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.resident_mib = pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _reopen(pipeline: Pipeline, events: Iterator[Event], times: int) -> None:
    before = pipeline.statistics().restarts
    while pipeline.statistics().restarts < before + times:
        next(events)


@pytest.mark.parametrize("times", [12, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_waiting_for_ever_costs_nothing(tmp_path: Path, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is opened again and again leaves no file, no thread and no memory behind."""
    monkeypatch.setattr("firmware_app.video.stream_events._RETRY_S", 0.05)
    source = PhantomSource(tmp_path / "scanner", 320, 240, 30)
    with open_pipeline(source, patient=True) as pipeline:
        events = pipeline.frames(threading.Event(), timeout_s=0.1)
        _reopen(pipeline, events, 5)
        before = Usage()
        _reopen(pipeline, events, times)
        after = Usage()
    assert after.files <= before.files + 4  # an opening that is being left
    assert after.threads <= before.threads + 4
    assert after.resident_mib <= before.resident_mib + 12


@pytest.mark.parametrize("times", [10, pytest.param(150, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
def test_a_source_that_comes_and_goes_costs_nothing(
    tmp_path: Path, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As often as pictures come and are lost, everything is let go of."""
    monkeypatch.setattr("firmware_app.video.stream_events._RETRY_S", 0.05)
    path = tmp_path / "scanner"
    with open_pipeline(PhantomSource(path, 320, 240, 30), patient=True) as pipeline:
        events = pipeline.frames(threading.Event(), timeout_s=0.2)

        def come_and_go(often: int) -> Usage:
            for _ in range(often):
                with sender(path):
                    _frame(events)
                next(event for event in events if isinstance(event, SignalLost))
            return Usage()

        before = come_and_go(4)
        after = come_and_go(times)
    assert after.files <= before.files + 4
    assert after.threads <= before.threads + 8  # GLib keeps a few idle threads, however often one opens
    assert after.resident_mib <= before.resident_mib + 16
    assert pipeline.statistics().hung == 0
