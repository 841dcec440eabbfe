"""Cut-offs and what they do: known tables, counting by hand, limits."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from model_export.errors import WrongInputError
from model_export.statistics.figure import BoolArray, FloatArray
from model_export.statistics.operating_figures import (
    TwoByTwo,
    operating_figures,
    two_by_two,
    youden_cutoff,
)

EPIR = TwoByTwo(true_positive=670, false_negative=74, false_positive=202, true_negative=640)
"""The worked table of R's epiR (epi.tests)."""


def test_the_worked_table_of_epir_gives_its_printed_figures() -> None:
    """Likelihood ratios and sensitivity of 670, 202, 74, 640 with their intervals are epiR's."""
    figures = operating_figures(EPIR)
    for figure, (value, low, high), tolerance in [
        (figures.lr_pos, (3.754, 3.321, 4.243), 5e-4),
        (figures.lr_neg, (0.1309, 0.1051, 0.1630), 5e-5),
        (figures.sensitivity, (0.9005, 0.8767, 0.9211), 5e-5),
    ]:
        assert figure.value == pytest.approx(value, abs=tolerance)
        assert figure.low == pytest.approx(low, abs=tolerance)
        assert figure.high == pytest.approx(high, abs=tolerance)


tables = st.builds(TwoByTwo, *[st.integers(0, 30)] * 4)


@given(tables)
@settings(deadline=None)
def test_the_exact_interval_cuts_off_its_tails(table: TwoByTwo) -> None:
    """At either end of a Clopper-Pearson interval the data lie 2.5 % into the tail of the binomial."""
    trials, successes = table.true_positive + table.false_negative, table.true_positive
    figure = operating_figures(table).sensitivity
    if not trials:
        assert figure.value is None
        assert figure.note
        return
    assert figure.value == successes / trials
    assert figure.low is not None
    assert figure.high is not None
    if successes:
        assert binom.sf(successes - 1, trials, figure.low) == pytest.approx(0.025, rel=1e-6)
    else:
        assert figure.low == 0.0
    if successes < trials:
        assert binom.cdf(successes, trials, figure.high) == pytest.approx(0.025, rel=1e-6)
    else:
        assert figure.high == 1.0


@given(tables)
@settings(deadline=None)
def test_values_are_the_plain_ratios_and_nothing_is_nan(table: TwoByTwo) -> None:
    """Every figure is its exact fraction; where the denominator is zero there is a reason instead."""
    tp, fn, fp, tn = (
        Fraction(count)
        for count in (table.true_positive, table.false_negative, table.false_positive, table.true_negative)
    )
    figures = operating_figures(table)
    plain = [
        (figures.ppv, tp, tp + fp),
        (figures.npv, tn, tn + fn),
        (figures.specificity, tn, tn + fp),
        (figures.lr_pos, tp * (fp + tn), fp * (tp + fn)),
        (figures.lr_neg, fn * (fp + tn), tn * (tp + fn)),
    ]
    for figure, above, below in plain:
        if below == 0:
            assert figure.value is None
            assert figure.note
        else:
            assert figure.value == pytest.approx(float(above / below), rel=1e-12)
        if figure.low is not None and figure.high is not None and figure.value is not None:
            assert 0.0 <= figure.low <= figure.value + 1e-12
            assert figure.value - 1e-12 <= figure.high < math.inf
        else:
            assert figure.note


@given(st.builds(TwoByTwo, *[st.integers(1, 40)] * 4))
@settings(deadline=None)
def test_predictive_odds_are_the_likelihood_ratio_times_the_prior_odds(table: TwoByTwo) -> None:
    """Mercaldo's logit interval of PPV is the log interval of LR+ moved by the prevalence; NPV likewise."""
    figures = operating_figures(table)
    prior = (table.true_positive + table.false_negative) / (table.false_positive + table.true_negative)
    ends = [
        (figures.ppv.low, figures.lr_pos.low),
        (figures.ppv.high, figures.lr_pos.high),
        (1 - (figures.npv.high or 0), figures.lr_neg.low),
        (1 - (figures.npv.low or 0), figures.lr_neg.high),
    ]
    for probability, likelihood_ratio in ends:
        assert probability is not None
        assert likelihood_ratio is not None
        assert probability / (1 - probability) == pytest.approx(likelihood_ratio * prior, rel=1e-9)


@given(tables)
@settings(deadline=None)
def test_swapping_labels_and_calls_swaps_the_figures(table: TwoByTwo) -> None:
    """Seen from the other side, sensitivity is specificity and PPV is NPV, with their intervals."""
    turned = TwoByTwo(table.true_negative, table.false_positive, table.false_negative, table.true_positive)
    here, there = operating_figures(table), operating_figures(turned)
    for ours, theirs in [(here.sensitivity, there.specificity), (here.ppv, there.npv)]:
        assert (ours.value, ours.low, ours.high) == (theirs.value, theirs.low, theirs.high)


def test_nobody_wrongly_called_gives_an_infinite_ratio_as_a_reason() -> None:
    """Without false positives LR+ is a reason instead of a number, and PPV keeps an exact interval."""
    figures = operating_figures(TwoByTwo(8, 2, 0, 10))
    assert figures.lr_pos.value is None
    assert figures.lr_pos.note.startswith("infinite")
    assert (figures.ppv.value, figures.ppv.high) == (1.0, 1.0)
    assert figures.ppv.low == pytest.approx(0.025 ** (1 / 8))
    assert "exact" in figures.ppv.note


def slow_youden(scores: FloatArray, positive: BoolArray) -> tuple[Fraction, int]:
    """Largest index over every score as a cut-off, in exact fractions, and how many it calls positive."""
    best = (Fraction(-2), 0)
    for cutoff in np.unique(scores):
        called = scores >= cutoff
        sensitivity = Fraction(int((called & positive).sum()), int(positive.sum()))
        false_alarm = Fraction(int((called & ~positive).sum()), int((~positive).sum()))
        best = max(best, (sensitivity - false_alarm, int(called.sum())))
    return best


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30))
@settings(deadline=None)
def test_the_cutoff_is_the_best_of_all_and_the_lowest_of_ties(rows: list[tuple[int, bool]]) -> None:
    """No score does better as a cut-off, and of equally good ones the one that calls most is taken."""
    scores = np.array([score / 10 for score, _ in rows])
    positive = np.array([truth for _, truth in rows])
    if positive.all() or not positive.any():
        with pytest.raises(WrongInputError, match="both sides"):
            youden_cutoff(scores, positive)
        return
    choice = youden_cutoff(scores, positive)
    index, n_called = slow_youden(scores, positive)
    assert choice.youden == pytest.approx(float(index), abs=1e-15)
    assert choice.youden >= 0.0
    assert int((scores >= choice.cutoff).sum()) == n_called


def test_the_cutoff_lies_midway_between_two_scores() -> None:
    """Between 2 and 3 the cut-off is 2.5, and calling at it gives the 2x2 table that counting gives."""
    scores, positive = np.array([1.0, 2, 3, 4, 2]), np.array([False, False, True, True, True])
    choice = youden_cutoff(scores, positive)
    assert (choice.cutoff, choice.n_tied) == (2.5, 1)
    assert two_by_two(scores, positive, choice.cutoff) == TwoByTwo(2, 1, 0, 2)


def test_a_score_at_the_cutoff_is_called_positive() -> None:
    """At the cut-off itself a patient is called positive: the rule is score >= cut-off."""
    scores, positive = np.array([1.0, 2, 2, 3]), np.array([False, False, True, True])
    assert two_by_two(scores, positive, 2.0) == TwoByTwo(2, 0, 1, 1)


def test_neighbouring_floats_are_still_told_apart() -> None:
    """Where no number lies between two scores the upper one is the cut-off, so that no call changes."""
    low = 1.0
    high = math.nextafter(low, 2.0)
    choice = youden_cutoff(np.array([low, high]), np.array([False, True]))
    assert (choice.cutoff, choice.youden) == (high, 1.0)


def test_a_useless_score_calls_everybody() -> None:
    """A constant or reversed score has no cut-off better than calling everybody, and that one is finite."""
    positive = np.array([True, False, True])
    assert youden_cutoff(np.zeros(3), positive).cutoff == 0.0
    assert youden_cutoff(np.array([1.0, 2.0, 1.0]), positive).cutoff == 1.0
