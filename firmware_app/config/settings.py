"""Every setting with its title, unit, range, default and effect.

`systemd/fibrostage.example.toml` shows them all. The range stands in the type (`ge`, `le`, `Literal`).
`docs/settings.schema.json` is what `fibrostage show-config --schema` prints.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from firmware_app.config.picture import OverlayConfig, SinkConfig, SourceConfig
from firmware_app.config.section import Section
from firmware_app.wording import Language

VERSION: Literal[2] = 2
"""Of the layout of the file; `migrations` lifts older ones to it."""
ENGINES = Path("/var/cache/fibrostage/engines")
"""Where the appliance looks for compiled engines, and where `fibrostage-export compile` puts them."""

Level = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
"""One level of an MQTT topic."""


def _is_host(value: str) -> str:
    try:
        value.encode("idna")
    except UnicodeError as error:
        raise ValueError(
            "it is no name or address of a host: each of its labels has 1 to 63 letters"
        ) from error
    return value


Host = Annotated[str, Field(min_length=1, max_length=253), AfterValidator(_is_host)]
"""Name or address of a machine."""


class MqttConfig(Section):
    """`[mqtt]`: the broker."""

    enabled: bool = Field(title="Publish over MQTT", default=True, description="false: nothing is published")
    required: bool = Field(
        title="Broker required at the start",
        default=True,
        description="true: do not start while the broker cannot be reached; false for unattended devices",
    )
    host: Host = Field(
        title="Broker",
        default="localhost",
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
    prometheus_host: Host = Field(
        title="Address of the health page",
        default="127.0.0.1",
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
    host: Host = Field(
        title="Address of the bedside page",
        default="127.0.0.1",
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
