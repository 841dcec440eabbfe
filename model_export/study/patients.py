"""What the study knows of its patients beside their pictures: pseudonym, stage, age, sex, serum values."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from firmware_app.errors import SerumError
from firmware_app.serum import Serum
from model_export.cohort import Split
from model_export.errors import WrongInputError

REQUIRED = ("ast_u_l", "ast_uln_u_l", "platelets_10e9_l")
FURTHER = ("alt_u_l", "age")
"""Columns that FIB-4 needs beside the required ones."""


@dataclass(frozen=True, slots=True)
class StudyPatient:
    """One patient of a split.

    Attributes:
        id: the cohort's pseudonym.
        stage: Scheuer stage 0-4.
        serum: None without AST, its upper limit of normal or platelets.
    """

    id: str
    stage: int
    serum: Serum | None


def read_patients(folder: Path, split: Split) -> tuple[StudyPatient, ...]:
    """The patients of a prepared cohort in the order of its arrays.

    Args:
        folder: of the prepared cohort.
        split: whose `SPLIT_patients.csv` is read.

    Raises:
        WrongInputError: the table is missing or a value is not plausible.
    """
    path = folder / f"{split}_patients.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return tuple(_patient(row, path.name) for row in csv.DictReader(file))
    except FileNotFoundError as error:
        raise WrongInputError(f"{path} is missing; prepare the cohort anew in another work folder") from error


def _patient(row: dict[str, str], table: str) -> StudyPatient:
    try:
        values = {name: float(row[name]) if row.get(name) else None for name in (*REQUIRED, *FURTHER)}
        return StudyPatient(row["id"], int(row["stage"]), _serum(values))
    except SerumError as error:
        raise WrongInputError(f"{table}, patient {row['id']}: {error}") from error
    except (KeyError, ValueError) as error:
        raise WrongInputError(f"{table}: a row cannot be read ({error}); mend the cohort's table") from error


def _serum(values: dict[str, float | None]) -> Serum | None:
    ast, uln, platelets = (values[name] for name in REQUIRED)
    if ast is None or uln is None or platelets is None:
        return None
    return Serum(
        ast_u_l=ast,
        ast_uln_u_l=uln,
        platelets_g_l=platelets,
        alt_u_l=values["alt_u_l"],
        age_years=values["age"],
    )
