"""Secrets of the configuration: hidden wherever settings are shown, found where too many may read them."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from firmware_app.config.settings import Config

MASK = "********"
_CREDENTIALS = re.compile(r"(?<=://)\S*(?=@)")
_QUERY = re.compile(r"(?<=[?&])([^=&#\s]+)=[^&#\s]*")


def hide(text: str) -> str:
    """The text with the user and password of every address hidden, and what its query says."""
    return _QUERY.sub(rf"\1={MASK}", _CREDENTIALS.sub(MASK, text))


def masked(config: Config) -> Config:
    """The settings without the password that an encoder's address may hold."""
    source = config.source.model_copy(update={"url": hide(config.source.url)})
    return config.model_copy(update={"source": source})


def exposed(config: Config, path: Path | None) -> list[str]:
    """One sentence for each secret that every user of this machine can read.

    Args:
        config: the settings.
        path: the file that they came from; it is a secret itself where an address holds a password.
    """
    held = [("mqtt.password_file", config.mqtt.password_file), ("mqtt.key_file", config.mqtt.key_file)]
    if hide(config.source.url) != config.source.url:
        held.append(("the password in source.url", path))
    return [
        f"{name}: every user can read {file}; close it with: chmod o= {file}"
        for name, file in held
        if file is not None and _open_to_others(file)
    ]


def _open_to_others(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # whoever needs the file says what is wrong with it
