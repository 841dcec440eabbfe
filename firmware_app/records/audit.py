"""The audit log: append-only JSON lines, each chained to the one before by its digest.

A line is `{"n", "time", "kind", "content", "before", "digest"}`; `digest` is the SHA-256 of the line without
it, `before` the digest of the line before. Whoever alters, removes, adds or moves a line breaks the chain.
`head.json` beside the files holds the newest number and digest, so that lines missing at the end are found
too; whoever rewrites everything to the end is found by a digest that was noted elsewhere (`expected`).

Files are `audit-000001.jsonl` and so on; beyond `keep` of them the oldest goes, and `head.json` says with
which line the log begins. No picture, no name and no serum value enters it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError

from firmware_app.errors import AuditError

LOG = logging.getLogger(__name__)
BEGINNING = hashlib.sha256(b"fibrostage audit").hexdigest()
"""Stands as `before` in the very first line."""
HEAD = "head.json"
FILE_BYTES = 4 << 20
"""A file that has grown beyond is followed by a new one."""
KEEP = 50
"""Files that are kept; 50 of 4 MiB are years of exams."""
LONGEST_LINE = 1 << 20
_LINE = TypeAdapter(dict[str, JsonValue])


class Head(BaseModel):
    """Where the log begins and ends: line numbers, and the digests before the first and of the last line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: int = 1
    before_first: str = BEGINNING
    n: int = 0
    digest: str = BEGINNING


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: how many lines, the last digest, and None or one sentence that names the fault."""

    lines: int
    digest: str
    fault: str | None


class Audit:
    """Appends to the log in a folder; one process at a time.

    Args:
        folder: made if it is missing.
        file_bytes, keep: see `FILE_BYTES` and `KEEP`.

    Raises:
        AuditError: the folder cannot be used. A chain that is broken does not stop the appliance: the log
            goes on after its last sound line, and says so.
    """

    def __init__(self, folder: Path, file_bytes: int = FILE_BYTES, keep: int = KEEP) -> None:
        self._folder, self._file_bytes, self._keep = folder, file_bytes, keep
        self.trouble: str | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._mend_torn_line()
        except OSError as error:
            raise AuditError(f"the audit log {folder} cannot be used: {error.strerror or error}") from error
        self._head = self._found_head()

    @property
    def head(self) -> Head:
        """The newest line, to be noted elsewhere."""
        return self._head

    def note(self, kind: str, content: JsonValue, time: datetime) -> None:
        """Append one line and flush it to the disk; a disk that refuses is told, and delays nobody.

        Args:
            kind: what happened, e.g. "result".
            content: what is known about it, as JSON.
            time: of the wall clock, for people; the order is told by the numbers.
        """
        line = _line(self._head, kind, content, time)
        try:
            self._append(line)
        except OSError as error:
            if self.trouble is None:
                LOG.error("the audit log cannot be written: %s", error)  # noqa: TRY400 - a full disk is no bug
            self.trouble = str(error)
        else:
            self.trouble = None

    def _append(self, line: dict[str, JsonValue]) -> None:
        path = self._current()
        data = _encoded(line)
        with path.open("ab") as stream:
            end = stream.tell()
            try:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                os.truncate(path, end)  # never half a line
                raise
        self._head = self._head.model_copy(update={"n": line["n"], "digest": line["digest"]})
        self._write_head()

    def _current(self) -> Path:
        """The file to append to; begins a new one and removes the oldest when it is time."""
        files = _files(self._folder)
        if files and files[-1].stat().st_size < self._file_bytes:
            return files[-1]
        number = int(files[-1].stem[-6:]) + 1 if files else 1
        for oldest in files[: max(0, len(files) + 1 - self._keep)]:
            last = _LINE.validate_json(oldest.read_bytes().splitlines()[-1])
            later = {"first": int(str(last["n"])) + 1, "before_first": str(last["digest"])}
            self._head = self._head.model_copy(update=later)
            self._write_head()
            oldest.unlink()
        return self._folder / f"audit-{number:06d}.jsonl"

    def _write_head(self) -> None:
        part = self._folder / f".{HEAD}.part"
        with part.open("w", encoding="utf-8") as stream:
            stream.write(self._head.model_dump_json() + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self._folder / HEAD)

    def _mend_torn_line(self) -> None:
        """A power cut may leave half a line at the end: it is kept beside, the whole lines stay."""
        files = _files(self._folder)
        if not files:
            return
        data = files[-1].read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            files[-1].with_suffix(".torn").write_bytes(data[whole:])
            os.truncate(files[-1], whole)
            LOG.warning(
                "the audit log ended in half a line; it was set aside as %s", files[-1].stem + ".torn"
            )

    def _found_head(self) -> Head:
        """The head to go on from.

        After a power cut `head.json` may be one line behind. If anything else does not fit, the log goes on
        from `head.json`, so that the gap stays for `verify` to find.
        """
        kept = _kept_head(self._folder) or Head()
        last = next((lines[-1] for file in reversed(_files(self._folder)) if (lines := _lines(file))), None)
        if last is not None:
            fault, digest = _fault_of(last, kept.n + 1, kept.digest)
            if fault is None:
                return kept.model_copy(update={"n": kept.n + 1, "digest": digest})
        if (kept.n > 0) != (last is not None) or (last is not None and kept.digest.encode() not in last):
            LOG.error("the audit log in %s has a gap: run `fibrostage audit verify`", self._folder)
        return kept


def verify(folder: Path, expected: str | None = None) -> Verdict:
    """Check every line of the log.

    Args:
        folder: where the log lies.
        expected: a digest that was noted elsewhere; it must occur in the log.

    Raises:
        AuditError: there is no log in the folder, or it cannot be read.
    """
    if not folder.is_dir() or not (_files(folder) or (folder / HEAD).exists()):
        raise AuditError(f"no audit log in {folder}; name the folder that `audit` is set to")
    head = _kept_head(folder)
    if head is None:
        return Verdict(0, BEGINNING, f"{HEAD} is missing or damaged")
    n, before, seen = head.first - 1, head.before_first, expected in {None, head.before_first}
    for file in _files(folder):
        try:
            lines = _lines(file)
        except OSError as error:
            raise AuditError(f"{file} cannot be read: {error.strerror}") from error
        for row, data in enumerate(lines, start=1):
            place = f"{file.name} line {row}"
            fault, before = _fault_of(data, n + 1, before)
            if fault is not None:
                return Verdict(n - head.first + 1, before, f"{place}: {fault}")
            n, seen = n + 1, seen or before == expected
    count = n - head.first + 1
    if n < head.n or (n == head.n and before != head.digest):
        return Verdict(
            count, before, f"the log ends with line {n}, {HEAD} knows line {head.n}: lines are missing"
        )
    if not seen:
        return Verdict(count, before, f"no line has the digest {expected}")
    return Verdict(count, before, None)


def _fault_of(data: bytes, n: int, before: str) -> tuple[str | None, str]:
    """What is wrong with a line (None: nothing), and its digest."""
    try:
        line = _LINE.validate_json(data) if len(data) <= LONGEST_LINE and data.endswith(b"\n") else {}
    except ValidationError:
        line = {}
    digest = line.pop("digest", None)
    if digest is None or line.keys() != {"n", "time", "kind", "content", "before"}:
        return "it is not a whole line of the log", before
    if line["n"] != n:
        return (
            f"it is number {line['n']}, number {n} was expected: a line was removed, added or moved",
            before,
        )
    if line["before"] != before:
        return "it does not follow the line before it: one of the two was replaced", before
    if digest != _digest_of(line) or data != _encoded({**line, "digest": digest}):
        return "it was altered", before
    return None, str(digest)


def _line(head: Head, kind: str, content: JsonValue, time: datetime) -> dict[str, JsonValue]:
    line: dict[str, JsonValue] = {
        "n": head.n + 1,
        "time": time.isoformat(),
        "kind": kind,
        "content": content,
        "before": head.digest,
    }
    return {**line, "digest": _digest_of(line)}


def _encoded(line: dict[str, JsonValue]) -> bytes:
    return json.dumps(line, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _digest_of(line: dict[str, JsonValue]) -> str:
    return hashlib.sha256(_encoded(line)).hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("audit-??????.jsonl"))


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


def _kept_head(folder: Path) -> Head | None:
    try:
        return Head.model_validate_json((folder / HEAD).read_bytes())
    except (OSError, ValidationError):
        return None
