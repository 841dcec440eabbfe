"""Everyone who is told about a step, as it is configured: opened, and closed in the reverse order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Protocol

from calibration.profile import ScreenProfile
from firmware_app.appliance import Step
from firmware_app.assembly import time_trusted
from firmware_app.bedside.desk import Desk, Surroundings, open_bedside
from firmware_app.config import Config
from firmware_app.health.machine import Machine
from firmware_app.health.report import open_health, state_folders
from firmware_app.health.stopwatch import Stopwatch
from firmware_app.health.witnesses import Witnesses
from firmware_app.overlay.display import Display
from firmware_app.records.audit import Audit
from firmware_app.records.evidence import EvidenceStore
from firmware_app.records.journal import audited
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.mirror import Mirror
from firmware_app.video.pipeline import Pipeline
from firmware_app.ward.inbox import Inbox
from firmware_app.ward.messages import Status
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.outbox import Outbox
from firmware_app.ward.publication import Appliance, status_message
from firmware_app.ward.publisher import Publisher
from firmware_app.ward.reception import Incoming, receive
from firmware_app.wording import Rung


class Listener(Protocol):
    """Whoever is told about each step, on the main thread; it returns soon, and its troubles are its own."""

    def tell(self, step: Step, appliance: Appliance) -> None:
        """What the step brought about, and who speaks."""
        ...


@dataclass(frozen=True, slots=True)
class Room:
    """What the audience listens to.

    Attributes:
        config: the settings; `config_path`: where they stand, None: the system's.
        appliance: who speaks.
        profile: of the screen.
        stopwatch: times the stages.
        pipeline: with the display branch.
        mirror: the picture for the bedside page; None: there is no such page.
    """

    config: Config
    config_path: Path | None
    appliance: Appliance
    profile: ScreenProfile
    stopwatch: Stopwatch
    pipeline: Pipeline
    mirror: Mirror | None


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is told, in this order; `rungs` says what the appliance goes without."""

    listeners: tuple[Listener, ...]
    rungs: Callable[[Appliance], tuple[Rung, ...]]


@contextmanager
def open_audience(room: Room, inbox: Inbox, outbox: Outbox) -> Iterator[Audience]:
    """The ward and the records first, then the sonographer, then whoever watches over the appliance.

    Raises:
        WrongInputError: a setting names something that is not there or cannot be used.
    """
    config, pipeline = room.config, room.pipeline
    with ExitStack() as parts:
        ward = None
        if config.mqtt.enabled:
            ward = parts.enter_context(_ward(config, room.appliance, outbox, inbox))
        audit = parts.enter_context(audited(config.records.audit, _birth(room.appliance)))
        publisher = Publisher(outbox, ward, audit, time_trusted, room.stopwatch)
        evidence = parts.enter_context(_evidence(config, publisher, audit))
        desk = parts.enter_context(_desk(room, inbox))
        witnesses = Witnesses(
            stopwatch=room.stopwatch,
            statistics=pipeline.statistics,
            machine=Machine(state_folders(config)),
            link=None if ward is None else lambda: ward.link,
            records=_troubles(config, pipeline, audit, *evidence),
            pages={} if not desk else {"bedside": partial(_trouble_of, *desk)},
            screen=lambda: pipeline.screen_trouble,
            time_trusted=time_trusted,
            number=publisher.number,
        )
        readers = tuple(page.note_health for page in desk)
        health = parts.enter_context(open_health(config, witnesses, ward, readers))
        display = Display(
            pipeline,
            room.profile,
            activation_map=config.overlay.activation_map,
            latency=config.overlay.latency,
            snapshot=config.records.snapshot,
        )
        yield Audience((publisher, *evidence, display, health, *desk), health.rungs)


@contextmanager
def _desk(room: Room, inbox: Inbox) -> Iterator[tuple[Desk, ...]]:
    """The bedside page, or none."""
    if room.mirror is None:
        yield ()
        return
    around = Surroundings(
        room.appliance,
        room.profile,
        room.mirror,
        inbox,
        room.pipeline.statistics,
        time_trusted,
        room.config_path,
    )
    with open_bedside(room.config.bedside, around) as desk:
        yield (desk,)


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
        asked["records.evidence"] = partial(_trouble_of, store)
    return asked


def _trouble_of(listener: EvidenceStore | Desk) -> str | None:
    return listener.trouble


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
