"""From a seed and initial weights to a trained network; what the work folder already holds is not done again.

Every stage has a folder whose name changes with whatever goes into it: seeds, options, weights, and the
source of the code that makes it.
"""

from __future__ import annotations

import copy
import importlib.metadata
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_model
from torchvision.models import Inception3

import calibration
import model_export
from firmware_app.inference.bundle import THRESHOLDS, digest_of
from model_export import cohort, eyes, operate, ranks, work
from model_export.calibrate import fit_binary_calibration, fit_calibration
from model_export.cohort import load_cohort
from model_export.errors import WrongInputError
from model_export.features import Features, Views, cache_features
from model_export.machine import this_machine
from model_export.network import FibrosisNetwork, normalise
from model_export.patient_scores import positives
from model_export.task import Task, Trainable, TrainingOptions, divide
from model_export.train import network_logits, train
from model_export.trained import PARAMETERS, TrainedRun, save_run
from model_export.virtual_cohort import draw_cohort
from model_export.weights import InputRange, load_trunk, random_trunk, settle
from model_export.whole import WholeRun, train_whole

DRAWS_THE_COHORT = ("cohort", "virtual_patients", "virtual_cohort")
"""Modules of this package that decide how a virtual cohort looks."""
SETTLING_PATIENTS = 16
"""Training patients, one of whose pictures of each modality tells a random stem its batch-norm statistics."""
SETTLING_BATCH = 8
"""Of those pictures."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to train.

    Attributes:
        weights: initial weights; None: random ones (for tests, and for the non-transfer-learning twin).
        input_range: what the weights were trained with.
        licence: one sentence on the origin and the licence of the weights, for the model card.
        work: keeps the stages.
        name: a bundle's id begins with it.
        patients_train: virtual patients for training and validation.
        patients_test: virtual patients for the test.
        views: views of each picture, the plain one included.
        options: how to train.
        processes: how many draw patients at once.
        cohort: folder in `work` that holds a prepared cohort; None draws a virtual one of these sizes.
        trainable: what a twin learns; `top`: all above its frozen random stem; `all`: every
            layer of GM and EM, from the pictures, for machines with a GPU.
    """

    weights: Path | None
    input_range: InputRange
    licence: str
    work: Path
    name: str
    patients_train: int
    patients_test: int
    views: int
    options: TrainingOptions
    processes: int = 2
    cohort: str | None = None
    trainable: Trainable = "top"


def make_trained(request: Request) -> TrainedRun:
    """Draw, train and calibrate; recorded as the last training of the work folder.

    Raises:
        WrongInputError: the weights or the folders cannot be used.
        CohortError: no cohort can be drawn.
    """
    run = _make_run(request)
    if ranks.is_first():
        save_run(run)
    return run


def make_twin(request: Request) -> TrainedRun | WholeRun:
    """The non-transfer-learning twin: the same cohort, division and options, from random weights.

    Args:
        request: of the training by transfer learning.

    Raises:
        WrongInputError: all layers are to be trained, and three binary networks are wanted.
        CohortError: no cohort can be drawn.
    """
    if request.trainable == "all" and request.options.heads == "three":
        raise WrongInputError("--trainable all has the shared head only; use --heads shared")
    request = replace(request, weights=None)
    return _make_run(request) if request.trainable == "top" else _make_whole(request)


def _make_run(request: Request) -> TrainedRun:
    seen = _cohort(request)
    trunk = _trunk(request, seen)
    torch.manual_seed(request.options.seed)  # of the untrained heads
    network = FibrosisNetwork(trunk)
    features = _features(request, network, seen)
    folder = _train(request, network, features, seen)
    return TrainedRun(
        work=request.work,
        cohort=seen.name,
        network=folder.name,
        name=request.name,
        weights="random weights" if request.weights is None else _named(request.weights),
        licence=request.licence,
        seed=request.options.seed,
        validation_share=request.options.validation_share,
        image_sd=float(work.summary_of(folder)["image_sd"]),
        training=_provenance(request, seen),
        features=features.folder.name,
        heads=request.options.heads,
    )


def _make_whole(request: Request) -> WholeRun:
    seen, options = _cohort(request), request.options
    source = work.source_key(*_modules("whole", "epochs", "task", "calibrate", "network", "weights"))
    key = work.key_of(seen.name, str(asdict(options)), this_machine().precision, source)
    folder = work.stage_folder(request.work, "whole", key)
    if not work.is_done(folder):
        patients = load_cohort(seen, "train")
        task = Task(patients.stage, divide(patients.stage, options.validation_share, options.seed), options)
        train_whole(patients, task, folder)
        if ranks.is_first():
            work.mark_done(folder, {})
    ranks.wait()
    return WholeRun(work=request.work, cohort=seen.name, network=folder.name)


def _trunk(request: Request, seen: Path) -> Inception3:
    """The initial weights; random ones take the batch-norm statistics of a few training pictures."""
    if request.weights is not None:
        return load_trunk(request.weights, request.input_range)
    trunk, patients = random_trunk(request.options.seed), load_cohort(seen, "train")
    count = min(patients.stage.size, SETTLING_PATIENTS)
    chosen = np.linspace(0, patients.stage.size - 1, count).astype(int)
    pictures = np.concatenate([patients.gray[chosen, 0], patients.elastogram[chosen, 0]])
    order = np.random.default_rng(request.options.seed).permutation(len(pictures))
    settle(trunk, torch.split(normalise(torch.from_numpy(pictures[order])), SETTLING_BATCH))
    return trunk


def _cohort(request: Request) -> Path:
    """The folder of the cohort, which is drawn if none was given."""
    if request.cohort is not None:
        return request.work / request.cohort
    scanner = Path(calibration.__file__).parent
    source = work.source_key(scanner, *eyes.sources(), *_modules(*DRAWS_THE_COHORT))
    sizes = (request.patients_train, request.patients_test)
    folder = work.stage_folder(request.work, "cohort", work.key_of(sizes, request.options.seed, source))
    if ranks.is_first() and not work.is_done(folder):
        counts = dict(zip(cohort.SPLITS, sizes, strict=True))
        work.mark_done(folder, draw_cohort(counts, request.options.seed, folder, request.processes))
    ranks.wait()
    return folder


def _features(request: Request, network: FibrosisNetwork, seen: Path) -> Features:
    """The maps of the training cohort."""
    weights = "random" if request.weights is None else digest_of(request.weights)
    source = work.source_key(*_modules("network", "weights", "features"))
    options = (
        weights,
        request.input_range.value,
        request.views,
        request.options.seed,
        this_machine().precision,
    )
    features = Features(
        work.stage_folder(request.work, "features", work.key_of(seen.name, source, *options)), "train"
    )
    if ranks.is_first() and not work.is_done(features.folder):
        views = Views(request.views, request.options.seed)
        cache_features(network, seen, features, views, request.processes)
        work.mark_done(features.folder, {"views": request.views})
    ranks.wait()
    return features


def _train(request: Request, network: FibrosisNetwork, features: Features, seen: Path) -> Path:
    """Train the network, or each of the three binary ones; returns the stage's folder."""
    options = request.options
    key = work.key_of(
        features.folder.name,
        str(asdict(options)),
        this_machine().precision,
        work.source_key(*_modules("train", "epochs", "task", "calibrate")),
    )
    folder = work.stage_folder(request.work, "network", key)
    if not work.is_done(folder):
        stage = load_cohort(seen, "train").stage
        task = Task(stage, divide(stage, options.validation_share, options.seed), options)
        parts = [(folder, task)]
        if options.heads == "three":
            parts = [(folder / name, replace(task, threshold=k)) for k, name in enumerate(THRESHOLDS)]
        spread = max(
            _train_part(copy.deepcopy(network), features, *part, request.processes) for part in parts
        )
        if ranks.is_first():
            work.mark_done(folder, {"image_sd": spread})
    ranks.wait()
    return folder


def _train_part(
    network: FibrosisNetwork, features: Features, folder: Path, task: Task, processes: int
) -> float:
    """Train and calibrate one network; returns the spread of a patient's image log-odds (GM+EM)."""
    folder.mkdir(exist_ok=True)
    train(network, features, task, folder, min(processes, 2))
    image_sd = _calibrate(network, features, task)
    if ranks.is_first():
        save_model(network, str(folder / PARAMETERS))
    return image_sd


def _modules(*names: str) -> list[Path]:
    """Source files of this package."""
    return [Path(model_export.__file__).parent / f"{name}.py" for name in names]


def _calibrate(network: FibrosisNetwork, features: Features, task: Task) -> float:
    """Fold the calibration into the three heads; returns the spread of a patient's image log-odds (GM+EM)."""
    chosen = task.division.validation
    means = network_logits(network, features, chosen).mean(axis=1)
    outputs = (network.gm_head.output, network.em_head.output, network.fusion_head.output)
    for method, output in enumerate(outputs):
        if task.threshold is None:
            fitted = fit_calibration(means[:, method], task.stage[chosen])
        else:
            positive = positives(task.stage[chosen])[:, task.threshold]
            fitted = fit_binary_calibration(means[:, method, task.threshold], positive)
        output.recalibrate(fitted.factor, fitted.offsets)
    calibrated = network_logits(network, features, chosen)
    # The biases are the same for every image, so one threshold tells the spread of all three.
    return operate.image_sd_within_patients(calibrated[:, :, 2, task.threshold or 0])


def _provenance(request: Request, seen: Path) -> dict[str, str | int | float]:
    """What went into the training: options, digests and versions."""
    weights = "random" if request.weights is None else digest_of(request.weights)
    names = ("torch", "torchvision", "onnx", "onnxslim", "onnxruntime", "openvino", "fibrostage")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {
        "initial_weights": "random" if request.weights is None else request.weights.name,
        "initial_weights_sha256": weights,
        "weights_range": request.input_range.value,
        "cohort": seen.name,
        **{f"patients_{split}": int(load_cohort(seen, split).stage.size) for split in cohort.SPLITS},
        "views": request.views,
        "device": this_machine().device.type,
        "precision": this_machine().precision,
        **asdict(request.options),
        **{f"version_{name}": version for name, version in versions.items()},
    }


def _named(weights: Path) -> str:
    return f"`{weights.name}` (SHA-256 {digest_of(weights)[:16]}...)"
