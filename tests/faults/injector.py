"""Which fault strikes when, and the log of it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

from tests.faults.catalogue import FAULTS, PROMISES, Fault, Group
from tests.faults.world import World

PAIRED = 0.2
"""Share of the moments at which two faults strike at once."""
PATIENCE_S = 120.0
"""Who is not well after so long will not be; the campaign ends."""
NEVER = float("inf")


class NotWellError(Exception):
    """The appliance does not recover at all."""


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault as it was made; moments are monotonic seconds.

    Attributes:
        released_s: when it was taken back; None: it lasts.
        well_after_s: seconds from then until the appliance was well again; None: it is not yet.
        bound_s: so soon it must be.
    """

    fault: Fault
    injected_s: float
    bound_s: float
    released_s: float | None = None
    well_after_s: float | None = None

    @property
    def ended_s(self) -> float:
        """When all was well again."""
        if self.released_s is None or self.well_after_s is None:
            return NEVER
        return self.released_s + self.well_after_s


class Injector:
    """Makes faults, one after the other.

    Args:
        world: what they strike.
        seed: of their order.
        slack: factor on every bound, for machines that have other things to do besides.
    """

    def __init__(self, world: World, seed: int, slack: float) -> None:
        self._world = world
        self._slack = slack
        groups = {fault.group for fault in FAULTS} - set(world.without)
        self._coming = order_of_faults(random.Random(seed), groups)
        self._lock = threading.Lock()
        self._injections: list[Injection] = []

    @property
    def injections(self) -> tuple[Injection, ...]:
        """Every fault so far."""
        with self._lock:
            return tuple(self._injections)

    def strike(self) -> None:
        """Make the next fault, or the next two at once; return when the appliance is well again.

        Raises:
            NotWellError: it is not, long after it should be.
        """
        faults, rng = next(self._coming), self._world.random
        bound_s = self._slack * max(PROMISES[fault.group].well_within_s for fault in faults)
        lasts_s = max(rng.uniform(*fault.lasts_s) for fault in faults)
        with ExitStack() as made:
            for fault in faults:
                with self._lock:
                    self._injections.append(Injection(fault, time.monotonic(), bound_s))
                made.enter_context(fault.make(self._world))
            time.sleep(lasts_s)
        released_s = time.monotonic()
        well_after_s = self._world.recovered_after_s(max(PATIENCE_S, 2 * bound_s))
        with self._lock:
            struck = self._injections[-len(faults) :]
            self._injections[-len(faults) :] = [
                replace(i, released_s=released_s, well_after_s=well_after_s) for i in struck
            ]
        if well_after_s is None:
            raise NotWellError(f"not well {PATIENCE_S:.0f} s after {' and '.join(f.name for f in faults)}")


def spoils(injections: tuple[Injection, ...], began_s: float, ended_s: float, margin_s: float = 0.0) -> bool:
    """Whether a fault that may spoil a freeze touched this time."""
    return any(
        injection.injected_s <= ended_s + margin_s and began_s <= injection.ended_s
        for injection in injections
        if PROMISES[injection.fault.group].spoils
    )


def order_of_faults(rng: random.Random, groups: set[Group]) -> Iterator[tuple[Fault, ...]]:
    """Every kind of these groups once, in random order, again and again; now and then two at once."""
    waiting: list[Fault] = []
    while True:
        if len(waiting) < 2:
            shuffled = [fault for fault in FAULTS if fault.group in groups]
            rng.shuffle(shuffled)
            waiting = shuffled + waiting
        first = waiting.pop()
        others = [f for f in waiting if f.group != first.group and not f.alone and not first.alone]
        if others and rng.random() < PAIRED:
            waiting.remove(others[-1])
            yield first, others[-1]
        else:
            yield (first,)
