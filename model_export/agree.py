"""The gate: the trained network, the exported graph and the INT8 graph in OpenVINO must say the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from tqdm import tqdm

from firmware_app.inference import THRESHOLDS, Engine
from firmware_app.inference.bundle import OperatingPoint, Threshold
from firmware_app.inference.openvino_engine import INPUTS, OUTPUTS
from firmware_app.journey import Crops, Picture
from firmware_app.outcome import Probabilities, stage_interval_of
from model_export.cohort import Cohort
from model_export.errors import GateError
from model_export.network import FibrosisNetwork, normalise
from model_export.patient_scores import PatientScores, Vector, auc_by_threshold, sigmoid

LARGEST_EXPORT_DIFFERENCE = 1e-3
"""Between the network and its float32 graph, in log-odds."""
LARGEST_MEAN_PROBABILITY_DIFFERENCE = 0.02
"""Between the float32 and the INT8 graph, mean over patients and thresholds."""
LARGEST_AUC_DIFFERENCE = 0.005
LARGEST_FLIP_SHARE = 0.01
"""Share of patients for whom the published stages may contradict each other."""
ImageLogits = npt.NDArray[np.float64]
"""Log-odds (patients, acquisitions, method, threshold); methods GM, EM, GM+EM."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far the INT8 graph is from the float32 graph over a cohort of patients.

    Attributes:
        mean_probability_difference: over patients and thresholds of GM+EM.
        largest_probability_difference: likewise.
        largest_auc_difference: over methods and thresholds.
        flips: patients for whom the published stages, with what they leave open, have none in common.
        moved: patients for whom the published stage or what it leaves open changes at all, flips included.
        patients: in the cohort.
    """

    mean_probability_difference: float
    largest_probability_difference: float
    largest_auc_difference: float
    flips: int
    moved: int
    patients: int


def score_network(network: FibrosisNetwork, gray: Picture, elastogram: Picture) -> ImageLogits:
    """Log-odds (n, method, threshold) of prepared crops by the network in float32."""
    network.eval()
    rows = []
    with torch.inference_mode():
        for pair in zip(gray, elastogram, strict=True):
            inputs = [normalise(torch.from_numpy(np.array(crop[np.newaxis]))) for crop in pair]
            rows.append(torch.cat(network(*inputs)).double().numpy())
    return np.stack(rows)


def score_graph(graph: Path, gray: Picture, elastogram: Picture) -> ImageLogits:
    """Log-odds (n, method, threshold) of prepared crops by an ONNX graph in ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    rows = []
    for pair in zip(gray, elastogram, strict=True):
        inputs = {name: crop[np.newaxis] for name, crop in zip(INPUTS, pair, strict=True)}
        rows.append(np.concatenate(session.run(list(OUTPUTS), inputs)).astype(np.float64))
    return np.stack(rows)


def score_engine(engine: Engine, gray: Picture, elastogram: Picture) -> ImageLogits:
    """Log-odds (n, method, threshold) of prepared crops by the appliance's engine."""
    rows = []
    for one_gray, one_elastogram in zip(gray, elastogram, strict=True):
        scores = engine.score(Crops(elastogram=one_elastogram, gray=one_gray))
        rows.append([scores.gm, scores.em, scores.gm_em])
    return np.array(rows, dtype=np.float64)


def score_cohort(engine: Engine, cohort: Cohort, name: str) -> ImageLogits:
    """Log-odds of a whole cohort by the appliance's engine."""
    pairs = zip(cohort.gray, cohort.elastogram, strict=True)
    bar = tqdm(pairs, desc=name, unit="patient", total=len(cohort.stage), mininterval=1.0)
    return np.stack([score_engine(engine, gray, elastogram) for gray, elastogram in bar])


def patient_scores(cohort: Cohort, logits: ImageLogits) -> PatientScores:
    """Every patient's mean log-odds and mean stiffness."""
    means = logits.mean(axis=1)
    return PatientScores(
        stage=cohort.stage,
        lsm_kpa=cohort.lsm_kpa.mean(axis=1),
        gm=means[:, 0],
        em=means[:, 1],
        gm_em=means[:, 2],
    )


def check_export(reference: ImageLogits, exported: ImageLogits) -> float:
    """The largest difference between network and float32 graph.

    Raises:
        GateError: it is too large.
    """
    difference = float(np.abs(reference - exported).max())
    if not difference <= LARGEST_EXPORT_DIFFERENCE:
        raise GateError(
            f"the exported graph differs from the network by {difference:.2g} in log-odds, "
            f"allowed {LARGEST_EXPORT_DIFFERENCE:g}"
        )
    return difference


def check_int8(
    exact: PatientScores, quantised: PatientScores, points: dict[Threshold, OperatingPoint]
) -> Agreement:
    """How far INT8 is from float32 over the same patients.

    Raises:
        GateError: probabilities, AUCs or stages differ too much.
    """
    gaps = np.abs(sigmoid(exact.gm_em) - sigmoid(quantised.gm_em))
    published = list(zip(_published(exact.gm_em, points), _published(quantised.gm_em, points), strict=True))
    agreement = Agreement(
        mean_probability_difference=float(gaps.mean()),
        largest_probability_difference=float(gaps.max()),
        largest_auc_difference=_largest_auc_difference(exact, quantised),
        flips=sum(one[1] < other[0] or other[1] < one[0] for one, other in published),
        moved=sum(one != other for one, other in published),
        patients=len(exact.stage),
    )
    limits = (
        ("mean probability", agreement.mean_probability_difference, LARGEST_MEAN_PROBABILITY_DIFFERENCE),
        ("AUC", agreement.largest_auc_difference, LARGEST_AUC_DIFFERENCE),
        ("stage of patients", agreement.flips / agreement.patients, LARGEST_FLIP_SHARE),
    )
    for name, found, limit in limits:
        if not found <= limit:
            raise GateError(
                f"INT8 changes the {name} by {found:.3g}, allowed {limit:g}; no bundle is written"
            )
    return agreement


def _largest_auc_difference(exact: PatientScores, quantised: PatientScores) -> float:
    pairs = ((exact.gm, quantised.gm), (exact.em, quantised.em), (exact.gm_em, quantised.gm_em))
    differences = []
    for one, other in pairs:
        first, second = auc_by_threshold(exact.stage, one), auc_by_threshold(exact.stage, other)
        differences += [abs(first[key] - second[key]) for key in THRESHOLDS]
    return max(differences)


def _published(logits: Vector, points: dict[Threshold, OperatingPoint]) -> list[tuple[int, int]]:
    """The lowest and the highest stage that the appliance would publish for each patient."""
    return [stage_interval_of(Probabilities(*chances), points) for chances in sigmoid(logits).tolist()]
