"""Keeps the evidence of every result: hears of each step, and lets a thread of its own wait for the disk."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

from pydantic import JsonValue

from firmware_app.appliance import Step
from firmware_app.crop import crop_pair
from firmware_app.errors import EvidenceError
from firmware_app.exam.events import Acquisition
from firmware_app.exam.state import AcquisitionAccepted, Effect, ResultIssued
from firmware_app.journey import Crops, Frame
from firmware_app.processor import processor
from firmware_app.records.audit import Audit
from firmware_app.records.folder import EvidenceFolder, Sealed, Sealing
from firmware_app.records.lock import PASSING
from firmware_app.ward.publication import Appliance, Publication
from firmware_app.wording import Rung

LOG = logging.getLogger(__name__)
WAITING = 32
"""Tasks that may wait for the disk; an exam has about a dozen."""
CLOSE_S = 10.0
"""For so long the end of the appliance waits for the disk."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the crops of an acquisition."""

    exam_id: UUID
    acquisition: Acquisition
    payload: bytes
    crops: Crops


@dataclass(frozen=True, slots=True)
class Forget:
    """Remove what exams have kept that are over; `but` is the one in progress."""

    but: UUID | None


@dataclass(frozen=True, slots=True)
class End:
    """There is nothing more to do."""


Task = Keep | Sealing | Forget | End
Published = Callable[[], Sequence[tuple[Effect, Publication]]]


class EvidenceStore:
    """Told of each step on the main thread, where it cuts crops and never waits for the disk.

    A disk that refuses is told in `trouble`: the results go on without evidence. What was accepted before a
    crash is still there when the exam goes on: the first step must carry the exam that was resumed.

    Args:
        folder: made if it is missing.
        limit_mb: of all evidence together; beyond it that of the oldest results goes.
        published: gives what the step has published, and because of what.
        audit: hears of every file of evidence, and its digest; None: nobody does.

    Raises:
        EvidenceError: the folder cannot be used, or another process writes into it.
    """

    def __init__(self, folder: Path, limit_mb: int, published: Published, audit: Audit | None = None) -> None:
        self._published = published
        self._folder = EvidenceFolder(folder, limit_mb * 1_000_000)
        self._audit = audit
        self._tasks: queue.Queue[Task] = queue.Queue(WAITING)
        self._noted: deque[JsonValue] = deque(maxlen=WAITING)
        self._open_exam: UUID | None = None
        self._told = False
        self._processor = processor()
        self.trouble: str | None = None
        try:
            self._folder.open()
        except OSError as error:
            if error.errno not in PASSING:
                raise EvidenceError(
                    f"the evidence folder {folder} cannot be used: {error.strerror or error}"
                ) from error
            self._say(str(error))
        self._thread = threading.Thread(target=self._work, name="evidence", daemon=True)
        self._thread.start()

    def tell(self, step: Step, appliance: Appliance) -> None:
        """Hand on what a step brought about: crops of what was counted, results, and the end of an exam."""
        for effect, publication in self._published():
            task = self._task_of(effect, publication.payload, step, appliance)
            if task is not None and Rung.DISK_FULL in appliance.degraded:
                self._say("what room is left on the disk belongs to the results")
            elif task is not None and not self._handed_on(task):
                self._say("the disk is too slow: evidence was left out")
        in_progress = step.exam.id if step.exam.is_current else None
        if not self._told or in_progress != self._open_exam:
            self._told = self._handed_on(Forget(in_progress))
            self._open_exam = in_progress
        if not self._thread.is_alive():
            self._say("its thread has ended; restart the appliance")
        self._note()

    def close(self) -> None:
        """Wait for the disk, but not for ever; harmless when repeated."""
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._tasks.put(End(), timeout=CLOSE_S)
            self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            LOG.warning("the disk does not answer: evidence was left out")
        self._note()

    def _task_of(
        self, effect: Effect, payload: bytes, step: Step, appliance: Appliance
    ) -> Keep | Sealing | None:
        match effect:
            case AcquisitionAccepted() if isinstance(step.event, Frame):
                crops = crop_pair(step.event, effect.acquisition.roi)
                return Keep(effect.exam_id, effect.acquisition, payload, crops)
            case ResultIssued():
                bundle = appliance.manifest
                return Sealing(
                    issued=effect,
                    payload=payload,
                    bundle_id=None if bundle is None else bundle.bundle_id,
                    graph_sha256=None if bundle is None else bundle.graph.sha256,
                    processor=self._processor,
                    language=appliance.language,
                )
            case _:
                return None

    def _handed_on(self, task: Task) -> bool:
        try:
            self._tasks.put_nowait(task)
        except queue.Full:
            return False
        return True

    def _note(self) -> None:
        """Tell the audit log, which belongs to the main thread, what the other thread has done."""
        while self._noted:
            content = self._noted.popleft()
            if self._audit is not None:
                self._audit.note("evidence", content, datetime.now(timezone.utc))

    def _work(self) -> None:
        """The thread: one task after the other; a disk that refuses one may take the next."""
        try:
            while not isinstance(task := self._tasks.get(), End):  # waits: `close` always sends an end
                self._try(task)
                self._tasks.task_done()
        finally:
            self._folder.close()

    def _try(self, task: Keep | Sealing | Forget) -> None:
        try:
            self._folder.open()
            self._do(task)
        except (OSError, EvidenceError) as error:
            self._say(str(error))
        else:
            self._unsay(task)

    def _do(self, task: Keep | Sealing | Forget) -> None:
        match task:
            case Keep():
                removed = self._folder.keep(task.exam_id, task.acquisition, task.payload, task.crops)
                if removed:
                    self._noted.append({"removed": list(removed)})
            case Sealing():
                self._noted.append(_line_of(task, self._folder.seal(task)))
            case Forget():
                self._folder.forget(task.but)

    def _say(self, trouble: str) -> None:
        if self.trouble is None:
            LOG.error("evidence cannot be kept: %s", trouble)
            self._noted.append({"trouble": trouble})
        self.trouble = trouble

    def _unsay(self, task: Keep | Sealing | Forget) -> None:
        """What was written ends the trouble; what was only removed does not."""
        if self.trouble is not None and not isinstance(task, Forget):
            LOG.info("evidence is kept again")
            self._noted.append({"trouble": None})
            self.trouble = None


def _line_of(task: Sealing, sealed: Sealed) -> JsonValue:
    """The audit log's line: with the file's digest, the log vouches for the evidence."""
    return {
        "result_id": str(task.issued.result_id),
        "file": sealed.file,
        "sha256": sealed.sha256,
        "complete": sealed.complete,
        "removed": list(sealed.removed),
    }
