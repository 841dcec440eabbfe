"""Training: for each modality a head on the untouched top, then both; then GM+EM over the two."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_model, save_model
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from model_export.features import Features, Maps, to_batch
from model_export.machine import this_machine
from model_export.network import FibrosisNetwork, Head, Top
from model_export.weights import random_trunk
from model_export.workers import in_workers

Indices = npt.NDArray[np.int64]
MODALITIES = ("GM", "EM")
PATIENTS_PER_BATCH = 8
"""Patients over whose pictures batch-norm statistics are taken at once."""
Vectors = npt.NDArray[np.float32]
Logits = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train.

    Attributes:
        seed: of the division, the order of the pictures, the views and the dropout.
        epochs: passes over the pictures while a top is fine-tuned; 0 leaves the tops as they were.
        batch: pictures per step of a top; a head takes four times as many.
        top_rate: learning rate of the tops (AdamW, falling along a cosine).
        head_rate: learning rate of the heads.
        weight_decay: of both.
        head_epochs: passes over the pooled features when only a head is trained.
        validation_share: share of the patients of each stage that only decide when to stop.
    """

    seed: int
    epochs: int = 3
    batch: int = 32
    top_rate: float = 5e-5
    head_rate: float = 1e-3
    weight_decay: float = 0.2
    head_epochs: int = 40
    validation_share: float = 0.15


@dataclass(frozen=True, slots=True)
class Division:
    """Which patients train and which decide when to stop; nobody does both."""

    train: Indices
    validation: Indices


@dataclass(frozen=True, slots=True)
class Task:
    """What every step of training needs to know.

    Attributes:
        stage: Scheuer stages 0-4 of all patients, (patients,).
        division: who trains.
        options: how.
    """

    stage: npt.NDArray[np.int64]
    division: Division
    options: TrainingOptions


def divide(stage: npt.NDArray[np.int64], share: float, seed: int) -> Division:
    """Set apart a share of the patients of every stage, at least one wherever a stage has two."""
    rng = np.random.default_rng([seed, 1])
    chosen: list[Indices] = []
    for value in np.unique(stage):
        members = rng.permutation(np.flatnonzero(stage == value))
        count = min(max(round(share * members.size), 1), members.size - 1)
        chosen.append(members[:count])
    validation = np.sort(np.concatenate(chosen))
    return Division(train=np.setdiff1d(np.arange(stage.size), validation), validation=validation)


def train(network: FibrosisNetwork, features: Features, task: Task, folder: Path, processes: int) -> None:
    """Train heads, tops and fusion in place; the stem, which made the features, is not touched.

    Args:
        network: to be trained.
        features: maps of every view of the training cohort.
        task: stages, division and options.
        folder: where each modality leaves what it has learnt; kept, it is not learnt again.
        processes: 1 trains one modality after the other, 2 both at once.
    """
    save_model(network, str(folder / "start.safetensors"))
    jobs = [_Job(name, features, task, folder) for name in MODALITIES]
    for _ in in_workers(_train_modality, [job for job in jobs if not job.vectors_file.is_file()], processes):
        pass
    for job, (top, head) in zip(jobs, _modalities(network), strict=True):
        load_model(top, str(job.top_file))
        load_model(head, str(job.head_file))
    vectors = np.concatenate([np.load(job.vectors_file) for job in jobs], axis=-1)
    torch.manual_seed(task.options.seed)
    network.fusion_head.standardise.fit(_rows(vectors, task))
    train_head(network.fusion_head, vectors, task, "GM+EM head")
    network.eval()


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


def _modalities(network: FibrosisNetwork) -> tuple[tuple[Top, Head], tuple[Top, Head]]:
    return (network.gm_top, network.gm_head), (network.em_top, network.em_head)


def _train_modality(job: _Job) -> None:
    network = FibrosisNetwork(random_trunk(0))
    load_model(network, str(job.folder / "start.safetensors"))
    which = MODALITIES.index(job.name)
    maps, (top, head) = job.features.maps()[which], _modalities(network)[which]
    torch.manual_seed(job.task.options.seed)
    adapt_statistics(top, maps, job.task)
    vectors = pool(top, maps[:, :, :1], f"{job.name} pooling")
    head.standardise.fit(_rows(vectors, job.task))
    train_head(head, vectors, job.task, f"{job.name} head")
    fine_tune(top, head, maps, job.task, job.name)
    save_model(top, str(job.top_file))
    save_model(head, str(job.head_file))
    vectors = pool(top, maps, f"{job.name} pooling")
    unfinished = job.vectors_file.with_suffix(".part.npy")
    np.save(unfinished, vectors)
    unfinished.replace(job.vectors_file)


def network_logits(network: FibrosisNetwork, features: Features, patients: Indices) -> Logits:
    """Image log-odds (patients, acquisitions, method, threshold) of plain pictures; methods GM, EM, GM+EM."""
    network.eval()
    tops = (network.gm_top, network.em_top)
    plain = [maps[patients, :, :1] for maps in features.maps()]
    gm, em = (
        torch.from_numpy(pool(top, maps, "pooling")[:, :, 0]) for top, maps in zip(tops, plain, strict=True)
    )
    with torch.inference_mode():
        pair = network.fusion_head(torch.cat([gm, em], dim=-1).flatten(0, 1)).unflatten(0, gm.shape[:2])
        logits = torch.stack([network.gm_head(gm), network.em_head(em), pair], dim=2)
    return np.asarray(logits.double().numpy(), dtype=np.float64)


def pool(top: Top, maps: Maps, name: str) -> Vectors:
    """Features (patients, acquisitions, views, 2048) of a top over maps."""
    top.eval()
    rows = []
    with torch.inference_mode(), this_machine().autocast():
        for patient in tqdm(maps, desc=name, leave=False, mininterval=1.0):
            pooled = top(to_batch(patient.reshape(-1, *patient.shape[-3:]))).float().numpy()
            rows.append(pooled.reshape(*patient.shape[:2], -1))
    return np.stack(rows)


def train_head(head: nn.Module, vectors: Vectors, task: Task, name: str) -> None:
    """Train a head alone; keeps the best epoch.

    Args:
        head: pooled features to log-odds.
        vectors: pooled features, (patients, acquisitions, views, f), view 0 plain.
        task: stages, division and options.
        name: for the progress bar.
    """
    options, rows = task.options, torch.from_numpy(vectors)
    acquisitions, views = vectors.shape[1:3]
    pictures = task.division.train.size * acquisitions
    optimiser = torch.optim.AdamW(head.parameters(), lr=options.head_rate, weight_decay=options.weight_decay)
    steps = options.head_epochs * -(-pictures // (4 * options.batch))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    rng = np.random.default_rng([options.seed, 2])
    best = BestState(head)
    for _ in tqdm(range(options.head_epochs), desc=name, leave=False, mininterval=1.0):
        head.train()
        for patient, acquisition in _batches(task, acquisitions, 4 * options.batch, rng):
            view = rng.integers(0, views, patient.size)
            loss = ordinal_loss(head(rows[patient, acquisition, view]), torch.from_numpy(task.stage[patient]))
            _step(loss, optimiser, schedule)
        best.offer(validation_loss(head, vectors, task))
    best.restore()


def adapt_statistics(top: Top, maps: Maps, task: Task) -> None:
    """Set a top's batch-norm statistics once, to those of the training pictures; they stay frozen thereafter.

    The statistics of photographs squeeze what varies between livers into a few hundredths.
    """
    norms = [module for module in top.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    top.train()
    with torch.no_grad(), this_machine().autocast():
        order = np.random.default_rng([task.options.seed, 4]).permutation(task.division.train)
        for patients in np.array_split(order, max(order.size // PATIENTS_PER_BATCH, 1)):
            plain = maps[np.sort(patients), :, 0]
            top(to_batch(plain.reshape(-1, *plain.shape[-3:])))
    top.eval()


def fine_tune(top: Top, head: nn.Module, maps: Maps, task: Task, name: str) -> None:
    """Train a top and its head together; keeps the best epoch, the starting point included.

    Args:
        top: batch-norm statistics stay as they are.
        head: pooled features to log-odds.
        maps: of the stem, (patients, acquisitions, views, 17, 17, 768), view 0 plain.
        task: stages, division and options.
        name: for the progress bar.
    """
    options = task.options
    acquisitions, views = maps.shape[1:3]
    steps = options.epochs * -(-task.division.train.size * acquisitions // options.batch)
    rates = [
        {"params": list(top.parameters()), "lr": options.top_rate},
        {"params": list(head.parameters()), "lr": options.head_rate},
    ]
    optimiser = torch.optim.AdamW(rates, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    rng = np.random.default_rng([options.seed, 3])
    best = BestState(top, head)
    best.offer(_validate(top, head, maps, task))
    with tqdm(total=steps, desc=f"{name} top", mininterval=1.0) as bar:
        for _ in range(options.epochs):
            top.eval()
            head.train()
            for patient, acquisition in _batches(task, acquisitions, options.batch, rng):
                view = rng.integers(0, views, patient.size)
                with this_machine().autocast():
                    pooled = top(to_batch(maps[patient, acquisition, view]))
                loss = ordinal_loss(head(pooled.float()), torch.from_numpy(task.stage[patient]))
                _step(loss, optimiser, schedule)
                bar.update()
            loss_now = _validate(top, head, maps, task)
            best.offer(loss_now)
            bar.set_postfix(validation=f"{loss_now:.3f}")
    best.restore()


def ordinal_loss(logits: Tensor, stage: Tensor) -> Tensor:
    """Mean binary cross-entropy over the three thresholds; log-odds (n, 3), stages (n,)."""
    truth = (stage[:, None] >= torch.tensor([2, 3, 4])).float()
    return functional.binary_cross_entropy_with_logits(logits, truth)


def validation_loss(head: nn.Module, vectors: Vectors, task: Task) -> float:
    """Loss of the validation patients, each scored by the mean log-odds of the plain pictures."""
    head.eval()
    chosen = task.division.validation
    plain = torch.from_numpy(vectors[chosen, :, 0])
    with torch.inference_mode():
        logits = head(plain.flatten(0, 1)).unflatten(0, plain.shape[:2]).mean(dim=1)
        return float(ordinal_loss(logits, torch.from_numpy(task.stage[chosen])))


class BestState:
    """Remembers the parameters with the least validation loss."""

    def __init__(self, *modules: nn.Module) -> None:
        """Watch these modules."""
        self._modules = modules
        self._loss = float("inf")
        self._states = [copy.deepcopy(module.state_dict()) for module in modules]

    def offer(self, loss: float) -> None:
        """Keep the parameters as they are now if the loss is the least so far."""
        if loss < self._loss:
            self._loss = loss
            self._states = [copy.deepcopy(module.state_dict()) for module in self._modules]

    def restore(self) -> None:
        """Put the best parameters back."""
        for module, state in zip(self._modules, self._states, strict=True):
            module.load_state_dict(state)
            module.eval()


def _rows(vectors: Vectors, task: Task) -> Tensor:
    """Pooled features of all views of the training patients, (n, f)."""
    return torch.from_numpy(vectors[task.division.train]).flatten(0, 2)


def _validate(top: Top, head: nn.Module, maps: Maps, task: Task) -> float:
    """The validation loss of a top and its head."""
    chosen = task.division.validation
    vectors = pool(top, maps[chosen, :, :1], "validation")
    everyone = np.arange(chosen.size)
    return validation_loss(
        head, vectors, Task(task.stage[chosen], Division(everyone, everyone), task.options)
    )


def _batches(
    task: Task, acquisitions: int, size: int, rng: np.random.Generator
) -> list[tuple[Indices, Indices]]:
    """All pictures of the training patients in random order, as patients and acquisitions."""
    order = rng.permutation(task.division.train.size * acquisitions)
    patient, acquisition = np.divmod(order, acquisitions)
    patient = task.division.train[patient]
    cuts = range(size, order.size, size)
    return list(zip(np.split(patient, cuts), np.split(acquisition, cuts), strict=True))


def _step(
    loss: Tensor, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler
) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    optimiser.step()
    schedule.step()
