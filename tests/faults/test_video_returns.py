"""After a loss, and after pictures of another size, the video is whole again for analysis and display."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from calibration.phantom.pipe import VideoFormat
from firmware_app.journey import Frame
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sources import PhantomSource
from tests.faults.scanner import SHARED_MEMORY, ScannerOutput, tidy_shared_memory

USUAL = VideoFormat(720, 540, 15)
OTHER_S = 2.5
BACK_WITHIN_S = 30.0
FEW, MANY = 5, 45
"""Frames before the loss, and after it: three seconds of them."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("other", [VideoFormat(640, 480, 15), VideoFormat(1024, 768, 15)])
def test_frames_come_again_after_another_size(tmp_path: Path, other: VideoFormat) -> None:
    """Pictures that are too small or too large pass by; then the usual ones are seen and shown again."""
    socket, stop = tmp_path / "scanner.sock", threading.Event()
    source = PhantomSource(socket, USUAL.width, USUAL.height, USUAL.fps)
    with ScannerOutput(socket, USUAL) as scanner, open_pipeline(source, patient=True) as pipeline:
        pipeline.show(Scene((Layer((Patch(10, 10, np.full((20, 20, 4), 255, np.uint8)),)),)))
        began_s = time.monotonic()
        switched_s = back_s = 0.0
        for event in pipeline.frames(stop):
            now_s = time.monotonic()
            if isinstance(event, Frame) and not switched_s:
                switched_s = now_s
                scanner.plug(other)
            elif switched_s and not back_s and now_s - switched_s > OTHER_S:
                back_s = now_s
                scanner.plug()
            elif back_s and isinstance(event, Frame) and pipeline.statistics().displayed:
                break
            assert now_s - began_s < OTHER_S + BACK_WITHIN_S


@pytest.mark.timeout(120)
def test_every_frame_is_known_after_a_loss(tmp_path: Path) -> None:
    """Once the cable is back, frame after frame reaches the analysis, and the source is not opened again."""
    socket, stop = tmp_path / "scanner.sock", threading.Event()
    source = PhantomSource(socket, USUAL.width, USUAL.height, USUAL.fps)
    with ScannerOutput(socket, USUAL) as scanner, open_pipeline(source, patient=True) as pipeline:
        before, after, restarts, plugged = 0, 0, 0, False
        began_s = time.monotonic()
        for event in pipeline.frames(stop):
            assert time.monotonic() - began_s < OTHER_S + BACK_WITHIN_S
            seen = isinstance(event, Frame)
            if before < FEW:
                before += seen
                if before == FEW:
                    scanner.unplug()
            elif not seen and not plugged:
                plugged = True
                scanner.plug()
            elif seen:
                after += 1
                restarts = pipeline.statistics().restarts if after == 1 else restarts
                if after == MANY:
                    break
        assert pipeline.statistics().restarts == restarts


@pytest.mark.parametrize("pid", [321, 4_194_303])
def test_shared_memory_of_a_killed_player_is_removed(pid: int) -> None:
    """As GStreamer names it (`shmpipe.%5d.%5d`), whether the process's number is short or long."""
    left = SHARED_MEMORY / f"shmpipe.{pid:5d}.{7:5d}"
    left.write_bytes(b"")
    try:
        tidy_shared_memory(pid)
        assert not left.exists()
    finally:
        left.unlink(missing_ok=True)
