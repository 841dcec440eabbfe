"""Real little videos and a real sender, made with GStreamer's own command line."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def make_clip(
    path: Path,
    *,
    frames: int = 60,
    width: int = 320,
    height: int = 240,
    fps: int = 30,
    pattern: str = "ball",
    faststart: bool = False,
) -> Path:
    """Encode a test picture as mp4."""
    muxer = "mp4mux faststart=true" if faststart else "mp4mux"
    launch = (
        f"videotestsrc num-buffers={frames} pattern={pattern} foreground-color=0xff2060c0 ! "
        f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1,colorimetry=bt601 ! "
        f"x264enc tune=zerolatency speed-preset=ultrafast ! {muxer} ! filesink location={path}"
    )
    subprocess.run(["gst-launch-1.0", "-q", *launch.split()], check=True, timeout=30)
    return path


@contextmanager
def sender(
    socket: Path, *, width: int = 320, height: int = 240, fps: int = 30, pattern: str = "ball"
) -> Iterator[subprocess.Popen[bytes]]:
    """A live sender of raw pictures, as the virtual scanner is; killed at the end of the block."""
    socket.unlink(missing_ok=True)  # what a killed sender leaves behind
    launch = (
        f"videotestsrc is-live=true pattern={pattern} ! "
        f"video/x-raw,format=I420,width={width},height={height},framerate={fps}/1,colorimetry=bt601 ! "
        f"shmsink socket-path={socket} wait-for-connection=false shm-size={width * height * 60}"
    )
    process = subprocess.Popen(["gst-launch-1.0", "-q", *launch.split()], stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
