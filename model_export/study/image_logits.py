"""What the trained networks say of every picture of a split, computed once and kept in the work folder."""

from __future__ import annotations

import numpy as np

from calibration.whole_file import durable_file
from model_export import work
from model_export.cohort import Split
from model_export.features import Features, Views, cache_features
from model_export.machine import this_machine
from model_export.train import MODALITIES, Logits, network_logits
from model_export.trained import TrainedRun
from model_export.whole import WholeRun, logits_of_pictures


def methods_of(run: TrainedRun | WholeRun) -> tuple[str, ...]:
    """Names along the third axis of `image_logits`."""
    return (*MODALITIES, "GM+EM") if isinstance(run, TrainedRun) else MODALITIES


def image_logits(run: TrainedRun | WholeRun, split: Split, processes: int) -> Logits:
    """Calibrated log-odds of every picture.

    A patient's log-odds are the mean over his pictures. With three binary networks they may rise from >=S2 to
    S4 and contradict one another; each threshold is judged by itself, and nothing sets them right.

    Args:
        run: by transfer learning or its twin.
        split: whose pictures.
        processes: how many compute the stem's maps at once.

    Returns:
        (patients, acquisitions, method, threshold); methods as `methods_of`, thresholds >=S2, >=S3, S4.
    """
    path = run.work / run.network / f"logits_{split}.npy"
    if not path.is_file():
        logits = _of_maps(run, split, processes) if isinstance(run, TrainedRun) else _of_pictures(run, split)
        with durable_file(path) as file:
            np.save(file, logits)
    return np.asarray(np.load(path), dtype=np.float64)


def _of_maps(run: TrainedRun, split: Split, processes: int) -> Logits:
    networks = (run.load_network(),) if run.heads == "shared" else run.load_binary_networks()
    features = _training_maps(run) if split == "train" else None
    if features is None:
        key = work.key_of(run.cohort, run.features or run.network, split)
        features = Features(work.stage_folder(run.work, "features", key), split)
        if not work.is_done(features.folder):
            views = Views(1, run.seed)
            cache_features(networks[0], run.work / run.cohort, features, views, processes)
            work.mark_done(features.folder, {"views": 1})
    everybody = np.arange(run.patients(split).stage.size)
    each = [network_logits(network, features, everybody) for network in networks]
    if len(each) == 1:
        return each[0]
    return np.stack([logits[..., k] for k, logits in enumerate(each)], axis=-1)


def _training_maps(run: TrainedRun) -> Features | None:
    """What the training has left, whose view 0 is the plain picture."""
    features = Features(run.work / run.features, "train")
    return features if run.features and work.is_done(features.folder) else None


def _of_pictures(run: WholeRun, split: Split) -> Logits:
    patients = run.patients(split)
    each = [
        logits_of_pictures(network.to(this_machine().device), pictures)
        for network, pictures in zip(run.load_networks(), (patients.gray, patients.elastogram), strict=True)
    ]
    return np.stack(each, axis=2)
