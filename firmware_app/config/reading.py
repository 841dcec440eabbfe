"""A configuration file as it stands on the disk: its text, and the TOML in it."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from calibration import toml
from firmware_app.errors import ConfigError

Table = MutableMapping[str, Any]
"""What a TOML file holds; nothing has been checked yet."""


def read_table(path: Path) -> Table:
    """What the file holds, unchecked.

    Raises:
        ConfigError: it cannot be read, is empty or is no TOML.
    """
    return table_of(path, read_text(path))


def read_text(path: Path) -> str:
    """The text of the file, its line ends as they are.

    Raises:
        ConfigError: it cannot be read, or is no text.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not text in UTF-8: write the configuration as TOML") from error
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"{path} cannot be read ({cause}): name an existing file") from error


def table_of(path: Path, text: str) -> Table:
    """What the text of a file holds, unchecked.

    Raises:
        ConfigError: it is empty or no TOML.
    """
    if not text.strip():
        raise ConfigError(
            f"{path} is empty: write at least one setting, or leave the file away for the defaults"
        )
    try:
        return toml.parse(text)
    except toml.TomlError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; correct that line") from error
