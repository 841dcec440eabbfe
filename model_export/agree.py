"""The gate: network, float32 graph and a bundle's graph in the appliance's engine must say the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from tqdm import tqdm

from firmware_app.inference import THRESHOLDS, Engine
from firmware_app.inference.bundle import OperatingPoint, Threshold
from firmware_app.inference.graph import INPUTS, LOGITS
from firmware_app.journey import Crops, Picture
from firmware_app.outcome import Probabilities, stage_interval_of
from model_export.cohort import Cohort
from model_export.errors import GateError
from model_export.network import FibrosisNetwork, normalise
from model_export.patient_scores import PatientScores, Vector, auc_by_threshold, sigmoid

GraphPrecision = Literal["fp32", "fp16", "int8"]
GRAPH_PRECISIONS: dict[str, GraphPrecision] = {"fp32": "fp32", "fp16": "fp16", "int8": "int8"}
"""By their names on the command line."""
LARGEST_EXPORT_DIFFERENCE = 1e-3
"""Between the network and its float32 graph, in log-odds, over single pictures."""
ImageLogits = npt.NDArray[np.float64]
"""Log-odds (patients, acquisitions, method, threshold); methods GM, EM, GM+EM."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a graph may change against float32 on the test patients.

    Attributes:
        mean_probability: over patients and thresholds of GM+EM.
        auc: any method at any threshold.
        flip_share: patients whose stage, by the bare cut-offs, is another one.
    """

    mean_probability: float
    auc: float
    flip_share: float


LIMITS: dict[GraphPrecision, Limits] = {
    "fp32": Limits(mean_probability=1e-4, auc=0.0005, flip_share=0.0),
    "fp16": Limits(mean_probability=0.002, auc=0.005, flip_share=0.0),
    "int8": Limits(mean_probability=0.01, auc=0.005, flip_share=0.01),
}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far a graph is from the float32 graph over a cohort of patients.

    Attributes:
        mean_probability_difference: over patients and thresholds of GM+EM.
        largest_probability_difference: likewise.
        largest_auc_difference: over methods and thresholds.
        flips: patients whose stage by the bare cut-offs is another one.
        interval_flips: patients whose published stage, or what it leaves open, changes at all.
        contradictions: patients for whom the published stages, with what they leave open, have none in
            common.
        patients: in the cohort.
    """

    mean_probability_difference: float
    largest_probability_difference: float
    largest_auc_difference: float
    flips: int
    interval_flips: int
    contradictions: int
    patients: int


@dataclass(frozen=True, slots=True)
class EngineScores:
    """What an engine says about a cohort: log-odds, and features (patients, acquisitions, 2048) of GM, EM."""

    logits: ImageLogits
    gm_features: npt.NDArray[np.float32]
    em_features: npt.NDArray[np.float32]


def score_network(network: FibrosisNetwork, gray: Picture, elastogram: Picture) -> ImageLogits:
    """Log-odds (n, method, threshold) of prepared crops by the network in float32."""
    network.eval()
    with torch.inference_mode():
        inputs = [normalise(torch.from_numpy(np.array(crops))) for crops in (gray, elastogram)]
        answers = torch.stack(network(*inputs), dim=1)
    return np.asarray(answers.double().numpy(), dtype=np.float64)


def score_network_cohort(network: FibrosisNetwork, cohort: Cohort) -> ImageLogits:
    """Log-odds of a whole cohort by the network in float32."""
    pairs = zip(cohort.gray, cohort.elastogram, strict=True)
    bar = tqdm(pairs, desc="network", unit="patient", total=len(cohort.stage), mininterval=1.0)
    return np.stack([score_network(network, gray, elastogram) for gray, elastogram in bar])


def score_graph(graph: Path, gray: Picture, elastogram: Picture) -> ImageLogits:
    """Log-odds (n, method, threshold) of prepared crops by an ONNX graph in ONNX Runtime."""
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    rows = []
    for pair in zip(gray, elastogram, strict=True):
        inputs = {name: crop[np.newaxis] for name, crop in zip(INPUTS, pair, strict=True)}
        rows.append(np.concatenate(session.run(list(LOGITS), inputs)).astype(np.float64))
    return np.stack(rows)


def score_engine(engine: Engine, gray: Picture, elastogram: Picture) -> ImageLogits:
    """Log-odds (n, method, threshold) of prepared crops by the appliance's engine."""
    rows = []
    for one_gray, one_elastogram in zip(gray, elastogram, strict=True):
        scores = engine.score(Crops(elastogram=one_elastogram, gray=one_gray))
        rows.append([scores.gm, scores.em, scores.gm_em])
    return np.array(rows, dtype=np.float64)


def score_cohort(engine: Engine, cohort: Cohort, name: str) -> EngineScores:
    """A whole cohort by the appliance's engine."""
    shape = cohort.lsm_kpa.shape
    logits = np.empty((*shape, 3, 3))
    features = np.empty((2, *shape, 2048), dtype=np.float32)
    for patient in tqdm(range(shape[0]), desc=name, unit="patient", mininterval=1.0):
        for image in range(shape[1]):
            crops = Crops(cohort.elastogram[patient, image], cohort.gray[patient, image])
            scores = engine.score(crops)
            logits[patient, image] = scores.gm, scores.em, scores.gm_em
            if scores.features is not None:
                features[:, patient, image] = scores.features.gm, scores.features.em
    return EngineScores(logits, features[0], features[1])


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
            f"allowed {LARGEST_EXPORT_DIFFERENCE:g}; no bundle is written"
        )
    return difference


def compare(exact: PatientScores, found: PatientScores, points: dict[Threshold, OperatingPoint]) -> Agreement:
    """How far a graph is from the float32 graph over the same patients."""
    gaps = np.abs(sigmoid(exact.gm_em) - sigmoid(found.gm_em))
    published = list(zip(_published(exact.gm_em, points), _published(found.gm_em, points), strict=True))
    return Agreement(
        mean_probability_difference=float(gaps.mean()),
        largest_probability_difference=float(gaps.max()),
        largest_auc_difference=_largest_auc_difference(exact, found),
        flips=int((_stages(exact.gm_em, points) != _stages(found.gm_em, points)).sum()),
        interval_flips=sum(one != other for one, other in published),
        contradictions=sum(one[1] < other[0] or other[1] < one[0] for one, other in published),
        patients=len(exact.stage),
    )


def check_agreement(agreement: Agreement, precision: GraphPrecision) -> None:
    """Stop a graph that does not say what the float32 graph says.

    Raises:
        GateError: probabilities, AUCs or stages differ by more than `LIMITS` allows.
    """
    limits = LIMITS[precision]
    figures = (
        ("mean probability", agreement.mean_probability_difference, limits.mean_probability),
        ("AUC", agreement.largest_auc_difference, limits.auc),
        ("share of patients of another stage", agreement.flips / agreement.patients, limits.flip_share),
    )
    for name, found, limit in figures:
        if not found <= limit:
            raise GateError(
                f"{precision}: the {name} changes by {found:.3g}, allowed {limit:g}; no bundle is written"
            )


def _largest_auc_difference(exact: PatientScores, found: PatientScores) -> float:
    pairs = ((exact.gm, found.gm), (exact.em, found.em), (exact.gm_em, found.gm_em))
    differences = []
    for one, other in pairs:
        first, second = auc_by_threshold(exact.stage, one), auc_by_threshold(exact.stage, other)
        differences += [abs(first[key] - second[key]) for key in THRESHOLDS]
    return max(differences)


def _stages(logits: Vector, points: dict[Threshold, OperatingPoint]) -> npt.NDArray[np.int64]:
    """How many cut-offs each patient passes; a probability on a cut-off passes it."""
    cutoffs = np.array([points[key].cutoff for key in THRESHOLDS])
    return np.asarray((sigmoid(logits) >= cutoffs).sum(axis=1), dtype=np.int64)


def _published(logits: Vector, points: dict[Threshold, OperatingPoint]) -> list[tuple[int, int]]:
    """The lowest and the highest stage that the appliance would publish for each patient."""
    return [stage_interval_of(Probabilities(*chances), points) for chances in sigmoid(logits).tolist()]
