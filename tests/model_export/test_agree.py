"""The gate lets through what says the same, and stops the rest before a bundle is written."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from firmware_app.inference.bundle import OperatingPoint, Threshold
from model_export import agree
from model_export.agree import Agreement, GraphPrecision
from model_export.errors import GateError
from model_export.patient_scores import PatientScores

_POINT = OperatingPoint(cutoff=0.5, low=0.4, high=0.6, rule_out=0.3, rule_in=0.7)
POINTS: dict[Threshold, OperatingPoint] = {"ge_s2": _POINT, "ge_s3": _POINT, "s4": _POINT}
SAME = Agreement(
    mean_probability_difference=0.0,
    largest_probability_difference=0.0,
    largest_auc_difference=0.0,
    flips=0,
    interval_flips=0,
    contradictions=0,
    patients=102,
)


def scores(*chances: float) -> PatientScores:
    """Patients of all stages; their probabilities of >=S2 by every method, of >=S3 and S4 none."""
    logits = np.log(np.array(chances) / (1 - np.array(chances)))
    columns = np.stack([logits, np.full_like(logits, -9.0), np.full_like(logits, -9.0)], axis=1)
    stage = np.arange(len(chances)) % 5
    return PatientScores(
        stage=stage, lsm_kpa=np.asarray(stage + 5.0, dtype=np.float64), gm=columns, em=columns, gm_em=columns
    )


def test_log_odds_that_are_off_or_no_numbers_stop_the_export() -> None:
    """The float32 graph must say what the network says."""
    sound = np.zeros((2, 3, 3))
    assert agree.check_export(sound, sound + 1e-6) < 1e-5
    for wrong in (sound + 0.01, sound * np.nan):
        with pytest.raises(GateError, match="differs from the network"):
            agree.check_export(sound, wrong)


def test_flips_are_counted_by_cut_off_by_interval_and_by_contradiction() -> None:
    """Each patient moves in one way; every count sees what it should and no more."""
    exact = scores(0.45, 0.55, 0.30, 0.90, 0.05)
    found = scores(0.55, 0.58, 0.50, 0.20, 0.06)
    agreement = agree.compare(exact, found, POINTS)
    assert agreement.flips == 3  # the first, the third (a probability on the cut-off passes) and the fourth
    assert agreement.interval_flips == 2  # the third becomes open, the fourth falls from passed to failed
    assert agreement.contradictions == 1  # the fourth
    assert agreement.largest_probability_difference == pytest.approx(0.7)
    assert agreement.mean_probability_difference == pytest.approx((0.1 + 0.03 + 0.2 + 0.7 + 0.01) / 15)


def test_auc_change_is_the_largest_of_all_methods() -> None:
    """A method that loses its order shows, even if the published one keeps it."""
    exact = scores(0.1, 0.2, 0.6, 0.7, 0.9)
    assert agree.compare(exact, exact, POINTS) == dataclasses.replace(SAME, patients=5)
    blurred = dataclasses.replace(exact, gm=exact.gm[::-1])
    assert agree.compare(exact, blurred, POINTS).largest_auc_difference == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("precision", "mean", "auc", "flips", "stops"),
    [
        ("int8", 0.0099, 0.0049, 1, None),
        ("int8", 0.0101, 0.0, 0, "mean probability"),
        ("int8", 0.0, 0.0051, 0, "AUC"),
        ("int8", 0.0, 0.0, 2, "another stage"),
        ("int8", float("nan"), 0.0, 0, "mean probability"),
        ("fp16", 0.001, 0.0, 0, None),
        ("fp16", 0.0, 0.0, 1, "another stage"),
        ("fp32", 0.0, 0.0, 1, "another stage"),
    ],
)
def test_limits_are_those_of_the_precision(
    precision: GraphPrecision, mean: float, auc: float, flips: int, stops: str | None
) -> None:
    """INT8 may move 0.01, 0.005 and one patient of 102; FP16 none."""
    agreement = dataclasses.replace(
        SAME, mean_probability_difference=mean, largest_auc_difference=auc, flips=flips
    )
    if stops is None:
        agree.check_agreement(agreement, precision)
        return
    with pytest.raises(GateError, match=f"{precision}.*{stops}.*no bundle is written"):
        agree.check_agreement(agreement, precision)
