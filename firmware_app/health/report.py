"""The listener that watches the steps and says, every few seconds, how the appliance is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path

from firmware_app.appliance import Step
from firmware_app.config import Config
from firmware_app.health import clock
from firmware_app.health.ladder import Ladder
from firmware_app.health.machine import MachineState
from firmware_app.health.page import HealthPage
from firmware_app.health.stopwatch import Latency, Stage
from firmware_app.health.witnesses import Witnesses
from firmware_app.journey import Frame
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.ward import health_message as message
from firmware_app.ward.link import Link
from firmware_app.ward.mqtt import Ward
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Rung


class HealthReport:
    """Is told every step; tells those who want to know, every `every_s` seconds.

    Args:
        witnesses: whom it asks.
        every_s: seconds from one report to the next; the first one follows after as many.
        tell: who wants to know; they must not wait for disk or network.
        now_ns: the boot's own clock.
    """

    def __init__(
        self,
        witnesses: Witnesses,
        every_s: float,
        tell: Sequence[Callable[[message.Health], None]],
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._witnesses = witnesses
        self._every_ns = int(every_s * 1e9)
        self._tell = tell
        self._now_ns = now_ns
        self._began_ns = self._reported_ns = now_ns()
        self._before = witnesses.statistics()
        self._residual_px: float | None = None
        self._ladder = Ladder(witnesses, now_ns)

    def rungs(self, appliance: Appliance) -> tuple[Rung, ...]:
        """The rungs of the degradation ladder that are active, the gravest first."""
        return self._ladder.rungs(appliance)

    def tell(self, step: Step, appliance: Appliance) -> None:
        """Note the step, and report when it is time."""
        now_ns = self._now_ns()
        if isinstance(step.event, Frame):
            self._witnesses.stopwatch.note(Stage.OVERLAY, now_ns - step.event.captured_ns, now_ns)
        placed = None if step.reading is None else step.reading.registration
        self._residual_px = None if placed is None else placed.residual_px
        if now_ns - self._reported_ns < self._every_ns:
            return
        health = self._health(step.capture, appliance, now_ns)
        self._reported_ns = now_ns
        for tell in self._tell:
            tell(health)

    def _health(self, capture: CaptureState, appliance: Appliance, now_ns: int) -> message.Health:
        asked, trusted = self._witnesses, self._witnesses.time_trusted()
        statistics, before = asked.statistics(), self._before
        self._before = statistics
        latencies = asked.stopwatch.latencies(now_ns)
        return message.Health(
            **dict(
                appliance.header(datetime.now(timezone.utc), time_trusted=trusted, sequence=asked.number())
            ),
            capture=capture,
            degraded=list(self.rungs(appliance)),
            rates=rates_between(before, statistics, (now_ns - self._reported_ns) / 1e9),
            frames=_frames(statistics),
            latencies=message.Latencies(
                **{stage.value: _latency(latency) for stage, latency in latencies.items()},
                display=_latency(statistics.display_latency),
            ),
            outbox=None if asked.link is None else _outbox(asked.link()),
            records={name: trouble() for name, trouble in asked.records.items()},
            pages={name: trouble() for name, trouble in asked.pages.items()},
            residual_px=self._residual_px,
            machine=_machine(asked.machine.state()),
            clock=message.ClockHealth(
                trusted=trusted,
                largest_error_ms=clock.largest_error_ms(),
                uptime_s=round((now_ns - self._began_ns) / 1e9, 3),
            ),
        )


def rates_between(before: PipelineStatistics, now: PipelineStatistics, seconds: float) -> message.Rates:
    """Frames per second between two countings."""
    return message.Rates(
        source_hz=round((now.frames_in - before.frames_in) / seconds, 2),
        analysed_hz=round((now.analysed - before.analysed) / seconds, 2),
        displayed_hz=round((now.displayed - before.displayed) / seconds, 2),
    )


def _frames(statistics: PipelineStatistics) -> message.Frames:
    return message.Frames(
        source=statistics.frames_in,
        analysed=statistics.analysed,
        displayed=statistics.displayed,
        dropped_analysis=statistics.dropped_analysis,
        dropped_display=statistics.dropped_display,
        restarts=statistics.restarts,
    )


def _latency(latency: Latency | None) -> message.StageLatency | None:
    if latency is None:
        return None
    return message.StageLatency(**{name: round(value, 3) for name, value in asdict(latency).items()})


def _outbox(link: Link) -> message.OutboxHealth:
    return message.OutboxHealth(
        broker=link.state.value,
        detail=link.detail,
        queued=link.queued,
        dropped=link.dropped,
        trouble=link.trouble,
    )


def _machine(state: MachineState) -> message.MachineHealth:
    return message.MachineHealth(**asdict(state))


def state_folders(config: Config) -> dict[str, Path]:
    """The folders that the appliance writes to, by the setting that names them."""
    outbox, snapshot, recording = config.mqtt.outbox, config.records.snapshot, config.sink.path
    folders = {
        "records.audit": config.records.audit,
        "records.evidence": config.records.evidence,
        "records.snapshot": None if snapshot is None else snapshot.parent,
        "sink.path": None if recording is None else recording.parent,
        "mqtt.outbox": None if outbox is None else outbox.parent,
    }
    return {name: folder for name, folder in folders.items() if folder is not None}


@contextmanager
def open_health(
    config: Config,
    witnesses: Witnesses,
    ward: Ward | None,
    others: Sequence[Callable[[message.Health], None]] = (),
) -> Iterator[HealthReport]:
    """The report as it is configured, for the ward, for the page, which closes with the block, and others."""
    settings = config.health
    with ExitStack() as parts:
        tell = [*others] if ward is None else [ward.publish_health, *others]
        if settings.prometheus_port:
            page = parts.enter_context(
                closing(HealthPage(settings.prometheus_host, settings.prometheus_port))
            )
            tell.append(page.show)
            pages = {**witnesses.pages, "health.prometheus": lambda: page.trouble}
            witnesses = replace(witnesses, pages=pages)
        yield HealthReport(witnesses, settings.every_s, tell)
