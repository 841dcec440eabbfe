"""Whom the report and the ladder ask how things are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware_app.health.machine import Machine
from firmware_app.health.stopwatch import Stopwatch
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.ward.link import Link

Trouble = Callable[[], "str | None"]
"""Why something cannot be done, in words; None: it can."""


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Each is asked on the frame loop's thread, most of them once a second.

    Attributes:
        stopwatch: times the stages.
        statistics: what became of the frames.
        machine: the computer.
        link: how broker and outbox stand; None: nothing is published.
        time_trusted: whether the clock was synchronised.
        number: gives the next number of the appliance's messages.
        records: by setting, why what is recorded cannot be written.
        pages: by setting, why a page is not served.
        screen: why the overlay is not shown on the screen.
    """

    stopwatch: Stopwatch
    statistics: Callable[[], PipelineStatistics]
    machine: Machine
    link: Callable[[], Link] | None
    time_trusted: Callable[[], bool]
    number: Callable[[], int]
    records: Mapping[str, Trouble] = field(default_factory=dict)
    pages: Mapping[str, Trouble] = field(default_factory=dict)
    screen: Trouble = lambda: None
