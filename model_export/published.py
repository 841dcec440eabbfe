"""The figures of Xue et al., Eur Radiol 2020;30:2973-2983, Tables 2 and 3, to be set beside others.

They stand in `templates/paper_tables.csv` as printed, non-TL rows from Table 2, all others from Table 3. In
the rows of APRI, FIB-4 and LSM the columns of sensitivity and specificity are transposed: as printed they are
no whole number of patients, transposed back they are (a test counts it). `published` transposes them back.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

CohortName = Literal["training", "test"]

COMPARED_WITH: dict[CohortName, tuple[str, str]] = {"training": ("GM", "EM"), "test": ("GM+LSM", "GM+EM")}
"""The two methods that Table 3 compares all others with, one column of p-values each."""

TRANSPOSED = frozenset({"APRI", "FIB-4", "LSM"})
"""Methods whose sensitivity and specificity the paper prints in each other's column."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row of the paper: shares in per cent, `lr_pos` None where the paper prints a stroke.

    Attributes:
        p_values: as printed; for a twin without transfer learning the one of Table 2, for all others those
            against the two methods of `COMPARED_WITH` in Table 3, a stroke where none is given.
        transposed: sensitivity and specificity stand here the other way round than printed.
    """

    auc: float
    auc_low: float
    auc_high: float
    sensitivity: float
    specificity: float
    ppv: float
    npv: float
    lr_pos: float | None
    lr_neg: float
    p_values: tuple[str, ...]
    transposed: bool


def published(cohort: CohortName) -> dict[tuple[str, str], PublishedRow]:
    """The paper's rows of one cohort, by threshold (">=S2", ">=S3", "S4") and method ("GM non-TL")."""
    text = (files("model_export") / "templates" / "paper_tables.csv").read_text(encoding="utf-8")
    rows = (row for row in csv.DictReader(text.splitlines()) if row["cohort"] == cohort)
    return {(row["threshold"], row["method"]): _row(row) for row in rows}


def _row(row: dict[str, str]) -> PublishedRow:
    transposed = row["method"] in TRANSPOSED
    sensitivity, specificity = float(row["sensitivity"]), float(row["specificity"])
    return PublishedRow(
        auc=float(row["auc"]),
        auc_low=float(row["auc_low"]),
        auc_high=float(row["auc_high"]),
        sensitivity=specificity if transposed else sensitivity,
        specificity=sensitivity if transposed else specificity,
        ppv=float(row["ppv"]),
        npv=float(row["npv"]),
        lr_pos=float(row["lr_pos"]) if row["lr_pos"] else None,
        lr_neg=float(row["lr_neg"]),
        p_values=tuple(row[key] for key in ("p_1", "p_2") if row[key]),
        transposed=transposed,
    )
