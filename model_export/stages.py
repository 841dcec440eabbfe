"""From a seed and initial weights to a trained network; what the work folder already holds is not done again.

Every stage has a folder whose name changes with whatever goes into it: seeds, options, weights, and the
source of the code that makes it.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors.torch import load_model, save_model

import calibration
import firmware_app
import model_export
from firmware_app.inference.bundle import digest_of
from model_export import cohort, operate, work
from model_export.calibrate import fit_calibration
from model_export.cohort import load_cohort
from model_export.features import Features, Views, cache_features
from model_export.machine import this_machine
from model_export.network import FibrosisNetwork
from model_export.train import Task, TrainingOptions, divide, network_logits, train
from model_export.trained import PARAMETERS, TrainedRun, save_run
from model_export.virtual_cohort import draw_cohort
from model_export.weights import InputRange, load_trunk, random_trunk

SEEN_BY_THE_COHORT = ("crop.py", "stiffness.py", "screen", "inference/prepare.py")
"""Parts of the appliance that decide how a cohort's pictures look."""
DRAWS_THE_COHORT = ("cohort", "eyes", "virtual_patients", "virtual_cohort")
"""Modules of this package that do, too."""


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


def make_trained(request: Request) -> TrainedRun:
    """Draw, train and calibrate.

    Raises:
        WrongInputError: the weights or the folders cannot be used.
        CohortError: no cohort can be drawn.
    """
    if request.weights is None:
        trunk = random_trunk(request.options.seed)
    else:
        trunk = load_trunk(request.weights, request.input_range)
    network = FibrosisNetwork(trunk)
    seen = _cohort(request)
    folder = _train(request, network, seen)
    run = TrainedRun(
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
    )
    save_run(run)
    return run


def _cohort(request: Request) -> Path:
    """The folder of the cohort, which is drawn if none was given."""
    if request.cohort is not None:
        return request.work / request.cohort
    seen_by = [Path(firmware_app.__file__).parent / part for part in SEEN_BY_THE_COHORT]
    source = work.source_key(Path(calibration.__file__).parent, *seen_by, *_modules(*DRAWS_THE_COHORT))
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
        features.folder.name,
        str(asdict(options)),
        this_machine().precision,
        work.source_key(*_modules("train", "calibrate")),
    )
    folder = work.stage_folder(request.work, "network", key)
    parameters = folder / PARAMETERS
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
        fitted = fit_calibration(means[:, method], task.stage[chosen])
        output.recalibrate(fitted.factor, fitted.offsets)
    calibrated = network_logits(network, features, chosen)
    # The biases are the same for every image, so one threshold tells the spread of all three.
    return {"image_sd": operate.image_sd_within_patients(calibrated[:, :, 2, 0])}


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
