"""Where the video comes from: each source as a value, its GStreamer fragment, and a first check.

Pure: nothing here imports GStreamer. Paths, addresses and device names never stand in the launch string; they
are set as properties of the named element after parsing, so that no name can smuggle an element in.
"""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from firmware_app.errors import SourceError

ARRIVAL = "arrival"
"""Name of the element at which a frame counts as arrived, where that is not the tee."""
SOURCE = "source"
"""Name of the element that receives."""
FLOW = "flow"
"""Name of the element that sees what a network sender sends, before it is decoded."""
HasElement = Callable[[str], bool]
"""Tells whether GStreamer has an element of this name."""
_SILENCE_S = 0.8
"""Told in time for one second, with a margin for a busy machine."""
_ANSWER_US = 2_000_000
"""An encoder that has not answered within this many microseconds is asked anew."""


@dataclass(frozen=True, slots=True)
class V4l2Source:
    """A capture card, for example /dev/video0; a size, rate or format of None takes what the card offers."""

    device: Path
    width: int | None = None
    height: int | None = None
    fps: int | None = None
    mjpeg: bool = False


@dataclass(frozen=True, slots=True)
class RtspSource:
    """A network encoder; `latency_ms` is the jitter buffer, which delays the picture by as much."""

    url: str
    latency_ms: int = 100


@dataclass(frozen=True, slots=True)
class FileSource:
    """A recorded video of any format that GStreamer decodes."""

    path: Path


@dataclass(frozen=True, slots=True)
class PhantomSource:
    """The virtual scanner: raw I420 pictures over the Unix socket of a shmsink."""

    socket: Path
    width: int
    height: int
    fps: int


Source = V4l2Source | RtspSource | FileSource | PhantomSource


@dataclass(frozen=True, slots=True)
class Setting:
    """A property to set on the named element after parsing."""

    element: str
    name: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Fragment:
    """One end of the pipeline: a launch string and the settings that belong to it."""

    launch: str
    settings: tuple[Setting, ...] = ()


def fragment_of(source: Source, has_element: HasElement) -> Fragment:
    """The source's part of the launch string, up to decoded pictures of any raw format."""
    match source:
        case V4l2Source(device=device):
            return Fragment(_v4l2_launch(source, has_element), (Setting("source", "device", str(device)),))
        case RtspSource(url=url, latency_ms=latency_ms):
            # Over TCP nothing is lost on the way and no firewall has to be asked, and it begins at once:
            # rtspsrc would first wait five seconds for pictures over UDP.
            return Fragment(
                f"rtspsrc name=source protocols=tcp tcp-timeout={_ANSWER_US} ! "
                f"application/x-rtp,media=video ! identity name={FLOW} silent=true ! decodebin",
                (Setting("source", "location", url), Setting("source", "latency", latency_ms)),
            )
        case FileSource(path=path):
            # Only the picture is decoded; sound in the file stays where it is.
            return Fragment(
                'filesrc name=source ! decodebin caps="video/x-raw(ANY)" expose-all-streams=false',
                (Setting("source", "location", str(path)),),
            )
        case PhantomSource(socket=socket, width=width, height=height, fps=fps):
            caps = (
                f"video/x-raw,format=I420,width={width:d},height={height:d},"
                f"framerate={fps:d}/1,colorimetry=bt601"
            )
            # The leaky queue is a capture card's ring: what nobody fetches in time is lost, and counted.
            # Without it a slow display fills the shared memory, and GStreamer 1.22's shmsink never recovers.
            ring = (
                f"queue name={ARRIVAL} leaky=downstream max-size-buffers=2 max-size-bytes=0 max-size-time=0"
            )
            return Fragment(
                f"shmsrc name=source is-live=true do-timestamp=true ! {caps} ! {ring}",
                (Setting("source", "socket-path", str(socket)),),
            )


def _v4l2_launch(source: V4l2Source, has_element: HasElement) -> str:
    limits = ""
    if source.width is not None:
        limits += f",width={source.width:d}"
    if source.height is not None:
        limits += f",height={source.height:d}"
    if source.fps is not None:  # half a frame either way: cards say 60000/1001 for 60
        limits += f",framerate=[{2 * source.fps - 1:d}/2,{2 * source.fps + 1:d}/2]"
    if not source.mjpeg:
        return f"v4l2src name=source ! video/x-raw{limits}"
    decoder = "nvv4l2decoder mjpeg=1" if has_element("nvv4l2decoder") else "jpegdec"
    return f"v4l2src name=source ! image/jpeg{limits} ! {decoder}"


def is_live(source: Source) -> bool:
    """Whether the source goes on for ever and is opened again after a loss; a file ends."""
    return not isinstance(source, FileSource)


def patience_s(source: Source, *, flowing: bool = False) -> float:
    """Seconds that a freshly opened source may stay silent before it is opened once more.

    Args:
        source: the live source.
        flowing: data arrives, though no picture has come of it yet.
    """
    match source:
        case RtspSource(latency_ms=latency_ms):
            wait_s = 8.0 if flowing else _ANSWER_US / 1e6  # for a key frame; for the handshake
            return wait_s + latency_ms / 1000
        case V4l2Source():
            return 2.0  # a card needs a moment to lock on the signal
        case _:
            return 1.0


def silence_s(source: Source) -> float:
    """Seconds without a frame that count as loss of signal; longer only where frames come more rarely."""
    fps = source.fps if isinstance(source, V4l2Source | PhantomSource) else None
    return max(_SILENCE_S, 2.5 / fps) if fps else _SILENCE_S


def closest_ns(source: Source) -> int:
    """Stamps of a live source that are no further apart are of one picture.

    GStreamer's v4l2src counts a card's stamps from the present, which moves them by microseconds. Elsewhere
    two pictures that were held up may well be stamped one right after the other.
    """
    return 500_000 if isinstance(source, V4l2Source) else 0


def is_missing(source: Source) -> bool:
    """Whether the device of a live source is not there; False also where only the network knows."""
    match source:
        case V4l2Source(device=device):
            return not _is_kind(device, stat.S_ISCHR)
        case PhantomSource(socket=socket):
            return not _is_kind(socket, stat.S_ISSOCK)
        case _:
            return False


def name_of(source: Source) -> str:
    """The source as people call it; passwords inside an address are masked."""
    match source:
        case V4l2Source(device=device):
            return str(device)
        case RtspSource(url=url):
            scheme, separator, rest = url.partition("://")
            return f"{scheme}{separator}***@{rest.rpartition('@')[2]}" if "@" in rest else url
        case FileSource(path=path):
            return path.name
        case PhantomSource(socket=socket):
            return str(socket)


def check(source: Source, *, every_frame: bool = False, must_be_there: bool = True) -> None:
    """Look for what can be known before anything is opened.

    Args:
        source: where the video is to come from.
        every_frame: it is to be replayed, which only a file can.
        must_be_there: False: a live source may still come.

    Raises:
        SourceError: one sentence that names the source and what is wrong with it.
    """
    _check_form(source)
    if every_frame and is_live(source):
        raise SourceError(f"{name_of(source)} is live and cannot be replayed: name a recorded video.")
    if must_be_there or not is_live(source):
        _check_presence(source)


def _check_presence(source: Source) -> None:
    match source:
        case FileSource(path=path):
            _check_file(path)
        case V4l2Source(device=device):
            if not _is_kind(device, stat.S_ISCHR):
                raise SourceError(
                    f"{device} is not a capture device: plug the card in, or name another device."
                )
        case PhantomSource(socket=socket):
            if not _is_kind(socket, stat.S_ISSOCK):
                raise SourceError(
                    f"No virtual scanner at {socket}: start `fibrostage-calibrate phantom play` first."
                )
        case RtspSource():
            pass  # only the network knows


def _check_form(source: Source) -> None:
    """Look for what no waiting can mend."""
    match source:
        case PhantomSource(width=width, height=height, fps=fps):
            if min(width, height, fps) <= 0:
                raise SourceError(f"{width}x{height} at {fps} Hz is no video: give positive numbers.")
        case V4l2Source(width=width, height=height, fps=fps):
            if any(limit is not None and limit <= 0 for limit in (width, height, fps)):
                raise SourceError(
                    f"{width}x{height} at {fps} Hz is no video: give positive numbers, or none."
                )
        case RtspSource(url=url):
            if not url.startswith(("rtsp://", "rtsps://")):
                raise SourceError(f"{name_of(source)} is not an RTSP address: it must begin with rtsp://.")
        case FileSource():
            pass  # its path is its form


def _is_kind(path: Path, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(path.stat().st_mode)
    except OSError:
        return False


def _check_file(path: Path) -> None:
    if path.is_fifo() or path.is_socket() or path.is_char_device():  # to open one may wait for ever
        raise SourceError(f"{path} is not a file: name a recorded video.")
    try:
        with path.open("rb") as stream:
            empty = not stream.read(1)
            cut_off = _lacks_index(stream)
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist: name a recorded video.") from None
    except IsADirectoryError:
        raise SourceError(f"{path} is a folder: name a recorded video inside it.") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None
    if empty:
        raise SourceError(f"{path.name} is empty: record or copy it again.")
    if cut_off:
        raise SourceError(f"{path.name} is cut off, its index is missing: record or copy it again.")


def _lacks_index(stream: BinaryIO) -> bool:
    """Whether an mp4 has no `moov` box (ISO/IEC 14496-12), which most recorders write last.

    GStreamer's decodebin notices as well, but now and then hangs over such a file without a word.
    """
    position = 0
    while True:
        stream.seek(position)
        header = stream.read(16)
        kind, size = header[4:8], int.from_bytes(header[:4], "big")
        if position == 0 and kind != b"ftyp":
            return False  # no mp4
        if kind == b"moov":
            return False
        if size == 1:
            size = int.from_bytes(header[8:16], "big")
        if len(header) < 8 or size < 8:
            return True
        position += size
