"""The scanner's video output, in the hands of the campaign: shows pictures in real time, and fails as told.

`gst-launch-1.0` plays into the shared memory that the appliance's source `phantom` reads. The process can be
killed and started with another size; the pictures can stay away, stand still or be damaged.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import numpy as np

from calibration.phantom.pipe import VideoFormat
from calibration.phantom.video import FRAMES_IN_FLIGHT

WRITE_TIMEOUT_S = 0.2
STARTS_WITHIN_S = 10.0
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux keeps shared memory


def tidy_shared_memory(pid: int) -> None:
    """Remove what the `shmsink` of a process that was killed has left; it pads the process's number."""
    for left in SHARED_MEMORY.glob(f"shmpipe.{pid:5d}.*"):
        left.unlink(missing_ok=True)


class Damage(Enum):
    """What is wrong with every picture."""

    NONE = "none"
    NOISE = "noise"
    """Random bytes instead of a picture."""
    TORN = "torn"
    """The lower part of another moment, as when a capture card loses its place."""
    FROZEN = "frozen"
    """The same picture again and again, whatever the scanner does."""


class ScannerOutput:
    """Plays `frames` in a loop while the `with` block lasts.

    Args:
        socket: where the appliance reads.
        video: size and rate.
    """

    def __init__(self, socket: Path, video: VideoFormat) -> None:
        self._socket = socket
        self._video = video
        self._frames: tuple[bytes, ...] = (bytes(video.frame_bytes),)
        self._damage = Damage.NONE
        self._stalled = False
        self._player: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, name="scanner", daemon=True)
        self._random = np.random.default_rng(0)

    def __enter__(self) -> ScannerOutput:  # noqa: PYI034 - typing.Self needs Python 3.11
        self.plug()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.unplug()
        self._thread.join()

    def show(self, frames: tuple[bytes, ...]) -> None:
        """Show these I420 frames one after the other, again and again, from now on."""
        self._frames = frames

    def damage(self, damage: Damage) -> None:
        """Damage every picture from now on."""
        self._damage = damage

    def plug(self, video: VideoFormat | None = None) -> None:
        """Connect the cable; another format than the usual one shows a grey picture of that size."""
        video = self._video if video is None else video
        self._kill()
        with self._lock:
            self._remove()
            memory = FRAMES_IN_FLIGHT * video.frame_bytes
            source = f"fdsrc fd=0 blocksize={video.frame_bytes} ! {video.caps()}"
            sink = (
                f"shmsink socket-path={self._socket} shm-size={memory} sync=false wait-for-connection=false"
            )
            self._player = subprocess.Popen(
                ["gst-launch-1.0", "-q", *f"{source} ! rawvideoparse use-sink-caps=true ! {sink}".split()],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            os.set_blocking(_input_of(self._player), False)
            self._playing = video
        _await(self._socket.exists)

    def unplug(self) -> None:
        """Kill the player, as a cable that is pulled."""
        self._kill()
        with self._lock:
            self._remove()

    def stall(self, *, stalled: bool) -> None:
        """Keep the connection and deliver nothing, or deliver again."""
        self._stalled = stalled

    def _kill(self) -> None:
        """Without the lock: whoever writes to a player that hangs holds it."""
        player = self._player
        if player is not None:
            player.kill()

    def _remove(self) -> None:
        player, self._player = self._player, None
        if player is None:
            return
        player.wait()
        if player.stdin is not None:
            player.stdin.close()
        self._socket.unlink(missing_ok=True)
        tidy_shared_memory(player.pid)

    def _play(self) -> None:
        number, due_s = 0, time.monotonic()
        last = self._frames[0]
        while not self._stop.is_set():
            frames = self._frames
            if self._damage is not Damage.FROZEN:
                last = frames[number % len(frames)]
            with self._lock:
                if self._player is not None and not self._stalled:
                    usual = self._playing == self._video
                    _write(
                        self._player, self._damaged(last) if usual else b"\x80" * self._playing.frame_bytes
                    )
            number += 1
            due_s = max(due_s + 1 / self._video.fps, time.monotonic() - 1.0)
            self._stop.wait(max(0.0, due_s - time.monotonic()))

    def _damaged(self, frame: bytes) -> bytes:
        match self._damage:
            case Damage.NOISE:
                return self._random.bytes(len(frame))
            case Damage.TORN:
                half = len(frame) // 3
                return frame[:half] + frame[half // 2 : half // 2 + len(frame) - half]
            case _:
                return frame


def _write(player: subprocess.Popen[bytes], frame: bytes) -> None:
    """Hand one frame over, whole or (when the player hangs) not at all."""
    target = _input_of(player)
    rest = memoryview(frame)
    with contextlib.suppress(BrokenPipeError):
        while rest:
            whole = len(rest) == len(frame)
            if not select.select([], [target], [], WRITE_TIMEOUT_S)[1]:
                if whole or player.poll() is not None:
                    return
                continue
            rest = rest[os.write(target, rest) :]


def _input_of(player: subprocess.Popen[bytes]) -> int:
    if player.stdin is None:
        raise ValueError("the player has an input")
    return player.stdin.fileno()


def _await(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + STARTS_WITHIN_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError("the scanner's player does not start")
        time.sleep(0.02)
