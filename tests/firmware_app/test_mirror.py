"""The mirror on real GStreamer: it costs nothing until somebody watches, and never holds up the display."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from firmware_app.journey import Frame, Picture, Rect
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.video.mirror import RATE, WATCHERS, Mirror, MirrorFullError, MirrorPicture, jpeg_of
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.sinks import FileSink
from firmware_app.video.sources import FileSource, PhantomSource
from firmware_app.video.stream_events import SignalLost, StreamEnded
from tests.firmware_app.video import make_clip, sender

PATIENCE_S = 20.0
BLEND_ERROR = 45
"""See `test_pipeline`: GStreamer's blending of saturated colours."""


@contextmanager
def live(folder: Path, mirror: Mirror, overlay: Scene | None = None) -> Iterator[Pipeline]:
    """A pipeline on a live sender, its analysis running on a thread of its own."""
    socket, stop = folder / "scanner.sock", threading.Event()
    mirror.hide(())
    source = PhantomSource(socket, 320, 240, 60)
    with sender(socket, fps=60):
        until(socket.exists)
        with open_pipeline(source, None, overlay, mirror) as pipeline:
            analysis = threading.Thread(target=lambda: list(_passing(pipeline, stop)), name="analysis")
            analysis.start()
            try:
                until(lambda: pipeline.statistics().displayed > 0)
                yield pipeline
            finally:
                stop.set()
                analysis.join(PATIENCE_S)


class Counting(Mirror):
    """Counts the pictures that were made."""

    coded = 0

    def put(self, picture: Picture, captured_ns: int) -> None:
        """One more."""
        self.coded += 1
        super().put(picture, captured_ns)


def _passing(pipeline: Pipeline, stop: threading.Event) -> Iterator[None]:
    for _event in pipeline.frames(stop):
        yield


def until(holds: object) -> None:
    """Wait for a condition."""
    assert callable(holds)
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came about"
        time.sleep(0.01)


def hold_up(held: threading.Event) -> None:
    """What a watcher must not do."""
    held.wait(0.5)


def first_picture(mirror: Mirror) -> MirrorPicture:
    """The first picture for a watcher."""
    came = threading.Event()
    with mirror.watch(came.set):
        assert came.wait(PATIENCE_S)
        newest = mirror.newest
    assert newest is not None
    return newest


def test_nothing_is_encoded_until_somebody_watches(tmp_path: Path) -> None:
    """The gate is closed before the first watcher and after the last, and opens for each in between."""
    mirror = Counting()
    with live(tmp_path, mirror) as pipeline:
        shown = pipeline.statistics().displayed
        until(lambda: pipeline.statistics().displayed > shown + 30)
        assert mirror.coded == 0
        assert mirror.newest is None
        first_picture(mirror)
        until(lambda: mirror.watchers == 0)
        assert mirror.newest is None
        shown = pipeline.statistics().displayed
        until(lambda: pipeline.statistics().displayed > shown + 10)  # what was under way has arrived
        made = mirror.coded
        until(lambda: pipeline.statistics().displayed > shown + 40)
        assert mirror.coded == made
        first_picture(mirror)
        assert mirror.coded > made


def test_the_display_never_waits_for_the_mirror(tmp_path: Path) -> None:
    """A watcher that holds up the mirror's own thread does not hold up the display.

    A display that waited would never show ninety more frames; a busy machine may miss a few by itself.
    """
    mirror, held = Mirror(), threading.Event()
    with live(tmp_path, mirror) as pipeline:
        before = pipeline.statistics()
        with mirror.watch(lambda: hold_up(held)):
            until(lambda: pipeline.statistics().displayed > before.displayed + 90)
            after = pipeline.statistics()
            held.set()
    assert after.dropped_display - before.dropped_display < 9


def test_the_mirror_shows_what_the_display_shows(tmp_path: Path) -> None:
    """The overlay is in it, black is black, and the frame's arrival is known."""
    colour = np.full((80, 120, 4), (40, 90, 200, 255), np.uint8)
    mirror = Mirror()
    with live(tmp_path, mirror, Scene((Layer((Patch(100, 60, colour),)),))):
        picture = first_picture(mirror)
        age_s = (time.monotonic_ns() - picture.captured_ns) / 1e9
    assert 0 < age_s < PATIENCE_S
    shown = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (240, 320, 3)
    assert shown[:20, :20].max() <= 3
    assert np.abs(shown[80:120, 120:200].mean((0, 1)) - (40, 90, 200)).max() <= BLEND_ERROR


@pytest.mark.parametrize(("size", "coded"), [((1440, 1080), (1024, 768)), ((640, 480), (640, 480))])
def test_large_pictures_are_scaled_to_a_tablet(size: tuple[int, int], coded: tuple[int, int]) -> None:
    """A picture keeps its shape; what is small already stays as it is."""
    picture = cv2.imdecode(np.frombuffer(jpeg_of(np.zeros((size[1], size[0], 3), np.uint8)), np.uint8), 1)
    assert picture is not None
    assert picture.shape == (coded[1], coded[0], 3)


def test_pictures_come_no_faster_than_they_are_seen() -> None:
    """Of sixty frames a second twenty are due, however unevenly they come."""
    mirror, rng = Mirror(), np.random.default_rng(3)
    times_ns = np.sort(rng.integers(0, 10 * 10**9, 600))
    due = [now for now in times_ns if mirror.is_due(int(now))]
    assert 0.9 * 10 * RATE <= len(due) <= 10 * RATE + 1


def test_watching_outlives_the_signal(tmp_path: Path) -> None:
    """When the sender dies while somebody watches, pictures go on coming, as on the display."""
    mirror, socket, stop = Counting(), tmp_path / "scanner.sock", threading.Event()
    mirror.hide(())
    lost = threading.Event()

    def follow(pipeline: Pipeline) -> None:
        for event in pipeline.frames(stop):
            if isinstance(event, SignalLost):
                lost.set()

    with sender(socket, fps=60) as process:
        until(socket.exists)
        with open_pipeline(PhantomSource(socket, 320, 240, 60), mirror=mirror) as pipeline:
            analysis = threading.Thread(target=follow, args=(pipeline,), name="analysis")
            analysis.start()
            try:
                with mirror.watch(lambda: None):
                    until(lambda: mirror.coded > 5)
                    process.kill()
                    assert lost.wait(PATIENCE_S)
                    coded = mirror.coded
                    until(lambda: mirror.coded > coded)
            finally:
                stop.set()
                analysis.join(PATIENCE_S)


def test_watchers_are_bounded() -> None:
    """One watcher too many is refused in words, and a place that is left can be taken."""
    mirror = Mirror()
    with ExitStack() as watching:
        for _ in range(WATCHERS):
            watching.enter_context(mirror.watch(lambda: None))
        with pytest.raises(MirrorFullError, match="close one"), mirror.watch(lambda: None):
            pass


def test_the_banner_is_hidden_and_nothing_is_shown_before_it_is_known() -> None:
    """Until the screen was looked at once, no picture is given away; then the banner's area is hatched."""
    picture = np.full((240, 320, 3), 255, np.uint8)
    mirror = Mirror()
    mirror.put(picture, 1)
    with mirror.watch(lambda: None):
        mirror.put(picture, 2)
        assert mirror.newest is None
        mirror.hide((Rect(0, 0, 320, 40),))
        mirror.put(picture, 3)
        newest = mirror.newest
    assert newest is not None
    assert newest.captured_ns == 3
    shown = cv2.imdecode(np.frombuffer(newest.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown[:38].max() < 120
    assert shown[60:].min() > 240


@pytest.mark.parametrize("watched", [False, True])
def test_a_recording_ends_whether_it_is_watched_or_not(tmp_path: Path, *, watched: bool) -> None:
    """The end of a file reaches the analysis and finalises the recording with the mirror open or closed."""
    clip = make_clip(tmp_path / "clip.mp4", frames=30)
    mirror, recording = Mirror(), tmp_path / "shown.mp4"
    with ExitStack() as stack:
        if watched:
            stack.enter_context(mirror.watch(lambda: None))
        pipeline = stack.enter_context(open_pipeline(FileSource(clip), FileSink(recording), mirror=mirror))
        events = list(pipeline.frames(threading.Event()))
    assert events[-1] == StreamEnded()
    assert any(isinstance(event, Frame) for event in events)
    film = cv2.VideoCapture(str(recording))
    assert film.get(cv2.CAP_PROP_FRAME_COUNT) == 30
