"""The settings of the picture: where it comes from, where it goes, what is drawn over it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from firmware_app.config.section import Section


class SourceConfig(Section):
    """`[source]`: where the video comes from."""

    kind: Literal["v4l2", "rtsp", "file", "phantom"] = Field(
        title="Kind of video source", default="v4l2", description="which of the four it is"
    )
    device: Path = Field(
        title="Capture card", default=Path("/dev/video0"), description="v4l2: the capture card"
    )
    url: str = Field(
        title="Network encoder",
        default="",
        description="rtsp: address of the encoder; may hold a password, which is never shown",
    )
    path: Path | None = Field(title="Recorded video", default=None, description="file: the recorded video")
    socket: Path = Field(
        title="Virtual scanner",
        default=Path("/run/fibrostage/phantom.sock"),
        description="phantom: the virtual scanner's socket",
    )
    width: int | None = Field(
        title="Picture width",
        json_schema_extra={"unit": "pixels"},
        default=None,
        ge=160,
        le=7680,
        description="v4l2, phantom: pixels; default: as offered",
    )
    height: int | None = Field(
        title="Picture height",
        json_schema_extra={"unit": "pixels"},
        default=None,
        ge=120,
        le=4320,
        description="v4l2, phantom: pixels; default: as offered",
    )
    fps: int | None = Field(
        title="Frame rate",
        json_schema_extra={"unit": "frames per second"},
        default=None,
        ge=1,
        le=240,
        description="v4l2, phantom: frames per second; default: as offered",
    )
    mjpeg: bool = Field(
        title="MJPEG from the card",
        default=False,
        description="v4l2: ask for MJPEG, which USB 2 cards need for 60 Hz",
    )
    latency_ms: int = Field(
        title="Jitter buffer",
        json_schema_extra={"unit": "ms"},
        default=100,
        ge=0,
        le=5000,
        description="rtsp: jitter buffer in ms; delays the picture by as much",
    )


class SinkConfig(Section):
    """`[sink]`: where the picture with the overlay goes."""

    kind: Literal["window", "file", "none"] = Field(
        title="Kind of display", default="window", description="screen, recorded file, or nowhere"
    )
    path: Path | None = Field(title="Recording", default=None, description="file: the recording")
    lines: int | None = Field(
        title="Lines of the display",
        json_schema_extra={"unit": "pixels"},
        default=None,
        ge=240,
        le=4320,
        description="window: lines of the screen, 2160 for 4K: keeps the overlay sharp; default: as offered",
    )


class OverlayConfig(Section):
    """`[overlay]`: what is drawn over the picture, beyond what is always drawn."""

    activation_map: bool = Field(
        title="Class-activation map",
        default=False,
        description="true: while frozen, a map over both squares shows where the networks looked",
    )
    latency: bool = Field(
        title="Latency on the overlay",
        default=False,
        description="true: the right card ends with the display's delay and lost frames, for the technician",
    )
