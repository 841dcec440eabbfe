"""Capture and display on real GStreamer: real files, a real sender, real pictures."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from firmware_app.errors import SinkError, SourceError
from firmware_app.journey import Frame
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.video.pipeline import Event, Pipeline, open_pipeline
from firmware_app.video.sinks import FileSink, NoSink
from firmware_app.video.sources import FileSource, PhantomSource, RtspSource, Source, V4l2Source
from firmware_app.video.stream_events import SignalLost, StreamEnded

CLIP_FRAMES = 60
BLEND_ERROR = 45
"""GStreamer up to 1.22 blends saturated colours into any YUV picture with the coefficients of BT.709."""


def _load_video() -> ModuleType:
    spec = importlib.util.spec_from_file_location("video", Path(__file__).with_name("video.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


video = _load_video()
"""The tests are no package (import mode importlib), so the helper beside this file is loaded by its path."""


def _drawn(*patches: Patch) -> Scene:
    return Scene((Layer(patches),))


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a moving ball."""
    made: Path = video.make_clip(tmp_path_factory.mktemp("clip") / "ball.mp4", frames=CLIP_FRAMES)
    return made


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of one colour, of a width that is no multiple of anything."""
    folder = tmp_path_factory.mktemp("plain")
    made: Path = video.make_clip(folder / "plain.mp4", frames=30, width=322, pattern="solid-color")
    return made


def _solid(red: int, green: int, blue: int, alpha: int = 255) -> npt.NDArray[np.uint8]:
    return np.full((40, 60, 4), (blue, green, red, alpha), np.uint8)


def _frames(events: Iterator[Event]) -> list[Frame]:
    return [event for event in events if isinstance(event, Frame)]


def _next_frame(events: Iterator[Event]) -> Frame:
    return next(event for event in events if isinstance(event, Frame))


def test_replay_delivers_every_frame_in_order(clip: Path) -> None:
    """In replay no frame is passed over, time stamps are evenly spaced, and the end is told once."""
    with open_pipeline(FileSource(clip), every_frame=True) as pipeline:
        *frames, end = list(pipeline.frames(threading.Event()))
        statistics = pipeline.statistics()
    assert end == StreamEnded()
    assert [frame.number for frame in frames if isinstance(frame, Frame)] == list(range(CLIP_FRAMES))
    assert all(isinstance(frame, Frame) and frame.dropped == 0 for frame in frames)
    steps = np.diff([frame.pts_ns for frame in frames if isinstance(frame, Frame)])
    assert np.allclose(steps, 1e9 / 30, rtol=0.01)
    assert (statistics.frames_in, statistics.analysed, statistics.dropped_analysis) == (
        CLIP_FRAMES,
        CLIP_FRAMES,
        0,
    )


def test_replay_waits_for_a_slow_consumer(clip: Path) -> None:
    """A consumer slower than the video still gets every frame, and may leave in the middle."""
    numbers = []
    with open_pipeline(FileSource(clip), every_frame=True) as pipeline:
        for event in pipeline.frames(threading.Event()):
            assert isinstance(event, Frame)
            numbers.append(event.number)
            time.sleep(0.05)
            if event.number == 12:
                break
        assert pipeline.statistics().frames_in < 30  # the file was not read ahead without bound
    assert numbers == list(range(13))


def test_pixels_are_bgr_as_encoded(plain: Path) -> None:
    """A frame holds the picture's own colours as a contiguous BGR array, whatever its width."""
    with open_pipeline(FileSource(plain), every_frame=True) as pipeline:
        frame = _next_frame(pipeline.frames(threading.Event()))
    assert frame.pixels.shape == (240, 322, 3)
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.flags.c_contiguous
    assert np.abs(frame.pixels.astype(int) - (0xC0, 0x60, 0x20)).max() <= 2


def test_the_display_loses_no_frame_while_the_analysis_is_busy(clip: Path) -> None:
    """A consumer that sleeps 200 ms per frame gets the newest ones; the display shows all, and in time."""
    began = time.monotonic()
    frames = []
    with open_pipeline(FileSource(clip), NoSink(), _drawn(Patch(0, 0, _solid(255, 0, 0)))) as pipeline:
        for event in pipeline.frames(threading.Event()):
            if isinstance(event, Frame):
                frames.append(event)
                time.sleep(0.2)
        statistics = pipeline.statistics()
    assert time.monotonic() - began >= 1.8  # paced by the clock, not by the decoder
    assert (statistics.displayed, statistics.dropped_display) == (CLIP_FRAMES, 0)
    assert 5 <= statistics.analysed <= 12
    assert statistics.frames_in == CLIP_FRAMES == statistics.analysed + statistics.dropped_analysis
    assert sum(frame.dropped for frame in frames) == statistics.dropped_analysis
    assert frames[-1].number == CLIP_FRAMES - 1
    assert all(np.diff([frame.pts_ns for frame in frames]) > 0)
    assert all(np.diff([frame.captured_ns for frame in frames]) > 0)
    assert statistics.display_latency is not None
    assert statistics.display_latency.p50_ms < 1000 / 30


def _snapshot(pipeline: Pipeline, path: Path) -> npt.NDArray[np.int64]:
    pipeline.snapshot(path)
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture, np.int64)


def test_a_snapshot_shows_the_overlay_at_its_place(tmp_path: Path) -> None:
    """Patches stand where they were put, with their colours and transparency; later ones replace them."""
    socket = tmp_path / "scanner"
    with (
        video.sender(socket, pattern="black") as _,
        open_pipeline(
            PhantomSource(socket, 320, 240, 30),
            NoSink(),
            _drawn(Patch(30, 20, _solid(255, 0, 0))),
            patient=True,
        ) as pipeline,
    ):
        events = pipeline.frames(threading.Event())
        _next_frame(events)
        before = _snapshot(pipeline, tmp_path / "before.png")
        pipeline.show(_drawn(Patch(200, 150, _solid(0, 255, 0)), Patch(100, 20, _solid(255, 255, 255, 128))))
        after_show = [_next_frame(events).number for _ in range(5)]
        after = _snapshot(pipeline, tmp_path / "after.png")
    assert len(after_show) == 5
    assert np.abs(before[22:58, 32:88] - (0, 0, 255)).max() < BLEND_ERROR
    assert np.abs(before[22:58, 92:140]).max() < 12
    assert np.abs(after[22:58, 32:88]).max() < 12
    assert np.abs(after[152:188, 202:258] - (0, 255, 0)).max() < BLEND_ERROR
    assert np.abs(after[22:58, 102:158] - 128).max() < 12


def test_the_analysis_never_sees_the_overlay(plain: Path) -> None:
    """What is drawn for people stays out of the frames that are analysed."""
    with open_pipeline(FileSource(plain), NoSink(), _drawn(Patch(0, 0, _solid(255, 0, 0)))) as pipeline:
        frames = _frames(pipeline.frames(threading.Event()))
    assert frames
    assert all(np.abs(frame.pixels[:40, :60].astype(int) - (0xC0, 0x60, 0x20)).max() <= 2 for frame in frames)


def test_a_recording_is_complete_when_it_is_stopped_half_way(clip: Path, tmp_path: Path) -> None:
    """A recording holds every displayed frame with its overlay, and can be played after an early stop."""
    recording = tmp_path / "recording.mp4"
    with open_pipeline(
        FileSource(clip), FileSink(recording), _drawn(Patch(30, 20, _solid(255, 0, 0)))
    ) as pipeline:
        for event in pipeline.frames(threading.Event()):
            if isinstance(event, Frame) and event.number >= 20:
                break
    displayed = pipeline.statistics().displayed
    with open_pipeline(FileSource(recording), every_frame=True) as replay:
        *frames, end = list(replay.frames(threading.Event()))
    assert end == StreamEnded()
    assert len(frames) == displayed >= 20
    assert isinstance(frames[-1], Frame)
    assert np.abs(frames[-1].pixels[25:55, 35:85].astype(int) - (0, 0, 255)).max() < BLEND_ERROR


def test_a_picture_of_odd_size_is_analysed_and_recorded(tmp_path: Path) -> None:
    """An odd number of columns and rows is no obstacle; the recording may lose one of each."""
    odd, recording = tmp_path / "odd.avi", tmp_path / "recording.mp4"
    launch = (
        "videotestsrc num-buffers=10 pattern=solid-color foreground-color=0xff2060c0 ! "
        f"video/x-raw,format=BGR,width=321,height=241,framerate=30/1 ! avimux ! filesink location={odd}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *launch.split()], check=True, timeout=30)
    with open_pipeline(FileSource(odd), FileSink(recording)) as pipeline:
        frames = _frames(pipeline.frames(threading.Event()))
    assert frames[0].pixels.shape == (241, 321, 3)
    assert np.abs(frames[0].pixels.astype(int) - (0xC0, 0x60, 0x20)).max() <= 2
    with open_pipeline(FileSource(recording), every_frame=True) as replay:
        recorded = _frames(replay.frames(threading.Event()))
    assert len(recorded) == 10
    assert recorded[0].pixels.shape in {(240, 320, 3), (242, 322, 3)}


def test_a_recording_goes_on_through_a_loss(tmp_path: Path) -> None:
    """What the display showed before, during and after a loss of signal stands in one recording."""
    socket, stop = tmp_path / "scanner", threading.Event()
    source, recording = PhantomSource(socket, 320, 240, 30), tmp_path / "exam.mp4"
    with open_pipeline(source, FileSink(recording), patient=True) as pipeline:
        events = pipeline.frames(stop)
        assert isinstance(next(events), SignalLost)
        with video.sender(socket):
            _next_frame(events)
        while not isinstance(next(events), SignalLost):
            pass
        with video.sender(socket):
            for _ in range(5):
                _next_frame(events)
    assert [path.name for path in tmp_path.glob("*.mp4")] == ["exam.mp4"]
    with open_pipeline(FileSource(recording), every_frame=True) as replay:
        black = [frame.pixels.max() < 12 for frame in _frames(replay.frames(stop))]
    assert not black[0]
    assert any(black)
    assert not black[-1]


def test_the_signal_comes_back(tmp_path: Path) -> None:
    """A sender that dies is told within 1.5 s and found again within 3 s; numbers and time stamps go on."""
    socket = tmp_path / "scanner"
    with open_pipeline(PhantomSource(socket, 320, 240, 30), patient=True) as pipeline:
        events = pipeline.frames(threading.Event())
        with video.sender(socket):
            last = [_next_frame(events) for _ in range(5)][-1]
        lost_at = time.monotonic()
        while not isinstance(lost := next(events), SignalLost):
            last = lost if isinstance(lost, Frame) else last
        assert time.monotonic() - lost_at < 1.5
        assert lost.cause in {"reading from it failed", "it cannot be opened"}  # at first, or after a retry
        assert next(event for event in events if isinstance(event, SignalLost) and event.attempts)
        with video.sender(socket):
            back_at = time.monotonic()
            first = _next_frame(events)
            assert time.monotonic() - back_at < 3
            later = _next_frame(events)
        assert pipeline.statistics().restarts >= 1
    assert last.number < first.number < later.number
    assert last.pts_ns < first.pts_ns < later.pts_ns


def test_a_silent_sender_is_a_lost_signal(tmp_path: Path) -> None:
    """A sender that hangs without closing is noticed too; when it goes on, its pictures are taken again."""
    socket = tmp_path / "scanner"
    with (
        video.sender(socket) as process,
        open_pipeline(PhantomSource(socket, 320, 240, 30), patient=True) as pipeline,
    ):
        events = pipeline.frames(threading.Event(), timeout_s=0.5)
        _next_frame(events)
        os.kill(process.pid, signal.SIGSTOP)
        lost = next(event for event in events if isinstance(event, SignalLost))
        assert 0.5 <= lost.silent_s < 1.5
        assert lost.cause == "no picture arrives"
        os.kill(process.pid, signal.SIGCONT)
        assert _next_frame(events).number > 0


def test_stopping_ends_the_iteration_at_once(tmp_path: Path) -> None:
    """Setting the stop event ends the iteration within half a second, even while no signal is there."""
    stop = threading.Event()
    source = PhantomSource(tmp_path / "nobody", 320, 240, 30)
    with open_pipeline(source, patient=True) as pipeline:
        timer = threading.Timer(0.2, stop.set)
        timer.start()
        began = time.monotonic()
        assert list(pipeline.frames(stop)) == []
        assert time.monotonic() - began < 0.9
        timer.join()


def _wrong_files(folder: Path) -> dict[str, Path]:
    files = {
        name: folder / name
        for name in ("missing.mp4", "folder.mp4", "empty.mp4", "text.mp4", "cut.mp4", "tone.wav")
    }
    files["folder.mp4"].mkdir()
    files["empty.mp4"].touch()
    files["text.mp4"].write_text("This is no video.\n" * 50)
    whole = video.make_clip(folder / "whole.mp4", frames=10)
    files["cut.mp4"].write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    tone = f"audiotestsrc num-buffers=20 ! audioconvert ! wavenc ! filesink location={files['tone.wav']}"
    subprocess.run(["gst-launch-1.0", "-q", *tone.split()], check=True, timeout=30)
    return files


def test_each_wrong_file_is_named_with_its_fault(tmp_path: Path) -> None:
    """Every file that is no video gives one clear sentence that names it, in replay and live."""
    faults = {
        "missing.mp4": "does not exist",
        "folder.mp4": "is a folder",
        "empty.mp4": "is empty",
        "text.mp4": "is not a video that can be played: it holds no picture",
        "cut.mp4": "is cut off, its index is missing",
        "tone.wav": "is not a video that can be played: it holds no picture",
    }
    for name, path in _wrong_files(tmp_path).items():
        for every_frame in (True, False):
            with (
                pytest.raises(SourceError, match=faults[name]) as caught,
                open_pipeline(FileSource(path), every_frame=every_frame),
            ):
                pass
            assert name in str(caught.value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (V4l2Source(Path("/dev/video-that-is-not-there")), "is not a capture device"),
        (V4l2Source(Path("/dev/null"), width=0), "0xNone at None Hz is no video"),
        (PhantomSource(Path("/nowhere/scanner"), 320, 240, 30), "No virtual scanner at /nowhere/scanner"),
        (PhantomSource(Path("/nowhere/scanner"), 320, 240, 0), "at 0 Hz is no video"),
        (RtspSource("http://scanner/video"), "is not an RTSP address"),
    ],
)
def test_each_wrong_live_source_is_named_with_its_fault(source: Source, fault: str) -> None:
    """A live source that cannot be gives one clear sentence before anything is opened."""
    with pytest.raises(SourceError, match=fault), open_pipeline(source):
        pass


def test_a_live_source_cannot_be_replayed(tmp_path: Path) -> None:
    """Replay is for files only, and says so."""
    with (
        pytest.raises(SourceError, match="cannot be replayed"),
        open_pipeline(PhantomSource(tmp_path / "scanner", 320, 240, 30), every_frame=True),
    ):
        pass


@pytest.mark.parametrize("every_frame", [True, False])
def test_a_file_that_breaks_off_gives_its_frames_and_says_so(tmp_path: Path, *, every_frame: bool) -> None:
    """Frames come until the break; the end names the file, where it broke off and how long it should be."""
    whole = video.make_clip(tmp_path / "whole.mp4", frames=60, faststart=True)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with open_pipeline(FileSource(broken), every_frame=every_frame) as pipeline:
        *frames, end = list(pipeline.frames(threading.Event()))
    assert frames
    assert isinstance(end, StreamEnded)
    assert end.error is not None
    assert end.error.startswith("broken.mp4 breaks off after ")
    assert "of 2.0 s" in end.error


def test_a_file_name_cannot_smuggle_an_element_in(clip: Path, tmp_path: Path) -> None:
    """A path that looks like launch syntax is a path."""
    odd = tmp_path / 'a ! fakesink name="x" .mp4'
    odd.write_bytes(clip.read_bytes())
    with open_pipeline(FileSource(odd), every_frame=True) as pipeline:
        assert len(_frames(pipeline.frames(threading.Event()))) == CLIP_FRAMES


def test_a_recording_that_cannot_be_written_is_given_up(clip: Path) -> None:
    """A full disk ends the recording, with its reason; the display and the frames go on."""
    with open_pipeline(FileSource(clip), FileSink(Path("/dev/full"))) as pipeline:
        frames = _frames(pipeline.frames(threading.Event()))
        assert frames[-1].number == CLIP_FRAMES - 1
        assert pipeline.statistics().displayed > CLIP_FRAMES / 3
        assert pipeline.recording_trouble is not None
        assert "full cannot be written" in pipeline.recording_trouble


def test_a_recording_can_be_stopped_while_the_display_goes_on(clip: Path, tmp_path: Path) -> None:
    """What was recorded until then can be played; what follows is shown, and no longer written."""
    recording = tmp_path / "recording.mp4"
    with open_pipeline(FileSource(clip), FileSink(recording)) as pipeline:
        frames = pipeline.frames(threading.Event())
        while _next_frame(frames).number < CLIP_FRAMES // 3:
            pass
        pipeline.stop_recording("the disk is nearly full")
        pipeline.stop_recording("once is enough")
        size = recording.stat().st_size
        list(frames)
        assert pipeline.recording_trouble == "the disk is nearly full"
        assert pipeline.statistics().displayed > CLIP_FRAMES / 2
    assert recording.stat().st_size == size
    with open_pipeline(FileSource(recording), every_frame=True) as replay:
        assert 5 < len(_frames(replay.frames(threading.Event()))) < CLIP_FRAMES


def test_what_cannot_be_written_is_named(clip: Path, tmp_path: Path) -> None:
    """A recording or a snapshot without a place, and a snapshot in replay, give one clear sentence each."""
    with (
        pytest.raises(SinkError, match="is not a folder"),
        open_pipeline(FileSource(clip), FileSink(tmp_path / "nowhere" / "x.mp4")),
    ):
        pass
    with pytest.raises(SinkError, match="is a folder"), open_pipeline(FileSource(clip), FileSink(tmp_path)):
        pass
    with open_pipeline(FileSource(clip)) as pipeline:
        _next_frame(pipeline.frames(threading.Event()))
        with pytest.raises(SinkError, match=r"x\.png cannot be written"):
            pipeline.snapshot(tmp_path / "nowhere" / "x.png")
    with (
        open_pipeline(FileSource(clip), every_frame=True) as pipeline,
        pytest.raises(SinkError, match="no picture"),
    ):
        pipeline.snapshot(tmp_path / "x.png")


def _threads_and_files() -> tuple[int, int]:
    return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir()))


def test_opening_and_closing_leaks_nothing(clip: Path) -> None:
    """Twenty pipelines opened and closed leave no thread and no file behind."""
    source = FileSource(clip)

    def once() -> None:
        with open_pipeline(source, NoSink(), _drawn(Patch(0, 0, _solid(255, 0, 0)))) as pipeline:
            _next_frame(pipeline.frames(threading.Event()))
        with open_pipeline(source, every_frame=True) as pipeline:
            _next_frame(pipeline.frames(threading.Event()))

    for _ in range(3):
        once()
    threads_before, files_before = _threads_and_files()
    for _ in range(20):
        once()
    threads_after, files_after = _threads_and_files()
    assert files_after <= files_before
    assert threads_after <= threads_before + 8  # GLib keeps a few idle threads, however often one opens
