"""Training: for each modality a head on the untouched top, then both; then GM+EM over the two.

Killed at any moment and started again, it ends with the same weights: finished modalities are kept, and
within a modality every epoch is (`epochs.learn`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from tqdm import tqdm

from calibration.whole_file import durable_file
from model_export import ranks
from model_export.checkpoint import write_curves
from model_export.epochs import Lesson, learn
from model_export.features import Features, Maps, to_batch
from model_export.machine import this_machine
from model_export.network import FibrosisNetwork, Head, Top
from model_export.task import Indices, Task
from model_export.weights import random_trunk, settle
from model_export.workers import in_workers

MODALITIES = ("GM", "EM")
PATIENTS_PER_BATCH = 8
"""Patients over whose pictures batch-norm statistics are taken at once."""
Vectors = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float64]


def train(network: FibrosisNetwork, features: Features, task: Task, folder: Path, processes: int) -> None:
    """Train heads, tops and fusion in place; the stem, which made the features, is not touched.

    Args:
        network: to be trained.
        features: maps of every view of the training cohort.
        task: stages, division and options.
        folder: where each modality leaves what it has learnt; kept, it is not learnt again. Also gets
            `curves.json`: of each method the epochs of the head and of the top.
        processes: 1 trains one modality after the other, 2 both at once.
    """
    jobs = [_Job(name, features, task, folder) for name in MODALITIES]
    if ranks.is_first():
        save_model(network, str(folder / "start.safetensors"))
    missing = [job for job in jobs if not job.vectors_file.is_file()]
    ranks.wait()
    # Processes of our own would know nothing of torchrun's: under it one modality follows the other.
    for _ in in_workers(_train_modality, missing, 1 if ranks.ranks() > 1 else processes):
        pass
    for job, (top, head) in zip(jobs, _modalities(network), strict=True):
        load_model(top, str(job.top_file))
        load_model(head, str(job.head_file))
    vectors = np.concatenate([np.load(job.vectors_file) for job in jobs], axis=-1)
    network.fusion_head.standardise.fit(_rows(vectors, task))
    fusion = folder / "GM+EM_head.checkpoint"
    learn(head_lesson(network.fusion_head, vectors, task, "GM+EM head"), task, fusion)
    network.cpu().eval()
    if ranks.is_first():
        parts = {job.name: {part: job.checkpoint(part) for part in ("head", "top")} for job in jobs}
        write_curves(folder, {**parts, "GM+EM": {"head": fusion}})


@dataclass(frozen=True, slots=True)
class _Job:
    """One modality to be trained."""

    name: str
    features: Features
    task: Task
    folder: Path

    @property
    def top_file(self) -> Path:
        return self.folder / f"{self.name}_top.safetensors"

    @property
    def head_file(self) -> Path:
        return self.folder / f"{self.name}_head.safetensors"

    @property
    def vectors_file(self) -> Path:
        """Pooled features of all views by the trained top; written last."""
        return self.folder / f"{self.name}_vectors.npy"

    def checkpoint(self, part: str) -> Path:
        """Of the `head` or of the `top`."""
        return self.folder / f"{self.name}_{part}.checkpoint"


def _modalities(network: FibrosisNetwork) -> tuple[tuple[Top, Head], tuple[Top, Head]]:
    return (network.gm_top, network.gm_head), (network.em_top, network.em_head)


def _train_modality(job: _Job) -> None:
    network = FibrosisNetwork(random_trunk(0))
    load_model(network, str(job.folder / "start.safetensors"))
    which, device = MODALITIES.index(job.name), this_machine().device
    maps = job.features.maps()[which]
    top, head = _modalities(network.to(device))[which]
    if not job.checkpoint("top").is_file():
        adapt_statistics(top, maps, job.task)
        vectors = pool(top, maps[:, :, :1], f"{job.name} pooling")
        head.standardise.fit(_rows(vectors, job.task).to(device))
        learn(head_lesson(head, vectors, job.task, f"{job.name} head"), job.task, job.checkpoint("head"))
    learn(top_lesson(top, head, maps, job.task, f"{job.name} top"), job.task, job.checkpoint("top"))
    if ranks.is_first():
        save_model(top, str(job.top_file))
        save_model(head, str(job.head_file))
        with durable_file(job.vectors_file) as file:
            np.save(file, pool(top, maps, f"{job.name} pooling"))
    ranks.wait()


def head_lesson(head: nn.Module, vectors: Vectors, task: Task, name: str) -> Lesson:
    """A head alone.

    Args:
        head: pooled features to log-odds; goes to the machine's device.
        vectors: pooled features, (patients, acquisitions, views, f), view 0 plain.
        task: stages, division and options.
        name: for the progress bar.
    """
    device, options = this_machine().device, task.options
    rows = torch.from_numpy(vectors).to(device)
    return Lesson(
        name=name,
        model=head.to(device),
        groups=[{"params": list(head.parameters()), "lr": options.head_rate}],
        epochs=options.head_epochs,
        batch=4 * options.batch,
        acquisitions=vectors.shape[1],
        views=vectors.shape[2],
        inputs=lambda patient, acquisition, view: rows[patient, acquisition, view],
    )


def top_lesson(top: nn.Module, head: nn.Module, maps: Maps, task: Task, name: str) -> Lesson:
    """A top and its head together.

    Args:
        top: maps to pooled features; its batch-norm statistics stay as they are.
        head: pooled features to log-odds.
        maps: of the stem, (patients, acquisitions, views, 17, 17, 768), view 0 plain.
        task: stages, division and options.
        name: for the progress bar.
    """
    device, options = this_machine().device, task.options
    return Lesson(
        name=name,
        model=Classifier(top, head).to(device),
        groups=[
            {"params": list(top.parameters()), "lr": options.top_rate},
            {"params": list(head.parameters()), "lr": options.head_rate},
        ],
        epochs=options.epochs,
        batch=options.batch,
        acquisitions=maps.shape[1],
        views=maps.shape[2],
        inputs=lambda patient, acquisition, view: to_batch(maps[patient, acquisition, view]).to(device),
    )


class Classifier(nn.Module):
    """Maps to log-odds, in the machine's precision but for the head; the top never leaves evaluation mode."""

    def __init__(self, top: nn.Module, head: nn.Module) -> None:
        """Put a head on a top."""
        super().__init__()
        self.top = top
        self.head = head

    def train(self, mode: bool = True) -> Classifier:  # noqa: FBT001, FBT002 - torch's own signature
        """Training mode for the head, whose dropout needs it; batch-norm statistics stay frozen."""
        super().train(mode)
        self.top.eval()
        return self

    def forward(self, maps: Tensor) -> Tensor:
        """Log-odds (n, 3)."""
        with this_machine().autocast():
            pooled = self.top(maps)
        logits: Tensor = self.head(pooled.float())
        return logits


def network_logits(network: FibrosisNetwork, features: Features, patients: Indices) -> Logits:
    """Image log-odds (patients, acquisitions, method, threshold) of plain pictures; methods GM, EM, GM+EM."""
    network.to(this_machine().device).eval()
    tops = (network.gm_top, network.em_top)
    plain = [maps[patients, :, :1] for maps in features.maps()]
    gm, em = (
        torch.from_numpy(pool(top, maps, "pooling")[:, :, 0]).to(this_machine().device)
        for top, maps in zip(tops, plain, strict=True)
    )
    with torch.inference_mode():
        pair = network.fusion_head(torch.cat([gm, em], dim=-1).flatten(0, 1)).unflatten(0, gm.shape[:2])
        logits = torch.stack([network.gm_head(gm), network.em_head(em), pair], dim=2)
    network.cpu()
    return np.asarray(logits.double().cpu().numpy(), dtype=np.float64)


def pool(top: Top, maps: Maps, name: str) -> Vectors:
    """Features (patients, acquisitions, views, 2048) of a top over maps."""
    top.eval()
    rows, machine = [], this_machine()
    with torch.inference_mode(), machine.autocast():
        for patient in tqdm(maps, desc=name, leave=False, mininterval=1.0):
            batch = to_batch(patient.reshape(-1, *patient.shape[-3:])).to(machine.device)
            rows.append(top(batch).float().cpu().numpy().reshape(*patient.shape[:2], -1))
    return np.stack(rows)


def adapt_statistics(top: Top, maps: Maps, task: Task) -> None:
    """Set a top's batch-norm statistics once, to those of the training pictures; they stay frozen thereafter.

    The statistics of photographs squeeze what varies between livers into a few hundredths.
    """
    machine = this_machine()
    order = np.random.default_rng([task.options.seed, 4]).permutation(task.division.train)
    groups = np.array_split(order, max(order.size // PATIENTS_PER_BATCH, 1))
    plain = (maps[np.sort(patients), :, 0] for patients in groups)
    batches = (to_batch(one.reshape(-1, *one.shape[-3:])).to(machine.device) for one in plain)
    with machine.autocast():
        settle(top, batches)


def _rows(vectors: Vectors, task: Task) -> Tensor:
    """Pooled features of all views of the training patients, (n, f)."""
    return torch.from_numpy(vectors[task.division.train]).flatten(0, 2)
