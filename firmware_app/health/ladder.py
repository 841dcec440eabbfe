"""Which rungs of the degradation ladder the appliance stands on: what fails, and what goes on without it.

docs/degradation.md is the table for people; `wording` has the sentences. Everyone reads the rungs in one
place, `Appliance.degraded`: the status, the overlay, the bedside page, and whoever writes to the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from firmware_app.health.stopwatch import Stage
from firmware_app.health.witnesses import Witnesses
from firmware_app.preview import EVERY_NS, REST
from firmware_app.ward.link import LinkState
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Rung

RESERVE_BYTES = 64 << 20
"""With less left on a disk, only results and the audit log are written: room for thousands of exams."""
LOOK_EVERY_NS = 1_000_000_000
SLOW_PREVIEW_MS = EVERY_NS / REST / 1e6
"""Above it a preview is too dear to come every second."""
_AWAY = frozenset({LinkState.UNREACHABLE, LinkState.REFUSED, LinkState.LOST})


class Ladder:
    """Looks once a second; remembers the last look, and that a disk was full until twice the reserve is free.

    Args:
        witnesses: whom it asks.
        now_ns: the boot's own clock.
    """

    def __init__(self, witnesses: Witnesses, now_ns: Callable[[], int]) -> None:
        self._witnesses = witnesses
        self._now_ns = now_ns
        self._looked_ns: int | None = None
        self._seen: frozenset[Rung] = frozenset()

    def rungs(self, appliance: Appliance) -> tuple[Rung, ...]:
        """The rungs that are active, the gravest first."""
        now_ns = self._now_ns()
        if self._looked_ns is None or now_ns - self._looked_ns >= LOOK_EVERY_NS:
            self._looked_ns = now_ns
            self._seen = frozenset(_failing(self._witnesses, now_ns, was_full=Rung.DISK_FULL in self._seen))
        active = self._seen | set(_of_the_model(appliance))
        return tuple(rung for rung in Rung if rung in active)


def _of_the_model(appliance: Appliance) -> Iterator[Rung]:
    if appliance.manifest is None:
        yield Rung.NO_MODEL
    elif appliance.bundle_event is not None:
        yield Rung.EARLIER_BUNDLE
    if appliance.runtime_degraded:
        yield Rung.GPU_LOST


def _failing(asked: Witnesses, now_ns: int, *, was_full: bool) -> Iterator[Rung]:
    least = RESERVE_BYTES * (2 if was_full else 1)
    if any(free is not None and free < least for free in asked.machine.disk_free_bytes().values()):
        yield Rung.DISK_FULL
    if any(trouble() is not None for trouble in asked.records.values()):
        yield Rung.RECORDS_LOST
    if asked.screen() is not None:
        yield Rung.SCREEN_MISSING
    if asked.link is not None:
        link = asked.link()
        if link.trouble is not None:
            yield Rung.OUTBOX_IN_MEMORY
        if link.state in _AWAY:
            yield Rung.BROKER_AWAY
    preview = asked.stopwatch.latency(Stage.PREVIEW, now_ns)
    if preview is not None and preview.p50_ms > SLOW_PREVIEW_MS:
        yield Rung.FEWER_PREVIEWS
    if not asked.time_trusted():
        yield Rung.CLOCK_UNTRUSTED
    if any(trouble() is not None for trouble in asked.pages.values()):
        yield Rung.PAGE_MISSING
