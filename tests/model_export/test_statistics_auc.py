"""DeLong's AUC, variance and test: slow versions, invariances, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.metrics import roc_auc_score

from model_export.errors import WrongInputError
from model_export.statistics.auc import (
    auc_figure,
    delong_auc,
    delong_covariance,
    delong_test,
    placements,
)
from model_export.statistics.figure import BoolArray, FloatArray


def kernel(scores: FloatArray, positive: BoolArray) -> FloatArray:
    """Every pair compared, (positives, negatives): 1 right, 0.5 tied, 0 wrong."""
    above, below = scores[positive][:, None], scores[~positive][None, :]
    compared: FloatArray = (above > below) + 0.5 * (above == below)
    return compared


def slow_delong(scores: FloatArray, positive: BoolArray) -> tuple[float, float]:
    """DeLong's formulas as printed in the paper of 1988."""
    pairs = kernel(scores, positive)
    auc = pairs.mean()
    of_positives = ((pairs.mean(axis=1) - auc) ** 2).sum() / (pairs.shape[0] - 1)
    of_negatives = ((pairs.mean(axis=0) - auc) ** 2).sum() / (pairs.shape[1] - 1)
    return float(auc), float(of_positives / pairs.shape[0] + of_negatives / pairs.shape[1])


def slow_test(a: FloatArray, b: FloatArray, positive: BoolArray) -> tuple[float, float]:
    """Z and p from the two variances and the covariance, as in the paper of 1988."""
    (auc_a, var_a), (auc_b, var_b) = slow_delong(a, positive), slow_delong(b, positive)
    pairs_a, pairs_b = kernel(a, positive), kernel(b, positive)
    covariance = 0.0
    for axis, size in ((1, pairs_a.shape[0]), (0, pairs_a.shape[1])):
        gaps = (pairs_a.mean(axis=axis) - auc_a) * (pairs_b.mean(axis=axis) - auc_b)
        covariance += float(gaps.sum()) / (size - 1) / size
    z = (auc_a - auc_b) / math.sqrt(var_a + var_b - 2 * covariance)
    return z, math.erfc(abs(z) / math.sqrt(2))


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Two score columns with many ties and a truth with at least two patients of each class."""
    n_positive, n_negative = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    n = n_positive + n_negative
    values = st.integers(-4, 4).map(float)
    a = draw(arrays.arrays(np.float64, n, elements=values))
    b = draw(arrays.arrays(np.float64, n, elements=values))
    return a, b, np.arange(n) < n_positive


@given(cohorts())
@settings(deadline=None)
def test_auc_and_variance_equal_the_printed_formulas(
    cohort: tuple[FloatArray, FloatArray, BoolArray],
) -> None:
    """The midrank computation gives what comparing every pair gives, ties included."""
    a, _, positive = cohort
    estimate = delong_auc(a, positive)
    auc, variance = slow_delong(a, positive)
    assert estimate.auc == pytest.approx(auc, abs=1e-14)
    assert estimate.variance == pytest.approx(variance, abs=1e-14)


@given(cohorts())
@settings(deadline=None)
def test_auc_equals_scikit_learn(cohort: tuple[FloatArray, FloatArray, BoolArray]) -> None:
    """The AUC is the trapezoidal area that scikit-learn computes."""
    a, _, positive = cohort
    assert delong_auc(a, positive).auc == pytest.approx(roc_auc_score(positive, a), abs=1e-12)


@given(cohorts())
@settings(deadline=None)
def test_a_monotone_transform_changes_nothing(cohort: tuple[FloatArray, FloatArray, BoolArray]) -> None:
    """AUC, variance, Z and p depend on ranks only, to the last bit."""
    a, b, positive = cohort
    assert delong_auc(np.exp(a), positive) == delong_auc(a, positive)
    assert delong_test(np.exp(a), b**3, positive) == delong_test(a, b, positive)


@given(cohorts())
@settings(deadline=None)
def test_swapping_labels_or_sign_mirrors_the_auc(
    cohort: tuple[FloatArray, FloatArray, BoolArray],
) -> None:
    """Swapped labels or a negated score give 1 - AUC with the same variance; both together change nothing."""
    a, _, positive = cohort
    straight = delong_auc(a, positive)
    assert straight.auc is not None
    for mirrored in (delong_auc(a, ~positive), delong_auc(-a, positive)):
        assert mirrored.auc == pytest.approx(1.0 - straight.auc, abs=1e-15)
        assert mirrored.variance == pytest.approx(straight.variance, abs=1e-15)
    assert delong_auc(-a, ~positive).auc == straight.auc


@given(cohorts())
@settings(deadline=None)
def test_the_test_is_antisymmetric_and_never_nan(
    cohort: tuple[FloatArray, FloatArray, BoolArray],
) -> None:
    """Exchanging the methods turns the sign of Z and keeps p; p is always a number in [0, 1]."""
    a, b, positive = cohort
    forth, back = delong_test(a, b, positive), delong_test(b, a, positive)
    assert forth.z is not None
    assert back.z is not None
    assert forth.p is not None
    assert back.z == -forth.z
    assert back.p == forth.p
    assert back == forth.turned()
    assert 0.0 <= forth.p <= 1.0


@given(cohorts())
@settings(deadline=None)
def test_z_and_p_equal_the_printed_formulas(cohort: tuple[FloatArray, FloatArray, BoolArray]) -> None:
    """Where the variance of the difference is not zero, Z and p are those of the paper of 1988."""
    a, b, positive = cohort
    test = delong_test(a, b, positive)
    if test.variance is None or test.variance < 1e-9:
        return
    z, p = slow_test(a, b, positive)
    assert test.z == pytest.approx(z, abs=1e-6)
    assert test.p == pytest.approx(p, abs=1e-6)


def test_covariance_matrix_holds_the_variances_and_the_variance_of_the_difference() -> None:
    """The diagonal is each method's variance; S11 + S22 - 2 S12 is that of the difference."""
    generator = np.random.default_rng(1)
    positive = generator.random(60) < 0.4
    a = generator.normal(size=60) + positive
    b = a + generator.normal(size=60)
    covariance = delong_covariance([placements(a, positive), placements(b, positive)])
    assert covariance[0, 0] == pytest.approx(delong_auc(a, positive).variance, rel=1e-12)
    assert covariance[1, 1] == pytest.approx(delong_auc(b, positive).variance, rel=1e-12)
    of_difference = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert of_difference == pytest.approx(delong_test(a, b, positive).variance, rel=1e-10)


def test_identical_scores_have_p_of_exactly_one() -> None:
    """A method compared with itself, or with a rescaled self, differs by nothing."""
    generator = np.random.default_rng(2)
    a = np.round(generator.normal(size=500), 1)
    positive = generator.random(500) < 0.5
    for b in (a, 3.0 * a + 1.0):
        test = delong_test(a, b, positive)
        assert (test.difference, test.variance, test.z, test.p) == (0.0, 0.0, 0.0, 1.0)


def test_nearly_identical_models_keep_their_digits() -> None:
    """One swapped pair among 2,000 patients gives the Z that exact integer arithmetic gives."""
    n = 1000
    a = np.arange(2.0 * n)
    positive = np.tile([False, True], n)
    b = a.copy()
    b[[1000, 1001]] = b[[1001, 1000]]  # one negative and one positive trade places
    test = delong_test(a, b, positive)
    # One placement of each class differs by one pair: variance (1 - 1/n) / (n - 1) / n^2 = 1 / n^3 per class.
    assert test.difference == 1.0 / n**2
    assert test.variance == pytest.approx(2.0 / n**4, rel=1e-12)
    assert test.z == pytest.approx(1.0 / math.sqrt(2.0), rel=1e-12)


def test_perfect_separation_has_no_variance_and_says_so() -> None:
    """AUC 1 has DeLong variance 0: the interval [1, 1] carries a caution, the logit one is missing."""
    estimate = delong_auc(np.arange(10.0), np.arange(10) >= 4)
    assert (estimate.auc, estimate.variance) == (1.0, 0.0)
    figure = auc_figure(estimate)
    assert (figure.low, figure.high) == (1.0, 1.0)
    assert "do not trust" in figure.note
    on_logit = auc_figure(estimate, on_logit_scale=True)
    assert on_logit.low is None
    assert on_logit.note


def test_two_perfect_methods_do_not_differ_and_perfect_against_constant_is_infinite() -> None:
    """Two perfect separations have p 1; perfect against useless has no variance, so Z is infinite and p 0."""
    positive = np.arange(10) >= 4
    perfect = np.arange(10.0)
    assert delong_test(perfect, perfect**2, positive).p == 1.0
    test = delong_test(np.zeros(10), perfect, positive)
    assert (test.z, test.p) == (-math.inf, 0.0)


@pytest.mark.parametrize(("n_positive", "n_negative"), [(1, 5), (5, 1), (1, 1)])
def test_a_class_of_one_has_an_auc_but_no_interval(n_positive: int, n_negative: int) -> None:
    """With a single patient in a class the AUC stands alone, with the reason."""
    positive = np.arange(n_positive + n_negative) < n_positive
    scores = np.arange(float(n_positive + n_negative))
    estimate = delong_auc(scores, positive)
    assert (estimate.auc, estimate.variance) == (0.0, None)
    assert auc_figure(estimate).note == "no interval: a class has only one patient"
    test = delong_test(scores, -scores, positive)
    assert (test.difference, test.z, test.p) == (-1.0, None, None)


@pytest.mark.parametrize(
    "positive", [np.ones(4, dtype=bool), np.zeros(4, dtype=bool), np.zeros(0, dtype=bool)]
)
def test_an_empty_class_has_no_auc_but_a_reason(positive: BoolArray) -> None:
    """Without a positive or without a negative patient nothing is computed, and nothing is NaN."""
    scores = np.arange(float(positive.size))
    figure = auc_figure(delong_auc(scores, positive))
    assert figure.value is None
    assert "no patient" in figure.note
    assert delong_test(scores, scores, positive).p is None


def test_intervals_stay_in_range_and_the_logit_one_is_the_delta_method() -> None:
    """The symmetric interval is clipped; the logit one is expit(logit(AUC) +- 1.96 se / (AUC (1 - AUC)))."""
    positive = np.array([True] * 5 + [False] * 5)
    scores = np.array([3.0, 4, 5, 6, 1, 0, 0, 1, 2, 0])
    estimate = delong_auc(scores, positive)
    assert estimate.auc == pytest.approx(0.94)
    assert estimate.variance is not None
    plain, on_logit = auc_figure(estimate), auc_figure(estimate, on_logit_scale=True)
    assert plain.high == 1.0
    assert plain.low == pytest.approx(0.94 - 1.959963984540054 * math.sqrt(estimate.variance))
    reach = 1.959963984540054 * math.sqrt(estimate.variance) / (0.94 * 0.06)
    assert on_logit.low == pytest.approx(1 / (1 + math.exp(-(math.log(0.94 / 0.06) - reach))))
    assert on_logit.high is not None
    assert 0.94 < on_logit.high < 1.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_not_numbers_are_refused(bad: float) -> None:
    """A missing score must not silently rank first or last."""
    with pytest.raises(WrongInputError, match="finite"):
        delong_auc(np.array([1.0, bad, 2.0]), np.array([True, False, True]))


def test_arrays_of_different_length_are_refused() -> None:
    """One score per patient."""
    with pytest.raises(WrongInputError, match="one score per patient"):
        delong_auc(np.arange(3.0), np.array([True, False]))


def test_a_million_scores_take_no_square_of_a_million() -> None:
    """A million heavily tied scores are done in seconds: the pairs alone would be 250 thousand million."""
    generator = np.random.default_rng(3)
    positive = generator.random(1_000_000) < 0.5
    estimate = delong_auc(generator.integers(0, 50, 1_000_000).astype(float), positive)
    assert estimate.auc == pytest.approx(0.5, abs=0.003)
