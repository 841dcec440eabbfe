"""Older files: lifted to this version in memory at each start, on the disk by `fibrostage migrate-config`.

A file says its version in `version`; one without is of version 1. Step n lifts version n to n + 1, and works
on the plain settings as well as on the document with its comments.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError

from firmware_app.config.reading import Table, read_text, table_of
from firmware_app.config.secrecy import hide
from firmware_app.config.settings import VERSION
from firmware_app.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Migrated:
    """A file that was lifted: from which version, and where the old one lies."""

    path: Path
    came_from: int
    backup: Path


def _group_records(table: Table) -> None:
    """1 -> 2: what the appliance keeps, `audit` and `snapshot`, stands together in `[records]`."""
    moved = [name for name in ("audit", "snapshot") if name in table]
    if not moved:
        return
    records = table.setdefault("records", {})
    for name in moved:
        if not isinstance(records, MutableMapping) or name in records:
            raise ConfigError(f"setting {name} stands in [records] now: remove the line above the sections")
        table["records"][name] = table.pop(name)


_LONE_LINE_END = re.compile(r"(?<!\r)\n")
"""Not the one of Windows."""
_STEPS: tuple[Callable[[Table], None], ...] = (_group_records,)


def version_of(table: Table) -> int:
    """The version of a file.

    Raises:
        ConfigError: it is none, or one that only a newer software knows.
    """
    version = table.get("version", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ConfigError(
            f"setting version is wrong: give a number from 1 to {VERSION}, not {hide(repr(version))}"
        )
    if version > VERSION:
        raise ConfigError(
            f"it is of version {version}, and this software knows up to version {VERSION}: update it, "
            f"or take back the copy .v{VERSION}.bak beside it"
        )
    return version


def migrate(table: Table) -> int:
    """Lift settings to this version, in place; returns the version that they had.

    Raises:
        ConfigError: one clause on what keeps them from it.
    """
    version = version_of(table)
    for step in _STEPS[version - 1 :]:
        step(table)
    table["version"] = VERSION
    return version


def migrate_file(path: Path) -> Migrated | None:
    """Lift a file to this version, its comments and its order kept; the old file stays beside it.

    Returns:
        What was done; None: it is of this version already.

    Raises:
        ConfigError: it is no configuration, or cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays a link, also one that leads in a circle
    old = read_text(path)
    before = table_of(path, old)
    try:
        if version_of(before) == VERSION:
            return None
        new = _lifted(old)
        version = migrate(before)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    if table_of(path, new) != before:
        raise ConfigError(
            f"{path} cannot be lifted without a change: move its settings by hand, see the example"
        )
    return Migrated(path, version, _replace(path, old.encode(), new.encode(), version))


def _lifted(text: str) -> str:
    """The text of this version."""
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"its comments cannot be kept: {error}") from error
    for step in _STEPS[version_of(document) - 1 :]:
        step(document)
    head = ""
    if "version" in document:
        document["version"] = VERSION
    else:  # tomlkit would put it below the last setting, apart from the comment that stands there
        head = f"version = {VERSION}\n"
    new = head + document.as_string()
    from_windows = "\r\n" in text and not _LONE_LINE_END.search(text)
    return _LONE_LINE_END.sub("\r\n", new) if from_windows else new


def _replace(path: Path, old: bytes, new: bytes, version: int) -> Path:
    """Put the new content in place of the old at once, with the same owner and rights; returns the copy."""
    status = path.stat()
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)  # of a run that was cut off
        backup = _copy_aside(path, old, version, status)
        _write(fresh, new, status)
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(f"{path} cannot be replaced ({error.strerror}): run this as its owner") from error
    return backup


def _copy_aside(path: Path, old: bytes, version: int, status: os.stat_result) -> Path:
    """A copy that overwrites none: NAME.v1.bak, or NAME.v1.bak-2 where that is another file."""
    for number in itertools.count(1):
        backup = path.with_name(f"{path.name}.v{version}.bak{'' if number == 1 else f'-{number}'}")
        try:
            _write(backup, old, status)
        except FileExistsError:
            if backup.is_file() and backup.read_bytes() == old:
                return backup
        else:
            return backup
    raise AssertionError("numbers do not end")


def _write(path: Path, content: bytes, status: os.stat_result) -> None:
    """Write a new file to the disk, owned and closed as the old one."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        if os.geteuid() == 0:
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
        os.fchmod(file.fileno(), status.st_mode & 0o7777)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
