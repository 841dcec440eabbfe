"""The configuration: one TOML file, checked key by key, every setting with its unit, range and effect.

`systemd/fibrostage.example.toml` shows every setting. A missing setting has the default that stands here.
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firmware_app.errors import ConfigError
from firmware_app.wording import Language

if sys.version_info >= (3, 11):
    import tomllib
else:  # the standard library has it from 3.11 on
    import tomli as tomllib

ENGINES = Path("/var/cache/fibrostage/engines")
"""Where the appliance looks for compiled engines, and where `fibrostage-export compile` puts them."""
SYSTEM_PATH = Path("/etc/fibrostage/fibrostage.toml")
"""Read where no other file is named."""
MASK = "********"

Level = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""One level of an MQTT topic."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Section):
    """`[source]`: where the video comes from."""

    kind: Literal["v4l2", "rtsp", "file", "phantom"] = Field(
        default="v4l2", description="which of the four it is"
    )
    device: Path = Field(default=Path("/dev/video0"), description="v4l2: the capture card")
    url: str = Field(
        default="", description="rtsp: address of the encoder; may hold a password, which is never shown"
    )
    path: Path | None = Field(default=None, description="file: the recorded video")
    socket: Path = Field(
        default=Path("/run/fibrostage/phantom.sock"), description="phantom: the virtual scanner's socket"
    )
    width: int | None = Field(
        default=None, ge=160, le=7680, description="v4l2, phantom: pixels; default: as offered"
    )
    height: int | None = Field(
        default=None, ge=120, le=4320, description="v4l2, phantom: pixels; default: as offered"
    )
    fps: int | None = Field(
        default=None, ge=1, le=240, description="v4l2, phantom: frames per second; default: as offered"
    )
    mjpeg: bool = Field(default=False, description="v4l2: ask for MJPEG, which USB 2 cards need for 60 Hz")
    latency_ms: int = Field(
        default=100, ge=0, le=5000, description="rtsp: jitter buffer in ms; delays the picture by as much"
    )


class SinkConfig(_Section):
    """`[sink]`: where the picture with the overlay goes."""

    kind: Literal["window", "file", "none"] = Field(
        default="window", description="screen, recorded file, or nowhere"
    )
    path: Path | None = Field(default=None, description="file: the recording")


class MqttConfig(_Section):
    """`[mqtt]`: the broker."""

    enabled: bool = Field(default=True, description="false: nothing is published")
    required: bool = Field(
        default=True,
        description="true: do not start while the broker cannot be reached; false for unattended devices",
    )
    host: str = Field(
        default="localhost", min_length=1, max_length=253, description="name or address of the broker"
    )
    port: int = Field(default=1883, ge=1, le=65535, description="TCP port; 8883 is usual with TLS")
    username: str | None = Field(default=None, min_length=1, description="user at the broker; default: none")
    password_file: Path | None = Field(
        default=None, description="its first line is the password; only root may read it"
    )
    tls: bool = Field(
        default=False, description="true: TLS with the system's certificates, or with those of ca_file"
    )
    ca_file: Path | None = Field(
        default=None, description="PEM certificates that the broker's is checked against; needs tls"
    )
    cert_file: Path | None = Field(
        default=None, description="PEM certificate of this appliance; needs key_file"
    )
    key_file: Path | None = Field(default=None, description="PEM key of this appliance; needs cert_file")
    keepalive_s: int = Field(
        default=10, ge=2, le=600, description="seconds; a silent broker counts as lost after 1.5 times this"
    )
    queue: int = Field(default=1000, ge=10, le=100_000, description="messages kept while the broker is away")
    outbox: Path | None = Field(
        default=None, description="SQLite file that keeps them over restarts; default: in memory only"
    )


class InferenceConfig(_Section):
    """`[inference]`: what runs the networks."""

    threads: int = Field(
        default=0, ge=0, le=256, description="processor threads for OpenVINO; 0 leaves the choice to it"
    )
    engines: Path = Field(
        default=ENGINES,
        description="folder of compiled TensorRT engines, which `fibrostage-export compile` fills",
    )
    shadow: bool = Field(
        default=False,
        description="true: OpenVINO scores beside TensorRT, and where they differ is counted and published",
    )


class HealthConfig(_Section):
    """`[health]`: how the appliance tells how it is."""

    every_s: int = Field(default=10, ge=1, le=3600, description="seconds between two health messages")
    prometheus_host: str = Field(
        default="127.0.0.1",
        min_length=1,
        max_length=253,
        description="address the health page listens on; 0.0.0.0 lets the whole network read it",
    )
    prometheus_port: int = Field(
        default=0, ge=0, le=65535, description="port of the health page for Prometheus; 0: there is none"
    )


class Config(_Section):
    """The whole configuration."""

    site: Level = Field(
        default="site", description="topic level: the hospital or department; letters, digits, . _ -"
    )
    device: Level = Field(
        default="fibrostage", description="topic level: this appliance, unique within the site"
    )
    room: str = Field(
        default="", max_length=64, description="name of the room on displays; default: the device's name"
    )
    language: Language = Field(
        default="en", description="of the overlay and of the sentences in messages: en, de or zh"
    )
    bundle: Path | None = Field(
        default=None,
        description="folder of the model bundle; default: the installed one, else the demonstration bundle",
    )
    bundle_store: Path = Field(
        default=Path("/var/lib/fibrostage/bundles"), description="installed bundles, see `fibrostage bundle`"
    )
    bundle_keys: Path = Field(
        default=Path("/etc/fibrostage/keys"),
        description="public keys (.pub) whose bundles are trusted, besides the demonstration's",
    )
    profile: str = Field(
        default="aixplorer",
        min_length=1,
        max_length=4096,
        description="screen profile: a name that ships, or a TOML file of the site's own",
    )
    snapshot: Path | None = Field(
        default=None, description="PNG of the overlay at each result; default: none is written"
    )
    audit: Path | None = Field(
        default=None, description="folder of the audit log, hash-chained; default: none is written"
    )
    source: SourceConfig = SourceConfig()
    sink: SinkConfig = SinkConfig()
    inference: InferenceConfig = InferenceConfig()
    mqtt: MqttConfig = MqttConfig()
    health: HealthConfig = HealthConfig()


def load_config(path: Path | None) -> Config:
    """Read and check the configuration.

    Args:
        path: the file; None: `SYSTEM_PATH` if it is there, else every default.

    Raises:
        ConfigError: one sentence that names the file, the key and what to do.
    """
    if path is None:
        if not SYSTEM_PATH.exists():
            return Config()
        path = SYSTEM_PATH
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8: write the configuration as TOML") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): name an existing file") from error
    if not text.strip():
        raise ConfigError(
            f"{path} is empty: write at least one setting, or leave the file away for the defaults"
        )
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; correct that line") from error
    try:
        config = Config.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_sentence(error)}") from error
    complaint = _contradiction(config)
    if complaint is not None:
        raise ConfigError(f"{path}: {complaint}")
    return config


def render_config(config: Config) -> str:
    """The settings in effect as TOML, secrets masked, for `fibrostage show-config`."""
    masked = _masked(config)
    lines: list[str] = []
    for model, heading in (
        (masked, ""),
        (masked.source, "source"),
        (masked.sink, "sink"),
        (masked.inference, "inference"),
        (masked.mqtt, "mqtt"),
        (masked.health, "health"),
    ):
        if heading:
            lines += ["", f"[{heading}]"]
        for key, value in model:
            if not isinstance(value, _Section):
                lines.append(f"{key} = {_toml(value)}" if value is not None else f"# {key} is not set")
    return "\n".join(lines) + "\n"


def _masked(config: Config) -> Config:
    scheme, separator, rest = config.source.url.partition("://")
    credentials, at, address = rest.rpartition("@")
    if not (separator and at and credentials):
        return config
    source = config.source.model_copy(update={"url": f"{scheme}://{MASK}@{address}"})
    return config.model_copy(update={"source": source})


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _sentence(error: ValidationError) -> str:
    """The first complaint, in words: which key, what is wrong, what to do."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown setting {key}{_nearest(tuple(str(part) for part in first['loc']))}"
    return f"setting {key} is wrong: {first['msg']}, not {first['input']!r}"


def _nearest(location: tuple[str, ...]) -> str:
    sections: dict[str, type[_Section]] = {
        "source": SourceConfig,
        "sink": SinkConfig,
        "inference": InferenceConfig,
        "mqtt": MqttConfig,
        "health": HealthConfig,
    }
    known = sections[location[0]].model_fields if len(location) > 1 else Config.model_fields
    close = difflib.get_close_matches(location[-1], known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; remove it (known: {', '.join(sorted(known))})"


def _contradiction(config: Config) -> str | None:
    """What no single key shows."""
    source, mqtt = config.source, config.mqtt
    checks = (
        (
            source.kind == "file" and source.path is None,
            "setting source.path is missing: name the video file",
        ),
        (
            source.kind == "rtsp" and not source.url,
            "setting source.url is missing: name the encoder's address",
        ),
        (
            config.sink.kind == "file" and config.sink.path is None,
            "setting sink.path is missing: name the file to record to",
        ),
        (
            (mqtt.cert_file is None) != (mqtt.key_file is None),
            "settings mqtt.cert_file and mqtt.key_file belong together: set both or none",
        ),
        (
            not mqtt.tls and (mqtt.ca_file is not None or mqtt.cert_file is not None),
            "setting mqtt.tls is false, but certificates are set: set it to true",
        ),
        (
            mqtt.password_file is not None and mqtt.username is None,
            "setting mqtt.username is missing: a password needs a user",
        ),
    )
    return next((sentence for wrong, sentence in checks if wrong), None)
