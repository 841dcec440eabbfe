"""The scanner's cable: shows drawn frames at 60 Hz, each stamped with its moment, to whoever reads.

    python -m benchmarks.exam.player FRAMES EXAMS (--socket PATH | --pipe PATH)

Through shared memory (`shmsink`) for the appliance, through a pipe as YUV4MPEG2 for OpenCV's VideoCapture. In
front of the pipe stand four buffers, as many as OpenCV asks of a V4L2 card: while they are full, a frame is
lost, as the card's driver would lose it. It shows the first search until a line comes on its input, then the
exams, then the last frame for a second, and keeps the cable until its input ends. On its output: a line of
JSON for each phase as it begins, and one at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.exam import stamp
from benchmarks.exam.drawing import FPS, HEIGHT, WIDTH, Shown
from calibration.phantom.video import FRAMES_IN_FLIGHT

FRAME_BYTES = WIDTH * HEIGHT * 3 // 2
DRIVER_BUFFERS = 4
PIPE_BYTES, F_SETPIPE_SZ = 1 << 20, 1031


class Cable(Protocol):
    """Takes frames, or loses them; never waits."""

    lost: int

    def put(self, frame: bytes) -> None:
        """Take one I420 frame."""


class SharedMemory:
    """GStreamer's `shmsink`."""

    def __init__(self, path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)
            import gi  # noqa: PLC0415 - only this cable needs it

            gi.require_version("Gst", "1.0")
            from gi.repository import Gst  # noqa: PLC0415 - as above
        Gst.init(None)
        self.lost = 0
        self._buffer = Gst.Buffer.new_wrapped
        caps = f"video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1,colorimetry=bt601"
        self._graph = Gst.parse_launch(
            f'appsrc name=source caps="{caps}" is-live=true format=time do-timestamp=true ! '
            f"shmsink socket-path={path} shm-size={FRAMES_IN_FLIGHT * FRAME_BYTES} sync=false "
            "wait-for-connection=false"
        )
        self._source = self._graph.get_by_name("source")
        self._graph.set_state(Gst.State.PLAYING)

    def put(self, frame: bytes) -> None:
        """Hand it over."""
        self._source.emit("push-buffer", self._buffer(frame))


class Pipe:
    """YUV4MPEG2 down a pipe, with the driver's buffers in front of it."""

    def __init__(self, path: Path) -> None:
        self.lost = 0
        self._path = path
        self._waiting: queue.Queue[bytes] = queue.Queue(DRIVER_BUFFERS)
        threading.Thread(target=self._write, name="pipe", daemon=True).start()

    def put(self, frame: bytes) -> None:
        """Fill a buffer if one is free."""
        try:
            self._waiting.put_nowait(frame)
        except queue.Full:
            self.lost += 1

    def _write(self) -> None:
        import fcntl  # noqa: PLC0415 - of POSIX only

        target = os.open(self._path, os.O_WRONLY)  # waits for the reader
        with suppress(BrokenPipeError):
            fcntl.fcntl(target, F_SETPIPE_SZ, PIPE_BYTES)
            os.write(target, f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420mpeg2\n".encode())
            while True:
                rest = memoryview(b"FRAME\n" + self._waiting.get())
                while rest:
                    rest = rest[os.write(target, rest) :]


def play(frames: npt.NDArray[np.uint8], exams: list[Shown], cable: Cable, go: threading.Event) -> None:
    """Show everything, a frame each sixtieth of a second; who is late goes on from there.

    Args:
        frames: (n, bytes of a frame).
        exams: what to show.
        cable: where to.
        go: begin with the exams.
    """
    due_s, shown, late, lost = time.monotonic(), 0, 0, 0
    for picture, phase in _pictures(exams, go):
        time.sleep(max(0.0, due_s - time.monotonic()))
        if phase is exams[0]:
            shown, late, lost = 0, 0, cable.lost  # what was before does not count
        frame = frames[picture].copy()
        now_ns = time.monotonic_ns()
        late += now_ns / 1e9 > due_s + 1 / FPS
        due_s = max(due_s, now_ns / 1e9 - 1 / FPS) + 1 / FPS
        stamp.write(frame[: WIDTH * HEIGHT].reshape(HEIGHT, WIDTH), now_ns)
        cable.put(frame.tobytes())
        shown += 1
        if phase is not None:
            line = {"kind": phase.kind, "exam": phase.exam, "shot": phase.shot, "at_s": now_ns / 1e9}
            print(json.dumps(line), flush=True)
    end = {"kind": "end", "frames": shown, "late": late, "lost": cable.lost - lost}
    print(json.dumps(end), flush=True)


def _pictures(exams: list[Shown], go: threading.Event) -> Iterator[tuple[int, Shown | None]]:
    """Number of each picture, with the phase that it begins."""
    number = 0
    while not go.is_set():
        yield exams[0].frames[number % len(exams[0].frames)], None
        number += 1
    for shown in exams:
        for n in range(shown.count):
            yield shown.frames[n % len(shown.frames)], shown if n == 0 else None
    for _ in range(FPS):
        yield exams[-1].frames[-1], None


def main() -> int:
    """Play."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("frames", type=Path, help="file of I420 frames")
    parser.add_argument("exams", type=Path, help="file with a line of JSON for each stretch")
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--pipe", type=Path)
    options = parser.parse_args()
    frames = np.memmap(options.frames, np.uint8, "r").reshape(-1, FRAME_BYTES)
    exams = [
        Shown(**line | {"frames": tuple(line["frames"])})
        for line in map(json.loads, options.exams.read_text(encoding="utf-8").splitlines())
    ]
    cable: Cable = SharedMemory(options.socket) if options.socket else Pipe(options.pipe)
    go = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        go.set()

    threading.Thread(target=wait, name="go", daemon=True).start()
    play(frames, exams, cable, go)
    sys.stdin.read()
    return 0


if __name__ == "__main__":
    sys.exit(main())
