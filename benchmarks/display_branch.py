"""The display branch: what it adds to the picture's way, and what it loses while the analysis is busy.

Part one shows a live picture at 60 Hz with the full overlay and lets four kinds of consumer take frames: an
idle one, one that sleeps, one that computes in NumPy, and one that computes in Python itself and so holds the
interpreter's lock. Part two blends the same overlay in two ways, side by side: with GStreamer's overlay
composition straight into I420, as the appliance does, and with OpenCV on BGR frames, as one would by hand.
Beside it stands what it costs to look at a frame before anything is drawn over it.

    python benchmarks/display_branch.py [--seconds 6] [--json]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom.scene import Scene as Screen
from calibration.phantom.scene import draw_scene
from firmware_app.errors import SinkError
from firmware_app.journey import Circle, Frame, Rect, Square
from firmware_app.overlay.drawing import draw_cards, usual_areas
from firmware_app.overlay.guards import Guard, outline_guard, picture_guard, ring_guard
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.overlay.outlines import ring_patch, square_patches
from firmware_app.overlay.state import Estimate, OverlayState
from firmware_app.video.composition import composition_of, rectangle_of
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.pixels import BufferLuma, Layout, luma_of
from firmware_app.video.sinks import NoSink
from firmware_app.video.sources import PhantomSource
from firmware_app.wording import WORDINGS, Reason

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

WIDTH, HEIGHT, RATE = 1440, 1080, 60
STATE = OverlayState(
    runtime="OpenVINO CPU INT8",
    bundle_id="benchmark",
    accepted=3,
    refused=1,
    estimate=Estimate("S3", False, True, 3, (0.93, 0.71, 0.22), 10.4, 10.1, 0.14),
    message=WORDINGS[Reason.BOX_UNFILLED],
)


def full_overlay() -> tuple[Patch, ...]:
    """Both cards, both squares and the ring."""
    cards = draw_cards(STATE, usual_areas(WIDTH, HEIGHT), HEIGHT)
    squares = [p for y in (228, 679) for p in square_patches(Square(560, y, 150), 1.0)]
    return (*squares, ring_patch(Circle(640.0, 305.0, 60.0), 1.0), cards.outcome, cards.progress)


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
                overlay = Scene((Layer(full_overlay()),))
                stop = threading.Event()
                with open_pipeline(source, NoSink(), overlay, wait_for_source=True) as pipeline:
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


def blend_in_gstreamer(patches: tuple[Patch, ...], frames: int) -> float:
    """Milliseconds per frame of composing into I420, without making the frames."""
    times = []
    for composition in (composition_of([rectangle_of(patch) for patch in patches]), None):
        graph = Gst.parse_launch(
            "videotestsrc num-buffers=1 ! "
            f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT} ! imagefreeze num-buffers={frames} ! "
            "overlaycomposition name=overlay ! fakesink sync=false"
        )
        graph.get_by_name("overlay").connect("draw", lambda *_, composed=composition: composed)
        began = time.perf_counter()
        graph.set_state(Gst.State.PLAYING)
        graph.get_bus().timed_pop_filtered(60 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        times.append(time.perf_counter() - began)
        graph.set_state(Gst.State.NULL)
    return (times[0] - times[1]) * 1000 / frames


def blend_in_opencv(patches: tuple[Patch, ...], frames: int) -> float:
    """Milliseconds per frame of the way by hand: I420 to BGR, blend each patch, and back."""
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
    ready = [(patch, patch.pixels[..., :3], _alpha(patch)) for patch in patches]
    began = time.perf_counter()
    for _ in range(frames):
        frame = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)
        for patch, colour, alpha in ready:
            height, width = colour.shape[:2]
            area = frame[patch.y : patch.y + height, patch.x : patch.x + width]
            area[:] = cv2.blendLinear(
                np.ascontiguousarray(colour), np.ascontiguousarray(area), alpha, 1 - alpha
            )
        cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
    return (time.perf_counter() - began) * 1000 / frames


def look_at_a_frame(repeats: int) -> float:
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
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def _alpha(patch: Patch) -> npt.NDArray[np.float32]:
    return np.asarray(patch.pixels[..., 3] / 255, np.float32)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=6.0, help="live display per consumer")
    parser.add_argument("--repeats", type=int, default=5, help="of the two ways of blending")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    try:
        displays = {name: display(consume, arguments.seconds) for name, consume in CONSUMERS.items()}
    except SinkError as error:
        print(error, file=sys.stderr)
        return 1
    patches = full_overlay()
    ours, by_hand = [], []
    for _ in range(arguments.repeats):  # side by side, so that a busy machine slows down both
        ours.append(blend_in_gstreamer(patches, 200))
        by_hand.append(blend_in_opencv(patches, 100))
    blending = {
        "overlay_composition_ms": statistics.median(ours),
        "opencv_bgr_ms": statistics.median(by_hand),
        "look_ms": look_at_a_frame(200),
        "ratio": statistics.median([b / a for a, b in zip(ours, by_hand, strict=True)]),
    }
    if arguments.json:
        shown = {name: dataclasses.asdict(result) for name, result in displays.items()}
        print(json.dumps({"display": shown, "blending": blending}))
        return 0
    print(f"{WIDTH}x{HEIGHT} at {RATE} Hz, latency of the display branch; a frame is {1000 / RATE:.1f} ms")
    for name, result in displays.items():
        latency = result.display_latency
        assert latency is not None
        print(
            f"  {name:26} p50 {latency.p50_ms:6.2f}  p99 {latency.p99_ms:6.2f}  max {latency.max_ms:6.2f}   "
            f"displayed {result.displayed}, dropped {result.dropped_display}; analysed {result.analysed}"
        )
    print(
        f"  overlay composition {blending['overlay_composition_ms']:.2f} ms per frame, "
        f"OpenCV on BGR {blending['opencv_bgr_ms']:.2f} ms: {blending['ratio']:.1f} x"
    )
    print(f"  looking at a frame before drawing {blending['look_ms']:.2f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
