"""When the audit log is open, and who closes it: it tells when the appliance began, and how it ended.

A `started` that no `stopped` came before says that the one before it was killed, or lost its power.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path

from pydantic import JsonValue

from firmware_app.records.audit import Audit
from firmware_app.ward.messages import Message


@contextmanager
def audited(folder: Path | None, birth: Message) -> Iterator[Audit | None]:
    """The audit log, from `started` with the appliance's birth to `stopped`; None: none is kept.

    Raises:
        AuditError: the folder cannot be used, or another process writes into it.
    """
    if folder is None:
        yield None
        return
    with closing(Audit(folder)) as audit:
        audit.note("started", content_of(birth), _now())
        try:
            yield audit
        except BaseException as error:
            audit.note("stopped", {"error": f"{type(error).__name__}: {error}"}, _now())
            raise
        audit.note("stopped", {"error": None}, _now())


def content_of(message: Message) -> JsonValue:
    """A message as a line of the log carries it."""
    content: JsonValue = message.model_dump(mode="json", by_alias=True)
    return content


def _now() -> datetime:
    return datetime.now(timezone.utc)
