"""The screen is not there, comes, fails: the appliance goes on without it, and shows on it when it can."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import pytest

from firmware_app.errors import SinkError
from firmware_app.journey import Frame
from firmware_app.video import display, showing, sinks
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.sinks import DISPLAY_END, WindowSink
from firmware_app.video.sources import FileSource, PhantomSource
from tests.firmware_app.video import make_clip, sender

PATIENCE_S = 30.0
HAS_SCREEN = any(Path("/dev/dri").glob("card*"))


@pytest.fixture(autouse=True)
def console(monkeypatch: pytest.MonkeyPatch) -> None:
    """No desktop to begin with, and a short wait for the next attempt."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(showing, "_AGAIN_NS", 200_000_000)


@contextmanager
def live(folder: Path) -> Iterator[tuple[Pipeline, Callable[[Callable[[], bool]], None]]]:
    """A live pipeline with a window, and how to follow it until something is so; no signal may be lost."""
    path = folder / "scanner"
    with sender(path), open_pipeline(PhantomSource(path, 320, 240, 30), WindowSink(), patient=True) as opened:
        events = opened.frames(threading.Event(), timeout_s=3.0)
        while not isinstance(next(events), Frame):
            pass

        def until(reached: Callable[[], bool]) -> None:
            deadline_s = time.monotonic() + PATIENCE_S
            while not reached():
                assert time.monotonic() < deadline_s
                assert isinstance(next(events), Frame)

        yield opened, until


def goes_on(pipeline: Pipeline, until: Callable[[Callable[[], bool]], None]) -> None:
    """Ten more pictures are shown."""
    shown = pipeline.statistics().displayed
    until(lambda: pipeline.statistics().displayed > shown + 10)


@contextmanager
def desktop() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real X server without a screen to look at: its name and its process."""
    reading, writing = os.pipe()
    words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "640x480x24", "-noreset"]
    with subprocess.Popen(words, pass_fds=(writing,), stderr=subprocess.DEVNULL) as server:
        os.close(writing)
        with os.fdopen(reading) as told:
            number = told.readline().strip()
        try:
            yield f":{number}", server
        finally:
            server.terminate()


def seen_on(name: str, path: Path) -> float:
    """The brightest level that stands on the desktop."""
    screen = f"ximagesrc show-pointer=false display-name={name} num-buffers=1"
    grab = f"{screen} ! videoconvert ! pngenc ! filesink location={path}"
    subprocess.run(["gst-launch-1.0", "-q", *grab.split()], check=True, timeout=30)
    picture = cv2.imread(str(path))
    assert picture is not None
    return float(picture.max())


@pytest.mark.skipif(HAS_SCREEN, reason="this machine has a screen of its own")
def test_a_screen_that_comes_later_is_shown_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a screen the frames go on; once there is one, the picture stands on it."""
    with desktop() as (name, _), live(tmp_path) as (pipeline, until), caplog.at_level(logging.WARNING):
        assert pipeline.screen_trouble == "There is no display: connect one, or record to a file."
        goes_on(pipeline, until)
        assert seen_on(name, tmp_path / "before.png") == 0
        monkeypatch.setenv("DISPLAY", name)
        until(lambda: pipeline.screen_trouble is None)
        goes_on(pipeline, until)
        assert seen_on(name, tmp_path / "after.png") > 200
    assert [record.message for record in caplog.records].count("the screen is back") == 1


def test_a_screen_that_is_there_is_shown_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the beginning, without a complaint."""
    with desktop() as (name, _):
        monkeypatch.setenv("DISPLAY", name)
        with live(tmp_path) as (pipeline, until):
            until(lambda: seen_on(name, tmp_path / "now.png") > 200)
            assert pipeline.screen_trouble is None


def test_a_screen_that_hangs_later_takes_nothing_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desktop that stops answering while it shows pictures is left, and shown on again when it goes on."""
    monkeypatch.setattr(display, "_ANSWERS_S", 1.0)
    with desktop() as (name, server):
        monkeypatch.setenv("DISPLAY", name)
        with live(tmp_path) as (pipeline, until):
            until(lambda: seen_on(name, tmp_path / "now.png") > 200)
            server.send_signal(signal.SIGSTOP)
            try:
                until(lambda: pipeline.screen_trouble == "The display does not answer.")
                goes_on(pipeline, until)
                pipeline.snapshot(tmp_path / "meanwhile.png")
            finally:
                server.send_signal(signal.SIGCONT)
            until(lambda: pipeline.screen_trouble is None)
            goes_on(pipeline, until)


def test_a_screen_that_fails_costs_no_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A screen that cannot be opened is tried over and over beside the display in use, until it can be."""
    monkeypatch.setattr(sinks, "check", lambda _: None)
    broken = [True]

    def window(_has_element: object) -> str:
        return f"fakesink name={DISPLAY_END} state-error={'ready-to-paused' if broken[0] else 'none'}"

    monkeypatch.setattr(sinks, "_window", window)
    with live(tmp_path) as (pipeline, until):
        until(lambda: pipeline.screen_trouble is not None)
        assert str(pipeline.screen_trouble).startswith("The display cannot be written")
        before = pipeline.statistics()
        until(lambda: pipeline.statistics().displayed > before.displayed + 60)
        assert pipeline.statistics().dropped_display == before.dropped_display
        pipeline.snapshot(tmp_path / "meanwhile.png")
        broken[0] = False
        until(lambda: pipeline.screen_trouble is None)
        goes_on(pipeline, until)


def test_an_element_that_is_not_installed_is_a_missing_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GStreamer without the sink of this desktop: named, and done without."""
    monkeypatch.setattr(sinks, "check", lambda _: None)
    monkeypatch.setattr(sinks, "_window", lambda _: f"fibrostagemissing name={DISPLAY_END}")
    with live(tmp_path) as (pipeline, until):
        assert "fibrostagemissing" in str(pipeline.screen_trouble)
        goes_on(pipeline, until)


def test_a_screen_that_hangs_takes_nothing_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop that takes the connection and never answers: the window is left behind, the frames go on."""
    monkeypatch.setattr(display, "_ANSWERS_S", 1.0)
    number = 10_000 + os.getpid() % 50_000
    place = Path(f"/tmp/.X11-unix/X{number}")  # noqa: S108 - where X servers listen
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    try:
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.bind(str(place))
            deaf.listen()
            monkeypatch.setenv("DISPLAY", f":{number}")
            with live(tmp_path) as (pipeline, until):
                until(lambda: pipeline.screen_trouble == "The display does not answer.")
                goes_on(pipeline, until)
                assert pipeline.screen_trouble is not None
    finally:
        place.unlink()


@pytest.mark.skipif(HAS_SCREEN, reason="this machine has a screen of its own")
def test_whoever_cannot_wait_is_told(tmp_path: Path) -> None:
    """A pipeline that is not patient does not open without the screen it was asked for."""
    clip = make_clip(tmp_path / "ball.mp4", frames=5)
    with (
        pytest.raises(SinkError, match="There is no display"),
        open_pipeline(FileSource(clip), WindowSink()),
    ):
        raise AssertionError
