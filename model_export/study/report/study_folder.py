"""Read and check a study folder: everything that is wrong is named before anything is computed.

The folder holds

- `train_scores.csv`, `test_scores.csv`: one row per image, as `evaluate` reads them; `NAME@>=S2` and its like
  are log-odds;
- `train_patients.csv`, `test_patients.csv`: one row per patient, see `COLUMNS`; an empty cell is unknown;
- `flow.json`: how many patients each rule left out, see `flow`;
- `curves.json`: {"TL": {"GM": {"head": [{"epoch", "train_loss", "validation_loss"}, ...], "top": [...]}}};
- `study.json`: how it was made; `virtual` says whether the patients are simulated (absent: they are).
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from calibration import json_input
from model_export.cohort import SPLITS, Split
from model_export.errors import WrongInputError
from model_export.evaluate_json import Json
from model_export.evaluate_scores import ScoreTable, read_scores
from model_export.study.report.flow import Flow, flow_of

NUMBERS = ("age", "ast_u_l", "ast_uln_u_l", "alt_u_l", "platelets_10e9_l")
"""Columns of a patients file that hold numbers, besides the stage."""
COLUMNS = ("id", "stage", "sex", *NUMBERS)
FILES = (
    *(f"{split}_{kind}.csv" for split in SPLITS for kind in ("scores", "patients")),
    "flow.json",
    "curves.json",
    "study.json",
)


@dataclass(frozen=True, slots=True)
class Patients:
    """What is known of the patients of a split besides their pictures.

    Attributes:
        stage: Scheuer stage 0-4, (patients,).
        sex: as given; empty where unknown.
        numbers: by column name, (patients,); NaN where unknown.
    """

    stage: npt.NDArray[np.int64]
    sex: tuple[str, ...]
    numbers: dict[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Epoch:
    """Losses after one pass; None where none was measured."""

    epoch: int
    train_loss: float | None
    validation_loss: float | None


Curves = dict[str, dict[str, dict[str, tuple[Epoch, ...]]]]
"""Epochs by kind of training ("TL", "non-TL"), network ("GM", "EM", ...) and part ("head", "top")."""


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """A checked study.

    Attributes:
        scores: of both splits; every patient of one has his row in the patients file.
        patients: of both splits, in the order of the scores.
        flow: numbers of inclusion.
        curves: losses by epoch.
        record: `study.json` as it is.
        virtual: the patients are simulated.
    """

    scores: dict[Split, ScoreTable]
    patients: dict[Split, Patients]
    flow: Flow
    curves: Curves
    record: dict[str, Json]
    virtual: bool


def read_study(folder: Path) -> StudyFolder:
    """Read a study folder.

    Raises:
        WrongInputError: something is missing or cannot be read; the sentence says what.
    """
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise WrongInputError(f"{folder} is no complete study: {', '.join(missing)} missing")
    test, train = read_scores(folder / "test_scores.csv", folder / "train_scores.csv", None)
    if train is None or test.patient_ids is None or train.patient_ids is None:
        raise WrongInputError(f"{folder}: the files of scores need a `patient` column")
    scores: dict[Split, ScoreTable] = {"train": _with_log_odds(train), "test": _with_log_odds(test)}
    record = _object(folder / "study.json")
    virtual = record.get("virtual", True)
    if not isinstance(virtual, bool):
        raise WrongInputError(f"{folder / 'study.json'}: `virtual` must be true or false")
    return StudyFolder(
        scores=scores,
        patients={
            split: _patients(folder / f"{split}_patients.csv", table) for split, table in scores.items()
        },
        flow=flow_of(_object(folder / "flow.json"), str(folder / "flow.json")),
        curves=_curves(folder / "curves.json"),
        record=record,
        virtual=virtual,
    )


def _with_log_odds(table: ScoreTable) -> ScoreTable:
    """The table with the study's own columns `NAME@THRESHOLD` known as what they are, log-odds."""
    columns = {
        name: replace(column, is_log_odds="@" in name and not column.is_probability)
        for name, column in table.columns.items()
    }
    return replace(table, columns=columns)


def _object(path: Path) -> dict[str, Json]:
    try:
        content = json_input.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongInputError(f"{path} cannot be read as JSON; make the study anew") from error
    if not isinstance(content, dict):
        raise WrongInputError(f"{path} must hold one JSON object; make the study anew")
    return content


def _patients(path: Path, table: ScoreTable) -> Patients:
    """The patients of a file in the order of the scores."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise WrongInputError(f"{path} cannot be read as CSV; make the study anew") from error
    absent = [name for name in COLUMNS if not rows or rows[0].get(name) is None]
    if absent:
        raise WrongInputError(f"{path} has no patient or lacks columns: {', '.join(absent)}")
    by_id = {row["id"]: row for row in rows}
    if len(by_id) != len(rows) or set(by_id) != set(table.patient_ids or ()):
        raise WrongInputError(f"{path} and {table.name} do not hold the same patients, each once")
    ordered = [by_id[patient] for patient in table.patient_ids or ()]
    stage = np.array([_number(path, "stage", row) for row in ordered])
    if not np.array_equal(stage, table.stage):
        raise WrongInputError(f"{path} and {table.name} give some patients different stages")
    return Patients(
        stage=table.stage,
        sex=tuple(row["sex"] or "" for row in ordered),
        numbers={name: np.array([_number(path, name, row) for row in ordered]) for name in NUMBERS},
    )


def _number(path: Path, column: str, row: dict[str, str]) -> float:
    cell = (row[column] or "").strip()
    try:
        return float(cell) if cell else math.nan
    except ValueError as error:
        raise WrongInputError(f"{path}: {column} of patient {row['id']} is no number") from error


def _curves(path: Path) -> Curves:
    try:
        return {
            kind: {
                network: {part: tuple(map(_epoch, epochs)) for part, epochs in parts.items()}
                for network, parts in networks.items()
            }
            for kind, networks in json_input.parse(path.read_text(encoding="utf-8")).items()
        }
    except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
        raise WrongInputError(
            f"{path} does not hold losses by training, network, part and epoch; make the study anew"
        ) from error


def _epoch(content: dict[str, float | None]) -> Epoch:
    def loss(name: str) -> float | None:
        value = content.get(name)
        return None if value is None or not math.isfinite(value) else float(value)

    return Epoch(int(content["epoch"] or 0), loss("train_loss"), loss("validation_loss"))
