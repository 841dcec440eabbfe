"""The paper's figures: complete, as the study counts them, and printed beside ours."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from model_export.evaluate_report import render
from model_export.evaluate_results import Settings, evaluate_cohort
from model_export.evaluate_scores import read_scores
from model_export.published import TRANSPOSED, published

STAGES = {"training": (79, 42, 53, 43, 147), "test": (20, 13, 15, 13, 41)}
"""Patients of S0 to S4, Table 1 of the paper."""

THRESHOLDS = {">=S2": 2, ">=S3": 3, "S4": 4}


def is_share_of(percent: float, n: int) -> bool:
    """Whether a printed percentage is a whole number of n patients, to the printed digit."""
    return any(abs(100.0 * k / n - percent) <= 0.0501 for k in range(n + 1))


@pytest.mark.parametrize(("cohort", "n_methods"), [("training", 7), ("test", 9)])
def test_every_row_of_tables_2_and_3_is_there(cohort: str, n_methods: int) -> None:
    """All three thresholds hold every method of their cohort, each AUC inside a plausible interval."""
    rows = published("training" if cohort == "training" else "test")
    assert len(rows) == 3 * n_methods
    assert {threshold for threshold, _ in rows} == set(THRESHOLDS)
    for row in rows.values():
        assert 0.5 < row.auc_low <= row.auc_high <= 1.0
        assert row.auc_low <= row.auc <= row.auc_high


def test_test_aucs_are_those_of_the_abstract() -> None:
    """GM+EM has .950, .932 and .930 for S4, >=S3 and >=S2."""
    rows = published("test")
    assert [rows[threshold, "GM+EM"].auc for threshold in ("S4", ">=S3", ">=S2")] == [0.950, 0.932, 0.930]


@pytest.mark.parametrize(("cohort", "exceptions"), [("training", [("S4", "APRI")]), ("test", [])])
def test_turned_round_the_columns_are_whole_patients_and_as_printed_they_are_not(
    cohort: str, exceptions: list[tuple[str, str]]
) -> None:
    """Both shares of APRI, FIB-4 and LSM fit k/n only when turned round; one row fits neither way."""
    rows, counts = published("training" if cohort == "training" else "test"), STAGES[cohort]
    printed_fits, unfit = 0, []
    for threshold, least in THRESHOLDS.items():
        n_positive, n_negative = sum(counts[least:]), sum(counts[:least])
        for method in TRANSPOSED:
            row = rows[threshold, method]
            assert row.transposed
            if not (is_share_of(row.sensitivity, n_positive) and is_share_of(row.specificity, n_negative)):
                unfit.append((threshold, method))
            # In the file, as in the paper, the two stand the other way round.
            printed_fits += is_share_of(row.specificity, n_positive) and is_share_of(
                row.sensitivity, n_negative
            )
    assert printed_fits == 0
    assert unfit == exceptions


def test_network_rows_are_not_whole_patients() -> None:
    """The paper's shares for GM+EM at S4 are k/n of no 41 and 61 patients: its unit was not the patient."""
    row = published("test")["S4", "GM+EM"]
    assert not is_share_of(row.sensitivity, 41)
    assert not is_share_of(row.specificity, 61)


def test_the_page_shows_the_paper_beside_ours_only_when_asked(tmp_path: Path) -> None:
    """With beside_paper each method of the paper gets its published row, and the page says what differs."""
    generator = np.random.default_rng(1)
    path = tmp_path / "scores.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["stage", "LSM", "GM+EM", "MRE"])
        for stage in np.repeat(np.arange(5), 8):
            writer.writerow([stage, *(stage + generator.normal(size=3))])
    table, _ = read_scores(path, None, None)
    settings = Settings(seed=1, replicates=100, on_logit_scale=False)
    result = evaluate_cohort(table, None, settings)
    provenance: dict[str, str | int | None] = {
        "scores": "scores.csv",
        "train": None,
        "auc_interval": "delong",
        "seed": 1,
        "replicates": 100,
    }
    pages = [
        render(result, None, (), ("GM+EM",), provenance, beside_paper=beside) for beside in (False, True)
    ]
    assert [page.count("Xue et al.</th>") for page in pages] == [0, 6]
    assert "Transposed columns" not in pages[0]
    assert "Transposed columns" in pages[1]
    assert "0.821\N{EN DASH}0.947" in pages[1]
