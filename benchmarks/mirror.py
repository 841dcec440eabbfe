"""What the bedside page's live picture costs the display, and how old it is.

The same video in turn: a graph that is watched, one whose gate is closed, one without a mirror. The age runs
from a frame's arrival in the appliance to the coded picture in the hand of a watcher.

    python -m benchmarks.mirror
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.record import Run, keep, parser
from firmware_app.video.mirror import Mirror
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.sources import PhantomSource

SIZE, FRAMES_PER_SECOND = (1440, 1080), 60
ROUNDS, SECONDS = 3, 10.0
LAUNCH = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width={w},height={h},framerate={fps}/1,"
    "colorimetry=bt601 ! shmsink socket-path={socket} wait-for-connection=false shm-size={memory}"
)


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__).parse_args()
    rounds, seconds = (1, 1.0) if options.smoke else (ROUNDS, SECONDS)
    ways: dict[str, list[Observed]] = {"watched": [], "closed": [], "without": []}
    for _ in range(rounds):
        for way, found in ways.items():
            found.append(measured(way, seconds))
    run = Run()
    for what, unit in (("display latency, p99", "ms"), ("frames lost by the display", "frames"),
                       ("processor", "%")):  # fmt: skip
        for way, found in ways.items():
            run.measure(f"{what}: {way}", [one.figures[what] for one in found], unit)
    run.measure("age of a picture", [age for one in ways["watched"] for age in one.ages_ms], "ms")
    return keep("mirror", run, options)


@dataclass(frozen=True, slots=True)
class Observed:
    """Figures of one way by name, and the ages of the pictures that a watcher got."""

    figures: dict[str, float]
    ages_ms: list[float]


def measured(way: str, seconds: float) -> Observed:
    """Drops, display latency, processor time and ages."""
    mirror = None if way == "without" else Mirror()
    if mirror is not None:
        mirror.hide(())
    width, height = SIZE
    with TemporaryDirectory() as folder:
        socket = Path(folder) / "scanner.sock"
        launch = LAUNCH.format(
            w=width, h=height, fps=FRAMES_PER_SECOND, socket=socket, memory=width * height * 60
        )
        sender = subprocess.Popen(["gst-launch-1.0", "-q", *launch.split()], stdout=subprocess.DEVNULL)
        try:
            while not socket.exists():
                time.sleep(0.05)
            source = PhantomSource(socket, width, height, FRAMES_PER_SECOND)
            with open_pipeline(source, None, None, mirror) as pipeline:
                return observed(pipeline, mirror if way == "watched" else None, seconds)
        finally:
            sender.kill()
            sender.wait()


def observed(pipeline: Pipeline, watched: Mirror | None, seconds: float) -> Observed:
    """The figures of an open pipeline whose frames are taken as fast as they come."""
    stop = threading.Event()
    analysis = threading.Thread(target=lambda: [None for _ in pipeline.frames(stop)], name="analysis")
    analysis.start()
    time.sleep(1.0)
    spent_s, began_s = time.process_time(), time.monotonic()
    ages_ms = [] if watched is None else ages_of(watched, seconds)
    time.sleep(max(0.0, began_s + seconds - time.monotonic()))
    cpu = 100 * (time.process_time() - spent_s) / (time.monotonic() - began_s)
    counted = pipeline.statistics()
    stop.set()
    analysis.join()
    late = counted.display_latency
    assert late is not None, "nothing was displayed"
    figures = {
        "display latency, p99": late.p99_ms,
        "frames lost by the display": float(counted.dropped_display),
        "processor": cpu,
    }
    return Observed(figures, ages_ms)


def ages_of(mirror: Mirror, seconds: float) -> list[float]:
    """Watch, and note how old each picture is when it comes."""
    came, ages_ms, until_s = threading.Event(), [], time.monotonic() + seconds
    with mirror.watch(came.set):
        while time.monotonic() < until_s:
            if came.wait(0.5) and (newest := mirror.newest) is not None:
                came.clear()
                ages_ms.append((time.monotonic_ns() - newest.captured_ns) / 1e6)
    return ages_ms


if __name__ == "__main__":
    sys.exit(main())
