"""Who is studied: the paper's rules as filters, and how many patients each of them leaves.

Each rule is applied to those whom the rules before it have left. A rule whose column is missing or empty
leaves nobody out, and the flow says that it was not checked; a value that is not known leaves nobody out
either, and is counted, except where the study cannot do without: stage, pictures, and serum values in a
cohort that has them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from model_export.cohort import ACQUISITIONS
from model_export.study.cohort_tables import PatientRow

SERUM = ("age", "ast_u_l", "ast_uln_u_l", "alt_u_l", "platelets_10e9_l")
"""What APRI and FIB-4 are made of."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of inclusion or exclusion.

    Attributes:
        key: its name in flow.json.
        left_out: whom it leaves out, in words.
        columns: of patients.csv that it looks at.
        excludes: True, False, or None where the value is not known.
    """

    key: str
    left_out: str
    columns: tuple[str, ...]
    excludes: Callable[[PatientRow], bool | None]


@dataclass(frozen=True, slots=True)
class Step:
    """What one rule did.

    Attributes:
        rule, left_out: as in `Rule`.
        checked: whether anything is recorded in its columns.
        excluded: patients it left out.
        unknown: patients it could not judge, who stay.
        remaining: patients after it.
    """

    rule: str
    left_out: str
    checked: bool
    excluded: int
    unknown: int
    remaining: int


@dataclass(frozen=True, slots=True)
class Flow:
    """From the patients given to those studied.

    Attributes:
        given: patients in the table.
        steps: in the order in which the rules were applied.
        pictures_seen, pictures_usable: of the pictures looked at, up to each patient's fifth usable.
        pictures_refused: unusable pictures by the appliance's reason.
        included: patients of each split, by name.
    """

    given: int
    steps: tuple[Step, ...]
    pictures_seen: int
    pictures_usable: int
    pictures_refused: dict[str, int]
    included: dict[str, int]

    def to_json(self) -> dict[str, object]:
        """As it is kept in flow.json."""
        return asdict(self)

    def lines(self) -> list[str]:
        """As it is printed."""
        told = [f"{self.given:5d} patients given"]
        for step in self.steps:
            if not step.checked:
                told.append(f"      not recorded, nobody left out: {step.left_out}")
            elif step.excluded or step.unknown:
                unknown = f" ({step.unknown} not known, kept)" if step.unknown else ""
                told.append(f"{-step.excluded:5d} {step.left_out}{unknown}")
            if step.rule == "pictures" and self.pictures_refused:
                reasons = ", ".join(f"{name} {n}" for name, n in self.pictures_refused.items())
                told.append(
                    f"      of {self.pictures_seen} pictures {self.pictures_usable} usable: {reasons}"
                )
        splits = ", ".join(f"{count} {split}" for split, count in self.included.items())
        return [*told, f"{sum(self.included.values()):5d} patients included: {splits}"]


def _rule(key: str, left_out: str, column: str, most: float = 0) -> Rule:
    """Leaves out those in whom a column is above a value; above 0 is yes."""

    def excludes(patient: PatientRow) -> bool | None:
        value = patient.values[column]
        return None if value is None else value > most

    return Rule(key, left_out, (column,), excludes)


def _under_age(patient: PatientRow) -> bool | None:
    age = patient.values["age"]
    return None if age is None else age < 18


def _without_serum(patient: PatientRow) -> bool:
    return any(patient.values[column] is None for column in SERUM)


BEFORE_PICTURES = (
    Rule("stage", "no stage from histology", (), lambda patient: patient.stage is None),
    Rule("adult", "younger than 18 years", ("age",), _under_age),
    _rule("two_weeks", "elastography more than 14 days before surgery", "days_to_surgery", 14),
    _rule("tumour", "tumour larger than 5 cm", "tumour_mm", 50),
    _rule("hepatitis", "viral hepatitis other than B", "other_hepatitis"),
    _rule("antiviral", "antiviral treatment within six months", "antiviral_6_months"),
    _rule("transplant", "earlier liver transplantation", "liver_transplant"),
    _rule("bile_ducts", "dilated bile ducts in the liver, or portal thrombosis", "bile_ducts_dilated"),
    _rule("heart", "congestive heart disease", "heart_failure"),
)
"""Rules that the table alone can judge, in the paper's order after the stage. Its technical failures of
elastography show in the pictures."""


def pictures_rule(usable: Mapping[str, int]) -> Rule:
    """Leaves out whom elastography failed or was unreliable in: fewer than five usable pictures."""
    return Rule(
        "pictures",
        f"fewer than {ACQUISITIONS} usable pictures (failed or unreliable elastography)",
        (),
        lambda patient: usable.get(patient.id, 0) < ACQUISITIONS,
    )


SERUM_RULE = Rule("serum", "serum values for APRI and FIB-4 incomplete", SERUM, _without_serum)


def apply_rules(
    rules: tuple[Rule, ...], patients: tuple[PatientRow, ...], columns: frozenset[str]
) -> tuple[tuple[PatientRow, ...], tuple[Step, ...]]:
    """Apply rules one after the other.

    Args:
        rules: in their order.
        patients: whom they judge.
        columns: in which anything is recorded.

    Returns:
        Whom they left, and what each did.
    """
    steps = []
    for rule in rules:
        checked = set(rule.columns) <= columns
        counted = Counter(rule.excludes(patient) for patient in patients) if checked else Counter()
        if checked:
            patients = tuple(patient for patient in patients if not rule.excludes(patient))
        steps.append(Step(rule.key, rule.left_out, checked, counted[True], counted[None], len(patients)))
    return patients, tuple(steps)
