"""The outcome: known answers for stage, probabilities, stiffness and reliability."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_app.inference.bundle import THRESHOLDS, LsmCutoffs, OperatingPoint
from firmware_app.journey import ImageScores, Logits
from firmware_app.outcome import (
    Outcome,
    Probabilities,
    decide,
    gm_lsm_of,
    probabilities_of,
    stage_by_stiffness,
    stage_interval_of,
    summarise_stiffness,
)
from firmware_app.serum import Serum
from firmware_app.wording import Doubt
from tests.firmware_app.exam_examples import acquisition, manifest

CUTOFFS = LsmCutoffs(source="Zhuang 2017", ge_s2=7.6, ge_s3=9.2, s4=10.4)


def outcome_of(*means_kpa: float, logits: Logits | None = (3.0, 1.5, -2.0)) -> Outcome:
    """The outcome of acquisitions with these stiffnesses."""
    acquisitions = [acquisition(n, mean_kpa=m, logits=logits) for n, m in enumerate(means_kpa)]
    return decide(acquisitions, None, manifest())


def test_stiffness_summary_worked_example() -> None:
    """Quartiles interpolate linearly: of 6, 7, 8, 10, 14 they are 7 and 10."""
    summary = summarise_stiffness([14.0, 6.0, 8.0, 10.0, 7.0])
    assert summary.mean_kpa == pytest.approx(9.0)
    assert summary.median_kpa == pytest.approx(8.0)
    assert summary.iqr_kpa == pytest.approx(3.0)
    assert summary.iqr_over_median == pytest.approx(0.375)


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.floats(0.3, 300.0), min_size=2, max_size=5))
def test_stiffness_summary_equals_the_standard_library(means_kpa: list[float]) -> None:
    """Quartiles equal those of `statistics.quantiles(method="inclusive")`, the same definition."""
    summary = summarise_stiffness(means_kpa)
    q1, median, q3 = statistics.quantiles(means_kpa, n=4, method="inclusive")
    assert summary.mean_kpa == pytest.approx(statistics.fmean(means_kpa))
    assert summary.median_kpa == pytest.approx(median)
    assert summary.iqr_kpa == pytest.approx(q3 - q1, abs=1e-9)


@pytest.mark.parametrize("means_kpa", [[], [0.0], [9.0, -1.0], [math.nan], [math.inf]])
def test_stiffness_that_is_not_positive_is_an_error(means_kpa: list[float]) -> None:
    """A stiffness that is not positive never becomes a summary."""
    with pytest.raises(ValueError, match="positive"):
        summarise_stiffness(means_kpa)


@pytest.mark.parametrize(
    ("mean_kpa", "stage"), [(7.59, 0), (7.6, 2), (9.19, 2), (9.2, 3), (10.39, 3), (10.4, 4), (40.0, 4)]
)
def test_stage_by_stiffness(mean_kpa: float, stage: int) -> None:
    """A stiffness on a cut-off passes it."""
    assert stage_by_stiffness(mean_kpa, CUTOFFS) == stage


def test_patient_log_odds_are_the_mean_of_the_images() -> None:
    """Log-odds are averaged, not probabilities: 3, 1 and -1 give the sigmoid of 1."""
    acquisitions = [
        acquisition(n, logits=(odds, odds - 1, odds - 2)) for n, odds in enumerate((3.0, 1.0, -1.0))
    ]
    outcome = decide(acquisitions, None, manifest())
    assert outcome.probabilities is not None
    assert outcome.probabilities.ge_s2 == pytest.approx(1 / (1 + math.exp(-1)))
    assert outcome.probabilities.ge_s3 == pytest.approx(0.5)
    assert outcome.probabilities.s4 == pytest.approx(1 / (1 + math.exp(1)))


@settings(deadline=None)  # a busy machine is no failure
@given(st.tuples(*(st.floats(-800, 800),) * 3))
def test_probabilities_are_monotone(logits: Logits) -> None:
    """Whatever the log-odds, P(>=S2) >= P(>=S3) >= P(S4), and all lie in [0, 1]."""
    made = probabilities_of(logits)
    assert 1.0 >= made.ge_s2 >= made.ge_s3 >= made.s4 >= 0.0


@pytest.mark.parametrize(
    ("values", "interval"),
    [
        ((0.05, 0.02, 0.01), (0, 0)),
        ((0.95, 0.02, 0.01), (2, 2)),
        ((0.95, 0.90, 0.01), (3, 3)),
        ((0.95, 0.90, 0.80), (4, 4)),
        ((0.55, 0.30, 0.01), (0, 2)),
        ((0.95, 0.45, 0.10), (2, 3)),
        ((0.95, 0.60, 0.40), (2, 4)),
        ((0.60, 0.50, 0.40), (0, 4)),
        ((0.61, 0.61, 0.39), (3, 3)),
    ],
)
def test_stage_interval_at_operating_points(
    values: tuple[float, float, float], interval: tuple[int, int]
) -> None:
    """Thresholds passed make the stage; those inside the band 0.4-0.6 leave it open, edges included."""
    assert stage_interval_of(Probabilities(*values), manifest().operating_points) == interval


def test_open_threshold_is_settled_by_a_decided_one() -> None:
    """Who passes >=S3 passes >=S2, even if the probability of the latter lies inside its band."""
    points = dict.fromkeys(
        THRESHOLDS, OperatingPoint(cutoff=0.5, low=0.5, high=0.5, rule_out=0.5, rule_in=0.5)
    )
    wide = manifest().model_copy(
        update={
            "operating_points": {
                **points,
                "ge_s2": OperatingPoint(cutoff=0.7, low=0.6, high=0.8, rule_out=0.6, rule_in=0.8),
            }
        }
    )
    assert stage_interval_of(Probabilities(0.7, 0.65, 0.1), wide.operating_points) == (3, 3)
    assert stage_interval_of(Probabilities(0.7, 0.3, 0.1), wide.operating_points) == (0, 2)


def test_stage_and_its_words() -> None:
    """A determinate outcome names one stage; an indeterminate one names none, and the interval in words."""
    sure = outcome_of(9, 9, 9, 9, 9, logits=(3.0, 1.5, -2.0))
    assert (sure.stage, sure.indeterminate, sure.stage_text) == (3, False, "S3")
    open_ = outcome_of(9, 9, 9, 9, 9, logits=(3.0, 0.1, -2.0))
    assert (open_.stage, open_.indeterminate, open_.stage_text) == (None, True, "S2-S3")
    low = outcome_of(5, 5, 5, 5, 5, logits=(-3.0, -4.0, -5.0))
    assert (low.stage, low.stage_text) == (0, "S0-S1")


def test_gm_lsm_worked_example() -> None:
    """With LSM at its cut-off and GM at log-odds 0 both confidences are 1/2: -3 + 2/2 + 4/2 = 0."""
    made = gm_lsm_of((0.0, 0.0, 0.0), math.exp(2.0), manifest())
    assert (made.ge_s2, made.ge_s3, made.s4) == pytest.approx((0.5, 0.5, 0.5))
    stiffer = gm_lsm_of((0.0, 0.0, 0.0), 1000.0, manifest())
    confidence = 1 / (1 + math.exp(-(math.log(1000.0) - 2.0) / 0.25))
    assert stiffer.s4 == pytest.approx(1 / (1 + math.exp(-(-3 + 1 + 4 * confidence))))


def test_methods_use_their_own_networks() -> None:
    """GM, EM and GM+EM are each decided on their own log-odds."""
    scores = ImageScores(gm=(1.0, 0.0, -1.0), em=(2.0, 1.0, 0.0), gm_em=(3.0, 2.0, 1.0))
    methods = decide([replace(acquisition(1), scores=scores)], None, manifest()).methods
    assert methods.gm == probabilities_of(scores.gm)
    assert methods.em == probabilities_of(scores.em)
    assert methods.gm_em == probabilities_of(scores.gm_em)
    assert methods.gm_lsm == gm_lsm_of(scores.gm, 9.0, manifest())
    assert (methods.apri, methods.fib4) == (None, None)


def test_serum_scores_stand_beside() -> None:
    """APRI and FIB-4 appear when the serum values were entered."""
    serum = Serum(64, 40, 200, alt_u_l=64, age_years=50)
    methods = decide([acquisition(1)], serum, manifest()).methods
    assert (methods.apri, methods.fib4) == pytest.approx((0.8, 2.0))


@pytest.mark.parametrize(
    ("means_kpa", "doubts"),
    [
        ((9.0, 9.1, 9.2, 9.3, 9.4), ()),
        ((9.0, 9.1, 9.2), (Doubt.FEWER_THAN_FIVE,)),
        ((8.0, 8.5, 10.0, 11.5, 12.0), ()),
        ((8.0, 8.4, 10.0, 11.6, 12.0), (Doubt.SPREAD,)),
        ((5.0, 10.0, 20.0), (Doubt.FEWER_THAN_FIVE, Doubt.SPREAD)),
    ],
)
def test_reliability(means_kpa: tuple[float, ...], doubts: tuple[Doubt, ...]) -> None:
    """Reliable is: five acquisitions, and an IQR of at most 30 % of the median (30 % itself passes)."""
    assert outcome_of(*means_kpa).doubts == doubts


@pytest.mark.parametrize("with_manifest", [True, False])
def test_without_scores_stiffness_only(with_manifest: bool) -> None:  # noqa: FBT001 -- a test's parameter
    """Without a bundle there is stiffness and its stage, no probability, and the outcome says so."""
    acquisitions = [acquisition(n, mean_kpa=9.5, logits=None) for n in range(5)]
    outcome = decide(acquisitions, None, manifest() if with_manifest else None)
    assert outcome.probabilities is None
    assert outcome.stage is None
    assert outcome.methods.lsm.stage == 3
    assert outcome.methods.gm_lsm is None
    assert outcome.doubts == (Doubt.NO_MODEL,)


def test_missing_read_out_is_a_doubt() -> None:
    """An outcome that rests on an acquisition without printed values says that they were not checked."""
    five = [acquisition(number) for number in range(1, 6)]
    assert Doubt.NO_READOUT not in decide(five, None, None).doubts
    five[2] = replace(five[2], readout=None)
    assert Doubt.NO_READOUT in decide(five, None, None).doubts
