"""The live source on real GStreamer: a process that hangs for good is started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

from firmware_app.journey import Frame
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sources import PhantomSource
from firmware_app.video.stream_events import SignalLost
from tests.conftest import PROGRAMS

PATIENCE_S = 40.0


def _sender_of(player: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{player.pid}/task/{player.pid}/children").read_text().split()
    return next(
        int(child) for child in children if "gst-launch" in Path(f"/proc/{child}/cmdline").read_text()
    )


def test_a_sender_that_hangs_for_good_is_started_anew(tmp_path: Path) -> None:
    """What hangs takes no frame; three seconds later another process sends, and the reader finds it."""
    socket = tmp_path / "scanner.sock"
    words = ["phantom", "play", "--seed", "5", "--size", "640x480", "--fps", "15", "--loop"]
    command = [str(PROGRAMS / "fibrostage-calibrate"), *words, "--socket", str(socket)]
    source = PhantomSource(socket, 640, 480, 15)
    player = subprocess.Popen(command)
    try:
        with open_pipeline(source, patient=True) as pipeline:
            events = pipeline.frames(threading.Event())
            next(event for event in events if isinstance(event, Frame))
            hung = _sender_of(player)
            os.kill(hung, signal.SIGSTOP)
            next(event for event in events if isinstance(event, SignalLost))
            began_s = time.monotonic()
            for event in events:
                assert time.monotonic() - began_s < PATIENCE_S, "it never came back"
                if isinstance(event, Frame):
                    break
            assert _sender_of(player) != hung
    finally:
        player.terminate()
        assert player.wait(20) == 0
