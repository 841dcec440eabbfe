"""What it costs to draw the overlay on a frame, beside the ways that one would find first.

Every way gets the same I420 frames and gives I420 frames back, with both cards, both squares and the ring on
them. Ours is GStreamer's overlay composition with pictures that were drawn once. Beside it: OpenCV on BGR
frames, blending the same pictures, or drawing lines and letters anew with its own functions (its letters are
plain strokes, and nothing is translucent); gdkpixbufoverlay, one element for each picture, read from files
that cannot change while it runs; and cairooverlay, which knows no I420: its two conversions alone are
measured, without any drawing. Times are processor time of a frame, over all threads; those of GStreamer are
the difference to the same graph without overlay.

    python -m benchmarks.overlay_drawing [--repeats 5]
"""

from __future__ import annotations

import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from benchmarks.record import Run, keep, parser
from firmware_app.journey import Circle, Square
from firmware_app.overlay.drawing import draw_cards, usual_areas
from firmware_app.overlay.layers import Patch
from firmware_app.overlay.outlines import ring_patch, square_patches
from firmware_app.overlay.state import Estimate, OverlayState
from firmware_app.video.composition import composition_of, rectangle_of
from firmware_app.wording import WORDINGS, Reason

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

Size = tuple[int, int]
SIZES: tuple[Size, ...] = ((1440, 1080), (1920, 1080), (3840, 2160))
STATE = OverlayState(
    runtime="OpenVINO CPU INT8",
    bundle_id="benchmark",
    accepted=3,
    refused=1,
    estimate=Estimate("S3", False, True, 3, (0.93, 0.71, 0.22), 10.4, 10.1, 0.14),
    message=WORDINGS[Reason.BOX_UNFILLED],
)
LINES = (
    "S3", "provisional, 3 of 5", ">=S2  0.93", ">=S3  0.71", "S4  0.22", "mean 10.4 kPa",
    "median 10.1 kPa", "IQR/median 14 %", "for research use only", "3 of 5, 1 refused", "box not filled",
)  # fmt: skip
"""About what the two cards say."""
GRAPH = "videotestsrc num-buffers=1 ! {caps} ! imagefreeze num-buffers={frames} ! {way}fakesink sync=false"
FRAMES = 60
CAIRO = "videoconvert ! video/x-raw,format=BGRA ! cairooverlay ! videoconvert ! video/x-raw,format=I420 ! "


def full_overlay(size: Size) -> tuple[Patch, ...]:
    """Both cards, both squares and the ring, for a picture of this size."""
    width, height = size
    scale = height / 1080
    left = round((width - 1440 * scale) / 2 + 560 * scale)
    cards = draw_cards(STATE, usual_areas(width, height), height)
    squares = [
        patch
        for y in (228, 679)
        for patch in square_patches(Square(left, round(y * scale), round(150 * scale)), scale)
    ]
    ring = ring_patch(Circle(left + 80 * scale, 305 * scale, 60 * scale), scale)
    return (*squares, ring, cards.outcome, cards.progress)


def play(size: Size, way: str, frames: int, prepare: Callable[[Gst.Pipeline], object] | None = None) -> float:
    """Milliseconds of processor time per frame of a graph.

    Args:
        size: of the picture.
        way: the graph between the source and its end, with a trailing "! "; empty: nothing.
        frames: how many.
        prepare: is given the graph before it runs.
    """
    caps = f"video/x-raw,format=I420,width={size[0]},height={size[1]},colorimetry=bt601"
    graph = Gst.parse_launch(GRAPH.format(caps=caps, frames=frames, way=way))
    if prepare is not None:
        prepare(graph)
    began = time.process_time()
    graph.set_state(Gst.State.PLAYING)
    done = graph.get_bus().timed_pop_filtered(120 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    spent = time.process_time() - began
    graph.set_state(Gst.State.NULL)
    if done is None or done.type is not Gst.MessageType.EOS:
        raise SystemExit(f"error: GStreamer cannot play {way}")
    return 1e3 * spent / frames


def composition(patches: tuple[Patch, ...], size: Size, frames: int) -> float:
    """Our way."""
    composed = composition_of([rectangle_of(patch) for patch in patches])

    def prepare(graph: Gst.Pipeline) -> None:
        graph.get_by_name("overlay").connect("draw", lambda *_: composed)

    return play(size, "overlaycomposition name=overlay ! ", frames, prepare)


def pixbufs(patches: tuple[Patch, ...], folder: Path, size: Size, frames: int) -> float:
    """One gdkpixbufoverlay for each picture."""
    elements = []
    for number, patch in enumerate(patches):
        path = folder / f"{size[0]}-{number}.png"
        if not path.exists():
            cv2.imwrite(str(path), patch.pixels)
        elements.append(f"gdkpixbufoverlay location={path} offset-x={patch.x} offset-y={patch.y} ! ")
    return play(size, "".join(elements), frames)


def blended(patches: tuple[Patch, ...], size: Size, frames: int) -> float:
    """OpenCV: to BGR, blend each picture, and back."""
    ready = [(patch, np.ascontiguousarray(patch.pixels[..., :3]), _alpha(patch)) for patch in patches]

    def draw(frame: npt.NDArray[np.uint8]) -> None:
        for patch, colour, alpha in ready:
            height, width = colour.shape[:2]
            area = frame[patch.y : patch.y + height, patch.x : patch.x + width]
            area[:] = cv2.blendLinear(colour, np.ascontiguousarray(area), alpha, 1 - alpha)

    return by_hand(size, frames, draw)


def drawn(size: Size, frames: int) -> float:
    """OpenCV: to BGR, lines and letters anew, and back."""
    scale = size[1] / 1080
    at = partial(_scaled, scale)

    def draw(frame: npt.NDArray[np.uint8]) -> None:
        for y in (228, 679):
            cv2.rectangle(frame, at(560, y), at(710, y + 150), (0, 230, 240), max(2, round(2 * scale)))
        cv2.circle(
            frame, at(640, 305), round(60 * scale), (0, 230, 240), max(2, round(2 * scale)), cv2.LINE_AA
        )
        for number, line in enumerate(LINES):
            cv2.putText(frame, line, at(20, 620 + 36 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.9 * scale,
                        (255, 255, 255), max(1, round(scale)), cv2.LINE_AA)  # fmt: skip

    return by_hand(size, frames, draw)


def _scaled(scale: float, x: int, y: int) -> tuple[int, int]:
    return round(x * scale), round(y * scale)


def by_hand(size: Size, frames: int, draw: Callable[[npt.NDArray[np.uint8]], None]) -> float:
    """Milliseconds of processor time per frame of the way over BGR."""
    planes = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
    began = time.process_time()
    for _ in range(frames):
        frame = np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420), np.uint8)
        draw(frame)
        cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)
    return 1e3 * (time.process_time() - began) / frames


def _alpha(patch: Patch) -> npt.NDArray[np.float32]:
    return np.asarray(patch.pixels[..., 3] / 255, np.float32)


def measure(run: Run, size: Size, repeats: int, frames: int) -> None:
    """All ways at one size, in turns, so that a busy machine slows down all of them."""
    patches, bare = full_overlay(size), partial(play, size, "", frames)
    with tempfile.TemporaryDirectory() as name:
        ways: dict[str, Callable[[], float]] = {
            "ours": lambda: composition(patches, size, frames) - bare(),
            "OpenCV on BGR, the same pictures blended": lambda: blended(patches, size, frames),
            "OpenCV on BGR, its own lines and letters": lambda: drawn(size, frames),
            "cairooverlay, its conversions without drawing": lambda: play(size, CAIRO, frames) - bare(),
        }
        pixbuf = Gst.ElementFactory.find("gdkpixbufoverlay") is not None
        if pixbuf:
            ways["gdkpixbufoverlay"] = lambda: pixbufs(patches, Path(name), size, frames) - bare()
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(repeats):
            for way, take in ways.items():
                times[way].append(max(take(), 0.0))
    label = f"overlay on {size[0]}x{size[1]}"
    run.measure(label, times.pop("ours"), "ms")
    for way, values in times.items():
        run.compare(label, way, values)
    if not pixbuf:
        run.absent(label, "gdkpixbufoverlay", "GStreamer's plugin is not installed")
    run.absent(
        label, "cairooverlay with drawing", "its drawing was not measured; it comes on top of the above"
    )


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--repeats", type=int, default=5, help="turns; the median counts")
    chosen = options.parse_args()
    Gst.init(None)
    run = Run()
    for size in SIZES[:1] if chosen.smoke else SIZES:
        measure(run, size, 1 if chosen.smoke else chosen.repeats, 10 if chosen.smoke else FRAMES)
    return keep("overlay_drawing", run, chosen)


if __name__ == "__main__":
    sys.exit(main())
