"""The virtual population against the paper: LSM, APRI and FIB-4 of many drawn cohorts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
from tqdm import tqdm

from calibration.phantom import Patient, draw_patient
from firmware_app.serum import Serum, apri, fib4
from model_export.cohort import PAPER_STAGE_COUNTS, Split
from model_export.evaluate_scores import THRESHOLDS
from model_export.published import published
from model_export.statistics.auc import delong_auc
from model_export.statistics.operating_figures import two_by_two, youden_cutoff

METHODS = ("LSM", "APRI", "FIB-4")
POPULATION_AUC = {
    "LSM": (0.902, 0.911, 0.919),
    "APRI": (0.781, 0.777, 0.716),
    "FIB-4": (0.729, 0.745, 0.690),
}
"""AUC at >=S2, >=S3 and S4 that the population was made for (the paper's training cohort, 364 patients)."""
FIGURES = ("sensitivity", "specificity", "ppv", "npv")
Key = tuple[str, str]
"""Threshold and method."""


@dataclass
class Drawn:
    """What many cohorts gave: one value for each cohort, by threshold and method."""

    train_auc: dict[Key, list[float]] = field(default_factory=dict)
    test_auc: dict[Key, list[float]] = field(default_factory=dict)
    test_figures: dict[Key, list[list[float]]] = field(default_factory=dict)


def scores_of(patient: Patient) -> tuple[float, float, float]:
    """LSM in kPa, APRI and FIB-4 of a virtual patient."""
    serum = Serum(
        ast_u_l=patient.ast_u_l,
        ast_uln_u_l=patient.ast_uln_u_l,
        platelets_g_l=patient.platelets_10e9_l,
        alt_u_l=patient.alt_u_l,
        age_years=patient.age,
    )
    index = fib4(serum)
    assert index is not None
    return patient.lsm_kpa, apri(serum), index


def draw_cohorts(cohorts: int, seed: int) -> Drawn:
    """Draw cohorts of the paper's sizes; cut-offs come from each one's training patients."""
    rng, drawn = np.random.default_rng(seed), Drawn()
    stages = {split: np.repeat(np.arange(5), counts) for split, counts in PAPER_STAGE_COUNTS.items()}
    for _ in tqdm(range(cohorts), desc="cohorts", mininterval=5.0):
        scores = {
            split: np.array([scores_of(draw_patient(rng, int(one))) for one in stage])
            for split, stage in stages.items()
        }
        for threshold in THRESHOLDS:
            for column, method in enumerate(METHODS):
                key = (threshold.name, method)
                truth = {split: stage >= threshold.stage for split, stage in stages.items()}
                _add(drawn, key, {split: table[:, column] for split, table in scores.items()}, truth)
    return drawn


def _add(
    drawn: Drawn,
    key: Key,
    scores: dict[Split, npt.NDArray[np.float64]],
    truth: dict[Split, npt.NDArray[np.bool_]],
) -> None:
    found_in: dict[Split, dict[Key, list[float]]] = {"train": drawn.train_auc, "test": drawn.test_auc}
    for split, found in found_in.items():
        auc = delong_auc(scores[split], truth[split]).auc
        assert auc is not None
        found.setdefault(key, []).append(auc)
    cutoff = youden_cutoff(scores["train"], truth["train"]).cutoff
    table = two_by_two(scores["test"], truth["test"], cutoff)
    # In the order of FIGURES; where nobody is called so there is no share.
    right = np.array([table.true_positive, table.true_negative] * 2, dtype=np.float64)
    wrong = [table.false_negative, table.false_positive, table.false_positive, table.false_negative]
    called = right + wrong
    shares = 100.0 * right / np.where(called > 0, called, np.nan)
    drawn.test_figures.setdefault(key, []).append(shares.tolist())


def mean_differences(drawn: Drawn) -> dict[Key, float]:
    """Mean AUC of the training cohorts minus what the population was made for."""
    return {
        (threshold.name, method): float(np.mean(drawn.train_auc[threshold.name, method])) - wanted
        for method, by_threshold in POPULATION_AUC.items()
        for threshold, wanted in zip(THRESHOLDS, by_threshold, strict=True)
    }


def outside_the_band(drawn: Drawn) -> dict[tuple[str, str, str], tuple[float, float, float]]:
    """Test figures of the paper that the central 95 % of the cohorts leave out: low, published, high."""
    outside = {}
    for key, row in published("test").items():
        if key[1] not in METHODS:
            continue
        values = np.column_stack([drawn.test_auc[key], drawn.test_figures[key]])
        low, high = np.nanquantile(values, (0.025, 0.975), axis=0)
        in_print = (row.auc, *(getattr(row, name) for name in FIGURES))
        for name, least, figure, most in zip(("auc", *FIGURES), low, in_print, high, strict=True):
            if not least <= figure <= most:
                outside[key[0], key[1], name] = (float(least), figure, float(most))
    return outside


def test_few_cohorts_have_the_papers_aucs() -> None:
    """The mean AUCs of forty cohorts are the population's to three standard errors, 0.0125."""
    differences = mean_differences(draw_cohorts(40, seed=7))
    assert len(differences) == 9
    assert {key: gap for key, gap in differences.items() if abs(gap) > 0.0125} == {}


@pytest.mark.slow
def test_the_paper_could_be_one_of_a_thousand_virtual_cohorts() -> None:
    """Mean AUCs within 0.01; all 45 test figures of LSM, APRI and FIB-4 in print lie in the 95 % band."""
    drawn = draw_cohorts(1000, seed=1)
    assert {key: gap for key, gap in mean_differences(drawn).items() if abs(gap) > 0.01} == {}
    assert len(drawn.test_figures) == 9
    assert outside_the_band(drawn) == {}


def test_a_figure_outside_the_band_is_found() -> None:
    """The search for outliers sees a cohort that has nothing to do with the paper."""
    keys = [key for key in published("test") if key[1] in METHODS]
    nonsense = Drawn(
        test_auc={key: [0.5, 0.5] for key in keys},
        test_figures={key: [[99.0] * 4, [99.5] * 4] for key in keys},
    )
    assert len(outside_the_band(nonsense)) == 45
