"""What the frozen stem makes of every picture, computed once: training then costs only the upper layers.

View 0 of a picture is the picture itself, as the appliance will show it. Further views are augmented: a
random part that keeps 87.5-100 % of each side, mirrored in half of the cases. Nothing else is changed,
because the colour is the stiffness and the depth has a meaning.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from tqdm import tqdm

from calibration.whole_file import whole_file
from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.inference.prepare import prepare
from firmware_app.journey import Picture
from model_export.cohort import Split, load_cohort
from model_export.machine import this_machine
from model_export.network import STEM_SHAPE, FibrosisNetwork, normalise
from model_export.weights import random_trunk
from model_export.workers import in_workers

KEPT_SHARE = (0.875, 1.0)
"""Share of each side that an augmented view keeps."""
Maps = npt.NDArray[np.float16]
"""The stem's output, channels last: (patients, acquisitions, views, 17, 17, 768)."""


@dataclass(frozen=True, slots=True)
class Views:
    """How many views of each picture, the plain one included, and the seed of the augmented ones."""

    count: int
    seed: int


@dataclass(frozen=True, slots=True)
class Features:
    """The stem's maps of both modalities, on disk; opened anew by every process that needs them."""

    folder: Path
    split: Split

    @property
    def files(self) -> tuple[Path, Path]:
        """The arrays of the gray-scale pictures' and of the elastograms' maps."""
        return self.folder / f"{self.split}_gm.npy", self.folder / f"{self.split}_em.npy"

    @property
    def stem_file(self) -> Path:
        """The stem that makes the maps."""
        return self.folder / "stem.safetensors"

    def maps(self) -> tuple[Maps, Maps]:
        """Maps of the gray-scale pictures and of the elastograms."""
        gm, em = (np.load(path, mmap_mode="r") for path in self.files)
        return gm, em


@dataclass(frozen=True, slots=True)
class _Job:
    """One patient whose maps are to be computed."""

    patient: int
    cohort: Path
    views: Views
    features: Features


def augment(picture: Picture, rng: np.random.Generator) -> Picture:
    """A random part of a prepared picture, perhaps mirrored left to right, prepared again."""
    width, height = (round(INPUT_SIDE * rng.uniform(*KEPT_SHARE)) for _ in range(2))
    left = int(rng.integers(0, INPUT_SIDE - width + 1))
    top = int(rng.integers(0, INPUT_SIDE - height + 1))
    part = picture[top : top + height, left : left + width]
    return prepare(part[:, ::-1] if rng.random() < 0.5 else part)


def views_of(picture: Picture, views: int, rng: np.random.Generator) -> Picture:
    """The picture itself and `views - 1` augmented ones, (views, 299, 299, 3)."""
    return np.stack([picture] + [augment(picture, rng) for _ in range(views - 1)])


def cache_features(
    network: FibrosisNetwork, cohort: Path, features: Features, views: Views, processes: int
) -> None:
    """Compute the maps of a split, or take up where an interrupted run stopped.

    Args:
        network: whose frozen stem is used.
        cohort: folder of the drawn cohort.
        features: which split, and where its maps go.
        views: how each picture is varied.
        processes: how many work at once.
    """
    patients, acquisitions = load_cohort(cohort, features.split).lsm_kpa.shape
    shape = (patients, acquisitions, views.count, *STEM_SHAPE[1:], STEM_SHAPE[0])
    for path in features.files:
        if not path.is_file():
            with whole_file(path) as unfinished:
                np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.float16, shape=shape).flush()
    save_model(network.stem, str(features.stem_file))
    jobs = [_Job(patient, cohort, views, features) for patient in range(patients)]
    missing = [job for job in jobs if not _marker(job).is_file()]
    done = in_workers(_compute, missing, processes)
    for _ in tqdm(done, desc=f"features {features.split}", initial=patients - len(missing), total=patients):
        pass


def _compute(job: _Job) -> None:
    stem, cohort = _stem(job.features.stem_file), load_cohort(job.cohort, job.features.split)
    rng = np.random.default_rng([job.views.seed, job.patient])
    gm, em = (np.load(path, mmap_mode="r+") for path in job.features.files)
    for acquisition in range(cohort.lsm_kpa.shape[1]):
        pictures = (cohort.gray[job.patient, acquisition], cohort.elastogram[job.patient, acquisition])
        stack = np.concatenate([views_of(picture, job.views.count, rng) for picture in pictures])
        maps = _run(stem, stack)
        gm[job.patient, acquisition] = maps[: job.views.count]
        em[job.patient, acquisition] = maps[job.views.count :]
    _marker(job).touch()


def _marker(job: _Job) -> Path:
    return job.features.folder / f"{job.features.split}_{job.patient:04d}.done"


@functools.cache
def _stem(path: Path) -> nn.Module:
    """The stem of a file, in the precision that is fastest here; once for each process."""
    stem, machine = FibrosisNetwork(random_trunk(0)).stem, this_machine()
    load_model(stem, str(path))
    return stem.eval().to(machine.device, machine.dtype).to(memory_format=torch.channels_last)


def to_batch(maps: Maps) -> Tensor:
    """Maps (n, 17, 17, 768) as a float32 batch (n, 768, 17, 17), channels last in memory."""
    return torch.from_numpy(maps.astype(np.float32)).permute(0, 3, 1, 2)


def _run(stem: nn.Module, pictures: Picture) -> Maps:
    with torch.inference_mode():
        machine = this_machine()
        batch = normalise(torch.from_numpy(pictures).to(machine.device)).to(machine.dtype)
        maps = stem(batch.contiguous(memory_format=torch.channels_last))
        return np.asarray(maps.permute(0, 2, 3, 1).half().contiguous().cpu().numpy(), dtype=np.float16)
