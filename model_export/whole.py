"""The twin without transfer learning, every layer trained from the pictures: for machines with a GPU.

No layer is frozen, so no map can be kept, and each modality has an Inception-V3 of its own. There is neither
a fusion nor a bundle of it: it is the paper's non-TL GM and EM.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torchvision.models import Inception3
from tqdm import tqdm

from firmware_app.journey import Picture
from model_export import ranks
from model_export.calibrate import fit_calibration
from model_export.checkpoint import write_curves
from model_export.cohort import Cohort, Split, load_cohort
from model_export.epochs import Lesson, learn
from model_export.features import augment
from model_export.machine import this_machine
from model_export.network import STEM_LAYERS, TOP_FEATURES, TOP_LAYERS, Head, normalise
from model_export.task import Indices, Task
from model_export.train import MODALITIES, Logits
from model_export.weights import random_trunk

VIEWS = 10_000
"""Augmented views of a picture that there can be; view 0 is the picture itself."""


@dataclass(frozen=True, slots=True)
class WholeRun:
    """Two trained and calibrated networks, GM and EM, and the cohort they learnt from.

    Attributes:
        work: the folder that holds everything else.
        cohort: name of the cohort's folder in it.
        network: name of the folder of the trained parameters in it.
    """

    work: Path
    cohort: str
    network: str

    def patients(self, split: Split) -> Cohort:
        """The patients of a split."""
        return load_cohort(self.work / self.cohort, split)

    def load_networks(self) -> tuple[WholeNetwork, WholeNetwork]:
        """GM and EM as they were trained and calibrated."""
        gm, em = (WholeNetwork(random_trunk(0)) for _ in MODALITIES)
        for name, network in zip(MODALITIES, (gm, em), strict=True):
            load_model(network, str(self.work / self.network / _file(name)))
        return gm, em


class WholeNetwork(nn.Module):
    """Inception-V3 of one modality under an ordinal head; batch norm learns, as everything else does."""

    def __init__(self, trunk: Inception3) -> None:
        """Take the layers of a trunk."""
        super().__init__()
        self.trunk = nn.Sequential(*(getattr(trunk, name) for name in (*STEM_LAYERS, *TOP_LAYERS)))
        self.head = Head([], TOP_FEATURES)

    def forward(self, pictures: Tensor) -> Tensor:
        """Log-odds (n, 3) of pictures (n, 3, 299, 299) within -1..1."""
        with this_machine().autocast():
            pooled = self.trunk(pictures).mean(dim=(2, 3))
        logits: Tensor = self.head(pooled.float())
        return logits


def train_whole(cohort: Cohort, task: Task, folder: Path) -> None:
    """Train and calibrate GM and EM from random weights; killed, it goes on after the last finished epoch.

    Args:
        cohort: the training split.
        task: stages, division and options; the head's learning rate is that of all layers.
        folder: gets the parameters and `curves.json`.
    """
    for name, pictures in zip(MODALITIES, (cohort.gray, cohort.elastogram), strict=True):
        torch.manual_seed(task.options.seed)
        network = WholeNetwork(random_trunk(task.options.seed)).to(this_machine().device)
        learn(whole_lesson(network, pictures, task, f"{name} whole"), task, _checkpoint(folder, name))
        if ranks.is_first():
            chosen = task.division.validation
            fitted = fit_calibration(
                logits_of_pictures(network, pictures[chosen]).mean(axis=1), task.stage[chosen]
            )
            network.head.output.recalibrate(fitted.factor, fitted.offsets)
            save_model(network, str(folder / _file(name)))
        ranks.wait()
    if ranks.is_first():
        write_curves(folder, {name: {"whole": _checkpoint(folder, name)} for name in MODALITIES})


def whole_lesson(network: WholeNetwork, pictures: Picture, task: Task, name: str) -> Lesson:
    """All layers of one modality.

    Args:
        network: on the machine's device.
        pictures: prepared crops, (patients, acquisitions, 299, 299, 3), uint8 RGB.
        task: stages, division and options.
        name: for the progress bar.
    """
    options = task.options

    def inputs(patient: Indices, acquisition: Indices, view: Indices) -> Tensor:
        stack = [
            _view(pictures[p, a], [options.seed, p, a, v]) if v else pictures[p, a]
            for p, a, v in zip(patient, acquisition, view, strict=True)
        ]
        return normalise(torch.from_numpy(np.stack(stack)).to(this_machine().device))

    return Lesson(
        name=name,
        model=network,
        groups=[{"params": list(network.parameters()), "lr": options.head_rate}],
        epochs=options.epochs,
        batch=options.batch,
        acquisitions=pictures.shape[1],
        views=VIEWS,
        inputs=inputs,
    )


def _view(picture: Picture, seed: list[int]) -> Picture:
    return augment(picture, np.random.default_rng(seed))


def logits_of_pictures(network: WholeNetwork, pictures: Picture) -> Logits:
    """Image log-odds (patients, acquisitions, threshold) of prepared crops."""
    network.eval()
    rows = []
    with torch.inference_mode():
        for patient in tqdm(pictures, desc="pictures", leave=False, mininterval=1.0):
            batch = normalise(torch.from_numpy(np.array(patient)).to(this_machine().device))
            rows.append(network(batch).double().cpu().numpy())
    return np.stack(rows)


def _file(name: str) -> str:
    return f"{name}_whole.safetensors"


def _checkpoint(folder: Path, name: str) -> Path:
    return folder / f"{name}_whole.checkpoint"
