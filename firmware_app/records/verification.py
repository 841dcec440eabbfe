"""Whether an audit log is whole: every line, the chain between them, the beginning and the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware_app.errors import AuditError
from firmware_app.records.chain import (
    BEGINNING,
    HEAD,
    ROTATED,
    Head,
    content_of,
    fault_of,
    files_in,
    kept_head,
    lines_of,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found: how many lines, the last digest, and None or one sentence that names the fault."""

    lines: int
    digest: str
    fault: str | None


@dataclass(slots=True)
class _Walk:
    """What the lines so far amount to.

    Attributes:
        head: number and digest of the line before the next one.
        lines: how many were sound.
        at_kept: digest of the line that `head.json` named before the walk; None: it did not come by.
        seen: whether the digest that was noted elsewhere came by.
        beginning: where the log begins; None: at its very beginning, or a line of it accounts for that.
    """

    head: Head
    lines: int = 0
    at_kept: str | None = None
    seen: bool = False
    beginning: Head | None = None


def verify(folder: Path, expected: str | None = None) -> Verdict:
    """Check every line of the log; the appliance may go on writing meanwhile.

    Args:
        folder: where the log lies.
        expected: a digest that was noted elsewhere; it must occur in the log.

    Raises:
        AuditError: there is no log in the folder, or it cannot be read.
    """
    try:
        if not folder.is_dir() or not (files_in(folder) or (folder / HEAD).exists()):
            raise AuditError(f"no audit log in {folder}; name the folder that `audit` is set to")
        before, walk = kept_head(folder), _Walk(Head())
        fault = _fault_in_lines(folder, walk, before, expected)
        after = kept_head(folder)
    except OSError as error:
        raise AuditError(f"the audit log in {folder} cannot be read: {error.strerror}") from error
    fault = fault or _fault_at_ends(walk, before, after)
    if fault is None and expected is not None and not walk.seen:
        fault = f"no line has the digest {expected}"
    return Verdict(walk.lines, walk.head.digest, fault)


def _fault_in_lines(folder: Path, walk: _Walk, kept: Head | None, expected: str | None) -> str | None:
    walk.seen = expected == BEGINNING
    for place, data in _places(folder):
        if walk.lines == 0:
            _begin(walk, data)
            walk.seen = walk.seen or expected == walk.head.digest
        fault = fault_of(data, walk.head.n + 1, walk.head.digest)
        if fault is not None:
            return f"{place}: {fault}"
        line = content_of(data)
        walk.head, walk.lines = Head(n=walk.head.n + 1, digest=str(line["digest"])), walk.lines + 1
        walk.seen = walk.seen or walk.head.digest == expected
        if kept is not None and walk.head.n == kept.n:
            walk.at_kept = walk.head.digest
        begins = walk.beginning
        if begins is not None and line["kind"] == ROTATED:
            accounted = line["content"] == {"first": begins.n + 1, "before": begins.digest}
            walk.beginning = None if accounted else begins
    return None


def _places(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every line and where it stands, but for half a line at the very end: that was never noted."""
    files = files_in(folder)
    for file in files:
        for row, data in enumerate(lines_of(file), start=1):
            if file == files[-1] and not data.endswith(b"\n"):
                return
            yield f"{file.name} line {row}", data


def _begin(walk: _Walk, data: bytes) -> None:
    """Where the oldest files were removed, the log begins later; a line of it must say so."""
    line = content_of(data)
    n, before = line.get("n"), line.get("before")
    if isinstance(n, int) and not isinstance(n, bool) and n > 1 and isinstance(before, str):
        walk.head = Head(n=n - 1, digest=before)
        walk.beginning = walk.head


def _fault_at_ends(walk: _Walk, before: Head | None, after: Head | None) -> str | None:
    """Compare with `head.json` as it was before and after the walk."""
    if before is None or after is None:
        return f"{HEAD} is damaged"
    if walk.beginning is not None:
        return f"the log begins with line {walk.beginning.n + 1}: lines before it were removed"
    if walk.head.n < before.n:
        return f"the log ends with line {walk.head.n}, {HEAD} knows line {before.n}: lines are missing"
    if before.n > 0 and walk.at_kept != before.digest:
        return f"line {before.n} has not the digest that {HEAD} knows"
    if walk.head.n > after.n + 1:
        return f"the log ends with line {walk.head.n}, {HEAD} knows only line {after.n}"
    return None
