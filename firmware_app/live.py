"""`fibrostage run`: the appliance on a live source, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from firmware_app.appliance import Step, follow
from firmware_app.assembly import (
    appliance_of,
    captured_at,
    load_model,
    screen_reader,
    sink_of,
    source_of,
    time_trusted,
)
from firmware_app.config import Config
from firmware_app.errors import SinkError, SourceError
from firmware_app.exam_state import AcquisitionAccepted, AcquisitionRefused, Effect, ResultIssued
from firmware_app.examination import Examiner
from firmware_app.journey import Frame
from firmware_app.messages import Capture
from firmware_app.mqtt import Ward
from firmware_app.overlay import OverlayState, draw
from firmware_app.pipeline import Pipeline, open_pipeline
from firmware_app.presentation import overlay_of
from firmware_app.publication import Appliance, publication_of, status_message
from firmware_app.stream_events import SignalLost, StreamEnded

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
    bundle, engine = load_model(config.bundle)
    appliance = appliance_of(config, bundle, engine, reader)
    examiner = Examiner(reader, engine, bundle.manifest.bar_range_kpa, uuid4)
    reader.warm_up()
    with ExitStack() as parts:
        parts.enter_context(closing(engine))
        ward = parts.enter_context(_ward(config, appliance)) if config.mqtt.enabled else None
        pipeline = parts.enter_context(
            open_pipeline(source_of(config.source), sink_of(config.sink), wait_for_source=True)
        )
        LOG.info("%s runs on %s with bundle %s", appliance.root, engine.name, bundle.manifest.bundle_id)
        told = Audience(appliance, ward, pipeline, config.snapshot)
        for step in follow(pipeline.frames(stop), examiner, captured_at):
            told.tell(step)


@contextmanager
def _ward(config: Config, appliance: Appliance) -> Iterator[Ward]:
    now, trusted = datetime.now(timezone.utc), time_trusted()
    birth = status_message(appliance, "starting", now, time_trusted=trusted)
    death = status_message(appliance, None, now, time_trusted=trusted)
    ward = Ward(config.mqtt, appliance.root, birth, death)
    ward.connect()
    with closing(ward):
        yield ward


class Audience:
    """Everyone who is told about a step: the ward, the sonographer, the log, and the snapshot.

    Remembers only what it told last, so that nothing is told twice. Nobody who listens can stop the loop.
    """

    def __init__(
        self, appliance: Appliance, ward: Ward | None, pipeline: Pipeline, snapshot: Path | None
    ) -> None:
        self._appliance = appliance
        self._ward = ward
        self._pipeline = pipeline
        self._snapshot = snapshot
        self._snapshot_due_ns: int | None = None
        self._shown: tuple[OverlayState, int, int] | None = None
        self._capture: Capture = "starting"
        self._size = (1440, 1080)

    def tell(self, step: Step) -> None:
        """Publish the effects, then show the exam as it stands.

        Raises:
            SourceError: a recorded source broke off.
        """
        for effect in step.effects:
            self._publish(effect, step)
        match step.event:
            case Frame():
                self._size = (step.event.pixels.shape[1], step.event.pixels.shape[0])
                self._note_capture("live")
                self._save_snapshot(step.event.captured_ns)
            case SignalLost(cause=cause):
                LOG.warning("no video signal: %s", cause)
                self._note_capture("no_signal")
            case StreamEnded(error=error):
                self._note_capture("ended")
                if error is not None:
                    raise SourceError(error)
        self._show(step)

    def _publish(self, effect: Effect, step: Step) -> None:
        if step.at is None:
            return
        publication = publication_of(effect, step.at, self._appliance, time_trusted=time_trusted())
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

    def _note_capture(self, capture: Capture) -> None:
        if capture == self._capture:
            return
        self._capture = capture
        LOG.info("capture: %s", capture)
        if self._ward is not None:
            now = datetime.now(timezone.utc)
            self._ward.publish_status(
                status_message(self._appliance, capture, now, time_trusted=time_trusted())
            )

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
