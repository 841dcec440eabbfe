"""Puts pictures out as video through `gst-launch-1.0`: a finished file, or a live source in real time.

Raw I420 frames (BT.601, limited range) go down a pipe. A picture that does not change is converted once.
"""

from __future__ import annotations

import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import cv2

from calibration.errors import VideoOutputError
from calibration.phantom.pipe import GStreamerPipe, VideoFormat
from calibration.phantom.truth import Picture
from calibration.whole_file import whole_file

STALLED_S = 3.0
"""A process that has taken nothing for so long hangs for good (GStreamer 1.22's shmsink, now and then)."""
FRAMES_IN_FLIGHT = 24
"""Frames of shared memory: GStreamer 1.22's shmsink hangs for good once a slow reader has filled a small one.
24 at 1440x1080 take 56 MB, which fits the 64 MB that containers have by default."""


class I420Converter:
    """Converts BGR pictures to I420 bytes; the array given last is not converted again."""

    def __init__(self) -> None:
        self._last: tuple[Picture, bytes] | None = None

    def convert(self, picture: Picture) -> bytes:
        """Returns the frame's planes Y, U, V, one after the other."""
        if self._last is None or self._last[0] is not picture:
            self._last = picture, cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420).tobytes()
        return self._last[1]


def write_file(video: VideoFormat, pictures: Iterator[Picture], path: Path) -> None:
    """Encodes the pictures to H.264 in an MP4 file; the file appears under its name once it is complete.

    Raises:
        VideoOutputError: the folder cannot be written, or the encoder fails.
    """
    converter = I420Converter()
    with whole_file(path) as part:
        try:
            part.touch()
        except OSError as error:
            raise VideoOutputError(f"cannot write {path}: {error.strerror}") from None
        encoder = (
            f"x264enc speed-preset=ultrafast pass=quant quantizer=17 key-int-max={2 * video.fps} "
            f"! h264parse ! mp4mux ! filesink location={_quoted(part)}"
        )
        with GStreamerPipe(video, encoder) as pipe:
            for picture in pictures:
                pipe.write(converter.convert(picture))
            pipe.finish()


def _quoted(path: Path) -> str:
    if any(c in str(path) for c in " \t\n\"'\\!"):
        raise VideoOutputError(
            f"cannot write {path}: choose a path without spaces, quotes and exclamation marks"
        )
    return str(path)


@dataclass(slots=True)
class PlayReport:
    """How real-time playing goes.

    Attributes:
        frames: handed over.
        skipped: passed over because drawing was late.
        restarts: how often the process that sends took nothing any more and was started anew.
    """

    frames: int = 0
    skipped: int = 0
    restarts: int = 0


def claim_socket(path: Path) -> None:
    """Makes the socket's path free: removes a dead socket left behind.

    Raises:
        VideoOutputError: something listens there, or the path is not a socket, or its folder is missing.
    """
    if not path.parent.is_dir():
        raise VideoOutputError(f"cannot create {path}: its folder does not exist")
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise VideoOutputError(f"{path} exists and is not a socket: choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise VideoOutputError(f"another source already plays at {path}")
    path.unlink()


def play_live(
    video: VideoFormat, picture_at: Callable[[int], Picture | None], path: Path, stop: Event
) -> PlayReport:
    """Plays in real time into a shared-memory socket until there are no more pictures or `stop` is set.

    Frame n is due n / fps after the start; when drawing is late, frames are passed over, not delayed. A
    process that takes nothing any more is started anew; its readers find it as after a loss of signal.

    Args:
        video: format of the stream.
        picture_at: the picture of a frame number; None after the last.
        path: the socket, for `shmsrc socket-path=...`.
        stop: ends the playing.
    """
    claim_socket(path)
    memory = max(FRAMES_IN_FLIGHT * video.frame_bytes, 1 << 22)
    sink = f"shmsink socket-path={_quoted(path)} shm-size={memory} sync=false wait-for-connection=false"
    pictures = _Paced(video, picture_at, stop)
    try:
        while True:
            with GStreamerPipe(video, sink) as pipe:
                if pictures.play_through(pipe):
                    return pictures.report
            pictures.report.restarts += 1
            path.unlink(missing_ok=True)  # else the next one takes another name
    finally:
        path.unlink(missing_ok=True)


class _Paced:
    """Pictures at the time when they are due, through one process after the other."""

    def __init__(self, video: VideoFormat, picture_at: Callable[[int], Picture | None], stop: Event) -> None:
        self.report = PlayReport()
        self._video = video
        self._picture_at = picture_at
        self._stop = stop
        self._converter = I420Converter()
        self._started_s = time.monotonic()
        self._number = 0

    def play_through(self, pipe: GStreamerPipe) -> bool:
        """Plays to the end; False: the process takes nothing any more."""
        report, fps = self.report, self._video.fps
        while not self._stop.is_set() and (picture := self._picture_at(self._number)) is not None:
            if not pipe.write(self._converter.convert(picture), self._stop, STALLED_S):
                return False
            report.frames += 1
            due = max(self._number + 1, int((time.monotonic() - self._started_s) * fps))
            report.skipped += due - self._number - 1
            self._number = due
            self._stop.wait(max(self._started_s + self._number / fps - time.monotonic(), 0.0))
        return True
