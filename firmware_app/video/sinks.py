"""Where the display branch ends: a window, a recording, or nowhere.

Nothing here imports GStreamer; paths are set as properties, as in `sources`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from calibration.whole_file import whole_file
from firmware_app.errors import SinkError
from firmware_app.video.sources import Fragment, HasElement, Setting
from firmware_app.video.stream_events import BusError

DISPLAY_END = "display_end"
"""Name of the element at which a frame counts as displayed."""
RECORDING = "recording"
"""Name of the element that writes the recording."""
RECORDED_FORM = "recorded_form"
"""Name of the filter that keeps a recording in its first picture's form: mp4 knows but one."""
_EVEN = "video/x-raw,format=I420,width=[2,16384,2],height=[2,16384,2]"
"""H.264 with halved colour planes knows no odd sizes."""


@dataclass(frozen=True, slots=True)
class WindowSink:
    """A window, or the whole screen where the appliance has no desktop.

    Attributes:
        lines: to so many the picture is scaled before anything is drawn on it, so that the overlay is drawn
            at the display's own size and stays sharp on a 4K screen; None: as many as the source has.
    """

    lines: int | None = None


@dataclass(frozen=True, slots=True)
class FileSink:
    """An H.264 recording of what the display shows, as mp4.

    It is finalised when the pipeline closes, and stays readable up to the last second after a power cut. It
    goes on through a loss of signal, and shows what the display showed meanwhile.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class NoSink:
    """No display; the overlay is composed all the same, and snapshots show it. `lines` as for a window."""

    lines: int | None = None


Sink = WindowSink | FileSink | NoSink


def converter(has_element: HasElement) -> str:
    """The element that converts colours: the hardware's where there is one."""
    return next((name for name in ("nvvidconv", "nvvideoconvert") if has_element(name)), "videoconvert")


def fragment_of(sink: Sink, has_element: HasElement) -> Fragment:
    """The sink's part of the launch string, from a composed picture in system memory."""
    convert = converter(has_element)
    match sink:
        case NoSink():
            return Fragment(f"fakesink name={DISPLAY_END} sync=false async=false qos=false")
        case WindowSink():
            return Fragment(f"{convert} ! {_window(has_element)}")
        case FileSink(path=path):
            if has_element("nvv4l2h264enc"):
                encode = (
                    f'{convert} ! capsfilter name={RECORDED_FORM} caps="video/x-raw(memory:NVMM)" ! '
                    f"nvv4l2h264enc name={DISPLAY_END} insert-sps-pps=true"
                )
            else:
                encode = (
                    f'{convert} ! videoscale ! capsfilter name={RECORDED_FORM} caps="{_EVEN}" ! '
                    f"x264enc name={DISPLAY_END} tune=zerolatency speed-preset=ultrafast key-int-max=60"
                )
            return Fragment(
                f"{encode} ! h264parse ! "
                f"mp4mux name={RECORDING}_mux fragment-duration=1000 "
                "fragment-mode=first-moov-then-finalise ! "
                f"filesink name={RECORDING} async=false",
                (Setting(RECORDING, "location", str(path)),),
            )


def _window(has_element: HasElement) -> str:
    """The element that shows the picture, on X11 or Wayland or straight on the screen (KMS)."""
    unpaced = f"name={DISPLAY_END} sync=false async=false qos=false"
    desktop = _desktop()
    if desktop is not None:
        return f"{'nv3dsink' if has_element('nv3dsink') else desktop} {unpaced}"
    if has_element("nvdrmvideosink"):
        return f"video/x-raw(memory:NVMM),format=NV12 ! nvdrmvideosink {unpaced}"
    return f"kmssink {unpaced}"


def scaling_of(sink: Sink, has_element: HasElement) -> str:
    """What makes of a frame the picture that is drawn on; the hardware's converter scales as well."""
    convert = converter(has_element)
    return convert if convert != "videoconvert" or _lines_of(sink) is None else f"{convert} ! videoscale"


def shape_of(sink: Sink) -> str:
    """What must be added to the formats of the picture that is drawn on; empty: it stays as it comes."""
    lines = _lines_of(sink)
    return "" if lines is None else f",height={lines},pixel-aspect-ratio=1/1"


def _lines_of(sink: Sink) -> int | None:
    return None if isinstance(sink, FileSink) else sink.lines


def name_of(sink: Sink) -> str:
    """The sink as people call it."""
    return sink.path.name if isinstance(sink, FileSink) else "The display"


def _desktop() -> str | None:
    """What shows a window where a desktop is named; None: there is none.

    Named, for GStreamer's automatic choice tries drivers that crash where the desktop does not answer.
    """
    if os.environ.get("DISPLAY"):
        return "videoscale ! ximagesink"
    return "waylandsink" if os.environ.get("WAYLAND_DISPLAY") else None


def check(sink: Sink) -> None:
    """Look for what can be known before anything is opened.

    Raises:
        SinkError: one sentence that names the display or the recording and what is wrong with it.
    """
    if isinstance(sink, WindowSink) and _desktop() is None and not any(Path("/dev/dri").glob("card*")):
        raise SinkError("There is no display: connect one, or record to a file.")
    if not isinstance(sink, FileSink):
        return
    if sink.path.is_dir():
        raise SinkError(f"{sink.path} is a folder: name a file inside it.")
    if not sink.path.parent.is_dir():
        raise SinkError(f"{sink.path.parent} is not a folder: make it first, or record elsewhere.")


def failure_of(sink: Sink, error: BusError) -> SinkError:
    """The error of a window or a recording that fails."""
    return SinkError(f"{name_of(sink)} cannot be written: {error.text.rstrip('.')}.")


def write_snapshot(path: Path, png: bytes) -> None:
    """Write a picture so that nobody ever sees half of it.

    Raises:
        SinkError: it cannot be written there.
    """
    try:
        with whole_file(path) as part:
            part.write_bytes(png)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}.") from None
