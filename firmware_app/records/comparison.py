"""Two payloads beside each other: where they differ, by how much, and whether that was to be expected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import JsonValue

CONDITIONS = ("runtime", "bundle_id", "software")
"""What may be another one where a result is scored again; it is told, and the numbers are compared."""
_SCORED = ("probabilities.", "methods.")
"""Where the numbers stand that come from the networks; all others must come out again exactly."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place at which a payload differs: what stood there, and what stands there now."""

    place: str
    then: JsonValue
    now: JsonValue

    @property
    def is_condition(self) -> bool:
        """Whether it says what scored, and not what came of it."""
        return self.place in CONDITIONS

    @property
    def size(self) -> float | None:
        """By how much a number of the networks differs; None: it is none."""
        numbers = [v for v in (self.then, self.now) if isinstance(v, float | int) and not isinstance(v, bool)]
        if len(numbers) < 2 or not self.place.startswith(_SCORED):
            return None
        return abs(numbers[0] - numbers[1])

    def __str__(self) -> str:
        return f"{self.place} was {self.then}, is {self.now}"


def differences(then: JsonValue, now: JsonValue, place: str = "") -> Iterator[Difference]:
    """Every place at which two JSON values differ."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in {**then, **now}:
            inner = f"{place}.{key}" if place else key
            if key in then and key in now:
                yield from differences(then[key], now[key], inner)
            else:
                yield Difference(inner, then.get(key, "missing"), now.get(key, "missing"))
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from differences(one, other, f"{place}.{index}")
    elif type(then) is not type(now) or then != now:
        yield Difference(place, then, now)
