"""What the bedside page's live picture costs the display, and how old it is: `make bench ONLY=mirror`.

The same video in turn: a graph without a mirror, one whose gate is closed, one that is watched. The age runs
from a frame's arrival in the appliance to the coded picture in the hand of a watcher.
"""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from firmware_app.video.mirror import Mirror
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.sources import PhantomSource

SIZE, FRAMES_PER_SECOND = (1440, 1080), 60
ROUNDS, SECONDS = 3, 10.0
LAUNCH = (
    "videotestsrc is-live=true pattern=ball ! video/x-raw,format=I420,width={w},height={h},framerate={fps}/1,"
    "colorimetry=bt601 ! shmsink socket-path={socket} wait-for-connection=false shm-size={memory}"
)


def main() -> None:
    """Print one line per round and way."""
    for number in range(ROUNDS):
        for way in ("without", "closed", "watched"):
            print(f"round {number + 1}  {way:8} {measured(way)}", flush=True)


def measured(way: str) -> str:
    """Drops, display latency, processor time and ages, in words."""
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
                return observed(pipeline, mirror if way == "watched" else None)
        finally:
            sender.kill()
            sender.wait()


def observed(pipeline: Pipeline, watched: Mirror | None) -> str:
    """The figures of an open pipeline whose frames are taken as fast as they come."""
    stop = threading.Event()
    analysis = threading.Thread(target=lambda: [None for _ in pipeline.frames(stop)], name="analysis")
    analysis.start()
    time.sleep(1.0)
    spent_s, began_s = time.process_time(), time.monotonic()
    ages_ms = [] if watched is None else ages_of(watched)
    time.sleep(max(0.0, began_s + SECONDS - time.monotonic()))
    cpu = 100 * (time.process_time() - spent_s) / (time.monotonic() - began_s)
    counted = pipeline.statistics()
    stop.set()
    analysis.join()
    late = counted.display_latency
    shown = "nothing displayed" if late is None else f"p50 {late.p50_ms:.2f} ms, p99 {late.p99_ms:.2f} ms"
    line = (
        f"{counted.displayed} displayed, {counted.dropped_display} lost, {shown}, {cpu:.0f} % of a processor"
    )
    if not ages_ms:
        return line
    middle, high = np.percentile(ages_ms, (50, 99))
    return f"{line}; {len(ages_ms)} pictures, age p50 {middle:.1f} ms, p99 {high:.1f} ms"


def ages_of(mirror: Mirror) -> list[float]:
    """Watch, and note how old each picture is when it comes."""
    came, ages_ms, until_s = threading.Event(), [], time.monotonic() + SECONDS
    with mirror.watch(came.set):
        while time.monotonic() < until_s:
            if came.wait(0.5) and (newest := mirror.newest) is not None:
                came.clear()
                ages_ms.append((time.monotonic_ns() - newest.captured_ns) / 1e6)
    return ages_ms


if __name__ == "__main__":
    main()
