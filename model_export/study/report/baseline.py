"""Table 1: who the patients are, training against test, by `tableone`, beside the paper's own Table 1.

Tests are those of the paper's statistics section: t-test (Welch's) for age, a rank test for skewed values
(Kruskal-Wallis, with two groups the same as Mann-Whitney), chi-squared or Fisher's for counts.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
import pandas as pd
from tableone import TableOne

from model_export.cohort import SPLITS, Split
from model_export.study.report.study_folder import StudyFolder

GROUPS: dict[Split, str] = {"train": "training", "test": "test"}
DASH = "\N{EN DASH}"

LABELS = {
    "age": "Age (year)",
    "sex": "Sex",
    "alt_u_l": "ALT (U/L)",
    "ast_u_l": "AST (U/L)",
    "platelets_10e9_l": "PLT (×10⁹/L)",  # noqa: RUF001 - as in the paper
    "lsm_kpa": "LSM (kPa)",
    "stage": "Fibrosis stages",
}
"""Our columns in the order of the table, in the paper's words where it has them."""

SEXES = {"f": "female", "m": "male"}
CATEGORICAL = ("sex", "stage")
SKEWED = ("alt_u_l", "ast_u_l", "platelets_10e9_l", "lsm_kpa")


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """One line of Table 1; `level` names a category of the line above it.

    Attributes:
        label: what is described and how it is summed up.
        level: True for a category of the characteristic above.
        ours: training, test, p, standardised mean difference, name of the test, unknown.
        paper: training, test, p as printed; empty where the paper or the line has none.
    """

    label: str
    level: bool
    ours: tuple[str, str, str, str, str, str]
    paper: tuple[str, str, str]


def baseline(study: StudyFolder) -> tuple[BaselineRow, ...]:
    """Table 1 of both splits, then what only the paper recorded."""
    published = {row["characteristic"]: row for row in _published()}
    rows = [_with_paper(row, published) for row in _table(study)]
    named = {row.label for row in rows} | {"Fibrosis stages", "Number of men/women", "Number of patients"}
    named |= {label for label in published if any(row.label.startswith(label) for row in rows)}
    absent = (DASH,) * 2 + ("",) * 4
    rest = [
        BaselineRow(label, level=False, ours=absent, paper=(row["training"], row["test"], row["p"]))
        for label, row in published.items()
        if label not in named
    ]
    return (*rows, *rest)


def _published() -> Iterator[dict[str, str]]:
    text = (files("model_export") / "templates" / "paper_table_1.csv").read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines())


def _frame(study: StudyFolder) -> pd.DataFrame:
    """One row per patient of both splits; unknown is NaN."""
    parts = []
    for split in SPLITS:
        patients, table = study.patients[split], study.scores[split]
        columns: dict[str, object] = {name: patients.numbers[name] for name in patients.numbers}
        columns["sex"] = [SEXES.get(sex, sex) or None for sex in patients.sex]
        columns["stage"] = [f"S{stage}" for stage in patients.stage]
        if "LSM" in table.columns:
            columns["lsm_kpa"] = table.columns["LSM"].patients
        parts.append(pd.DataFrame({"cohort": GROUPS[split], **columns}))
    return pd.concat(parts, ignore_index=True)


def _table(study: StudyFolder) -> Iterator[BaselineRow]:
    frame = _frame(study)
    columns = [name for name in LABELS if name in frame and not bool(frame[name].isna().all())]
    with warnings.catch_warnings():
        # tableone 0.9.6 extends its table in a way that pandas 4 will refuse; it wants pandas < 4.
        warnings.simplefilter("ignore", pd.errors.PandasChangeWarning)
        # A category that is rare or the same in all is told in the table itself.
        warnings.simplefilter("ignore", RuntimeWarning)
        made = TableOne(
            frame,
            columns=columns,
            categorical=[name for name in CATEGORICAL if name in columns],
            nonnormal=[name for name in SKEWED if name in columns],
            groupby="cohort",
            order={"cohort": list(GROUPS.values())},
            rename=LABELS,
            overall=False,
            missing=True,
            pval=True,
            smd=True,
            htest_name=True,
            decimals=1,
        ).tableone
    made.columns = made.columns.get_level_values(1)
    smd = next(name for name in made.columns if str(name).startswith("SMD"))
    seen = ""
    for (name, level), row in made.iterrows():
        label = "Number of patients" if name == "n" else name
        values = (str(row["training"]), str(row["test"]))
        judged = (str(row["P-Value"]), str(row[smd]), str(row["Test"]), str(row["Missing"]))
        if level and label != seen:
            yield BaselineRow(label, level=False, ours=("", "", *judged), paper=("", "", ""))
        if level:
            judged = ("", "", "", "")
        seen = label
        yield BaselineRow(level or label, level=bool(level), ours=(*values, *judged), paper=("", "", ""))


def _with_paper(row: BaselineRow, published: dict[str, dict[str, str]]) -> BaselineRow:
    """The row with the paper's figures of the same characteristic."""
    label = "Number of men/women" if row.label.startswith("Sex") else row.label
    key = next((name for name in published if label == name or label.startswith(f"{name},")), None)
    if key is None:
        return row
    found = published[key]
    return BaselineRow(row.label, row.level, row.ours, (found["training"], found["test"], found["p"]))


def largest_difference(rows: tuple[BaselineRow, ...]) -> float:
    """The largest standardised mean difference of the table; NaN without any."""
    found = [float(row.ours[3]) for row in rows if row.ours[3] not in {"", "nan", "None"}]
    return max(found, default=float(np.nan))
