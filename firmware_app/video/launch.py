"""The graphs as launch strings: of a live source, of a display, and of a replay. Pure.

A live source and its display are two graphs, so that the display goes on, with the overlay and what is wrong,
while the source is lost, hangs or is opened again. The display never waits for the analysis: the analysis'
queue drops, the way to the display does not. A recorded file is paced by the clock in front of the tee, so
that nothing behind it has a reason to drop. In replay there is no tee, no clock and no display: every frame
is delivered, as fast as the consumer goes.

With a mirror, the composed picture is split once more. The mirror's part begins with a gate that is closed
while nobody watches, and with a queue that drops: the display never waits for it.
"""

from __future__ import annotations

from firmware_app.video import sinks, sources
from firmware_app.video.sinks import Sink, WindowSink, converter
from firmware_app.video.sources import Fragment, HasElement, Source

ANALYSIS = "analysis"
"""Name of the appsink from which the analysis is fed."""
SPLIT = "split"
"""Name of the tee, where a frame counts as arrived unless its source says otherwise."""
SHOWN = "shown"
"""Name of the appsink from which the display is fed."""
FEED = "feed"
"""Name of the appsrc at which the display begins."""
OVERLAY = "overlay"
"""Name of the element that draws."""
MIRROR = "mirror"
"""Name of the appsink from which the mirror is fed."""
MIRROR_GATE = "mirror_gate"
"""Name of the valve in front of the mirror's branch."""
MIRROR_PACE = "mirror_pace"
"""Name of the queue behind which the mirror's pictures are thinned out."""

_BLENDABLE = "video/x-raw,format={I420,NV12,YUY2,UYVY,BGRx,RGBx,BGRA,RGBA}"
"""Formats in system memory into which GStreamer blends a patch."""
ANALYSED = (
    "video/x-raw,format=I420,colorimetry=bt601,width=[2,16384,2],height=[2,16384,2];video/x-raw,format=BGRx"
)
"""What the analysis takes. I420 passes as it is, and only frames that are taken are converted, by OpenCV:
GStreamer 1.22's own conversion to BGRx is up to 5 of 255 off, which shows in kPa."""
_ONE_FRAME = "max-size-buffers=1 max-size-bytes=0 max-size-time=0"
_FEW_FRAMES = "max-size-buffers=4 max-size-bytes=0 max-size-time=0"
_UNPACED = "sync=false async=false qos=false enable-last-sample=false"
_COMPOSED = "composed"


def _analysis(has_element: HasElement, limits: str) -> str:
    return f"{_pictures(has_element)} ! appsink name={ANALYSIS} {_UNPACED} {limits}"


def _pictures(has_element: HasElement) -> str:
    """To formats that `pixels` turns into pictures."""
    convert = converter(has_element)
    formats = "video/x-raw,format=BGRx" if convert != "videoconvert" else ANALYSED
    return f'{convert} ! capsfilter caps="{formats}"'


def replay_of(source: Source, has_element: HasElement) -> Fragment:
    """Every frame of a file, in order, with back-pressure."""
    head = sources.fragment_of(source, has_element)
    return Fragment(f"{head.launch} ! {_analysis(has_element, 'max-buffers=2 drop=false')}", head.settings)


def input_of(source: Source, has_element: HasElement) -> Fragment:
    """The newest frame for the analysis, every frame for the display."""
    head = sources.fragment_of(source, has_element)
    pace = "" if sources.is_live(source) else "clocksync ! "
    launch = (
        f"{head.launch} ! {pace}tee name={SPLIT} "
        f"{SPLIT}. ! queue leaky=downstream {_ONE_FRAME} ! "
        f"{_analysis(has_element, 'max-buffers=1 drop=true emit-signals=true')} "
        f"{SPLIT}. ! appsink name={SHOWN} {_UNPACED} max-buffers=1 drop=false emit-signals=true"
    )
    return Fragment(launch, head.settings)


def display_of(sink: Sink, has_element: HasElement, *, mirrored: bool = False) -> Fragment:
    """The display: whatever it is fed with, the overlay on it, and a mirror if wanted."""
    tail = sinks.fragment_of(sink, has_element)
    display = f"queue {_FEW_FRAMES} ! {tail.launch}"
    # The queue stands behind the overlay and so holds composed copies: the source's own few buffers (a
    # capture card's, the virtual scanner's shared memory) return to it at once.
    # A screen that hangs must not hold the source up; what ends in a file or nowhere takes every frame.
    is_screen = isinstance(sink, WindowSink)
    full = "leaky-type=downstream max-buffers=2" if is_screen else "block=true max-buffers=1"
    launch = (
        f"appsrc name={FEED} is-live=true format=time {full} max-bytes=0 max-time=0 ! "
        f"{sinks.scaling_of(sink, has_element)} ! {_BLENDABLE}{sinks.shape_of(sink)} ! "
        f"overlaycomposition name={OVERLAY} ! {_BLENDABLE} ! "
        f"{_mirrored(has_element, display) if mirrored else display}"
    )
    return Fragment(launch, tail.settings)


def _mirrored(has_element: HasElement, display: str) -> str:
    """The composed picture for the display as before, and for the mirror beside it.

    The gate passes the end of the stream on even while it is closed: without it the graph would never end.
    A probe thins the pictures out: GStreamer 1.22's videorate ends the process at pictures without a rate.
    """
    return (
        f"tee name={_COMPOSED} {_COMPOSED}. ! {display} "
        f"{_COMPOSED}. ! valve name={MIRROR_GATE} drop=true drop-mode=forward-sticky-events ! "
        f"queue name={MIRROR_PACE} leaky=downstream {_ONE_FRAME} ! "
        f"{_pictures(has_element)} ! appsink name={MIRROR} {_UNPACED} "
        "max-buffers=1 drop=true emit-signals=true"
    )
