"""`fibrostage run`: the appliance on a live source, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from uuid import uuid4

from firmware_app.appliance import Beginning, follow
from firmware_app.assembly import (
    appliance_of,
    captured_at,
    examiner_of,
    screen_reader,
    sink_of,
    source_of,
    with_runtime,
)
from firmware_app.audience import Room, open_audience
from firmware_app.config import Config
from firmware_app.config.salvage import keep, state_folder
from firmware_app.errors import SourceError
from firmware_app.exam.events import Moment
from firmware_app.exam.keeping import from_bytes
from firmware_app.exam.resumption import resumed
from firmware_app.exam.state import Exam, Phase
from firmware_app.inference import ChosenEngine
from firmware_app.model import Opened, open_model
from firmware_app.notify import ServiceManager
from firmware_app.screen import ScreenReader
from firmware_app.screen.banner_memory import BannerMemory
from firmware_app.video.mirror import Mirror
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.stream_events import StreamEnded
from firmware_app.ward.inbox import Inbox
from firmware_app.ward.outbox import Instant, Outbox
from firmware_app.ward.publication import Appliance
from firmware_app.wording import RUNGS, Rung

LOG = logging.getLogger(__name__)


def run(config: Config, stop: threading.Event, config_path: Path | None = None) -> None:
    """Run the appliance until `stop` is set or a recorded source ends.

    Args:
        config: the settings.
        stop: ends the run.
        config_path: where they stand, for the self-test on the bedside page; None: the system's.

    Raises:
        WrongInputError: the configuration names something that is not there or cannot be used.
        FibrostageError: the appliance cannot go on.
    """
    memory = BannerMemory(config.records.memory)  # first of all: it brings the salt of the banner's digests
    with ExitStack() as parts:
        texts = parts.enter_context(ThreadPoolExecutor(1, thread_name_prefix="texts"))
        reader, opened = prepared(config, texts)
        engine = None if opened.model is None else opened.model.engine
        appliance = appliance_of(config, opened, reader)
        examiner = examiner_of(reader, opened.model, uuid4, previews=True, texts=texts)
        if engine is not None:
            parts.enter_context(closing(engine))
        inbox, outbox = Inbox(), parts.enter_context(closing(Outbox(config.mqtt.queue, config.mqtt.outbox)))
        mirror = Mirror() if config.bedside.enabled else None
        pipeline = parts.enter_context(
            open_pipeline(source_of(config.source), sink_of(config.sink), mirror=mirror, patient=True)
        )
        runs = _runs(appliance)
        LOG.info("%s runs on %s", appliance.root, runs)
        if appliance.runtime_reason is not None:
            LOG.info("chosen because %s", appliance.runtime_reason)
        room = Room(config, config_path, appliance, reader.profile, examiner.stopwatch, pipeline, mirror)
        audience = parts.enter_context(open_audience(room, inbox, outbox))
        keep(config, state_folder())
        manager = ServiceManager()
        manager.ready(runs)
        beginning = Beginning(exam_of(outbox, appliance.bundle_id), memory.before)
        for step in follow(pipeline.frames(stop), examiner, captured_at, beginning, inbox.take_all):
            appliance = _as_it_is(appliance, engine, audience.rungs)
            if Rung.DISK_FULL in appliance.degraded:
                pipeline.stop_recording(RUNGS[Rung.DISK_FULL].text)
            for listener in audience.listeners:
                listener.tell(step, appliance)
            memory.note(step.banner)  # after the exam of the patient before is closed on the disk
            manager.alive(time.monotonic_ns())
            if isinstance(step.event, StreamEnded) and step.event.error is not None:
                raise SourceError(step.event.error)
        manager.stopping()


def prepared(config: Config, texts: Executor) -> tuple[ScreenReader, Opened]:
    """The reader, and the bundle that has passed its self-test; both are ready for the first frame.

    The recogniser of texts is loaded on its own thread meanwhile: it is half as long in loading as the model.

    Raises:
        WrongInputError: the profile or the bundle cannot be used.
        EngineError: no runtime can run the bundle that is configured.
    """
    reader = screen_reader(config.profile)
    warm = texts.submit(reader.warm_up)
    opened = open_model(config)
    warm.result()
    return reader, opened


def exam_of(outbox: Outbox, bundle_id: str | None) -> Exam:
    """The exam to begin with: what an earlier run kept, as far as it may go on."""
    if outbox.kept is None:
        return Exam()
    kept = from_bytes(outbox.kept.content, bundle_id)
    if kept is None:
        LOG.error("the exam of an earlier run cannot be read: it is closed, the next freeze begins a new one")
        return Exam()
    now, since = Instant.now(), outbox.kept.since
    shift_ns = 0 if since.boot == now.boot else int((now.monotonic_s - since.monotonic_s) * 1e9)
    exam = resumed(kept, Moment(datetime.now(timezone.utc), time.monotonic_ns()), shift_ns)
    if exam.phase is Phase.HELD:
        LOG.warning("exam %s was interrupted with %d acquisitions", exam.id, len(exam.acquisitions))
    return exam


def _as_it_is(
    before: Appliance, engine: ChosenEngine | None, rungs: Callable[[Appliance], tuple[Rung, ...]]
) -> Appliance:
    """The appliance as it is now: a GPU may have failed since, or something else it goes without."""
    now = before if engine is None else with_runtime(before, engine)
    now = replace(now, degraded=rungs(now))
    if now.runtime != before.runtime:
        LOG.warning("the networks now run on %s: %s", now.runtime, now.runtime_reason)
    if now.degraded != before.degraded:
        sentences = [f"{RUNGS[rung].text}: {RUNGS[rung].remedy}" for rung in now.degraded]
        LOG.warning("goes without: %s", "; ".join(sentences) or "nothing any more")
    return now


def _runs(appliance: Appliance) -> str:
    """What scores, for the log."""
    if appliance.bundle_id is None:
        return "no bundle: stiffness only"
    return f"{appliance.runtime}, bundle {appliance.bundle_id}"
