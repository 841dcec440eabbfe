"""The audit log on the disk: lines that are chained by their digests, the files they stand in, and the head.

A line is `{"n", "time", "kind", "content", "before", "digest"}`; `digest` is the SHA-256 of the line without
it, `before` the digest of the line before. `head.json` beside the files holds number and digest of the newest
line. It is written after the line: a power cut between the two leaves the log one line ahead, never more.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

BEGINNING = hashlib.sha256(b"fibrostage audit").hexdigest()
"""Stands as `before` in the very first line."""
HEAD = "head.json"
ROTATED = "rotated"
"""Kind of the line that names the log's first line after the oldest files were removed."""
LONGEST_LINE = 1 << 20
_LINE = TypeAdapter(dict[str, JsonValue])
_FILE = re.compile(r"audit-[0-9]{6}\.jsonl")


class Head(BaseModel):
    """The newest line: its number and its digest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int = Field(default=0, ge=0)
    digest: str = BEGINNING

    @property
    def encoded(self) -> bytes:
        """As `head.json` holds it."""
        return self.model_dump_json().encode() + b"\n"


class Line(NamedTuple):
    """A line of the log, and the head once it is the newest."""

    data: bytes
    head: Head


def next_line(head: Head, kind: str, content: JsonValue, time: datetime) -> Line:
    """The line that follows.

    What could not be read back (not a number, half a surrogate, nested without end, longer than a line may
    be) is not written; the line says so in its place.
    """
    try:
        line = _chained(head, kind, content, time)
        if fault_of(line.data, head.n + 1, head.digest) is None:
            return line
    except (ValueError, TypeError, RecursionError):
        pass
    return _chained(head, kind, {"left_out": "the content cannot stand in a line of the log"}, time)


def fault_of(data: bytes, n: int, before: str) -> str | None:
    """What is wrong with a line that should have number `n` and follow the digest `before`; None: nothing."""
    line = content_of(data)
    digest = line.pop("digest", None)
    if digest is None or line.keys() != {"n", "time", "kind", "content", "before"}:
        return "it is not a whole line of the log"
    if line["n"] != n:
        return f"it is number {line['n']}, number {n} was expected: a line was removed, added or moved"
    if line["before"] != before:
        return "it does not follow the line before it: one of the two was replaced"
    try:
        same = digest == _digest_of(line) and data == _encoded({**line, "digest": digest})
    except ValueError:  # a number that no log holds, such as 1e999
        same = False
    return None if same else "it was altered"


def content_of(data: bytes) -> dict[str, JsonValue]:
    """The fields of a line; none if it is no line."""
    if len(data) > LONGEST_LINE or not data.endswith(b"\n"):
        return {}
    try:
        return _LINE.validate_json(data)
    except ValidationError:
        return {}


def files_in(folder: Path) -> list[Path]:
    """The log's files, oldest first."""
    return sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))


def number_of(file: Path) -> int:
    """The number in a file's name."""
    return int(file.stem[-6:])


def lines_of(file: Path) -> Iterator[bytes]:
    """The lines of a file with their ends; one that is too long comes in parts."""
    with file.open("rb") as stream:
        while line := stream.readline(LONGEST_LINE + 1):
            yield line


def kept_head(folder: Path) -> Head | None:
    """What `head.json` says; a head before the first line if there is no such file; None: it is damaged."""
    try:
        data = (folder / HEAD).read_bytes()
    except FileNotFoundError:
        return Head()
    try:
        head = Head.model_validate_json(data)
    except ValidationError:
        return None
    return head if data == head.encoded else None


def _chained(head: Head, kind: str, content: JsonValue, time: datetime) -> Line:
    line: dict[str, JsonValue] = {
        "n": head.n + 1,
        "time": time.isoformat(),
        "kind": kind,
        "content": content,
        "before": head.digest,
    }
    digest = _digest_of(line)
    return Line(_encoded({**line, "digest": digest}), Head(n=head.n + 1, digest=digest))


def _encoded(line: dict[str, JsonValue]) -> bytes:
    return json.dumps(line, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode() + b"\n"


def _digest_of(line: dict[str, JsonValue]) -> str:
    return hashlib.sha256(_encoded(line)).hexdigest()
