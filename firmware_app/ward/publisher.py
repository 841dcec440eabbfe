"""The publisher as a listener: what a step brought about goes to the audit log, to the disk, and to the ward.

In this order: first the audit log, then messages and exam in one transaction, then the broker, then whoever
gave a command is answered. So nothing is said that is not written, and after a crash nothing is half said.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable
from datetime import datetime, timezone

from pydantic import JsonValue

from firmware_app.appliance import Answered, Step
from firmware_app.exam.keeping import to_bytes
from firmware_app.exam.state import (
    AcquisitionAccepted,
    AcquisitionRefused,
    Effect,
    Exam,
    ExamChanged,
    ResultIssued,
)
from firmware_app.health.stopwatch import Stage, Stopwatch
from firmware_app.records.audit import Audit
from firmware_app.records.journal import content_of
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.stream_events import SignalLost
from firmware_app.ward.commands import Answer
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.outbox import Instant, Outbox
from firmware_app.ward.publication import Appliance, Publication, publication_of, status_message
from firmware_app.wording import CAPTURES

LOG = logging.getLogger(__name__)
MESSAGES_PER_START = 1_000_000_000
"""The sequence begins at so many for each start of the appliance; no run publishes more."""


class Publisher:
    """Writes down and publishes.

    Args:
        outbox: keeps messages and exam.
        ward: sends what the outbox holds; None: nothing is published, the exam is kept all the same.
        audit: None: none is kept.
        time_trusted: whether the clock is synchronised.
        stopwatch: times the writing.
    """

    def __init__(
        self,
        outbox: Outbox,
        ward: Ward | None,
        audit: Audit | None,
        time_trusted: Callable[[], bool],
        stopwatch: Stopwatch,
    ) -> None:
        self._outbox, self._ward, self._audit = outbox, ward, audit
        self._time_trusted, self._stopwatch = time_trusted, stopwatch
        self._sequence = itertools.count(outbox.starts * MESSAGES_PER_START + 1)
        self._kept: Exam | None = None
        self._status: tuple[Appliance, CaptureState] | None = None
        self._capture = CaptureState.STARTING
        self._cause = ""
        self.published: tuple[tuple[Effect, Publication], ...] = ()
        """What the step that was told last has published, and because of what; for the evidence."""

    def tell(self, step: Step, appliance: Appliance) -> None:
        """Write down, publish, answer."""
        self._note_status(step, appliance)
        # What the ward retained of the exam before a restart may be out of date: it is told at once.
        effects = step.effects if self._kept is not None else (ExamChanged(step.exam), *step.effects)
        made = ((effect, self._published(effect, step, appliance)) for effect in effects)
        self.published = tuple((effect, one) for effect, one in made if one is not None)
        publications = [one for _, one in self.published]
        if step.exam is not self._kept:
            self._kept = step.exam
            self._commit(publications, to_bytes(step.exam, appliance.bundle_id))
        elif publications:
            self._commit(publications, None)
        for answered in step.answered:
            self._answer(answered, step, appliance)

    def number(self) -> int:
        """The next number of the sequence, for a message that somebody else publishes."""
        return next(self._sequence)

    def _commit(self, publications: list[Publication], exam: bytes | None) -> None:
        with self._stopwatch.timing(Stage.PUBLISH):
            if self._ward is None:
                self._outbox.commit((), Instant.now(), exam)
            else:
                self._ward.publish(*publications, exam=exam)

    def _published(self, effect: Effect, step: Step, appliance: Appliance) -> Publication | None:
        sequence = self.number()
        publication = publication_of(
            effect, step.at, appliance, time_trusted=self._time_trusted(), sequence=sequence
        )
        if publication is not None and self._audit is not None:
            message = publication.message
            kind = "cleared" if message is None else message.type
            self._audit.note(kind, None if message is None else content_of(message), step.at.utc)
        match effect:
            case AcquisitionAccepted(n=n, acquisition=acquisition):
                LOG.info("acquisition %d of 5: %.1f kPa", n, acquisition.stiffness.mean_kpa)
            case AcquisitionRefused(refusal=refusal):
                LOG.info("refused: %s %s", refusal.reason.value, refusal.detail)
            case ResultIssued(result_id=result_id):
                LOG.info("result %s", result_id)
        return publication

    def _answer(self, answered: Answered, step: Step, appliance: Appliance) -> None:
        request, error, words = answered.request, answered.error, appliance.words
        header = appliance.header(step.at.utc, time_trusted=self._time_trusted(), sequence=self.number())
        answer = Answer(
            **dict(header),
            command=request.name,
            ok=error is None,
            fault=None if error is None else error.fault,
            text=words.labels.done if error is None else words.fault(error.fault.value, error.detail),
            exam_id=step.exam.id,
        )
        LOG.info("command %s from %s: %s", request.name, request.origin, answer.text)
        if self._audit is not None:
            content: JsonValue = {
                "name": request.name,
                "origin": request.origin,
                "ok": answer.ok,
                "text": answer.text,
            }
            self._audit.note("command", content, step.at.utc)
        request.answer(answer)

    def _note_status(self, step: Step, appliance: Appliance) -> None:
        """Publish the status when the video, the runtime or anything else about the appliance changes."""
        capture = step.capture
        cause = step.event.cause if isinstance(step.event, SignalLost) else ""
        if cause and (capture, cause) != (self._capture, self._cause):
            LOG.warning("%s: %s", CAPTURES[capture].text, cause)
        self._cause = cause
        if (appliance, capture) == self._status:
            return
        if capture != self._capture:
            colours = None if step.reading is None else step.reading.colours
            LOG.info("capture: %s", capture.value if colours is None else f"{capture.value}, {colours}")
        self._status, self._capture = (appliance, capture), capture
        now, trusted = datetime.now(timezone.utc), self._time_trusted()
        status = status_message(appliance, capture, now, time_trusted=trusted, sequence=self.number())
        if self._audit is not None:
            self._audit.note(status.type, content_of(status), now)
        if self._ward is not None:
            self._ward.publish_status(status)
