"""What waits for the broker: in order, bounded, and in SQLite before it is handed over.

A message enters the file, flushed to the disk, before `put` returns, and leaves it when the broker has
acknowledged it. After a crash or a power cut it is sent again, under the same id. A file that cannot be
written delays nobody: what waits is kept in memory, and `trouble` says so. A file that is not a sound
outbox is set aside, never deleted.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from firmware_app.ward.messages import Topic
from firmware_app.ward.publication import Publication

LOG = logging.getLogger(__name__)
SCHEMA = 1
"""Kept as the file's `user_version`; a file of another one is set aside."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CREATE = """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    retain INTEGER NOT NULL,
    expiry_s INTEGER,
    boot TEXT NOT NULL,
    monotonic_s REAL NOT NULL
) STRICT
"""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment that needs no clock on the wall: the boot, and the seconds since then."""

    boot: str
    monotonic_s: float

    @classmethod
    def now(cls) -> Instant:
        """This moment."""
        return cls(_boot_id(), time.monotonic())


@dataclass(frozen=True, slots=True)
class Letter:
    """One message that waits; `number` is its row in the file, None: in memory only."""

    topic: Topic
    payload: bytes
    retain: bool
    expiry_s: int | None
    since: Instant
    number: int | None

    def age_s(self, now: Instant) -> float | None:
        """Seconds that it has waited; None: it comes from before a reboot, and nobody knows."""
        return now.monotonic_s - self.since.monotonic_s if now.boot == self.since.boot else None


class Outbox:
    """What waits for the broker, oldest first, bounded; results are the last to go when it is full.

    Args:
        capacity: how many may wait.
        file: SQLite file that survives the process; None: memory only.
    """

    def __init__(self, capacity: int, file: Path | None = None) -> None:
        self._capacity = capacity
        self._waiting: deque[Letter] = deque()
        self._file: sqlite3.Connection | None = None
        self.dropped = 0
        self.trouble: str | None = None
        if file is not None:
            self._open(file)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def put(self, publication: Publication, now: Instant) -> None:
        """Append, on the disk first; the head is never dropped, it may be on its way."""
        letter = Letter(
            publication.topic, publication.payload, publication.retain, publication.expiry_s, now, None
        )
        self._waiting.append(self._written(letter))
        while len(self._waiting) > self._capacity:
            lesser = (i for i, kept in enumerate(self._waiting) if i > 0 and kept.topic != "result")
            index = next(lesser, 1)
            self._erase(self._waiting[index])
            del self._waiting[index]
            self.dropped += 1

    def head(self) -> Letter:
        """The oldest; it stays until `take`."""
        return self._waiting[0]

    def take(self) -> None:
        """Forget the oldest: the broker has it."""
        self._erase(self._waiting.popleft())

    def close(self) -> None:
        """Close the file; what waits stays in it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self, file: Path) -> None:
        try:
            self._file, kept = _opened(file)
        except (OSError, sqlite3.Error, ValueError) as error:
            if not _is_damage(error):
                self._note(error)
                return
            self._set_aside(file, error)
            return
        self._waiting.extend(kept)
        if kept:
            LOG.info("%d messages of an earlier run wait for the broker", len(kept))

    def _set_aside(self, file: Path, cause: Exception) -> None:
        """Make room for a new file; whoever wants to can look into the old one."""
        aside = next(p for n in range(1, 1_000_000) if not (p := Path(f"{file}.damaged-{n}")).exists())
        try:
            file.rename(aside)
            for suffix in ("-wal", "-shm"):
                companion = Path(f"{file}{suffix}")
                if companion.exists():
                    companion.rename(f"{aside}{suffix}")
            self._file, _ = _opened(file)
        except (OSError, sqlite3.Error, ValueError) as error:
            self._note(error)
            return
        LOG.error("the outbox %s was damaged (%s); it was set aside as %s", file, cause, aside.name)

    def _written(self, letter: Letter) -> Letter:
        if self._file is None:
            return letter
        row = (letter.topic, letter.payload, letter.retain, letter.expiry_s)
        try:
            with self._file:
                cursor = self._file.execute(
                    "INSERT INTO waiting (topic, payload, retain, expiry_s, boot, monotonic_s)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    (*row, letter.since.boot, letter.since.monotonic_s),
                )
        except sqlite3.Error as error:
            self._note(error)
            return letter
        self.trouble = None
        return Letter(*row, letter.since, cursor.lastrowid)

    def _erase(self, letter: Letter) -> None:
        if self._file is None or letter.number is None:
            return
        try:
            with self._file:
                self._file.execute("DELETE FROM waiting WHERE number = ?", (letter.number,))
        except sqlite3.Error as error:
            self._note(error)  # sent again after a restart, under the same id

    def _note(self, error: Exception) -> None:
        if self.trouble is None:
            LOG.error("the outbox cannot be written (%s): what waits is kept in memory only", error)
        self.trouble = str(error)


def _opened(file: Path) -> tuple[sqlite3.Connection, list[Letter]]:
    """Open and check the file; returns what waits in it.

    Raises:
        OSError: its folder cannot be made.
        sqlite3.Error: it cannot be opened, or is no database.
        ValueError: it is a database, but not a sound outbox of this schema.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file, timeout=5.0, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _check_schema(connection)
        letters = _letters(connection)
    except (sqlite3.Error, ValueError):
        connection.close()
        raise
    return connection, letters


def _check_schema(connection: sqlite3.Connection) -> None:
    """Make the table in a new file; raises ValueError for a file that is damaged or of another schema."""
    found = connection.execute("PRAGMA quick_check").fetchone()[0]
    if found != "ok":
        raise ValueError(found)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version not in {0, SCHEMA}:
        raise ValueError(f"schema {version}, this software writes {SCHEMA}")
    if version == 0:
        with connection:
            connection.execute(_CREATE)
            connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _letters(connection: sqlite3.Connection) -> list[Letter]:
    try:
        rows = connection.execute(
            "SELECT topic, payload, retain, expiry_s, boot, monotonic_s, number FROM waiting ORDER BY number"
        )
    except sqlite3.OperationalError as error:  # another table under this name
        raise ValueError(str(error)) from error
    return [_letter(row) for row in rows]


def _letter(row: tuple[str, bytes, int, int | None, str, float, int]) -> Letter:
    topic, payload, retain, expiry_s, boot, monotonic_s, number = row
    for known in get_args(Topic):
        if topic == known:
            return Letter(known, payload, bool(retain), expiry_s, Instant(boot, monotonic_s), number)
    raise ValueError(f"a message for an unknown topic {topic!r}")


def _is_damage(error: Exception) -> bool:
    """Whether the file's content is at fault, and not the disk, the rights or a lock."""
    return isinstance(error, ValueError) or type(error) is sqlite3.DatabaseError


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
