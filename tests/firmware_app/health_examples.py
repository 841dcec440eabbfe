"""A report's witnesses and a report, as the tests of the health share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from firmware_app.appliance import Step
from firmware_app.exam.state import Exam
from firmware_app.health.machine import Machine
from firmware_app.health.report import HealthReport
from firmware_app.health.stopwatch import Stopwatch
from firmware_app.health.witnesses import Witnesses
from firmware_app.journey import Frame, ScreenPlacement, ScreenReading, View
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.ward.health_message import Health
from firmware_app.ward.link import Link, LinkState
from tests.firmware_app.exam_examples import appliance, moment

NOTHING = PipelineStatistics(0, 0, 0, 0, 0, 0, None)
PLACEMENT = ScreenPlacement(1.0, 1.0, 0.0, 0.0, 0.25, 16.0, 235.0)


class Clock:
    """A boot's clock that a test moves."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000

    def __call__(self) -> int:
        """Nanoseconds since the boot."""
        return self.now_ns

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * 1e9)


def frame_step(captured_ns: int = 0, *, placed: bool = True) -> Step:
    """A step that a frame brought about."""
    frame = Frame(np.zeros((8, 8, 3), np.uint8), 0, 0, captured_ns)
    reading = ScreenReading(8, 8, View.OTHER, registration=PLACEMENT if placed else None)
    return Step(frame, reading, moment(0), Exam())


def witnesses(
    folders: Mapping[str, Path] | None = None,
    statistics: Callable[[], PipelineStatistics] = lambda: NOTHING,
    sysfs: Path = Path("/sys/class"),
) -> Witnesses:
    """Everybody well, the broker at hand."""
    return Witnesses(
        stopwatch=Stopwatch(),
        statistics=statistics,
        machine=Machine(folders or {}, sysfs),
        link=lambda: Link(LinkState.CONNECTED, "", 0, 0),
        records={"records.audit": lambda: None},
        time_trusted=lambda: True,
        number=lambda: 7,
    )


def health(asked: Witnesses | None = None) -> Health:
    """One report on an appliance that has run for ten seconds."""
    told: list[Health] = []
    clock = Clock()
    report = HealthReport(asked or witnesses(), 10, [told.append], clock)
    clock.forward(10)
    report.tell(frame_step(clock.now_ns - 20_000_000), appliance())
    (only,) = told
    return only
