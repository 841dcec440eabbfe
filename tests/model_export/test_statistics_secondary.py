"""Bootstrap over patients, calibration, decision curve, agreement: slow versions and known answers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from model_export.statistics.agreement import agreement
from model_export.statistics.auc import delong_auc
from model_export.statistics.bootstrap import cluster_bootstrap_auc
from model_export.statistics.calibration_curve import calibration, fit_probability
from model_export.statistics.decision_curve import decision_curve
from model_export.statistics.figure import BoolArray, FloatArray

Images = tuple[FloatArray, BoolArray, npt.NDArray[np.int64]]


def draw_images(seed: int, n_patients: int, per_patient: int) -> Images:
    """Scores, truth and patient of images that mostly share their patient's score."""
    generator = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n_patients), per_patient)
    truth = generator.random(n_patients) < 0.4
    truth[:2] = [True, False]
    score = truth * 1.0 + generator.normal(size=n_patients)
    return score[patient] + 0.2 * generator.normal(size=patient.size), truth[patient], patient


def test_bootstrap_equals_rows_really_drawn_again() -> None:
    """Weights give the very AUCs that copying the rows of the drawn patients gives."""
    scores, positive, patient = draw_images(1, 25, 3)
    scores = np.round(scores, 1)
    found = cluster_bootstrap_auc(scores, positive, patient, replicates=100, seed=5)
    picks = np.random.default_rng(5).multinomial(25, np.full(25, 1 / 25), size=100)
    slow = []
    for pick in picks:
        rows = np.concatenate([np.tile(np.flatnonzero(patient == p), times) for p, times in enumerate(pick)])
        rows = rows.astype(int)
        if 0 < positive[rows].sum() < rows.size:
            slow.append(roc_auc_score(positive[rows], scores[rows]))
    assert found.n_valid == len(slow)
    assert found.auc.value == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)
    assert [found.auc.low, found.auc.high] == pytest.approx(
        list(np.quantile(slow, [0.025, 0.975])), abs=1e-12
    )
    assert found.standard_error == pytest.approx(np.std(slow, ddof=1), abs=1e-12)


def test_bootstrap_is_seeded() -> None:
    """The same seed gives the same interval, another seed another one."""
    images = draw_images(2, 30, 5)
    once, again = (cluster_bootstrap_auc(*images, replicates=300, seed=7) for _ in range(2))
    assert once == again
    assert once.auc != cluster_bootstrap_auc(*images, replicates=300, seed=8).auc


def test_bootstrap_over_patients_is_wider_than_images_taken_for_patients() -> None:
    """With images that repeat their patient, an interval over images is too narrow by about sqrt(5)."""
    scores, positive, patient = draw_images(3, 100, 5)
    clustered = cluster_bootstrap_auc(scores, positive, patient, replicates=1000, seed=1).standard_error
    naive = delong_auc(scores, positive).variance
    assert clustered is not None
    assert naive is not None
    assert 1.7 < clustered / np.sqrt(naive) < 2.8


def test_bootstrap_of_one_row_per_patient_agrees_with_delong() -> None:
    """Without clusters the bootstrap's standard error is DeLong's within a tenth."""
    scores, positive, patient = draw_images(4, 200, 1)
    drawn = cluster_bootstrap_auc(scores, positive, patient, replicates=2000, seed=1).standard_error
    variance = delong_auc(scores, positive).variance
    assert variance is not None
    assert drawn == pytest.approx(np.sqrt(variance), rel=0.1)


def test_bootstrap_without_a_class_gives_a_reason() -> None:
    """Only negatives: no AUC and no NaN, but a sentence."""
    found = cluster_bootstrap_auc(
        np.arange(4.0), np.zeros(4, dtype=bool), np.arange(4), replicates=100, seed=1
    )
    assert found.auc.value is None
    assert found.auc.note
    assert (found.n_valid, found.standard_error) == (0, None)


probabilities = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(probabilities)
@settings(deadline=None)
def test_calibration_equals_scikit_learn_and_counting(rows: list[tuple[float, bool]]) -> None:
    """Brier score and curve are scikit-learn's; the calibration error is the weighted gap over the bins."""
    predicted = np.array([probability for probability, _ in rows])
    positive = np.array([truth for _, truth in rows])
    judged = calibration(predicted, positive)
    assert judged.brier == pytest.approx(brier_score_loss(positive, predicted, pos_label=True), abs=1e-12)
    assert sum(one.n for one in judged.bins) == positive.size
    error = 0.0
    for index in range(10):
        inside = [i for i, p in enumerate(predicted) if min(int(p * 10), 9) == index]
        if inside:
            error += abs(sum(positive[inside]) - sum(predicted[inside])) / positive.size
    assert judged.expected_calibration_error == pytest.approx(error, abs=1e-9)


def test_reliability_curve_is_scikit_learns() -> None:
    """On continuous probabilities both ends of every dot are those of calibration_curve."""
    generator = np.random.default_rng(5)
    predicted = generator.random(500)
    positive = generator.random(500) < predicted**2
    observed, mean = calibration_curve(positive, predicted, n_bins=10, strategy="uniform")
    bins = calibration(predicted, positive).bins
    assert [one.predicted for one in bins] == pytest.approx(list(mean))
    assert [one.observed.value for one in bins] == pytest.approx(list(observed))


def test_a_fitted_probability_finds_the_curve_that_made_the_data() -> None:
    """From 20,000 draws of a logistic curve in kPa its slope and intercept come back."""
    generator = np.random.default_rng(6)
    kpa = generator.uniform(3, 25, 20_000)
    positive = generator.random(20_000) < 1 / (1 + np.exp(-(0.5 * kpa - 5.0)))
    fit = fit_probability(kpa, positive)
    assert fit.slope == pytest.approx(0.5, abs=0.03)
    assert fit.intercept == pytest.approx(-5.0, abs=0.3)


def test_a_fitted_probability_solves_platts_equations() -> None:
    """At the optimum the probabilities sum to the smoothed targets, alone and weighted by the score."""
    generator = np.random.default_rng(7)
    scores = generator.normal(size=40)
    positive = scores + generator.normal(size=40) > 0
    n_positive, n_negative = positive.sum(), (~positive).sum()
    target = np.where(positive, (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2))
    gap = fit_probability(scores, positive)(scores) - target
    assert abs(gap.sum()) < 1e-4
    assert abs((gap * scores).sum()) < 1e-4


def test_a_fitted_probability_stays_finite_under_perfect_separation() -> None:
    """Separated classes give a steep but finite curve, and far away scores do not overflow."""
    scores = np.arange(20.0)
    fit = fit_probability(scores, scores >= 10)
    assert 0 < fit.slope < 10
    far = fit(np.array([-1e9, 1e9]))
    assert far[0] >= 0.0
    assert far[1] <= 1.0


def test_a_constant_score_says_the_prevalence() -> None:
    """Without information the fitted probability is the (smoothed) share of positives."""
    positive = np.arange(100) < 30
    assert fit_probability(np.ones(100), positive)(np.ones(1))[0] == pytest.approx(0.3, abs=0.02)


@given(probabilities)
@settings(deadline=None)
def test_net_benefit_equals_counting(rows: list[tuple[float, bool]]) -> None:
    """At every threshold probability net benefit is TP/n - FP/n * odds, counted one by one."""
    predicted = np.array([probability for probability, _ in rows])
    positive = np.array([truth for _, truth in rows])
    curve = decision_curve(predicted, positive, np.array([0.1, 0.5, 0.9]))
    for t, benefit, of_all in zip(
        curve.threshold_probability, curve.net_benefit, curve.net_benefit_of_all, strict=True
    ):
        hits = sum(1 for p, truth in rows if p >= t and truth)
        alarms = sum(1 for p, truth in rows if p >= t and not truth)
        assert benefit == pytest.approx((hits - alarms * t / (1 - t)) / len(rows), abs=1e-9)
        n_positive = sum(truth for _, truth in rows)
        assert of_all == pytest.approx(
            (n_positive - (len(rows) - n_positive) * t / (1 - t)) / len(rows), abs=1e-9
        )


def test_acting_on_the_truth_has_the_net_benefit_of_the_prevalence() -> None:
    """A perfect prediction is worth the prevalence at every threshold and acting on all is worth less."""
    positive = np.arange(10) < 4
    curve = decision_curve(positive.astype(float), positive)
    assert curve.net_benefit == pytest.approx(np.full(99, 0.4))
    assert (curve.net_benefit_of_all < 0.4).all()


SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
"""Table 2 of Shrout & Fleiss 1979: six targets, four judges."""


def test_agreement_of_shrout_and_fleiss() -> None:
    """On their own example ICC(1,1) is .17 (-.13 to .72) and ICC(1,4) is .44 (-.88 to .91)."""
    found = agreement(SHROUT_FLEISS.ravel(), np.repeat(np.arange(6), 4))
    assert found.acquisitions_per_patient == 4
    assert found.single.value == pytest.approx(0.17, abs=0.005)
    assert found.mean.value == pytest.approx(0.44, abs=0.005)
    assert [found.single.low, found.single.high] == pytest.approx([-0.13, 0.72], abs=0.005)
    assert [found.mean.low, found.mean.high] == pytest.approx([-0.88, 0.91], abs=0.005)


def test_agreement_is_the_ratio_of_mean_squares_taken_slowly() -> None:
    """Unequal numbers of images: the one-way analysis of variance written out gives the same ICC."""
    generator = np.random.default_rng(8)
    patient = np.repeat(np.arange(8), [5, 5, 4, 3, 5, 5, 1, 2])
    scores = 1e6 + generator.normal(size=8)[patient] + 0.3 * generator.normal(size=patient.size)
    groups = [scores[patient == p] for p in range(8)]
    grand, n = scores.mean(), scores.size
    between = sum(len(g) * (g.mean() - grand) ** 2 for g in groups) / 7
    within = sum(((g - g.mean()) ** 2).sum() for g in groups) / (n - 8)
    k = (n - sum(len(g) ** 2 for g in groups) / n) / 7
    found = agreement(scores, patient)
    assert found.single.value == pytest.approx((between - within) / (between + (k - 1) * within), abs=1e-6)
    assert found.within_patient_sd == pytest.approx(np.sqrt(within), rel=1e-6)
    assert "approximate" in found.single.note


def test_agreement_of_equal_images_is_one_and_of_single_images_undefined() -> None:
    """Images that never differ agree perfectly without an interval; one image each says nothing."""
    same = agreement(np.repeat([0.1, 0.2, 0.7], 3), np.repeat([0, 1, 2], 3))
    assert (same.single.value, same.single.low, same.within_patient_sd) == (1.0, None, 0.0)
    alone = agreement(np.arange(3.0), np.arange(3))
    assert alone.single.value is None
    assert alone.single.note
    constant = agreement(np.full(6, 0.3), np.repeat([0, 1], 3))
    assert constant.single.value is None
    assert "no score varies" in constant.single.note
