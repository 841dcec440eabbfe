"""The audit log: append-only JSON lines, each chained to the one before by its digest (see `chain`).

Whoever alters, removes, adds or moves a line breaks the chain; lines missing at the end are found by
`head.json`, and whoever rewrites everything to the end by a digest that was noted elsewhere (see `verify`).

Files are `audit-000001.jsonl` and so on; beyond `keep` of them the oldest goes, and a line of kind `rotated`
says with which line the log begins since. No picture, no name and no serum value enters it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from datetime import datetime
from io import FileIO
from pathlib import Path

from pydantic import JsonValue

from calibration.whole_file import durable_file, remove_half_written, sync
from firmware_app.errors import AuditError
from firmware_app.records.chain import (
    HEAD,
    ROTATED,
    Head,
    content_of,
    fault_of,
    files_in,
    kept_head,
    lines_of,
    next_line,
    number_of,
)
from firmware_app.records.lock import PASSING, LockedError, lock

LOG = logging.getLogger(__name__)
FILE_BYTES = 4 << 20
"""A file that has grown beyond is followed by a new one."""
KEEP = 50
"""Files that are kept; 50 of 4 MiB are years of exams."""


class Audit:
    """Appends to the log in a folder; one process at a time, and in it one thread.

    A disk that refuses is told in `trouble` and delays nobody; when it takes lines again, the first one
    says how many were lost. A chain that is broken stops nothing either: the log goes on after the line
    that `head.json` names, so that the gap stays for `verify` to find.

    Args:
        folder: made if it is missing.
        file_bytes, keep: see `FILE_BYTES` and `KEEP`.

    Raises:
        AuditError: the folder cannot be used, or another process writes into it.
    """

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES, keep: int = KEEP) -> None:
        self._folder, self._file_bytes, self._keep = folder, file_bytes, keep
        self._lock: int | None = None
        self._head = Head()
        self._half_written: tuple[Path, int] | None = None
        self._lost = 0
        self.trouble: str | None = None
        try:
            self._open()
        except OSError as error:
            if error.errno not in PASSING:
                raise AuditError(
                    f"the audit log {folder} cannot be used: {error.strerror or error}"
                ) from error
            self._say(error)

    @property
    def head(self) -> Head:
        """The newest line, to be noted elsewhere."""
        return self._head

    def note(self, kind: str, content: JsonValue, time: datetime) -> None:
        """Append one line and flush it to the disk: two `fsync`, one for the line and one for the head.

        Args:
            kind: what happened, e.g. "result".
            content: what is known about it, as JSON.
            time: of the wall clock, for people; the order is told by the numbers.
        """
        try:
            if self._lock is None:
                self._open()
            if self._lost:
                self._append("lost", {"lines": self._lost, "because": self.trouble}, time)
                self._lost = 0
            self._append(kind, content, time)
        except (OSError, AuditError) as error:
            self._lost += 1
            self._say(error)
        else:
            if self.trouble is not None:
                LOG.info("the audit log can be written again")
            self.trouble = None

    def close(self) -> None:
        """Let another process write; harmless when repeated."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _say(self, error: Exception) -> None:
        if self.trouble is None:
            LOG.error("the audit log cannot be written: %s", error)
        self.trouble = str(error)

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            held = lock(self._folder)
        except LockedError as error:
            raise AuditError(f"the audit log {error}") from error
        try:
            remove_half_written(self._folder)
            _mend_torn_line(self._folder)
            self._head = _found_head(self._folder)
        except BaseException:
            os.close(held)
            raise
        self._lock = held

    def _append(self, kind: str, content: JsonValue, time: datetime) -> None:
        self._take_back()
        files = files_in(self._folder)
        if files and files[-1].stat().st_size < self._file_bytes:
            self._write(files[-1], kind, content, time)
            return
        fresh = self._folder / f"audit-{number_of(files[-1]) + 1 if files else 1:06d}.jsonl"
        surplus = files[: max(0, len(files) + 1 - self._keep)]
        if surplus:
            # The line that accounts for the missing files is on the disk before they are missing.
            self._write(fresh, ROTATED, _beginning(files[len(surplus) :] or files[-1:]), time)
        for oldest in surplus:
            oldest.unlink()
        self._write(fresh, kind, content, time)

    def _write(self, path: Path, kind: str, content: JsonValue, time: datetime) -> None:
        """Line and head, or neither: a line that the head does not know of was never noted."""
        line = next_line(self._head, kind, content, time)
        is_new = not path.exists()
        # Without a buffer, nothing is left that closing the file would write after all.
        with path.open("ab", buffering=0) as stream:
            self._half_written = (path, stream.tell())
            try:
                _write_whole(stream, line.data)
                if is_new:
                    sync(self._folder)
                self._write_head(line.head)
            except OSError:
                with contextlib.suppress(OSError):
                    self._take_back()
                raise
        self._head, self._half_written = line.head, None

    def _take_back(self) -> None:
        """Remove what an append that failed has left; the disk may have refused that, too."""
        if self._half_written is not None:
            path, end = self._half_written
            if path.exists():
                os.truncate(path, end)
            self._half_written = None

    def _write_head(self, head: Head) -> None:
        with durable_file(self._folder / HEAD) as stream:
            stream.write(head.encoded)


def _mend_torn_line(folder: Path) -> None:
    """A power cut may leave half a line at the end: it is kept beside, the whole lines stay."""
    files = files_in(folder)
    if not files:
        return
    data = files[-1].read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        files[-1].with_suffix(".torn").write_bytes(data[whole:])
        os.truncate(files[-1], whole)
        LOG.warning("the audit log ended in half a line; it was set aside as %s.torn", files[-1].stem)


def _found_head(folder: Path) -> Head:
    """The head to go on from: the one that was kept, or one line later after a power cut between the two."""
    kept = kept_head(folder) or Head()
    last = _last_line(folder)
    if last is None:
        fits = kept.n == 0
    elif fault_of(last, kept.n + 1, kept.digest) is None:
        return Head(n=kept.n + 1, digest=str(content_of(last)["digest"]))
    else:
        fits = content_of(last).get("digest") == kept.digest
    if not fits:
        LOG.error("the audit log in %s has a gap: run `fibrostage audit verify`", folder)
    return kept


def _last_line(folder: Path) -> bytes | None:
    for file in reversed(files_in(folder)):
        last = None
        for line in lines_of(file):
            last = line
        if last is not None:
            return last
    return None


def _write_whole(stream: FileIO, data: bytes) -> None:
    """All of it, on the disk; a disk that fills up takes a part and complains only the next time."""
    if stream.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(stream.fileno())


def _beginning(files: list[Path]) -> dict[str, JsonValue]:
    """Number of the first line in the files, and the digest that it follows; None where it is damaged."""
    first = content_of(next(lines_of(files[0]), b""))
    return {"first": first.get("n"), "before": first.get("before")}
