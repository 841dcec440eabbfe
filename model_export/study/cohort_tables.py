"""The two tables of a cohort folder: what their columns mean, and each row checked by itself.

A column may bear its name here or one of its short names, in any case; other columns are passed over. An
empty cell means that a value is not known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from firmware_app.journey import Roi, Square
from firmware_app.serum import PLAUSIBLE
from model_export.cohort import SPLITS, Split
from model_export.table import rows_of

PATIENTS, IMAGES = "patients.csv", "images.csv"


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers.

    Attributes:
        unit: of every value.
        low, high: plausible range; beyond it lies a slip of unit or keyboard.
        short: other names of the column.
    """

    unit: str
    low: float
    high: float
    short: tuple[str, ...] = ()


def _serum(key: str, *short: str) -> Number:
    _, unit, (low, high) = PLAUSIBLE[key]
    return Number(unit, low, high, short)


NUMBERS = {
    "age": _serum("age_years", "age_years"),
    "ast_u_l": _serum("ast_u_l", "ast"),
    "ast_uln_u_l": _serum("ast_uln_u_l", "uln", "ast_uln"),
    "alt_u_l": _serum("alt_u_l", "alt"),
    "platelets_10e9_l": _serum("platelets_g_l", "platelets", "plt"),
    "days_to_surgery": Number("days from elastography to surgery", 0, 3650),
    "tumour_mm": Number("mm, largest diameter", 0, 500),
}
YES_OR_NO = (
    "other_hepatitis",
    "antiviral_6_months",
    "liver_transplant",
    "bile_ducts_dilated",
    "heart_failure",
)
LSM = Number("kPa", 0.1, 300, ("lsm",))
SHORT_PATIENT = {"patient": "id", "patient_id": "id"} | {s: n for n, c in NUMBERS.items() for s in c.short}
SHORT_IMAGE = {"id": "patient", "patient_id": "patient", "lsm": "lsm_kpa"}
PERSONAL = frozenset({"name", "patient_name", "first_name", "last_name", "surname", "given_name",
                      "birth_date", "date_of_birth", "dob", "birthdate", "mrn", "address"})  # fmt: skip
"""Columns that tell who a patient is; a cohort has none."""
_NOTHING = Square(0, 0, 0)


@dataclass(frozen=True, slots=True)
class PatientRow:
    """A row of patients.csv; None and "" where nothing was recorded.

    Attributes:
        line: in the file.
        id: pseudonym.
        stage: Scheuer stage 0-4.
        split: train or test, if the table says so.
        sex: "f", "m" or "".
        values: of the columns NUMBERS in their units, and of YES_OR_NO, 1 for yes and 0 for no.
    """

    line: int
    id: str
    stage: int | None
    split: Split | None
    sex: str
    values: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A row of images.csv.

    Attributes:
        line: in the file.
        patient: pseudonym.
        files: names below the folder: a whole screen, or two ready crops, elastogram and gray scale.
        lsm_kpa: Q-box mean as recorded, kPa; None: to be decoded from the screen.
        roi: where to cut a whole screen; None: the appliance looks.
        split: as a patient's.
    """

    line: int
    patient: str
    files: tuple[str, ...]
    lsm_kpa: float | None
    roi: Roi | None
    split: Split | None


@dataclass(slots=True)
class Problems:
    """Everything that is wrong with a cohort, in the order in which it was found."""

    lines: list[str] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        """Note a problem: the place, and what is wrong and what to do."""
        self.lines.append(f"{where}: {what}")


@dataclass(frozen=True, slots=True)
class _Cells:
    """A row's cells by column, and where it stands."""

    cells: dict[str, str]
    where: str
    problems: Problems

    def text(self, column: str) -> str:
        return self.cells.get(column, "")

    def one_of(self, column: str, allowed: dict[str, str]) -> str:
        """The meaning of a cell, "" if it is empty or means nothing."""
        cell = self.text(column)
        if cell and cell.lower() not in allowed:
            self.problems.add(self.where, f'{column} "{cell}" is none of {", ".join(allowed)}')
        return allowed.get(cell.lower(), "")

    def number(self, column: str, kind: Number) -> float | None:
        cell = self.text(column)
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            self.problems.add(self.where, f'{column} "{cell}" is no number; write it like 12.5')
            return None
        if not math.isfinite(value) or not kind.low <= value <= kind.high:
            self.problems.add(
                self.where,
                f'{column} "{cell}" is not plausible; {kind.low:g} to {kind.high:g} is ({kind.unit})',
            )
            return None
        return value

    def square(self, column: str) -> Square | None:
        cell = self.text(column)
        if not cell:
            return None
        parts = cell.replace(",", " ").split()
        if (
            len(parts) != 3
            or not all(re.fullmatch("[0-9]{1,5}", part) for part in parts)
            or int(parts[2]) == 0
        ):
            self.problems.add(
                self.where, f'{column} "{cell}" is no square; write "x y side", whole pixels of the picture'
            )
            return _NOTHING
        return Square(*map(int, parts))


def patient_rows(content: bytes, problems: Problems) -> list[PatientRow]:
    """Rows of patients.csv; rows that cannot be used at all are left out."""
    _, rows = _cells(content, PATIENTS, SHORT_PATIENT, ("id", "stage"), problems)
    return [_patient(line, cells) for line, cells in rows]


def image_rows(content: bytes, problems: Problems) -> list[ImageRow]:
    """Rows of images.csv; rows that cannot be used at all are left out."""
    header, rows = _cells(content, IMAGES, SHORT_IMAGE, ("patient",), problems)
    if header and "file" not in header and not {"elastogram_file", "gray_file"} <= header:
        problems.add(IMAGES, "no column file; add it, or elastogram_file and gray_file for ready crops")
        return []
    return [image for line, cells in rows if (image := _image(line, cells)) is not None]


def _cells(
    content: bytes, name: str, short: dict[str, str], needed: tuple[str, ...], problems: Problems
) -> tuple[frozenset[str], Iterator[tuple[int, _Cells]]]:
    """Columns, and each whole row with its line; nothing if a needed column is missing."""

    def tell(what: str) -> None:
        problems.add(name, what)

    titles, rows = rows_of(content, tell)
    header = [short.get(title.lower(), title.lower()) for title in titles]
    if titles:
        _check_header(header, needed, tell)
    usable = bool(titles) and set(needed) <= set(header)
    return frozenset(header), _whole_rows(header, rows if usable else [], name, problems)


def _check_header(header: list[str], needed: tuple[str, ...], tell: Callable[[str], None]) -> None:
    for column in needed:
        if column not in header:
            tell(f"no column {column}; add it")
    for column in sorted({c for c in header if c and header.count(c) > 1}):
        tell(f"column {column} is there twice; keep one")
    for column in sorted(PERSONAL & set(header)):
        tell(f"column {column} tells who the patients are; remove it, pseudonyms are enough")


def _whole_rows(
    header: list[str], rows: list[tuple[int, list[str]]], name: str, problems: Problems
) -> Iterator[tuple[int, _Cells]]:
    for line, row in rows:
        where = f"{name} line {line}"
        if len(row) != len(header):
            problems.add(where, f"{len(row)} of {len(header)} fields; mend the row")
            continue
        cells = dict(zip(header, row, strict=True))
        who = cells.get("id") or cells.get("patient")
        yield line, _Cells(cells, f"{where} ({who})" if who else where, problems)


def _split(cells: _Cells) -> Split | None:
    named = cells.one_of("split", {split: split for split in SPLITS})
    return next((split for split in SPLITS if split == named), None)


def _patient(line: int, cells: _Cells) -> PatientRow:
    if not cells.text("id"):
        cells.problems.add(cells.where, "no id; give every patient a pseudonym")
    stage = cells.text("stage")
    if stage and stage not in {"0", "1", "2", "3", "4"}:
        cells.problems.add(
            cells.where, f'stage "{stage}" is none of 0, 1, 2, 3, 4 (Scheuer); mend or empty it'
        )
    values = {name: cells.number(name, kind) for name, kind in NUMBERS.items()}
    if values["ast_u_l"] is not None and not cells.text("ast_uln_u_l"):
        cells.problems.add(cells.where, "AST without ast_uln_u_l, the laboratory's upper limit of normal")
    answers = {"yes": "1", "1": "1", "no": "0", "0": "0"}
    for name in YES_OR_NO:
        answer = cells.one_of(name, answers)
        values[name] = float(answer) if answer else None
    return PatientRow(
        line=line,
        id=cells.text("id"),
        stage=int(stage) if stage in {"0", "1", "2", "3", "4"} else None,
        split=_split(cells),
        sex=cells.one_of("sex", {"f": "f", "m": "m", "female": "f", "male": "m"}),
        values=values,
    )


def _image(line: int, cells: _Cells) -> ImageRow | None:
    screen, crops = cells.text("file"), (cells.text("elastogram_file"), cells.text("gray_file"))
    lsm_kpa = cells.number("lsm_kpa", LSM)
    elastogram, gray = cells.square("roi_elastogram"), cells.square("roi_gray")
    split = _split(cells)
    if bool(screen) == any(crops) or (any(crops) and not all(crops)):
        cells.problems.add(
            cells.where, "needs either file, a whole screen, or both elastogram_file and gray_file"
        )
        return None
    if (elastogram is None) != (gray is None) or (elastogram and gray and elastogram.side != gray.side):
        cells.problems.add(cells.where, "roi_elastogram and roi_gray are one square in two places: same side")
    if elastogram is not None and all(crops):
        cells.problems.add(cells.where, "a square cannot be cut from ready crops; leave it empty")
    if (all(crops) or elastogram is not None) and not cells.text("lsm_kpa"):
        cells.problems.add(cells.where, "lsm_kpa is needed where the appliance does not read the screen")
    files = (screen,) if screen else crops
    roi = Roi(elastogram, gray) if elastogram and gray else None
    return ImageRow(line, cells.text("patient"), files, lsm_kpa, roi, split)
