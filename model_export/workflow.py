"""From a seed and initial weights to a bundle; what the work folder already holds is not done again.

Every stage has a folder whose name changes with whatever goes into it: seeds, options, weights, and the
source of the code that makes it.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import JsonValue
from safetensors.torch import load_model, save_model

import calibration
import firmware_app
import model_export
from firmware_app.inference import Bundle
from firmware_app.inference.bundle import LsmConfidence, Threshold, digest_of
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.journey import Picture
from model_export import agree, cohort, operate, work
from model_export.agree import ImageLogits
from model_export.bundle_writer import BundleContent, Golden, write_bundle
from model_export.calibrate import calibrate
from model_export.card import CardFacts, model_card
from model_export.cohort import ACQUISITIONS, Cohort, draw_cohort, load_cohort
from model_export.export import export_onnx
from model_export.features import Features, Views, cache_features
from model_export.network import FibrosisNetwork
from model_export.patient_scores import PatientScores, auc_by_threshold
from model_export.quantise import quantise
from model_export.train import Task, TrainingOptions, divide, network_logits, train
from model_export.weights import InputRange, load_trunk, random_trunk

RANGE_PICTURES = 128
"""Training acquisitions that set the INT8 ranges."""
SEEN_BY_THE_COHORT = ("crop.py", "stiffness.py", "screen", "inference/prepare.py")
"""Parts of the appliance that decide how a cohort's pictures look."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to make.

    Attributes:
        weights: initial weights; None: random ones (for tests, and for the non-transfer-learning twin).
        input_range: what the weights were trained with.
        licence: one sentence on the origin and the licence of the weights, for the model card.
        out: becomes the bundle.
        work: keeps the stages.
        name: the bundle's id begins with it.
        patients_train: virtual patients for training and validation.
        patients_test: virtual patients for the test.
        views: views of each picture, the plain one included.
        options: how to train.
        processes: how many draw patients at once.
    """

    weights: Path | None
    input_range: InputRange
    licence: str
    out: Path
    work: Path
    name: str
    patients_train: int
    patients_test: int
    views: int
    options: TrainingOptions
    processes: int = 2


@dataclass(frozen=True, slots=True)
class Scored:
    """Image log-odds by the float32 and the INT8 graph in OpenVINO."""

    train_int8: ImageLogits
    test_exact: ImageLogits
    test_int8: ImageLogits


def make_bundle(request: Request, created: datetime) -> Bundle:
    """Draw, train, calibrate, export, quantise, compare and write.

    Args:
        request: what to make.
        created: time of creation, with its zone.

    Raises:
        WrongInputError: the weights or the folders cannot be used.
        ExportError: no cohort can be drawn, or the graphs do not agree; no bundle is written then.
    """
    if request.weights is None:
        trunk = random_trunk(request.options.seed)
    else:
        trunk = load_trunk(request.weights, request.input_range)
    network = FibrosisNetwork(trunk)
    seen = _cohort(request)
    trained = _train(request, network, seen)
    graphs = _graphs(request, network, seen, trained)
    scored = _score(graphs, seen)
    return _write(request, created, seen, graphs, scored)


@dataclass(frozen=True, slots=True)
class Graphs:
    """The exported graphs, the golden crops and the network's answers to them."""

    folder: Path
    exact: Path
    int8: Path
    golden_logits: ImageLogits
    export_difference: float
    image_sd: float
    patients_validation: int


def _cohort(request: Request) -> Path:
    """The folder of the drawn cohort."""
    seen_by = [Path(firmware_app.__file__).parent / part for part in SEEN_BY_THE_COHORT]
    source = work.source_key(Path(calibration.__file__).parent, *seen_by, Path(cohort.__file__))
    sizes = (request.patients_train, request.patients_test)
    folder = work.stage_folder(request.work, "cohort", work.key_of(sizes, request.options.seed, source))
    if not work.is_done(folder):
        counts = dict(zip(cohort.SPLITS, sizes, strict=True))
        work.mark_done(folder, draw_cohort(counts, request.options.seed, folder, request.processes))
    return folder


def _features(request: Request, network: FibrosisNetwork, seen: Path) -> Features:
    """The maps of the training cohort."""
    weights = "random" if request.weights is None else digest_of(request.weights)
    source = work.source_key(*_modules("network", "weights", "features"))
    options = (weights, request.input_range.value, request.views, request.options.seed)
    features = Features(
        work.stage_folder(request.work, "features", work.key_of(seen.name, source, *options)), "train"
    )
    if not work.is_done(features.folder):
        views = Views(request.views, request.options.seed)
        cache_features(network, seen, features, views, request.processes)
        work.mark_done(features.folder, {"views": request.views})
    return features


def _train(request: Request, network: FibrosisNetwork, seen: Path) -> Path:
    """Train the network, or put back what was trained; returns the stage's folder."""
    features = _features(request, network, seen)
    options = request.options
    key = work.key_of(
        features.folder.name, str(asdict(options)), work.source_key(*_modules("train", "calibrate"))
    )
    folder = work.stage_folder(request.work, "network", key)
    parameters = folder / "network.safetensors"
    if not work.is_done(folder):
        stage = load_cohort(seen, "train").stage
        task = Task(stage, divide(stage, options.validation_share, options.seed), options)
        train(network, features, task, folder, min(request.processes, 2))
        summary = _calibrate(network, features, task)
        save_model(network, str(parameters))
        work.mark_done(folder, summary)
    load_model(network, str(parameters))
    return folder


def _modules(*names: str) -> list[Path]:
    """Source files of this package."""
    return [Path(model_export.__file__).parent / f"{name}.py" for name in names]


def _calibrate(network: FibrosisNetwork, features: Features, task: Task) -> dict[str, int | float | str]:
    """Fold the calibration into the three heads; returns what is worth keeping."""
    chosen = task.division.validation
    means = network_logits(network, features, chosen).mean(axis=1)
    outputs = (network.gm_head.output, network.em_head.output, network.fusion_head.output)
    for method, output in enumerate(outputs):
        calibrate(output, means[:, method], task.stage[chosen])
    calibrated = network_logits(network, features, chosen)
    # The biases are the same for every image, so one threshold tells the spread of all three.
    image_sd = operate.image_sd_within_patients(calibrated[:, :, 2, 0])
    return {"image_sd": image_sd, "patients_validation": int(chosen.size)}


def _graphs(request: Request, network: FibrosisNetwork, seen: Path, trained: Path) -> Graphs:
    """Export and quantise; the float32 graph must say what the network says."""
    source = work.source_key(*_modules("export", "quantise"))
    folder = work.stage_folder(request.work, "graphs", work.key_of(trained.name, source))
    kept = work.summary_of(trained)
    golden = _golden_crops(load_cohort(seen, "test"))
    logits = agree.score_network(network, *golden)
    exact, int8 = folder / "float32.onnx", folder / "int8.onnx"
    if not work.is_done(folder):
        export_onnx(network, exact)
        gray, elastogram = _range_crops(load_cohort(seen, "train"))
        quantise(exact, int8, gray, elastogram, progress=True)
        work.mark_done(folder, {"pictures_for_ranges": len(gray)})
    return Graphs(
        folder=folder,
        exact=exact,
        int8=int8,
        golden_logits=logits,
        export_difference=agree.check_export(logits, agree.score_graph(exact, *golden)),
        image_sd=float(kept["image_sd"]),
        patients_validation=int(kept["patients_validation"]),
    )


def _golden_crops(test: Cohort) -> tuple[Picture, Picture]:
    """The first acquisition of the first test patient of every stage."""
    _, first = np.unique(test.stage, return_index=True)
    return np.ascontiguousarray(test.gray[first, 0]), np.ascontiguousarray(test.elastogram[first, 0])


def _range_crops(drawn: Cohort) -> tuple[Picture, Picture]:
    """Training acquisitions spread evenly over the cohort, which is sorted by stage."""
    patients = np.unique(np.linspace(0, len(drawn.stage) - 1, RANGE_PICTURES).round().astype(int))
    acquisition = np.arange(patients.size) % ACQUISITIONS
    return drawn.gray[patients, acquisition], drawn.elastogram[patients, acquisition]


def _score(graphs: Graphs, seen: Path) -> Scored:
    """Score both cohorts with the graphs, once."""
    train_cohort, test_cohort = load_cohort(seen, "train"), load_cohort(seen, "test")
    return Scored(
        train_int8=_scores_of(graphs.int8, "int8", train_cohort, "train"),
        test_exact=_scores_of(graphs.exact, "fp32", test_cohort, "test"),
        test_int8=_scores_of(graphs.int8, "int8", test_cohort, "test"),
    )


def _scores_of(graph: Path, precision: str, patients: Cohort, split: str) -> ImageLogits:
    path = graph.with_name(f"{split}_{precision}.npy")
    if not path.is_file():
        engine = OpenVinoEngine(graph, precision)
        np.save(path, agree.score_cohort(engine, patients, f"{precision} scores {split}"))
        engine.close()
    kept: ImageLogits = np.load(path, allow_pickle=False)
    return kept


def _write(request: Request, created: datetime, seen: Path, graphs: Graphs, scored: Scored) -> Bundle:
    """Cut-offs from training patients, the gate and the AUCs on test patients, then the bundle."""
    test_cohort = load_cohort(seen, "test")
    trained = agree.patient_scores(load_cohort(seen, "train"), scored.train_int8)
    exact = agree.patient_scores(test_cohort, scored.test_exact)
    tested = agree.patient_scores(test_cohort, scored.test_int8)
    points = operate.operating_points(trained, graphs.image_sd, ACQUISITIONS)
    cutoffs = operate.lsm_cutoffs(trained)
    gm_lsm = operate.fit_gm_lsm(trained, cutoffs)
    facts = CardFacts(
        weights="random weights" if request.weights is None else _named(request.weights),
        licence=request.licence,
        patients=(request.patients_train, graphs.patients_validation, request.patients_test),
        refused={name: int(count) for name, count in work.summary_of(seen).items()},
        auc=aucs(tested, gm_lsm),
        agreement=agree.check_int8(exact, tested, points),
        operating_points=points,
        lsm_cutoffs=cutoffs,
    )
    content = BundleContent(
        name=request.name,
        graph=graphs.int8,
        precision="int8",
        operating_points=points,
        gm_lsm=gm_lsm,
        lsm_cutoffs=cutoffs,
        training=_provenance(request, seen),
        golden=_golden(graphs, test_cohort),
        metrics=_metrics(facts, graphs, aucs(exact, gm_lsm)),
        card=model_card(facts),
    )
    return write_bundle(request.out, content, created)


def aucs(scores: PatientScores, gm_lsm: dict[Threshold, LsmConfidence]) -> dict[str, dict[Threshold, float]]:
    """AUC of every method at every threshold, patient level."""
    by_method = {
        "GM": scores.gm,
        "EM": scores.em,
        "GM+EM": scores.gm_em,
        "LSM": scores.lsm_kpa,
        "GM+LSM": operate.gm_lsm_logits(scores, gm_lsm),
    }
    return {method: auc_by_threshold(scores.stage, values) for method, values in by_method.items()}


def _golden(graphs: Graphs, test_cohort: Cohort) -> Golden:
    gray, elastogram = _golden_crops(test_cohort)
    engine = OpenVinoEngine(graphs.int8, "int8")
    answers = agree.score_engine(engine, gray, elastogram)
    engine.close()
    return Golden(
        gray=gray,
        elastogram=elastogram,
        logits_torch=graphs.golden_logits.astype(np.float32),
        logits_engine=answers.astype(np.float32),
    )


def _metrics(
    facts: CardFacts, graphs: Graphs, auc_float32: dict[str, dict[Threshold, float]]
) -> dict[str, JsonValue]:
    return {
        "cohort": "virtual",
        "patients": {"train": facts.patients[0], "validation": facts.patients[1], "test": facts.patients[2]},
        "refused_while_drawing": {**facts.refused},
        "auc_test_patients": _plain(facts.auc),
        "auc_test_patients_float32": _plain(auc_float32),
        "agreement_int8_float32": {**asdict(facts.agreement)},
        "largest_export_difference_log_odds": graphs.export_difference,
        "image_sd_log_odds": graphs.image_sd,
    }


def _plain(auc: dict[str, dict[Threshold, float]]) -> dict[str, JsonValue]:
    return {method: {str(key): value for key, value in by_key.items()} for method, by_key in auc.items()}


def _provenance(request: Request, seen: Path) -> dict[str, str | int | float]:
    """What went into the bundle: options, digests and versions."""
    weights = "random" if request.weights is None else digest_of(request.weights)
    versions = {
        name: importlib.metadata.version(name)
        for name in ("torch", "torchvision", "onnxruntime", "fibrostage")
    }
    return {
        "initial_weights": "random" if request.weights is None else request.weights.name,
        "initial_weights_sha256": weights,
        "weights_range": request.input_range.value,
        "cohort": seen.name,
        "patients_train": request.patients_train,
        "patients_test": request.patients_test,
        "views": request.views,
        **asdict(request.options),
        **{f"version_{name}": version for name, version in versions.items()},
    }


def _named(weights: Path) -> str:
    return f"`{weights.name}` (SHA-256 {digest_of(weights)[:16]}...)"
