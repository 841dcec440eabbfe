"""Every setting with its title, unit, range, default and effect.

`systemd/fibrostage.example.toml` shows them all. The range stands in the type (`ge`, `le`, `Literal`).
`docs/settings.schema.json` is what `fibrostage show-config --schema` prints.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from firmware_app.wording import Language

VERSION: Literal[2] = 2
"""Of the layout of the file; `migrations` lifts older ones to it."""
ENGINES = Path("/var/cache/fibrostage/engines")
"""Where the appliance looks for compiled engines, and where `fibrostage-export compile` puts them."""

Level = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""One level of an MQTT topic."""


class Section(BaseModel):
    """What all sections have in common: unknown settings are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _printable(cls, value: object) -> object:
        """No name, path or address holds a control character; a zero byte would break every call with it."""
        if isinstance(value, str) and not all(character.isprintable() for character in value):
            raise ValueError("it holds a character that cannot be printed")
        return value


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


class MqttConfig(Section):
    """`[mqtt]`: the broker."""

    enabled: bool = Field(title="Publish over MQTT", default=True, description="false: nothing is published")
    required: bool = Field(
        title="Broker required at the start",
        default=True,
        description="true: do not start while the broker cannot be reached; false for unattended devices",
    )
    host: str = Field(
        title="Broker",
        default="localhost",
        min_length=1,
        max_length=253,
        description="name or address of the broker",
    )
    port: int = Field(
        title="Port of the broker",
        default=1883,
        ge=1,
        le=65535,
        description="TCP port; 8883 is usual with TLS",
    )
    username: str | None = Field(
        title="User at the broker",
        default=None,
        min_length=1,
        description="user at the broker; default: none",
    )
    password_file: Path | None = Field(
        title="File of the password",
        default=None,
        description="its first line is the password; closed to other users",
    )
    tls: bool = Field(
        title="Encrypted connection",
        default=False,
        description="true: TLS with the system's certificates, or with those of ca_file",
    )
    ca_file: Path | None = Field(
        title="Trusted certificates",
        default=None,
        description="PEM certificates that the broker's is checked against; needs tls",
    )
    cert_file: Path | None = Field(
        title="Certificate of the appliance",
        default=None,
        description="PEM certificate of this appliance; needs key_file",
    )
    key_file: Path | None = Field(
        title="Key of the appliance", default=None, description="PEM key of this appliance; needs cert_file"
    )
    keepalive_s: int = Field(
        title="Keep-alive",
        json_schema_extra={"unit": "s"},
        default=10,
        ge=2,
        le=600,
        description="seconds; a silent broker counts as lost after 1.5 times this",
    )
    queue: int = Field(
        title="Length of the outbox",
        json_schema_extra={"unit": "messages"},
        default=1000,
        ge=10,
        le=100_000,
        description="messages kept while the broker is away",
    )
    outbox: Path | None = Field(
        title="File of the outbox",
        default=None,
        description="SQLite file that keeps them over restarts; default: in memory only",
    )


class InferenceConfig(Section):
    """`[inference]`: what runs the networks."""

    threads: int = Field(
        title="Threads of OpenVINO",
        json_schema_extra={"unit": "threads"},
        default=0,
        ge=0,
        le=256,
        description="processor threads for OpenVINO; 0 leaves the choice to it",
    )
    engines: Path = Field(
        title="Compiled engines",
        default=ENGINES,
        description="folder of compiled TensorRT engines, which `fibrostage-export compile` fills",
    )
    shadow: bool = Field(
        title="Second runtime beside the first",
        default=False,
        description="true: OpenVINO scores beside TensorRT, and where they differ is counted and published",
    )


def _runtime_directory() -> Path | None:
    """The folder that systemd has made for this service, in memory."""
    folder = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(folder) if folder else None


class RecordsConfig(Section):
    """`[records]`: what is kept on the appliance."""

    audit: Path | None = Field(
        title="Audit log",
        default=None,
        description="folder of the audit log, hash-chained; default: none is written",
    )
    snapshot: Path | None = Field(
        title="Picture of each result",
        default=None,
        description="PNG of the overlay at each result; default: none is written",
    )
    memory: Path | None = Field(
        title="Memory of the banner",
        default_factory=_runtime_directory,
        description="folder on a RAM disk that remembers the banner over a crash; default: the service's own",
    )
    evidence: Path | None = Field(
        title="Evidence of each result",
        default=None,
        description="folder of the crops and metadata behind each result; default: none is kept",
    )
    evidence_limit_mb: int = Field(
        title="Limit of the evidence",
        json_schema_extra={"unit": "MB"},
        default=2000,
        ge=20,
        le=1_000_000,
        description="megabytes of evidence in all; beyond them that of the oldest results goes",
    )


class HealthConfig(Section):
    """`[health]`: how the appliance tells how it is."""

    every_s: int = Field(
        title="Pace of the health message",
        json_schema_extra={"unit": "s"},
        default=10,
        ge=1,
        le=3600,
        description="seconds between two health messages",
    )
    prometheus_host: str = Field(
        title="Address of the health page",
        default="127.0.0.1",
        min_length=1,
        max_length=253,
        description="address the health page listens on; 0.0.0.0 lets the whole network read it",
    )
    prometheus_port: int = Field(
        title="Port of the health page",
        default=0,
        ge=0,
        le=65535,
        description="port of the health page for Prometheus; 0: there is none",
    )


class BedsideConfig(Section):
    """`[bedside]`: the page for the tablet beside the scanner."""

    enabled: bool = Field(
        title="Bedside page", default=False, description="true: the appliance serves the bedside page"
    )
    host: str = Field(
        title="Address of the bedside page",
        default="127.0.0.1",
        min_length=1,
        max_length=253,
        description="address to listen on; any but this machine's own needs pin_file, cert_file and key_file",
    )
    port: int = Field(
        title="Port of the bedside page",
        default=8443,
        ge=1,
        le=65535,
        description="TCP port of the page",
    )
    pin_file: Path | None = Field(
        title="File of the PIN",
        default=None,
        description="its first line is the PIN, 6 to 64 characters; closed to other users; default: no PIN",
    )
    cert_file: Path | None = Field(
        title="Certificate of the bedside page",
        default=None,
        description="PEM certificate of the page; needs key_file; default: no TLS",
    )
    key_file: Path | None = Field(
        title="Key of the bedside page",
        default=None,
        description="PEM key of the page; needs cert_file; closed to other users",
    )


class Config(Section):
    """The whole configuration."""

    version: Literal[2] = Field(
        title="Version of the file",
        default=VERSION,
        description="layout of the file, lifted by `fibrostage migrate-config`; without it: version 1",
    )
    site: Level = Field(
        title="Site",
        default="site",
        description="topic level: the hospital or department; letters, digits, . _ -",
    )
    device: Level = Field(
        title="Device",
        default="fibrostage",
        description="topic level: this appliance, unique within the site",
    )
    room: str = Field(
        title="Room",
        default="",
        max_length=64,
        description="name of the room on displays; default: the device's name",
    )
    language: Language = Field(
        title="Language",
        default="en",
        description="of the overlay and of the sentences in messages: en, de or zh",
    )
    bundle: Path | None = Field(
        title="Model bundle",
        default=None,
        description="folder of the model bundle; default: the installed one, else the demonstration bundle",
    )
    bundle_store: Path = Field(
        title="Installed bundles",
        default=Path("/var/lib/fibrostage/bundles"),
        description="installed bundles, see `fibrostage bundle`",
    )
    bundle_keys: Path = Field(
        title="Trusted keys",
        default=Path("/etc/fibrostage/keys"),
        description="public keys (.pub) whose bundles are trusted, besides the demonstration's",
    )
    profile: str = Field(
        title="Screen profile",
        default="aixplorer",
        min_length=1,
        max_length=4096,
        description="screen profile: a name that ships, or a TOML file of the site's own",
    )
    source: SourceConfig = SourceConfig()
    sink: SinkConfig = SinkConfig()
    overlay: OverlayConfig = OverlayConfig()
    inference: InferenceConfig = InferenceConfig()
    records: RecordsConfig = RecordsConfig()
    mqtt: MqttConfig = MqttConfig()
    health: HealthConfig = HealthConfig()
    bedside: BedsideConfig = BedsideConfig()


def sections() -> dict[str, type[Section]]:
    """The sections of the file by their names."""
    fields = Config.model_fields.items()
    return {name: type(field.default) for name, field in fields if isinstance(field.default, Section)}
