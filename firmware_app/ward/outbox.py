"""What waits for the broker: in order, bounded, and in SQLite before it is handed over.

A message enters the file, flushed to the disk, before `commit` returns, and leaves it when the broker has
acknowledged it. After a crash or a power cut it is sent again, under the same id. The exam enters the file in
the same transaction as the messages that it brought about: after a crash both are there, or neither is. A
file that cannot be written delays nobody: what waits is kept in memory, and `trouble` says so. A file that is
not a sound outbox is set aside, never deleted.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from firmware_app.ward.messages import Topic
from firmware_app.ward.publication import Publication

LOG = logging.getLogger(__name__)
SCHEMA = 2
"""Kept as the file's `user_version`; a file of another one is set aside."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_CREATE = (
    """
CREATE TABLE IF NOT EXISTS waiting (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    retain INTEGER NOT NULL,
    expiry_s INTEGER,
    boot TEXT NOT NULL,
    monotonic_s REAL NOT NULL
) STRICT
""",
    """
CREATE TABLE IF NOT EXISTS kept (
    name TEXT PRIMARY KEY,
    content BLOB NOT NULL,
    boot TEXT NOT NULL,
    monotonic_s REAL NOT NULL
) STRICT
""",
)
"""Of schema 1 the second table was missing."""
_INSERT = (
    "INSERT INTO waiting (topic, payload, retain, expiry_s, boot, monotonic_s) VALUES (?, ?, ?, ?, ?, ?)"
)
_KEEP = "INSERT OR REPLACE INTO kept (name, content, boot, monotonic_s) VALUES (?, ?, ?, ?)"


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


@dataclass(frozen=True, slots=True)
class Kept:
    """The exam as it was kept, and when."""

    content: bytes
    since: Instant


class Outbox:
    """What waits for the broker, oldest first, bounded; results are the last to go when it is full.

    Args:
        capacity: how many may wait.
        file: SQLite file that survives the process; None: memory only.

    Attributes:
        kept: the exam that an earlier run left; None: none.
        starts: how often this file was opened, this time included; 0: it cannot be written.
        dropped: messages that were given up, because there were too many.
        trouble: why what waits is kept in memory only; None: it is on the disk, or shall not be.
    """

    def __init__(self, capacity: int, file: Path | None = None) -> None:
        self._capacity = capacity
        self._waiting: deque[Letter] = deque()
        self._file: sqlite3.Connection | None = None
        self.dropped = 0
        self.trouble: str | None = None
        self.kept: Kept | None = None
        self.starts = 0
        if file is not None:
            self._open(file)

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def commit(self, publications: Sequence[Publication], now: Instant, exam: bytes | None = None) -> None:
        """Append, on the disk first; the head is never dropped, it may be on its way.

        Args:
            publications: in this order.
            now: this moment.
            exam: as it stands after them, kept in the same transaction; None: as before.
        """
        letters = [Letter(p.topic, p.payload, p.retain, p.expiry_s, now, None) for p in publications]
        self._waiting.extend(self._written(letters, exam, now))
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
            self._take_over(*_opened(file))
        except (OSError, sqlite3.Error, ValueError) as error:
            if not _is_damage(error):
                self._note(error)
                return
            self._set_aside(file, error)

    def _take_over(self, connection: sqlite3.Connection, letters: list[Letter]) -> None:
        self._file = connection
        self._waiting.extend(letters)
        if letters:
            LOG.info("%d messages of an earlier run wait for the broker", len(letters))
        row = connection.execute("SELECT content, boot, monotonic_s FROM kept WHERE name = 'exam'").fetchone()
        self.kept = None if row is None else Kept(row[0], Instant(row[1], row[2]))
        try:
            self.starts = _count_start(connection)
        except sqlite3.Error as error:
            self._note(error)

    def _set_aside(self, file: Path, cause: Exception) -> None:
        """Make room for a new file; whoever wants to can look into the old one."""
        aside = next(p for n in range(1, 1_000_000) if not (p := Path(f"{file}.damaged-{n}")).exists())
        try:
            file.rename(aside)
            for suffix in ("-wal", "-shm"):
                companion = Path(f"{file}{suffix}")
                if companion.exists():
                    companion.rename(f"{aside}{suffix}")
            self._take_over(*_opened(file))
        except (OSError, sqlite3.Error, ValueError) as error:
            self._note(error)
            return
        LOG.error("the outbox %s was damaged (%s); it was set aside as %s", file, cause, aside.name)

    def _written(self, letters: list[Letter], exam: bytes | None, now: Instant) -> list[Letter]:
        if self._file is None or (not letters and exam is None):
            return letters
        written = []
        try:
            with self._file:
                for letter in letters:
                    row = (letter.topic, letter.payload, letter.retain, letter.expiry_s)
                    since = (letter.since.boot, letter.since.monotonic_s)
                    cursor = self._file.execute(_INSERT, (*row, *since))
                    written.append(Letter(*row, letter.since, cursor.lastrowid))
                if exam is not None:
                    self._file.execute(_KEEP, ("exam", exam, now.boot, now.monotonic_s))
        except sqlite3.Error as error:
            self._note(error)
            return letters
        self.trouble = None
        return written

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
    if version not in {0, 1, SCHEMA}:
        raise ValueError(f"schema {version}, this software writes {SCHEMA}")
    if version != SCHEMA:
        with connection:
            for table in _CREATE:
                connection.execute(table)
            connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _count_start(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT content FROM kept WHERE name = 'starts'").fetchone()
    starts = 1 if row is None or not bytes(row[0]).isdigit() else int(row[0]) + 1
    with connection:
        connection.execute(_KEEP, ("starts", str(starts).encode(), _boot_id(), time.monotonic()))
    return starts


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
