"""Where the display branch ends: a window, a recording, or nowhere.

Nothing here imports GStreamer; paths are set as properties, as in `sources`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from firmware_app.errors import SinkError
from firmware_app.video.sources import Fragment, HasElement, Setting
from firmware_app.video.stream_events import BusError, BusRecord

DISPLAY_END = "display_end"
"""Name of the element at which a frame counts as displayed."""
RECORDING = "recording"
"""The names of the recording's elements begin with this."""
_EVEN = "video/x-raw,format=I420,width=[2,16384,2],height=[2,16384,2]"
"""H.264 with halved colour planes knows no odd sizes."""


@dataclass(frozen=True, slots=True)
class WindowSink:
    """A window, or the whole screen where the appliance has no desktop."""


@dataclass(frozen=True, slots=True)
class FileSink:
    """An H.264 recording of what the display shows, as mp4.

    It is finalised when the pipeline closes, and stays readable up to the last second after a power cut.
    After each loss of signal a new part begins: exam.mp4, exam-2.mp4, exam-3.mp4.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class NoSink:
    """No display; the overlay is composed all the same, and snapshots show it."""


Sink = WindowSink | FileSink | NoSink


def converter(has_element: HasElement) -> str:
    """The element that converts colours: the hardware's where there is one."""
    return next((name for name in ("nvvidconv", "nvvideoconvert") if has_element(name)), "videoconvert")


def fragment_of(sink: Sink, has_element: HasElement, part: int = 1) -> Fragment:
    """The sink's part of the launch string, from a composed picture in system memory.

    Args:
        sink: where the display branch ends.
        has_element: tells which elements GStreamer has.
        part: counts the openings of the source from 1; a recording begins a new file with each.
    """
    convert = converter(has_element)
    match sink:
        case NoSink():
            return Fragment(f"fakesink name={DISPLAY_END} sync=false async=false qos=false")
        case WindowSink() if has_element("nv3dsink"):
            return Fragment(f"{convert} ! nv3dsink name={DISPLAY_END} sync=false async=false qos=false")
        case WindowSink() if _has_desktop():
            return Fragment(f"{convert} ! autovideosink name={DISPLAY_END} sync=false")
        case WindowSink():
            return Fragment(f"{convert} ! kmssink name={DISPLAY_END} sync=false async=false qos=false")
        case FileSink(path=path):
            if has_element("nvv4l2h264enc"):
                encode = f"{convert} ! nvv4l2h264enc name={DISPLAY_END} insert-sps-pps=true"
            else:
                encode = (
                    f"{convert} ! videoscale ! {_EVEN} ! x264enc name={DISPLAY_END} "
                    "tune=zerolatency speed-preset=ultrafast key-int-max=60"
                )
            return Fragment(
                f"{encode} ! h264parse ! "
                f"mp4mux name={RECORDING}_mux fragment-duration=1000 "
                "fragment-mode=first-moov-then-finalise ! "
                f"filesink name={RECORDING} async=false",
                (Setting(RECORDING, "location", str(part_path(path, part))),),
            )


def name_of(sink: Sink) -> str:
    """The sink as people call it."""
    return sink.path.name if isinstance(sink, FileSink) else "The display"


def part_path(path: Path, part: int) -> Path:
    """File of the n-th part of a recording, from 1."""
    return path if part == 1 else path.with_name(f"{path.stem}-{part}{path.suffix}")


def _has_desktop() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def check(sink: Sink) -> None:
    """Look for what can be known before anything is opened.

    Raises:
        SinkError: one sentence that names the display or the recording and what is wrong with it.
    """
    # Asked for a window where there is none, GStreamer's automatic choice tries drivers that crash.
    if isinstance(sink, WindowSink) and not _has_desktop() and not any(Path("/dev/dri").glob("card*")):
        raise SinkError("There is no display: connect one, or record to a file.")
    if not isinstance(sink, FileSink):
        return
    if sink.path.is_dir():
        raise SinkError(f"{sink.path} is a folder: name a file inside it.")
    if not sink.path.parent.is_dir():
        raise SinkError(f"{sink.path.parent} is not a folder: make it first, or record elsewhere.")


def has_failed(record: BusRecord | None) -> bool:
    """Whether what ended the stream is a failure of the sink."""
    return isinstance(record, BusError) and record.element.startswith((DISPLAY_END, RECORDING))


def check_record(sink: Sink, record: BusRecord | None) -> None:
    """Tell a failure of the sink from one of the source.

    Raises:
        SinkError: the window or the recording failed, and why.
    """
    if isinstance(record, BusError) and has_failed(record):
        raise SinkError(f"{name_of(sink)} cannot be written: {record.text.rstrip('.')}.")


def discard_part(sink: Sink, part: int) -> None:
    """Remove the file of a part that never had a picture."""
    if isinstance(sink, FileSink) and (path := part_path(sink.path, part)).is_file():
        path.unlink()


def write_snapshot(path: Path, png: bytes) -> None:
    """Write a picture so that nobody ever sees half of it.

    Raises:
        SinkError: it cannot be written there.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(png)
        part.replace(path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}.") from None
