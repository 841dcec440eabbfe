"""Read SCORES.csv: one row per patient or per image, a `stage` column, score columns; all problems at once.

A column named `NAME` is the score of the method NAME for every threshold. A column named `NAME@>=S2`,
`NAME@>=S3` or `NAME@S4` is its score for that threshold only (three networks, or the three outputs of an
ordinal head); when all values of all such columns of NAME lie in [0, 1] they are taken for probabilities.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model_export.errors import WrongInputError
from model_export.statistics.figure import BoolArray, FloatArray
from model_export.table import Row, rows_of

_SHOWN = 8
"""Lines named in one problem; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """A binary question: is the stage at least `stage`?"""

    name: str
    stage: int


THRESHOLDS = (Threshold(">=S2", 2), Threshold(">=S3", 3), Threshold("S4", 4))


@dataclass(frozen=True, slots=True)
class ScoreColumn:
    """Scores of one method for one threshold.

    Attributes:
        images: (n_images,) as read.
        patients: (n_patients,) the mean over each patient's images.
        is_probability: the values are probabilities of this very threshold.
        is_log_odds: they are its log-odds, which no file can say for itself.
    """

    images: FloatArray
    patients: FloatArray
    is_probability: bool
    is_log_odds: bool = False


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """A cohort with the scores of every method.

    Attributes:
        name: file name without its folder.
        sha256: digest of the file.
        stage: (n_patients,) 0 to 4.
        patient_of_image: (n_images,) number of the patient of each row.
        patient_ids: as read; None when the file has no patient column.
        columns: by name as in the header.
    """

    name: str
    sha256: str
    stage: npt.NDArray[np.int64]
    patient_of_image: npt.NDArray[np.int64]
    patient_ids: tuple[str, ...] | None
    columns: dict[str, ScoreColumn]

    @property
    def has_images(self) -> bool:
        """Whether any patient has more than one row."""
        return self.patient_of_image.size > self.stage.size

    def positive(self, threshold: Threshold) -> BoolArray:
        """(n_patients,) True where the stage is at or above the threshold."""
        return self.stage >= threshold.stage

    def methods(self) -> tuple[str, ...]:
        """Names of the methods in the order of the file."""
        return tuple(dict.fromkeys(_method_of(name) for name in self.columns))

    def column(self, method: str, threshold: Threshold) -> ScoreColumn | None:
        """The scores of a method for a threshold: its own column first, else the common one, else None."""
        return self.columns.get(f"{method}@{threshold.name}") or self.columns.get(method)


LARGEST_SCORE = 1e100
"""Sums of squares of larger ones would be infinite."""
TWIN = " non-TL"
"""A method `GM non-TL` is the twin of `GM` without transfer learning."""


def base_of(method: str) -> str:
    """The method of which this is the twin without transfer learning; the method itself when it is none."""
    return method.removesuffix(TWIN)


def _method_of(column: str) -> str:
    base, _, suffix = column.rpartition("@")
    return base if base and suffix in {threshold.name for threshold in THRESHOLDS} else column


@dataclass(slots=True)
class _Problems:
    """What is wrong in one file; problems of one kind are joined into one line."""

    file: str
    by_kind: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, where: str = "") -> None:
        self.by_kind.setdefault(kind, []).append(where)

    def lines(self) -> Iterator[str]:
        for kind, places in self.by_kind.items():
            shown = ", ".join(place for place in places[:_SHOWN] if place)
            more = f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
            yield f"{self.file}: {kind}{': ' + shown if shown else ''}{more}"


def read_scores(
    test: Path, train: Path | None, patient_column: str | None, only: tuple[str, ...] = ()
) -> tuple[ScoreTable, ScoreTable | None]:
    """Read the file to evaluate and the file that gives the cut-offs.

    Args:
        test: the scores to evaluate.
        train: the scores of the training patients, or None.
        patient_column: name of the column that says which rows are of one patient; None takes `patient` if
            there.
        only: methods to read; empty reads every column but `stage` and the patient column.

    Raises:
        WrongInputError: lists everything that is wrong in both files.
    """
    problems: list[str] = []
    table = _read(test, patient_column, only, problems)
    reference = None if train is None else _read(train, patient_column, only, problems)
    if table is not None and reference is not None:
        problems += _pair_problems(table, reference)
    if table is not None and not any(0 < table.positive(t).sum() < table.stage.size for t in THRESHOLDS):
        problems.append(f"{table.name}: all patients are on one side of every threshold; nothing to compare")
    if problems or table is None:
        listing = "\n".join(f"- {problem}" for problem in problems)
        raise WrongInputError(f"the scores cannot be evaluated; mend {_count(problems)}:\n{listing}")
    return table, reference


def _count(problems: list[str]) -> str:
    return "this problem" if len(problems) == 1 else f"these {len(problems)} problems"


def _pair_problems(test: ScoreTable, train: ScoreTable) -> list[str]:
    """What is wrong between the file to evaluate and the training file."""
    problems = []
    missing = [name for name in test.columns if name not in train.columns]
    if missing:
        problems.append(f"{train.name}: columns of {test.name} are missing here: {', '.join(missing)}")
    if test.sha256 == train.sha256:
        problems.append(f"{train.name}: the same data as {test.name}; cut-offs need other patients")
    elif test.patient_ids is not None and train.patient_ids is not None:
        both = sorted(set(test.patient_ids) & set(train.patient_ids))
        if both:
            more = f" and {len(both) - _SHOWN} more" if len(both) > _SHOWN else ""
            shown = ", ".join(both[:_SHOWN])
            problems.append(f"{train.name}: patients who are also in {test.name}: {shown}{more}")
    return problems


def _read(
    path: Path, patient_column: str | None, only: tuple[str, ...], problems: list[str]
) -> ScoreTable | None:
    """Read one file; on problems append them and return None."""
    found = _Problems(path.name)
    table = None
    try:
        content = path.read_bytes()
    except OSError as error:
        found.add(f"cannot be read ({error.strerror})")
    else:
        table = _table(content, patient_column, only, found)
    problems += found.lines()
    return None if found.by_kind else table


def _table(
    content: bytes, patient_column: str | None, only: tuple[str, ...], found: _Problems
) -> ScoreTable | None:
    """Check the columns and cells and build the table; None when there was a problem."""
    header, rows = rows_of(content, found.add)
    if not header:
        return None
    grouped_by = patient_column or ("patient" if "patient" in header else None)
    scores = _score_columns(header, grouped_by, only, found)
    for line, row in rows:
        if len(row) != len(header):
            found.add(f"rows without exactly {len(header)} fields", f"line {line} has {len(row)}")
    rows = [(line, row) for line, row in rows if len(row) == len(header)]
    cell = {title: index for index, title in reversed(list(enumerate(header)))}
    stages = [_stage(row[cell["stage"]], line, found) for line, row in rows] if "stage" in cell else []
    values = {
        column: [_score(column, row[cell[column]], line, found) for line, row in rows] for column in scores
    }
    ids = None
    if grouped_by in cell:
        ids = [row[cell[grouped_by]] for _, row in rows]
        _check_patients(ids, stages, rows, found)
    if found.by_kind:
        return None
    known = dict.fromkeys(ids or map(str, range(len(rows))))
    number = {patient: index for index, patient in enumerate(known)}
    patient_of = np.array([number[i] for i in ids] if ids else range(len(rows)), dtype=np.int64)
    first = np.unique(patient_of, return_index=True)[1]
    images = {column: np.array(values[column]) for column in scores}
    certain = _methods_of_probabilities(images)
    return ScoreTable(
        name=found.file,
        sha256=hashlib.sha256(content).hexdigest(),
        stage=np.array(stages, dtype=np.int64)[first],
        patient_of_image=patient_of,
        patient_ids=tuple(known) if ids else None,
        columns={
            column: _column(
                found_images, patient_of, is_probability=_is_own(column) and _method_of(column) in certain
            )
            for column, found_images in images.items()
        },
    )


def _score_columns(
    header: list[str], grouped_by: str | None, only: tuple[str, ...], found: _Problems
) -> list[str]:
    """Names of the score columns; problems of the header are noted."""
    for title in dict.fromkeys(header):
        if header.count(title) > 1:
            found.add("columns that stand twice in the header", title or "(no name)")
    if "stage" not in header:
        found.add("no `stage` column; the header has " + ", ".join(header[:12]))
    if grouped_by is not None and grouped_by not in header:
        found.add(f"no `{grouped_by}` column, which --patient names")
    if "" in header:
        found.add("columns without a name", f"column {header.index('') + 1}")
    scores = [title for title in dict.fromkeys(header) if title not in {"stage", grouped_by, ""}]
    if only:
        absent = [method for method in only if method not in {_method_of(title) for title in scores}]
        for method in absent:
            found.add("methods that --score names but the file lacks", method)
        scores = [title for title in scores if _method_of(title) in only]
    if not scores:
        found.add("no score column beside the stage")
    return scores


def _stage(cell: str, line: int, found: _Problems) -> int:
    try:
        stage = float(cell)
    except ValueError:
        stage = math.nan
    if stage in {0.0, 1.0, 2.0, 3.0, 4.0}:
        return int(stage)
    found.add("stages that are not 0, 1, 2, 3 or 4", f"{_quoted(cell)} in line {line}")
    return 0


def _score(column: str, cell: str, line: int, found: _Problems) -> float:
    try:
        score = float(cell)
    except ValueError:
        score = math.nan
    if not abs(score) < LARGEST_SCORE:
        wrong = "too large" if math.isfinite(score) else "no numbers"
        found.add(f"scores in column `{column}` that are {wrong}", f"{_quoted(cell)} in line {line}")
        return 0.0
    return score


def _quoted(cell: str) -> str:
    return f'"{cell if len(cell) <= 20 else cell[:19] + "…"}"' if cell else "nothing"


def _check_patients(ids: list[str], stages: list[int], rows: list[Row], found: _Problems) -> None:
    """Every row names its patient, and a patient has one stage."""
    for (line, _), patient in zip(rows, ids, strict=True):
        if not patient:
            found.add("rows without a patient", f"line {line}")
    seen: dict[str, set[int]] = {}
    for patient, stage in zip(ids, stages, strict=False):
        seen.setdefault(patient, set()).add(stage)
    for patient, several in seen.items():
        if patient and len(several) > 1:
            named = " and ".join(map(str, sorted(several)))
            found.add("patients with more than one stage", f"{_quoted(patient)} has {named}")


def _is_own(column: str) -> bool:
    """Whether a column is a method's score for one threshold only."""
    return _method_of(column) != column


def _methods_of_probabilities(images: dict[str, FloatArray]) -> set[str]:
    """Methods whose columns for single thresholds all lie in [0, 1]; log-odds of one of them may."""
    own = [column for column in images if _is_own(column)]
    beyond = {
        _method_of(column) for column in own if not ((images[column] >= 0) & (images[column] <= 1)).all()
    }
    return {_method_of(column) for column in own} - beyond


def _column(images: FloatArray, patient_of: npt.NDArray[np.int64], *, is_probability: bool) -> ScoreColumn:
    counts = np.bincount(patient_of)
    # One row per patient is passed through untouched, so that its ties stay ties.
    patients = images if counts.size == images.size else np.bincount(patient_of, weights=images) / counts
    return ScoreColumn(images=images, patients=patients, is_probability=is_probability)
