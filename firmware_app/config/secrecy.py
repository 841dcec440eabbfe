"""Secrets of the configuration: hidden wherever settings are shown, found where too many may read them."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from firmware_app.config.section import Section
from firmware_app.config.settings import Config

MASK = "********"
_CREDENTIALS = re.compile(r"(?<=://)\S*(?=@)")
_SECRET = {"password_file", "pin_file", "key_file"}
_QUERY = re.compile(r"(?<=[?&])([^=&#\s]+)=[^&#\s]*")


def hide(text: str) -> str:
    """The text with the user and password of every address hidden, and what its query says."""
    return _QUERY.sub(rf"\1={MASK}", _CREDENTIALS.sub(MASK, text))


def masked(config: Config) -> Config:
    """The settings without the password that an encoder's address may hold."""
    source = config.source.model_copy(update={"url": hide(config.source.url)})
    return config.model_copy(update={"source": source})


def files_of(config: Config) -> dict[str, Path]:
    """The files with secrets and certificates that are set, by the names of their settings."""
    sections = [(heading, section) for heading, section in config if isinstance(section, Section)]
    return {
        f"{heading}.{name}": value
        for heading, section in sections
        for name, value in section
        if name.endswith("_file") and isinstance(value, Path)
    }


def exposed(config: Config, path: Path | None) -> list[str]:
    """One sentence for each secret that every user of this machine can read.

    Args:
        config: the settings.
        path: the file that they came from; it is a secret itself where an address holds a password.
    """
    held = [(name, file) for name, file in files_of(config).items() if name.rpartition(".")[2] in _SECRET]
    if hide(config.source.url) != config.source.url:
        held += [("the password in source.url", path)] if path is not None else []
    return [
        f"{name}: every user can read {file}; close it with: chmod o= {file}"
        for name, file in held
        if _open_to_others(file)
    ]


def _open_to_others(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # whoever needs the file says what is wrong with it
