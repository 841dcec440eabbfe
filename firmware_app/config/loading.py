"""From a file to settings that can be used, or one sentence that says why not."""

from __future__ import annotations

import difflib
from ipaddress import ip_address
from pathlib import Path

from pydantic import ValidationError

from firmware_app.config.migrations import migrate
from firmware_app.config.reading import read_table
from firmware_app.config.secrecy import hide
from firmware_app.config.settings import Config, sections
from firmware_app.errors import ConfigError

SYSTEM_PATH = Path("/etc/fibrostage/fibrostage.toml")
"""Read where no other file is named."""


def system_path(path: Path | None) -> Path | None:
    """The file that is read: the one that is named, else the system's; None: there is neither."""
    if path is None and SYSTEM_PATH.exists():
        return SYSTEM_PATH
    return path


def load_config(path: Path | None) -> Config:
    """Read and check the configuration; a file of an older version is lifted to this one in memory.

    Args:
        path: the file; None: `SYSTEM_PATH` if it is there, else every default.

    Raises:
        ConfigError: one sentence that names the file, the key and what to do.
    """
    path = system_path(path)
    if path is None:
        return Config()
    table = read_table(path)
    try:
        migrate(table)
        config = Config.model_validate(table)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        raise ConfigError(f"{path}: {_sentence(error)}") from error
    complaint = contradiction(config)
    if complaint is not None:
        raise ConfigError(f"{path}: {complaint}")
    return config


def _sentence(error: ValidationError) -> str:
    """The first complaint, in words: which key, what is wrong, what to do."""
    first = error.errors()[0]
    key = " ".join(".".join(str(part) for part in first["loc"]).split())  # a key may hold a line end
    if first["type"] == "extra_forbidden":
        return f"unknown setting {key}{_nearest(tuple(str(part) for part in first['loc']))}"
    wrong = first["msg"].removeprefix("Value error, ")
    return f"setting {key} is wrong: {wrong}, not {_shown(first['input'])}"


def _shown(value: object) -> str:
    """A wrong value, cut short, its secrets hidden."""
    shown = hide(repr(value))
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def _nearest(location: tuple[str, ...]) -> str:
    """A known name that was probably meant, in the same section or in another one."""
    known = set((sections()[location[0]] if len(location) > 1 else Config).model_fields)
    close = difflib.get_close_matches(location[-1], known, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    homes = [name for name, section in sections().items() if location[-1] in section.model_fields]
    homes += ["the top of the file"] if location[-1] in Config.model_fields else []
    if homes:
        return (
            f"; it belongs into {' or '.join(f'[{home}]' if home in sections() else home for home in homes)}"
        )
    return f"; remove it (known: {', '.join(sorted(known))})"


def is_loopback(host: str) -> bool:
    """Whether only this machine itself can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def contradiction(config: Config) -> str | None:
    """What no single key shows, in one sentence; None: the settings fit together."""
    source, mqtt, bedside = config.source, config.mqtt, config.bedside
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
            source.kind == "rtsp" and not source.url.startswith(("rtsp://", "rtsps://")),
            "setting source.url is no RTSP address: it must begin with rtsp://",
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
        (
            (bedside.cert_file is None) != (bedside.key_file is None),
            "settings bedside.cert_file and bedside.key_file belong together: set both or none",
        ),
        (
            bedside.enabled
            and not is_loopback(bedside.host)
            and (bedside.pin_file is None or bedside.cert_file is None),
            f"setting bedside.host {bedside.host} is open to others: set pin_file, cert_file and key_file",
        ),
    )
    return next((sentence for wrong, sentence in checks if wrong), None)
