"""`fibrostage run`: the appliance on a live source, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from firmware_app.appliance import Step, follow
from firmware_app.assembly import (
    appliance_of,
    captured_at,
    examiner_of,
    screen_reader,
    sink_of,
    source_of,
    time_trusted,
    with_runtime,
)
from firmware_app.config import Config
from firmware_app.errors import SinkError, SourceError
from firmware_app.exam.state import AcquisitionAccepted, AcquisitionRefused, Effect, ResultIssued
from firmware_app.health.machine import Machine
from firmware_app.health.report import open_health, state_folders
from firmware_app.health.witnesses import Witnesses
from firmware_app.inference import ChosenEngine
from firmware_app.journey import Frame
from firmware_app.model import open_model
from firmware_app.notify import ServiceManager
from firmware_app.overlay.drawing import OverlayState, draw
from firmware_app.overlay.presentation import overlay_of
from firmware_app.records.audit import Audit
from firmware_app.records.journal import audited, content_of
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.stream_events import SignalLost, StreamEnded
from firmware_app.ward.messages import Status
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import Appliance, publication_of, status_message
from firmware_app.wording import CAPTURES, RUNGS, Rung

LOG = logging.getLogger(__name__)
SNAPSHOT_AFTER_NS = 300_000_000
"""A new overlay reaches the display branch within a few frames; the snapshot waits for it."""


def run(config: Config, stop: threading.Event) -> None:
    """Run the appliance until `stop` is set or a recorded source ends.

    Raises:
        WrongInputError: the configuration names something that is not there or cannot be used.
        FibrostageError: the appliance cannot go on.
    """
    reader = screen_reader(config.profile)
    opened = open_model(config)
    model = opened.model
    appliance = appliance_of(config, opened, reader)
    examiner = examiner_of(reader, model, uuid4)
    reader.warm_up()
    with ExitStack() as parts:
        if model is not None:
            parts.enter_context(closing(model.engine))
        ward = parts.enter_context(_ward(config, appliance)) if config.mqtt.enabled else None
        pipeline = parts.enter_context(
            open_pipeline(source_of(config.source), sink_of(config.sink), wait_for_source=True)
        )
        runs = _runs(appliance)
        LOG.info("%s runs on %s", appliance.root, runs)
        if appliance.runtime_reason is not None:
            LOG.info("chosen because %s", appliance.runtime_reason)
        audit = parts.enter_context(audited(config.records.audit, _birth(appliance)))
        witnesses = Witnesses(
            stopwatch=examiner.stopwatch,
            statistics=pipeline.statistics,
            machine=Machine(state_folders(config)),
            link=None if ward is None else lambda: ward.link,
            records={} if audit is None else {"records.audit": lambda: audit.trouble},
            time_trusted=time_trusted,
        )
        health = parts.enter_context(open_health(config, witnesses, ward))
        told = Audience(
            appliance,
            None if model is None else model.engine,
            health.rungs,
            ward,
            pipeline,
            config.records.snapshot,
            audit,
        )
        manager = ServiceManager()
        manager.ready(runs)
        for step in follow(pipeline.frames(stop), examiner, captured_at):
            told.tell(step)
            health.tell(step, told.appliance)
            manager.alive(time.monotonic_ns())
        manager.stopping()


def _runs(appliance: Appliance) -> str:
    """What scores, for the log."""
    if appliance.manifest is None:
        return "no bundle: stiffness only"
    return f"{appliance.runtime}, bundle {appliance.manifest.bundle_id}"


def _birth(appliance: Appliance) -> Status:
    now = datetime.now(timezone.utc)
    return status_message(appliance, CaptureState.STARTING, now, time_trusted=time_trusted())


@contextmanager
def _ward(config: Config, appliance: Appliance) -> Iterator[Ward]:
    death = status_message(appliance, None, datetime.now(timezone.utc), time_trusted=time_trusted())
    ward = Ward(config.mqtt, appliance.root, _birth(appliance), death)
    ward.connect()
    with closing(ward):
        yield ward


class Audience:
    """Everyone who is told about a step: the audit log, the ward, the sonographer, and the snapshot.

    Remembers only what it told last, so that nothing is told twice. Nobody who listens can stop the loop.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - who speaks, what scores, and one argument for each who is told
        self,
        appliance: Appliance,
        engine: ChosenEngine | None,
        rungs: Callable[[Appliance], tuple[Rung, ...]],
        ward: Ward | None,
        pipeline: Pipeline,
        snapshot: Path | None,
        audit: Audit | None,
    ) -> None:
        self._appliance = appliance
        self._engine = engine
        self._rungs = rungs
        self._ward = ward
        self._audit = audit
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._snapshot_due_ns: int | None = None
        self._shown: tuple[OverlayState, int, int] | None = None
        self._capture = CaptureState.STARTING
        self._size = (1440, 1080)

    @property
    def appliance(self) -> Appliance:
        """Who speaks, with its runtime as it was last told."""
        return self._appliance

    def tell(self, step: Step) -> None:
        """Publish the effects, then show the exam as it stands.

        Raises:
            SourceError: a recorded source broke off.
        """
        self._note_runtime()
        for effect in step.effects:
            self._publish(effect, step)
        match step.event:
            case Frame():
                self._size = (step.event.pixels.shape[1], step.event.pixels.shape[0])
                self._note_capture(CaptureState.LIVE)
                self._save_snapshot(step.event.captured_ns)
            case SignalLost(state=state, cause=cause):
                LOG.warning("%s: %s", CAPTURES[state].text, cause)
                self._note_capture(state)
            case StreamEnded(error=error):
                self._note_capture(CaptureState.ENDED)
                if error is not None:
                    raise SourceError(error)
        self._show(step)

    def _publish(self, effect: Effect, step: Step) -> None:
        if step.at is None:
            return
        publication = publication_of(effect, step.at, self._appliance, time_trusted=time_trusted())
        if publication is not None and self._audit is not None:
            message = publication.message
            if message is None:
                self._audit.note("cleared", None, step.at.utc)
            else:
                self._audit.note(message.type, content_of(message), step.at.utc)
        if publication is not None and self._ward is not None:
            self._ward.publish(publication)
        match effect:
            case AcquisitionAccepted(n=n, acquisition=acquisition):
                LOG.info("acquisition %d of 5: %.1f kPa", n, acquisition.stiffness.mean_kpa)
            case AcquisitionRefused(refusal=refusal):
                LOG.info("refused: %s %s", refusal.reason.value, refusal.detail)
            case ResultIssued(result_id=result_id):
                LOG.info("result %s", result_id)
                self._snapshot_due_ns = time.monotonic_ns() + SNAPSHOT_AFTER_NS

    def _note_runtime(self) -> None:
        """Say at once, and before the result that it scored, when another runtime has taken over.

        Say as well what else the appliance goes without, or no longer.
        """
        current = self._appliance if self._engine is None else with_runtime(self._appliance, self._engine)
        current = replace(current, degraded=self._rungs(current))
        if current == self._appliance:
            return
        if current.runtime != self._appliance.runtime:
            LOG.warning("the networks now run on %s: %s", current.runtime, current.runtime_reason)
        if current.degraded != self._appliance.degraded:
            sentences = [f"{RUNGS[rung].text}: {RUNGS[rung].remedy}" for rung in current.degraded]
            LOG.warning("goes without: %s", "; ".join(sentences) or "nothing any more")
        self._appliance = current
        self._publish_status()

    def _note_capture(self, capture: CaptureState) -> None:
        if capture == self._capture:
            return
        self._capture = capture
        LOG.info("capture: %s", capture.value)
        self._publish_status()

    def _publish_status(self) -> None:
        now, trusted = datetime.now(timezone.utc), time_trusted()
        status = status_message(self._appliance, self._capture, now, time_trusted=trusted)
        if self._audit is not None:
            self._audit.note(status.type, content_of(status), now)
        if self._ward is not None:
            self._ward.publish_status(status)

    def _show(self, step: Step) -> None:
        wanted = (overlay_of(step, self._appliance), *self._size)
        if wanted != self._shown:
            self._shown = wanted
            self._pipeline.show(draw(*wanted))

    def _save_snapshot(self, now_ns: int) -> None:
        if self._snapshot is None or self._snapshot_due_ns is None or now_ns < self._snapshot_due_ns:
            return
        self._snapshot_due_ns = None
        try:
            self._pipeline.snapshot(self._snapshot)
            LOG.info("overlay saved as %s", self._snapshot)
        except SinkError as error:
            LOG.warning("%s", error)
