"""`fibrostage run`: the appliance on a live source, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from firmware_app.appliance import Beginning, Step, follow
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
from firmware_app.bedside.desk import Surroundings, open_bedside
from firmware_app.config import Config
from firmware_app.config.salvage import keep, state_folder
from firmware_app.errors import SourceError
from firmware_app.exam.events import Moment
from firmware_app.exam.keeping import from_bytes
from firmware_app.exam.resumption import resumed
from firmware_app.exam.state import Exam, Phase
from firmware_app.health.machine import Machine
from firmware_app.health.report import open_health, state_folders
from firmware_app.health.witnesses import Witnesses
from firmware_app.inference import ChosenEngine
from firmware_app.model import open_model
from firmware_app.notify import ServiceManager
from firmware_app.overlay.display import Display
from firmware_app.records.audit import Audit
from firmware_app.records.evidence import EvidenceStore
from firmware_app.records.journal import audited
from firmware_app.screen.banner_memory import BannerMemory
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.mirror import Mirror
from firmware_app.video.pipeline import Pipeline, open_pipeline
from firmware_app.video.stream_events import StreamEnded
from firmware_app.ward.inbox import Inbox
from firmware_app.ward.messages import Status
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.outbox import Instant, Outbox
from firmware_app.ward.publication import Appliance, status_message
from firmware_app.ward.publisher import Publisher
from firmware_app.ward.reception import Incoming, receive
from firmware_app.wording import RUNGS, Rung

LOG = logging.getLogger(__name__)


class Listener(Protocol):
    """Whoever is told about each step, on the main thread; it returns soon, and its troubles are its own."""

    def tell(self, step: Step, appliance: Appliance) -> None:
        """What the step brought about, and who speaks."""
        ...


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
    reader = screen_reader(config.profile)
    opened = open_model(config)
    engine = None if opened.model is None else opened.model.engine
    appliance = appliance_of(config, opened, reader)
    examiner = examiner_of(reader, opened.model, uuid4, previews=True)
    reader.warm_up()
    with ExitStack() as parts:
        if engine is not None:
            parts.enter_context(closing(engine))
        inbox, outbox = Inbox(), parts.enter_context(closing(Outbox(config.mqtt.queue, config.mqtt.outbox)))
        ward = parts.enter_context(_ward(config, appliance, outbox, inbox)) if config.mqtt.enabled else None
        mirror = Mirror() if config.bedside.enabled else None
        pipeline = parts.enter_context(
            open_pipeline(source_of(config.source), sink_of(config.sink), mirror=mirror, wait_for_source=True)
        )
        runs = _runs(appliance)
        LOG.info("%s runs on %s", appliance.root, runs)
        if appliance.runtime_reason is not None:
            LOG.info("chosen because %s", appliance.runtime_reason)
        audit = parts.enter_context(audited(config.records.audit, _birth(appliance)))
        publisher = Publisher(outbox, ward, audit, time_trusted, examiner.stopwatch)
        evidence = parts.enter_context(_evidence(config, publisher, audit))
        desk = None
        if mirror is not None:
            around = Surroundings(
                appliance, reader.profile, mirror, inbox, pipeline.statistics, time_trusted, config_path
            )
            desk = parts.enter_context(open_bedside(config.bedside, around))
        witnesses = Witnesses(
            stopwatch=examiner.stopwatch,
            statistics=pipeline.statistics,
            machine=Machine(state_folders(config)),
            link=None if ward is None else lambda: ward.link,
            records=_troubles(config, pipeline, audit, *evidence),
            pages={} if desk is None else {"bedside": lambda: desk.trouble},
            time_trusted=time_trusted,
            number=publisher.number,
        )
        health = parts.enter_context(
            open_health(config, witnesses, ward, () if desk is None else (desk.note_health,))
        )
        listeners: Sequence[Listener] = (
            publisher,
            *evidence,
            Display(
                pipeline,
                reader.profile,
                activation_map=config.overlay.activation_map,
                latency=config.overlay.latency,
                snapshot=config.records.snapshot,
            ),
            health,
            *(() if desk is None else (desk,)),
        )
        keep(config, state_folder())
        manager = ServiceManager()
        manager.ready(runs)
        beginning = Beginning(exam_of(outbox), memory.before)
        for step in follow(pipeline.frames(stop), examiner, captured_at, beginning, inbox.take_all):
            appliance = _as_it_is(appliance, engine, health.rungs)
            if Rung.DISK_FULL in appliance.degraded:
                pipeline.stop_recording(RUNGS[Rung.DISK_FULL].text)
            for listener in listeners:
                listener.tell(step, appliance)
            memory.note(step.banner)  # after the exam of the patient before is closed on the disk
            manager.alive(time.monotonic_ns())
            if isinstance(step.event, StreamEnded) and step.event.error is not None:
                raise SourceError(step.event.error)
        manager.stopping()


def exam_of(outbox: Outbox) -> Exam:
    """The exam to begin with: what an earlier run kept, as far as it may go on."""
    if outbox.kept is None:
        return Exam()
    kept = from_bytes(outbox.kept.content)
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
    if appliance.manifest is None:
        return "no bundle: stiffness only"
    return f"{appliance.runtime}, bundle {appliance.manifest.bundle_id}"


def _birth(appliance: Appliance) -> Status:
    now = datetime.now(timezone.utc)
    return status_message(appliance, CaptureState.STARTING, now, time_trusted=time_trusted())


@contextmanager
def _evidence(
    config: Config, publisher: Publisher, audit: Audit | None
) -> Iterator[tuple[EvidenceStore, ...]]:
    """The store of evidence, or none; it is told after the publisher."""
    folder, limit_mb = config.records.evidence, config.records.evidence_limit_mb
    if folder is None:
        yield ()
        return
    with closing(EvidenceStore(folder, limit_mb, lambda: publisher.published, audit)) as evidence:
        yield (evidence,)


def _troubles(
    config: Config, pipeline: Pipeline, audit: Audit | None, *evidence: EvidenceStore
) -> dict[str, Callable[[], str | None]]:
    """How to ask what troubles the records, by their settings."""
    asked: dict[str, Callable[[], str | None]] = {}
    if audit is not None:
        asked["records.audit"] = lambda: audit.trouble
    if config.sink.kind == "file":
        asked["sink.path"] = lambda: pipeline.recording_trouble
    for store in evidence:
        asked["records.evidence"] = partial(getattr, store, "trouble")
    return asked


@contextmanager
def _ward(config: Config, appliance: Appliance, outbox: Outbox, inbox: Inbox) -> Iterator[Ward]:
    death = status_message(appliance, None, datetime.now(timezone.utc), time_trusted=time_trusted())

    def on_command(incoming: Incoming) -> None:
        receive(incoming, inbox, ward.answer)

    birth = _birth(appliance)
    ward = Ward(config.mqtt, appliance.root, birth, death, outbox=outbox, on_command=on_command)
    ward.connect()
    with closing(ward):
        yield ward
