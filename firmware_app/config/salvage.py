"""What of a broken configuration can still be used: enough to be seen on the ward and on the display.

Each part that is sound is taken from the file, every other one from the copy that was kept when the appliance
last ran, else its default. The copy lies in the state folder and holds no secret.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from calibration.whole_file import write_durably
from firmware_app.config.loading import contradiction, system_path
from firmware_app.config.migrations import migrate
from firmware_app.config.reading import Table, read_table
from firmware_app.config.secrecy import hide
from firmware_app.config.settings import Config
from firmware_app.errors import ConfigError

LOG = logging.getLogger(__name__)
PARTS = tuple(name for name in Config.model_fields if name != "version")
"""Each is sound or not for itself."""
COPY = "last-good.json"


def state_folder(environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder that systemd keeps for the appliance (`StateDirectory=`); None: it is no service."""
    folders = environment.get("STATE_DIRECTORY", "")
    return Path(folders.split(":")[0]) if folders else None


def keep(config: Config, folder: Path | None) -> None:
    """Keep the settings that the appliance runs with, without secrets; a disk that refuses is only noted."""
    if folder is None:
        return
    has_secret = hide(config.source.url) != config.source.url
    content = config.model_dump_json(include=set(PARTS) - ({"source"} if has_secret else set()))
    copy = folder / COPY
    try:
        if copy.is_file() and copy.read_text("utf-8") == content:
            return
        write_durably(copy, content.encode())
    except OSError as error:
        LOG.warning("%s cannot be kept for safe mode: %s", copy, error.strerror)


def kept_in(folder: Path | None) -> Config:
    """What was kept; every default where nothing was, or where it cannot be used."""
    if folder is None:
        return Config()
    try:
        return Config.model_validate_json((folder / COPY).read_bytes())
    except (OSError, ValidationError):
        return Config()


def salvage(path: Path | None, kept: Config) -> Config:
    """The sound parts of a broken file, the others as they were kept."""
    path = system_path(path)
    if path is None:
        return kept
    try:
        table = read_table(path)
    except ConfigError:
        return kept
    with suppress(ConfigError):  # then it is read as far as it goes
        migrate(table)
    sound = [config for config in (_part(table, name) for name in PARTS) if config is not None]
    taken = {name: getattr(config, name) for config in sound for name in config.model_fields_set}
    return kept.model_copy(update=taken)


def _part(table: Table, name: str) -> Config | None:
    """One part of the file; None: it is not there or not sound."""
    if name not in table:
        return None
    try:
        config = Config.model_validate({name: table[name]})
    except ValidationError:
        return None
    return config if contradiction(config) is None else None
