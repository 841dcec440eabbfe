"""A `gst-launch-1.0` process that is fed raw I420 frames down a pipe, and ends whatever happens."""

from __future__ import annotations

import contextlib
import math
import os
import select
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from threading import Event
from typing import IO

from calibration.errors import VideoOutputError

PIPE_BYTES = 1 << 20
CLOSE_TIMEOUT_S = 60.0
GRACE_S = 2.0
"""Time a process gets to end by itself once its input is closed."""
POLL_S = 0.2
"""How long a busy process is waited for before `stop` is looked at again."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """Size in pixels (width a multiple of 8, height even) and whole frames per second."""

    width: int
    height: int
    fps: int

    def caps(self) -> str:
        """Returns the GStreamer caps of the raw frames."""
        return (
            f"video/x-raw,format=I420,width={self.width},height={self.height},"
            f"framerate={self.fps}/1,colorimetry=bt601"
        )

    @property
    def frame_bytes(self) -> int:
        """Bytes of one I420 frame."""
        return self.width * self.height * 3 // 2


class GStreamerPipe:
    """A `gst-launch-1.0` process that is fed raw frames; a context manager that ends it whatever happens."""

    def __init__(self, video: VideoFormat, downstream: str) -> None:
        if shutil.which("gst-launch-1.0") is None:
            raise VideoOutputError("gst-launch-1.0 is not installed: install the package gstreamer1.0-tools")
        source = (
            f"fdsrc fd=0 blocksize={video.frame_bytes} ! {video.caps()} ! rawvideoparse use-sink-caps=true"
        )
        command = ["gst-launch-1.0", "-q", *f"{source} ! {downstream}".split()]
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,
        )
        if self._process.stdin is None:
            raise VideoOutputError("the encoder's input cannot be opened")
        self._stdin = self._process.stdin
        os.set_blocking(self._stdin.fileno(), False)
        _grow_pipe(self._stdin)

    def __enter__(self) -> GStreamerPipe:  # noqa: PYI034 - typing.Self needs Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        self._stdin.close()
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def write(self, frame: bytes, stop: Event | None = None, patience_s: float = math.inf) -> bool:
        """Hands one frame over; waits while the process is busy, until `stop` is set.

        Args:
            frame: one picture.
            stop: gives the waiting up.
            patience_s: how long the process may take nothing at all.

        Returns:
            False: its patience is over, with a part of the frame handed over; the pipe is of no more use.

        Raises:
            VideoOutputError: the process has ended; its last words are in the sentence.
        """
        rest, taken_s = memoryview(frame), time.monotonic()
        try:
            while rest and not (stop is not None and stop.is_set()):
                if select.select([], [self._stdin], [], POLL_S)[1]:
                    rest, taken_s = rest[os.write(self._stdin.fileno(), rest) :], time.monotonic()
                elif time.monotonic() - taken_s > patience_s:
                    return False
        except BrokenPipeError:
            self._process.wait(CLOSE_TIMEOUT_S)
            raise VideoOutputError(f"the video process ended early: {self._last_words()}") from None
        return True

    def finish(self) -> None:
        """Ends the stream and waits until everything is written.

        Raises:
            VideoOutputError: the process failed or did not end.
        """
        self._stdin.close()
        try:
            code = self._process.wait(CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise VideoOutputError("the video process does not end") from None
        if code:
            raise VideoOutputError(f"the video process failed: {self._last_words()}")

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = [
            line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()
        ]
        errors = [line for line in lines if "ERROR" in line]
        return (errors or lines or ["no message"])[0]


def _grow_pipe(pipe: IO[bytes]) -> None:
    """Asks for a larger pipe where the system has them (Linux); fewer switches between the processes."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl  # noqa: PLC0415 - not on every system

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
