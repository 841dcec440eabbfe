"""The graph is written for the machine it runs on, and every graph can be built."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from firmware_app.errors import SinkError, SourceError
from firmware_app.video.graph import has_element, parse
from firmware_app.video.launch import display_of, input_of, replay_of
from firmware_app.video.pixels import Layout, to_bgr
from firmware_app.video.sinks import FileSink, NoSink, Sink, WindowSink, check
from firmware_app.video.sources import (
    FileSource,
    Fragment,
    PhantomSource,
    RtspSource,
    Source,
    V4l2Source,
    name_of,
)
from firmware_app.video.stream_events import (
    BusError,
    EndOfStream,
    break_of,
    cause_of,
    gravest,
    is_due,
    loss_of,
)

SOURCES: list[Source] = [
    V4l2Source(Path("/dev/video0")),
    V4l2Source(Path("/dev/video0"), 1920, 1080, 60, mjpeg=True),
    RtspSource("rtsp://encoder/video"),
    FileSource(Path("exam.mp4")),
    PhantomSource(Path("/run/scanner"), 1440, 1080, 60),
]
SINKS: list[Sink] = [WindowSink(), WindowSink(2160), FileSink(Path("exam.mp4")), NoSink()]
FILE = SOURCES[3]


def _error(domain: str, code: int, debug: str = "") -> BusError:
    return BusError("source", f"gst-{domain}-error-quark", code, "GStreamer's own words.", debug)


@pytest.mark.parametrize(
    "fragment",
    [
        *(input_of(source, has_element) for source in SOURCES),
        *(replay_of(source, has_element) for source in SOURCES),
        *(display_of(sink, has_element, mirrored=mirrored) for sink in SINKS for mirrored in (True, False)),
    ],
    ids=lambda fragment: fragment.launch.split()[0],
)
def test_every_graph_can_be_built(fragment: Fragment) -> None:
    """Each source and each sink makes a graph that GStreamer accepts, with every element to be set up."""
    graph = parse(fragment.launch)
    for setting in fragment.settings:
        graph.get_by_name(setting.element).set_property(setting.name, setting.value)


@pytest.mark.parametrize("source", SOURCES)
def test_names_and_addresses_stay_out_of_the_launch_string(source: Source) -> None:
    """What comes from outside is a property, never launch syntax."""
    display = display_of(FileSink(Path("out.mp4")), has_element)
    launch = input_of(source, has_element).launch + display.launch
    for word in ("/dev/video0", "encoder", "exam.mp4", "/run/scanner", "out.mp4"):
        assert word not in launch


def test_a_jetson_uses_its_hardware() -> None:
    """Where NVIDIA's elements exist, they convert, decode MJPEG, encode and show."""

    def launch(source: Source, sink: Sink) -> str:
        return input_of(source, lambda _: True).launch + display_of(sink, lambda _: True).launch

    assert "videoconvert" not in launch(SOURCES[0], NoSink())
    assert "nvvidconv" in launch(SOURCES[0], NoSink())
    assert "nvv4l2decoder mjpeg=1" in launch(SOURCES[1], NoSink())
    assert "nvv4l2h264enc" in launch(SOURCES[0], FileSink(Path("x.mp4")))
    assert "nv3dsink" in launch(SOURCES[0], WindowSink()) or "nvdrmvideosink" in launch(
        SOURCES[0], WindowSink()
    )


@pytest.mark.parametrize(
    ("desktop", "elements", "sink"),
    [
        ("DISPLAY", {"nv3dsink", "nvdrmvideosink", "nvvidconv"}, "nvvidconv ! nv3dsink name="),
        ("WAYLAND_DISPLAY", {"nv3dsink", "nvdrmvideosink", "nvvidconv"}, "nvvidconv ! nv3dsink name="),
        ("DISPLAY", set(), "videoconvert ! videoscale ! ximagesink name="),
        ("WAYLAND_DISPLAY", set(), "videoconvert ! waylandsink name="),
        (
            None,
            {"nv3dsink", "nvdrmvideosink", "nvvidconv"},
            "nvvidconv ! video/x-raw(memory:NVMM),format=NV12 ! nvdrmvideosink name=",
        ),
        (None, set(), "videoconvert ! kmssink name="),
    ],
)
def test_each_machine_has_its_window(
    desktop: str | None, elements: set[str], sink: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Jetson and another machine, on X11, on Wayland, without a desktop; none waits for a clock."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if desktop is not None:
        monkeypatch.setenv(desktop, "0")
    launch = display_of(WindowSink(), elements.__contains__).launch
    assert sink in launch
    assert "sync=false" in launch[launch.index(sink) :]


@pytest.mark.parametrize(("elements", "scales"), [({"nvvidconv"}, False), (set(), True)])
def test_a_picture_is_scaled_before_it_is_drawn_on(elements: set[str], scales: bool) -> None:  # noqa: FBT001
    """For a 4K screen the scaling stands before the overlay; the Jetson's converter does it by itself."""
    launch = display_of(WindowSink(2160), elements.__contains__).launch
    assert launch.index("height=2160,pixel-aspect-ratio=1/1") < launch.index("overlaycomposition")
    assert ("videoscale" in launch) is scales
    assert "height=" not in display_of(WindowSink(), elements.__contains__).launch


def test_a_rate_of_60_takes_a_card_that_says_59_94() -> None:
    """The wanted rate is a range, since HDMI runs at 60000/1001."""
    launch = input_of(SOURCES[1], has_element).launch
    assert "framerate=[119/2,121/2]" in launch
    assert 119 / 2 < 60000 / 1001 < 121 / 2


def test_a_missing_element_is_named() -> None:
    """A GStreamer without a needed element gives one clear sentence with its name."""
    with pytest.raises(SourceError, match="fibrostagemissing"):
        parse("videotestsrc ! fibrostagemissing ! fakesink")


def test_a_window_needs_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desktop gets a window, a console the whole screen; without both the fault is named."""
    monkeypatch.setenv("DISPLAY", ":0")
    check(WindowSink())
    assert "ximagesink" in display_of(WindowSink(), has_element).launch
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "kmssink" in display_of(WindowSink(), lambda _: False).launch
    assert "nvdrmvideosink" in display_of(WindowSink(), lambda _: True).launch
    if any(Path("/dev/dri").glob("card*")):
        pytest.skip("this machine has a display of its own")
    with pytest.raises(SinkError, match="There is no display"):
        check(WindowSink())


def test_a_password_in_an_address_is_masked() -> None:
    """Messages name the encoder, never its password."""
    assert name_of(RtspSource("rtsp://user:secret@encoder/video")) == "rtsp://***@encoder/video"
    assert name_of(RtspSource("rtsp://encoder/video")) == "rtsp://encoder/video"


@pytest.mark.parametrize("width", [320, 322])
@pytest.mark.parametrize("padding", [0, 24])
def test_pictures_are_converted_without_their_padding(width: int, padding: int) -> None:
    """Padded or not, I420 and BGRx give the picture that OpenCV gives for the packed planes."""
    rng = np.random.default_rng(width + padding)
    height = 48
    planes = [
        rng.integers(16, 236, (rows, columns + padding), np.uint8)
        for rows, columns in ((height, width), (height // 2, width // 2), (height // 2, width // 2))
    ]
    offsets = tuple(int(offset) for offset in np.cumsum([0, planes[0].size, planes[1].size]))
    strides = tuple(plane.shape[1] for plane in planes)
    layout = Layout("I420", width, height, offsets, strides)
    picture = to_bgr(memoryview(b"".join(plane.tobytes() for plane in planes)), layout)
    packed = np.concatenate([plane[:, : plane.shape[1] - padding].ravel() for plane in planes])
    expected = cv2.cvtColor(packed.reshape(height * 3 // 2, width), cv2.COLOR_YUV2BGR_I420)
    assert np.array_equal(picture, expected)

    colours = rng.integers(0, 256, (height, width + padding, 4), np.uint8)
    layout = Layout("BGRx", width, height, (0,), (4 * (width + padding),))
    assert np.array_equal(to_bgr(memoryview(colours.tobytes()), layout), colours[:, :width, :3])


def test_causes_are_words() -> None:
    """GStreamer's codes become plain words; what we have no words for keeps GStreamer's own."""
    assert cause_of(_error("resource", 4)) == "it is used by another program"
    assert cause_of(_error("core", 1)) == "GStreamer's own words"
    assert (
        cause_of(_error("stream", 1, "reason not-linked (-1)"))
        == "it holds no picture that can be decoded here"
    )
    assert loss_of(None) == "no picture arrives"
    assert loss_of(EndOfStream()) == "the sender has stopped"
    assert loss_of(_error("resource", 9)) == "reading from it failed"


def test_an_error_weighs_more_than_the_end_that_follows_from_it() -> None:
    """Whatever came first on the bus, an error explains the end."""
    error = _error("stream", 7)
    assert gravest([EndOfStream(), error, _error("stream", 1)]) is error
    assert gravest([EndOfStream()]) == EndOfStream()
    assert gravest([]) is None


def test_a_source_is_opened_again_soon_after_an_error_and_with_patience_in_silence() -> None:
    """An error is answered after one second; an encoder that sends gets time for a key frame."""
    rtsp, phantom = SOURCES[2], SOURCES[4]
    assert not is_due(phantom, _error("resource", 9), open_s=0.5, silent_s=9)
    assert is_due(phantom, _error("resource", 9), open_s=1.0, silent_s=0)
    assert is_due(phantom, None, open_s=5, silent_s=1.0)
    assert not is_due(rtsp, None, open_s=2, silent_s=60)
    assert is_due(rtsp, None, open_s=2.2, silent_s=60)  # no answer: asked anew
    assert not is_due(rtsp, None, open_s=5, silent_s=5, flowing=True)
    assert is_due(rtsp, None, open_s=9, silent_s=9, flowing=True)


def test_the_end_of_a_file_is_told_from_a_break() -> None:
    """The last frame lies one frame before the announced end; half a second earlier it is a break."""
    second = 1_000_000_000
    assert break_of(FILE, EndOfStream(), 2 * second - second // 30, 2 * second) is None
    assert break_of(FILE, EndOfStream(), 2 * second, None) is None
    assert break_of(FILE, EndOfStream(), second, 2 * second) == (
        "exam.mp4 breaks off after 1.0 s of 2.0 s: copy or record it again."
    )
    assert break_of(FILE, _error("stream", 7), second, 2 * second) == (
        "exam.mp4 breaks off after 1.0 s: its pictures cannot be decoded."
    )
