"""Every method of the paper as columns of scores, one row per picture, for `fibrostage-export evaluate`.

GM, EM and GM+EM, and their twins without transfer learning, are log-odds of the picture; a patient's score is
the mean of his five. LSM is the stiffness of the acquisition, so the patient's is the mean of five as in the
paper. APRI, FIB-4 and GM+LSM belong to the patient and stand in all his rows.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware_app.inference.bundle import LsmConfidence, Threshold
from firmware_app.serum import apri, fib4
from model_export import operate
from model_export.evaluate_scores import THRESHOLDS, TWIN
from model_export.patient_scores import PatientScores, Vector
from model_export.study.gm_lsm import Descent
from model_export.study.patients import StudyPatient

NETWORKS = ("GM", "EM", "GM+EM")
"""Methods along the third axis of image log-odds."""
TWINS = ("GM", "EM")
"""Networks whose twins without transfer learning the paper shows (Table 2)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of the patients of one split.

    Attributes:
        patients: pseudonyms, stages, serum values; n of them.
        lsm_kpa: stiffness of every acquisition, (n, acquisitions).
        transfer: image log-odds (n, acquisitions, method, threshold) of the trained networks.
        twin: likewise, trained from random weights; None: no twin was trained.
    """

    patients: tuple[StudyPatient, ...]
    lsm_kpa: Vector
    transfer: Vector
    twin: Vector | None

    def patient_scores(self) -> PatientScores:
        """Means over a patient's acquisitions."""
        means = self.transfer.mean(axis=1)
        return PatientScores(
            stage=np.array([patient.stage for patient in self.patients], dtype=np.int64),
            lsm_kpa=self.lsm_kpa.mean(axis=1),
            gm=means[:, 0],
            em=means[:, 1],
            gm_em=means[:, 2],
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the training patients gave, and what the cohort could not give.

    Attributes:
        gm_lsm: weights of GM+LSM at each threshold, with the stiffness cut-off inside.
        left_out: reason by the name of a method that is not scored.
    """

    gm_lsm: dict[Threshold, LsmConfidence]
    left_out: dict[str, str]


def fit_methods(train: Measured, test: Measured, seed: int) -> Fitted:
    """Fit GM+LSM on training patients, and find the methods whose values some patient lacks.

    Args:
        train: who fits.
        test: only asked which values are there.
        seed: of the mini-batches.
    """
    scores = train.patient_scores()
    gm_lsm = operate.fit_gm_lsm(scores, operate.lsm_cutoffs(scores), Descent(seed))
    return Fitted(gm_lsm, _left_out(train, test))


def columns_of(measured: Measured, fitted: Fitted) -> dict[str, Vector]:
    """Scores (patients, acquisitions) of every method that is not left out, by the name of their column."""
    columns = {"LSM": measured.lsm_kpa}
    for name, score in (("APRI", apri), ("FIB-4", fib4)):
        if name not in fitted.left_out:
            values = [np.nan if one.serum is None else score(one.serum) for one in measured.patients]
            columns[name] = _for_every_picture(np.array(values, dtype=np.float64), measured)
    for index, method in enumerate(NETWORKS):
        columns |= _by_threshold(method, measured.transfer[:, :, index])
    gm_lsm = operate.gm_lsm_logits(measured.patient_scores(), fitted.gm_lsm)
    columns |= _by_threshold("GM+LSM", _for_every_picture(gm_lsm, measured))
    if measured.twin is not None:
        for method in TWINS:
            columns |= _by_threshold(method + TWIN, measured.twin[:, :, NETWORKS.index(method)])
    return columns


def write_scores(path: Path, measured: Measured, columns: dict[str, Vector]) -> None:
    """Write a table of scores, one row per picture, floats in full."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["patient", "stage", *columns])
        writer.writerows(_rows(measured, columns))


def _rows(measured: Measured, columns: dict[str, Vector]) -> Iterator[list[str | int | float]]:
    for index, patient in enumerate(measured.patients):
        for acquisition in range(measured.lsm_kpa.shape[1]):
            scores = [float(values[index, acquisition]) for values in columns.values()]
            yield [patient.id, patient.stage, *scores]


def _for_every_picture(values: Vector, measured: Measured) -> Vector:
    """Values (patients, ...) of patients for each of their pictures, (patients, acquisitions, ...)."""
    return np.repeat(values[:, np.newaxis], measured.lsm_kpa.shape[1], axis=1)


def _by_threshold(method: str, logits: Vector) -> dict[str, Vector]:
    return {f"{method}@{threshold.name}": logits[:, :, k] for k, threshold in enumerate(THRESHOLDS)}


def _left_out(train: Measured, test: Measured) -> dict[str, str]:
    """Methods that some patient has no value of: a comparison on other patients would not be one."""
    everybody = (*train.patients, *test.patients)
    without = sum(patient.serum is None for patient in everybody)
    without_index = sum(one.serum is None or fib4(one.serum) is None for one in everybody)
    reasons = {}
    if without:
        reasons["APRI"] = (
            f"{without} of {len(everybody)} patients have no AST, upper limit of normal of AST or platelets"
        )
    if without_index:
        reasons["FIB-4"] = f"{without_index} of {len(everybody)} patients have no AST, ALT, platelets or age"
    if train.twin is None or test.twin is None:
        reasons |= {method + TWIN: "no twin without transfer learning was trained" for method in TWINS}
    return reasons
