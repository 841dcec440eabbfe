"""The display branch: what it adds to the picture's way, and what it loses while the analysis is busy.

It shows a live picture at 60 Hz with the full overlay and lets four kinds of consumer take frames: an idle
one, one that sleeps, one that computes in NumPy, and one that computes in Python itself and so holds the
interpreter's lock. Beside it stands what it costs to look at a frame before anything is drawn over it. What
the drawing itself costs is in `overlay_drawing`.

    python -m benchmarks.display_branch [--seconds 6]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from benchmarks.overlay_drawing import full_overlay
from benchmarks.record import Run, keep, parser
from calibration.phantom.scene import Scene as Screen
from calibration.phantom.scene import draw_scene
from firmware_app.errors import SinkError
from firmware_app.journey import Circle, Frame, Rect
from firmware_app.overlay.guards import Guard, outline_guard, picture_guard, ring_guard
from firmware_app.overlay.layers import Layer, Scene
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.pixels import BufferLuma, Layout, luma_of
from firmware_app.video.sinks import NoSink
from firmware_app.video.sources import PhantomSource

WIDTH, HEIGHT, RATE = 1440, 1080, 60


def _idle(_frame: Frame) -> None:
    pass


def _sleep(_frame: Frame) -> None:
    time.sleep(0.2)


def _numpy(frame: Frame) -> None:
    values = frame.pixels.astype(np.float32)
    for _ in range(4):
        values = cv2.GaussianBlur(values, (15, 15), 3)


def _python(_frame: Frame) -> None:
    until = time.perf_counter() + 0.1
    while time.perf_counter() < until:
        pass


CONSUMERS: dict[str, Callable[[Frame], None]] = {
    "idle": _idle,
    "sleeps 200 ms per frame": _sleep,
    "NumPy and OpenCV": _numpy,
    "Python, holding its lock": _python,
}


def display(consume: Callable[[Frame], None], seconds: float) -> PipelineStatistics:
    """Statistics of a live display while `consume` takes frames."""
    with tempfile.TemporaryDirectory() as folder:
        socket = Path(folder) / "scanner"
        launch = (
            "videotestsrc num-buffers=1 pattern=smpte ! "
            f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={RATE}/1,colorimetry=bt601 ! "
            "imagefreeze is-live=true ! "
            f"video/x-raw,framerate={RATE}/1 ! "
            f"shmsink socket-path={socket} wait-for-connection=false shm-size={WIDTH * HEIGHT * 24}"
        )
        with subprocess.Popen(["gst-launch-1.0", "-q", *launch.split()]) as sender:
            try:
                source = PhantomSource(socket, WIDTH, HEIGHT, RATE)
                overlay = Scene((Layer(full_overlay((WIDTH, HEIGHT))),))
                stop = threading.Event()
                with open_pipeline(source, NoSink(), overlay, patient=True) as pipeline:
                    timer: threading.Timer | None = None
                    for event in pipeline.frames(stop):
                        if isinstance(event, Frame):
                            if timer is None:
                                timer = threading.Timer(seconds, stop.set)
                                timer.start()
                            consume(event)
                    return pipeline.statistics()
            finally:
                sender.kill()


def look_at_a_frame(repeats: int) -> list[float]:
    """Milliseconds in which the guards of a frame look at an I420 buffer: ring, two outlines, banner."""
    picture, truth = draw_scene(Screen(), 12)
    assert truth.q_box is not None
    outline = np.asarray(truth.colour_box, np.float64).reshape(-1, 2)
    guards: list[Guard] = [
        ring_guard(Circle(truth.q_box.x, truth.q_box.y, truth.q_box.r), picture),
        outline_guard(outline, picture),
        outline_guard(outline + np.array([0, 451]), picture),
        picture_guard((Rect(330, 2, 800, 34), Rect(330, 60, 800, 36)), picture, 2),
    ]
    plane = np.rint(luma_of(picture)).astype(np.uint8).ravel()
    luma = BufferLuma(plane, Layout("I420", WIDTH, HEIGHT, (0,), (WIDTH,)))
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        for guard in guards:
            guard.holds(luma)
        times.append(1e3 * (time.perf_counter() - began))
    return times


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--seconds", type=float, default=6.0, help="live display per consumer")
    chosen = options.parse_args()
    seconds, run = 0.5 if chosen.smoke else chosen.seconds, Run()
    for name, consume in CONSUMERS.items():
        try:
            result = display(consume, seconds)
        except SinkError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        latency = result.display_latency
        assert latency is not None, "nothing was displayed"
        for cut in ("p50", "p99", "max"):
            run.measure(f"{name}: display latency, {cut}", [getattr(latency, f"{cut}_ms")], "ms")
        run.measure(f"{name}: frames lost", [result.dropped_display], "frames")
        run.measure(f"{name}: frames analysed", [result.analysed], "frames", better="more")
    run.measure("look at a frame before drawing", look_at_a_frame(5 if chosen.smoke else 200), "ms")
    return keep("display_branch", run, chosen)


if __name__ == "__main__":
    sys.exit(main())
