"""GStreamer's v4l2src on a card that is not there: what a card knows is told in time, and over in time.

A library in front of the C library answers the kernel's requests (`fake_card.c`). What it cannot show is
whether a real card's driver answers as it does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Event, Thread
from typing import IO

import pytest

from firmware_app.journey import Frame
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sources import FileSource
from firmware_app.video.stream_events import StreamEnded

SOURCE = Path(__file__).with_name("fake_card.c")
PATIENCE_S = 30.0
TOLD_S, RECOVERED_S, BUSY_S = 1.0, 3.0, 3.0
"""What is promised, and what is granted to a machine on which other tests run."""
FOLLOW = """
import json, sys, threading, time
from pathlib import Path
from firmware_app.video.sinks import FileSink, NoSink
from firmware_app.journey import Frame
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sources import V4l2Source
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
sink = FileSink(Path(sys.argv[2])) if len(sys.argv) > 2 else NoSink()
with open_pipeline(V4l2Source(Path(sys.argv[1])), sink, patient=True) as pipeline:
    last = None
    for event in pipeline.frames(stop):
        live = isinstance(event, Frame)
        told = ("live", "") if live else (event.state.value, event.cause)
        if told[0] != last:
            last = told[0]
            print(json.dumps([*told, time.monotonic()]), flush=True)
"""


@dataclass
class Card:
    """The card, and what the appliance tells about it."""

    mode: Path
    told: Queue[tuple[str, str, float]]
    process: subprocess.Popen[str]
    recording: Path

    def turn(self, word: str) -> float:
        """Let something happen to the card; returns when."""
        part = self.mode.with_suffix(".part")
        part.write_text(word)
        part.replace(self.mode)
        return time.monotonic()

    def wait(self, state: str, passing: str = "") -> tuple[str, float]:
        """The cause and the time with which this state was told; only `passing` may be told meanwhile."""
        try:
            told, cause, at_s = self.told.get(timeout=PATIENCE_S)
            if told == passing:
                told, cause, at_s = self.told.get(timeout=PATIENCE_S)
        except Empty:
            raise AssertionError(f"{state} was never told") from None
        assert told == state
        return cause, at_s

    def quiet(self, seconds: float) -> None:
        """Nothing more is told for a while."""
        with pytest.raises(Empty):
            self.told.get(timeout=seconds)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The card, compiled."""
    compiler = shutil.which("cc") or shutil.which("tcc")
    if compiler is None or not Path("/usr/include/linux/videodev2.h").is_file():
        pytest.skip("no C compiler, or no kernel headers (linux-libc-dev)")
    path = tmp_path_factory.mktemp("card") / "fake_card.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(path), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(command, check=True, timeout=30)
    return path


@pytest.fixture
def card(library: Path, tmp_path: Path) -> Iterator[Card]:
    """A card that is all right, and a process that follows it."""
    device, mode = tmp_path / "video0", tmp_path / "mode"
    device.symlink_to("/dev/null")  # a character device, as a card is
    mode.write_text("ok")
    fake = {"FAKE_CARD": str(device), "FAKE_CARD_MODE": str(mode), "LD_PRELOAD": str(library)}
    recording = tmp_path / "recording.mp4"
    command = [sys.executable, "-c", FOLLOW, str(device), str(recording)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=os.environ | fake, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    told: Queue[tuple[str, str, float]] = Queue()
    reader = Thread(target=_read, args=(process.stdout, told), name="card reader")
    reader.start()
    try:
        following = Card(mode, told, process, recording)
        following.wait("live")
        yield following
    finally:
        process.kill()
        process.wait(10)
        reader.join(10)
        process.stdin.close()
        process.stdout.close()


def _read(lines: IO[str], told: Queue[tuple[str, str, float]]) -> None:
    for line in lines:
        state, cause, at_s = json.loads(line)
        told.put((state, cause, at_s))


@pytest.mark.slow  # in real time: it wants a machine of its own
@pytest.mark.parametrize(
    ("mode", "state", "cause"),
    [
        ("no_cable", "no_cable", "the card sees no cable"),
        ("no_lock", "no_signal", "the card cannot lock on the signal"),
        ("range", "unsupported_timing", "the signal is beyond what the card can take"),
        ("silent", "no_signal", "no picture arrives"),
    ],
)
def test_what_a_card_knows_is_told_in_time_and_is_over_in_time(
    card: Card, mode: str, state: str, cause: str
) -> None:
    """Each fault is told within a second, stands while it lasts, and ends within three seconds."""
    began_s = card.turn(mode)
    told, at_s = card.wait(state)
    assert told.startswith(cause)
    assert at_s - began_s < TOLD_S + BUSY_S
    card.quiet(3.0)  # the source is opened again meanwhile
    began_s = card.turn("ok")
    _, at_s = card.wait("live")
    assert at_s - began_s < RECOVERED_S + BUSY_S


def test_a_card_that_is_unplugged_and_plugged_in(card: Card) -> None:
    """The device is gone, and is taken again when it is back."""
    began_s = card.turn("gone")
    _, at_s = card.wait("no_device")
    assert at_s - began_s < TOLD_S + BUSY_S
    began_s = card.turn("ok")
    _, at_s = card.wait("live", passing="no_signal")  # open, but its first picture takes its time
    assert at_s - began_s < RECOVERED_S + BUSY_S


def test_a_card_that_repeats_its_last_picture_is_frozen_for_as_long_as_it_does(card: Card) -> None:
    """Its stamps stand still. After ten seconds GStreamer makes up new ones: the old picture stays out."""
    began_s = card.turn("frozen")
    _, at_s = card.wait("frozen_source")
    assert at_s - began_s < TOLD_S + BUSY_S
    card.quiet(12.0)
    began_s = card.turn("ok")
    _, at_s = card.wait("live")
    assert at_s - began_s < RECOVERED_S + BUSY_S


def test_a_recording_goes_on_through_every_fault(card: Card) -> None:
    """Before, during and after a fault the display is recorded in one file that can be played."""
    time.sleep(1.0)
    card.turn("no_cable")
    card.wait("no_cable")
    time.sleep(1.0)
    card.turn("ok")
    card.wait("live")
    time.sleep(1.0)
    assert card.process.stdin is not None
    card.process.stdin.close()
    assert card.process.wait(20) == 0
    with open_pipeline(FileSource(card.recording), every_frame=True) as pipeline:
        *frames, end = pipeline.frames(Event())
    assert end == StreamEnded()
    black = [bool(frame.pixels.max() < 12) for frame in frames if isinstance(frame, Frame)]
    assert len(black) > 40
    dark = [number for number, is_black in enumerate(black) if is_black]
    assert dark
    assert min(dark) > 10
    assert not black[-1]
