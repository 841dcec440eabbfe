from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from calibration.phantom import Patient, Quality, draw_patient
from calibration.phantom.patient import (
    ALT_MEDIAN_U_L,
    AST_MEDIAN_U_L,
    PLATELETS_MEDIAN_10E9_L,
    STAGE_COUNTS,
    acquisition_stiffness,
)
from calibration.phantom.randomness import stream

N = 12_000
THRESHOLDS = (2, 3, 4)


@lru_cache(maxsize=1)
def population() -> list[Patient]:
    """Returns a large virtual population, drawn once."""
    rng = np.random.default_rng(20_201)
    return [draw_patient(rng) for _ in range(N)]


def auc(score: np.ndarray, positive: np.ndarray) -> float:
    """Mann-Whitney by ranks; the scores are continuous."""
    rank = np.argsort(np.argsort(score)) + 1
    p, n = int(positive.sum()), int((~positive).sum())
    return float((rank[positive].sum() - p * (p + 1) / 2) / (p * n))


def check_aucs(score: np.ndarray, expected: tuple[float, float, float]) -> None:
    """Each AUC within four standard errors (Hanley and McNeil) and the table's rounding."""
    stage = np.array([p.stage for p in population()])
    for k, a in zip(THRESHOLDS, expected, strict=True):
        positive = stage >= k
        p, n = positive.sum(), (~positive).sum()
        q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
        variance = (a * (1 - a) + (p - 1) * (q1 - a * a) + (n - 1) * (q2 - a * a)) / (p * n)
        assert auc(score, positive) == pytest.approx(a, abs=4 * np.sqrt(variance) + 0.002), f">=S{k}"


def test_stages_come_with_the_frequencies_of_the_paper() -> None:
    """The share of each stage is that of the 466 patients, within four standard errors."""
    counts = np.bincount([p.stage for p in population()], minlength=5)
    share = np.array(STAGE_COUNTS) / 466
    assert np.all(np.abs(counts / N - share) < 4 * np.sqrt(share * (1 - share) / N))


def test_stiffness_separates_the_stages_as_stated() -> None:
    """LSM has AUC .902/.911/.919 for >=S2, >=S3, S4."""
    check_aucs(np.array([p.lsm_kpa for p in population()]), (0.902, 0.911, 0.919))


def test_serum_scores_separate_the_stages_as_stated() -> None:
    """APRI has AUC .781/.777/.716 and FIB-4 .729/.745/.690."""
    people = population()
    ast, alt = np.array([p.ast_u_l for p in people]), np.array([p.alt_u_l for p in people])
    platelets, age = np.array([p.platelets_10e9_l for p in people]), np.array([p.age for p in people])
    check_aucs(ast / 40 / platelets, (0.781, 0.777, 0.716))
    check_aucs(age * ast / (platelets * np.sqrt(alt)), (0.729, 0.745, 0.690))


def test_latents_fuse_to_what_the_paper_reached_and_not_beyond() -> None:
    """The best linear fusion of both latents has AUC .932/.937/.950, and LSM adds at most 0.006 to it."""
    people = population()
    stage = np.array([p.stage for p in people])
    x = np.array([[p.gm_latent, p.em_latent, np.log(p.lsm_kpa)] for p in people])

    def best(columns: list[int], k: int) -> np.ndarray:
        a, b = x[stage >= k][:, columns], x[stage < k][:, columns]
        pooled = np.cov(a.T) + np.cov(b.T)
        return np.asarray(x[:, columns] @ np.linalg.solve(pooled, a.mean(axis=0) - b.mean(axis=0)))

    for k, expected in zip(THRESHOLDS, (0.932, 0.937, 0.950), strict=True):
        two = auc(best([0, 1], k), stage >= k)
        three = auc(best([0, 1, 2], k), stage >= k)
        assert two == pytest.approx(expected, abs=0.012)
        assert two - 0.001 <= three <= two + 0.006


def test_serum_medians_are_those_of_each_stage() -> None:
    """Median AST, ALT and platelets of each stage lie within four standard errors of the stated ones."""
    for s in range(5):
        group = [p for p in population() if p.stage == s]
        for values, medians, sd in (
            ([p.ast_u_l for p in group], AST_MEDIAN_U_L, 0.399),
            ([p.alt_u_l for p in group], ALT_MEDIAN_U_L, 0.572),
            ([p.platelets_10e9_l for p in group], PLATELETS_MEDIAN_10E9_L, 0.390),
        ):
            error = 4 * 1.2533 * sd / np.sqrt(len(group))
            assert np.log(np.median(values) / medians[s]) == pytest.approx(0.0, abs=error)


def test_quality_comes_with_the_published_shares() -> None:
    """2.3 % of patients fail and 7.5 % are unreliable."""
    shares = {q: sum(p.quality is q for p in population()) / N for q in Quality}
    assert shares[Quality.FAILED] == pytest.approx(0.023, abs=0.006)
    assert shares[Quality.UNRELIABLE] == pytest.approx(0.075, abs=0.010)


def test_five_acquisitions_average_to_the_patients_stiffness() -> None:
    """Five single measurements scatter by 5-9 % and their mean is LSM."""
    scatter = []
    for seed in range(200):
        patient = draw_patient(stream(seed, "patient"), 2, Quality.GOOD)
        values = [acquisition_stiffness(patient, stream(seed, "measurement"), i) for i in range(5)]
        assert np.mean(values) == pytest.approx(patient.lsm_kpa, rel=1e-6)
        scatter.append(np.std(values, ddof=1) / np.mean(values))
    assert 0.06 < np.sqrt(np.mean(np.square(scatter))) < 0.09


def test_the_same_seed_draws_the_same_patient_and_another_a_different_one() -> None:
    """A patient follows from his seed alone."""
    assert draw_patient(stream(5, "patient")) == draw_patient(stream(5, "patient"))
    assert draw_patient(stream(5, "patient")) != draw_patient(stream(6, "patient"))


def test_a_stage_that_is_asked_for_is_kept() -> None:
    """The stage and quality given are those of the patient."""
    for s in range(5):
        patient = draw_patient(np.random.default_rng(s), s, Quality.FAILED)
        assert (patient.stage, patient.quality) == (s, Quality.FAILED)
