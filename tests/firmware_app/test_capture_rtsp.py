"""A network encoder, as a real RTSP server: refused, silent, gone, locked; and back."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_app.journey import Frame
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.pipeline import Event, Pipeline, open_pipeline
from firmware_app.video.sources import RtspSource
from firmware_app.video.stream_events import SignalLost

SERVER = Path(__file__).with_name("rtsp_server.py")
PATIENCE_S = 25.0
RECOVERED_S = 3.0
BUSY_S = 3.0
"""Granted to a machine on which other tests run."""


def _is_there() -> bool:
    look = "import gi; gi.require_version('GstRtspServer', '1.0')"
    return subprocess.run([sys.executable, "-c", look], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _is_there(), reason="gir1.2-gst-rtsp-server-1.0 is not installed")


@pytest.fixture
def port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def encoder(port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """An RTSP server; killed at the end of the block."""
    command = [sys.executable, str(SERVER), str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "listening"
        yield process
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def following(port: int, user: str = "") -> Iterator[tuple[Pipeline, Iterator[Event]]]:
    """A pipeline on the encoder at this port, and its events."""
    source = RtspSource(f"rtsp://{user}127.0.0.1:{port}/video")
    with open_pipeline(source, patient=True) as pipeline:
        yield pipeline, pipeline.frames(threading.Event())


def until(events: Iterator[Event], holds: Callable[[Event], bool]) -> tuple[Event, float]:
    """The first event for which it holds, and after how many seconds it came."""
    began_s = time.monotonic()
    for event in events:
        passed_s = time.monotonic() - began_s
        if holds(event):
            return event, passed_s
        assert passed_s < PATIENCE_S, f"it never came about; last: {event}"
    raise AssertionError("the events ended")


def frame(event: Event) -> bool:
    """Whether it is a frame."""
    return isinstance(event, Frame)


def lost(state: CaptureState) -> Callable[[Event], bool]:
    """Whether it is a loss with this state."""
    return lambda event: isinstance(event, SignalLost) and event.state is state


def test_an_encoder_that_comes_goes_and_comes_back(port: int) -> None:
    """Nobody listens: told within a second. It comes: a frame within three. It goes: told again."""
    with following(port) as (pipeline, events):
        first = next(events)
        assert isinstance(first, SignalLost)
        assert first.state is CaptureState.NO_DEVICE
        assert first.silent_s < 1.0 + BUSY_S
        for _ in range(2):
            with encoder(port):
                _, back_s = until(events, frame)
                assert back_s < RECOVERED_S + BUSY_S
                until(events, frame)
            _, told_s = until(events, lambda event: isinstance(event, SignalLost))
            assert told_s < 1.0 + BUSY_S
            until(events, lost(CaptureState.NO_DEVICE))
        assert pipeline.statistics().hung == 0


def test_an_encoder_that_stands_still_is_no_signal(port: int) -> None:
    """A process that hangs without closing is told as silent, not as gone; it goes on where it was."""
    with encoder(port) as process, following(port) as (_, events):
        until(events, frame)
        os.kill(process.pid, signal.SIGSTOP)
        _, told_s = until(events, lost(CaptureState.NO_SIGNAL))
        assert told_s < 1.0 + BUSY_S
        os.kill(process.pid, signal.SIGCONT)
        _, back_s = until(events, frame)
        assert back_s < RECOVERED_S + BUSY_S


def test_an_encoder_without_a_picture_is_no_signal(port: int) -> None:
    """It keeps the connection, and no picture comes any more: the encoder is there, its input is not."""
    with encoder(port, "--silent", "3"), following(port) as (_, events):
        until(events, frame)
        event, _ = until(events, lost(CaptureState.NO_SIGNAL))
    assert isinstance(event, SignalLost)
    assert event.cause == "no picture arrives"


def test_a_wrong_password_is_named(port: int) -> None:
    """The cause says what is wrong; the right password shows the picture."""
    with encoder(port, "--password", "right"):
        with following(port, "user:wrong@") as (_, events):
            event, _ = until(events, lost(CaptureState.NO_DEVICE))
            assert isinstance(event, SignalLost)
            assert event.cause == "it refuses the user name or password"
        with following(port, "user:right@") as (_, events):
            until(events, frame)


def test_what_is_no_encoder_does_not_answer_as_one(port: int) -> None:
    """Another service at the address, or another size and codec after it: told, and taken when it comes."""
    with following(port) as (_, events):
        with socket.create_server(("127.0.0.1", port)):  # accepts, and never says a word
            event, _ = until(events, lambda event: isinstance(event, SignalLost) and event.attempts > 1)
            assert isinstance(event, SignalLost)
            assert event.state is CaptureState.NO_DEVICE
            assert event.cause == "it does not answer as an encoder would"
        with encoder(port, "--codec", "vp8", "--size", "640x480"):
            event, _ = until(events, frame)
    assert isinstance(event, Frame)
    assert event.pixels.shape == (480, 640, 3)


def _can_leave(unshare: str) -> bool:
    return subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0


def test_a_machine_without_a_network_is_no_cable() -> None:
    """Where no way leads to the encoder's network, the fault is here, not there."""
    unshare = shutil.which("unshare")
    script = (
        "import threading\n"
        "from firmware_app.video.pipeline import open_pipeline\n"
        "from firmware_app.video.sources import RtspSource\n"
        "with open_pipeline(RtspSource('rtsp://10.0.0.1/x'), patient=True) as pipeline:\n"
        "    print(next(pipeline.frames(threading.Event())).state.value)\n"
    )
    if unshare is None or not _can_leave(unshare):
        pytest.skip("this machine lets nobody leave its network")
    command = [unshare, "-rn", sys.executable, "-c", script]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=50)
    assert told.stdout.strip() == "no_cable"
