"""The flow of patients: from those given to those studied, as the cohort's preparation counted it."""

from __future__ import annotations

from dataclasses import dataclass

from model_export.errors import WrongInputError
from model_export.evaluate_json import Json


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What one rule did.

    Attributes:
        reason: who is left out by it.
        checked: False when the table does not hold what the rule asks for; it then leaves nobody out.
        excluded: patients left out.
        unknown: patients whose value is not known; they are kept.
    """

    reason: str
    checked: bool
    excluded: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Flow:
    """From the patients given to those studied.

    Attributes:
        given: patients of the cohort.
        exclusions: in the order of the rules.
        included: patients of each split, by name.
        pictures: counts of pictures by what became of them.
    """

    given: int
    exclusions: tuple[Exclusion, ...]
    included: dict[str, int]
    pictures: dict[str, int]

    @property
    def unchecked(self) -> tuple[str, ...]:
        """Reasons that could not be checked."""
        return tuple(one.reason for one in self.exclusions if not one.checked)

    @property
    def applied(self) -> tuple[Exclusion, ...]:
        """Rules that left somebody out or would have needed a value that is not known."""
        return tuple(one for one in self.exclusions if one.checked and (one.excluded or one.unknown))

    @property
    def enrolled(self) -> int:
        """Patients of all splits."""
        return sum(self.included.values())


def flow_of(content: dict[str, Json], name: str) -> Flow:
    """The flow as `flow.json` holds it.

    Args:
        content: of the file.
        name: of the file, for the error.

    Raises:
        WrongInputError: something is missing or is no number.
    """
    try:
        return Flow(
            given=_count(content["given"]),
            exclusions=tuple(map(_exclusion, _list(content["steps"]))),
            included={split: _count(number) for split, number in _object(content["included"]).items()},
            pictures=_pictures(content),
        )
    except (KeyError, TypeError) as error:
        raise WrongInputError(
            f"{name} does not hold the flow of patients ({error}); make the study anew"
        ) from error


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("the steps are no list")
    return value


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise TypeError("a step or the included patients are no object")
    return value


def _count(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is no whole number")
    return value


def _exclusion(content: Json) -> Exclusion:
    step = _object(content)
    return Exclusion(
        reason=str(step["left_out"]),
        checked=bool(step.get("checked", True)),
        excluded=_count(step["excluded"]),
        unknown=_count(step.get("unknown", 0)),
    )


def _pictures(content: dict[str, Json]) -> dict[str, int]:
    """Pictures looked at, usable, and refused by reason."""
    named = {"looked at": "pictures_seen", "usable": "pictures_usable"}
    found = {words: _count(content[key]) for words, key in named.items() if key in content}
    refused = content.get("pictures_refused")
    if isinstance(refused, dict):
        found |= {
            f"refused, {reason.replace('_', ' ')}": _count(number) for reason, number in refused.items()
        }
    return found
