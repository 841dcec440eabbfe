"""The one loop over epochs that trains heads, tops and whole networks, and can be killed at any moment."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from firmware_app.inference.bundle import THRESHOLDS
from model_export import ranks
from model_export.checkpoint import Checkpoint, Epoch, Stateful
from model_export.patient_scores import positives
from model_export.statistics.auc import delong_auc
from model_export.task import Indices, Task, TrainingOptions

MOMENTUM = 0.9
"""Of stochastic gradient descent, as Inception-V3 was trained (Szegedy et al. 2016)."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is trained, on what.

    Attributes:
        name: for the progress bar.
        model: pictures as `inputs` gives them to log-odds (n, 3).
        groups: its parameters and their learning rates, as torch's optimisers take them.
        epochs: passes over all pictures of the training patients.
        batch: pictures per step, over all ranks together.
        acquisitions: pictures of each patient.
        views: of each picture; view 0 is the picture itself and the only one that validates.
        inputs: the pictures of these patients, acquisitions and views, each (n,).
    """

    name: str
    model: nn.Module
    groups: list[dict[str, Any]]
    epochs: int
    batch: int
    acquisitions: int
    views: int
    inputs: Callable[[Indices, Indices, Indices], Tensor]


def learn(lesson: Lesson, task: Task, path: Path) -> None:
    """Train in place and keep the epoch with the least validation loss, the start included.

    Args:
        lesson: its model is trained.
        task: stages, division and options.
        path: of the checkpoint; if it is there, training goes on from it, to the weights that an
            uninterrupted training gives on the same machine with as many threads.
    """
    state = _begin(lesson, task, path)
    ranks.wait()
    if not state.curve:
        _close_epoch(lesson, task, None, state)
    model = ranks.together(lesson.model)
    with tqdm(
        initial=len(state.curve) - 1,
        total=lesson.epochs,
        desc=lesson.name,
        mininterval=1.0,
        disable=not ranks.is_first(),
    ) as bar:
        while len(state.curve) <= lesson.epochs:
            _close_epoch(lesson, task, _train_epoch(lesson, task, model, state), state)
            bar.update()
            bar.set_postfix(validation=f"{state.curve[-1].validation_loss:.3f}")
    state.best.restore()


@dataclass(frozen=True, slots=True)
class _State:
    """What changes from epoch to epoch, beside the model; the curve has a point for every finished epoch."""

    optimiser: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    best: BestState
    checkpoint: Checkpoint
    curve: list[Epoch]


def _begin(lesson: Lesson, task: Task, path: Path) -> _State:
    """The beginning, or where the checkpoint has left off."""
    optimiser = make_optimiser(lesson.groups, task.options)
    schedule = make_schedule(optimiser, task.options, lesson.epochs * _steps(lesson, task))
    best = BestState(lesson.model)
    parts: dict[str, Stateful] = {"model": lesson.model, "optimiser": optimiser}
    checkpoint = Checkpoint(path, {**parts, "schedule": schedule, "best": best})
    return _State(optimiser, schedule, best, checkpoint, checkpoint.load())


def _train_epoch(lesson: Lesson, task: Task, model: nn.Module, state: _State) -> float:
    """One pass over the pictures; returns the mean loss."""
    model.train()
    loss_sum, pictures = 0.0, 0
    for inputs, stage in _batches(lesson, task, len(state.curve)):
        loss = ordinal_loss(model(inputs), stage, task.threshold)
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        state.optimiser.step()
        state.schedule.step()
        loss_sum += float(loss.detach()) * stage.numel()
        pictures += stage.numel()
    return ranks.total(loss_sum) / ranks.total(pictures)


def _close_epoch(lesson: Lesson, task: Task, train_loss: float | None, state: _State) -> None:
    """Validate, remember and save."""
    state.curve.append(_judged(lesson, task, len(state.curve), train_loss))
    state.best.offer(state.curve[-1].validation_loss)
    if ranks.is_first():
        state.checkpoint.save(state.curve)


def _steps(lesson: Lesson, task: Task) -> int:
    """Steps of an epoch."""
    return -(-task.division.train.size * lesson.acquisitions // _batch(lesson))


def _batch(lesson: Lesson) -> int:
    """Pictures per step, a multiple of the number of ranks."""
    return max(lesson.batch // ranks.ranks(), 1) * ranks.ranks()


def _batches(lesson: Lesson, task: Task, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """This rank's share of every picture of the training patients, in an order and as views by the epoch.

    As with torch's `DistributedSampler`, the last pictures come twice where they cannot be shared evenly.
    """
    seeds = np.random.SeedSequence([task.options.seed, epoch])
    rng = np.random.default_rng(seeds)
    torch.manual_seed(int(seeds.generate_state(ranks.ranks())[ranks.rank()]))  # the dropout
    size = task.division.train.size * lesson.acquisitions
    order = rng.permutation(size)
    views = rng.integers(0, lesson.views, size)
    batch, even = _batch(lesson), -(-size // ranks.ranks()) * ranks.ranks()
    places = np.resize(np.arange(size), even)
    for start in range(0, even, batch):
        chosen = places[start : start + batch][ranks.rank() :: ranks.ranks()]
        rows, acquisition = np.divmod(order[chosen], lesson.acquisitions)
        patient = task.division.train[rows]
        yield lesson.inputs(patient, acquisition, views[chosen]), torch.from_numpy(task.stage[patient])


def _judged(lesson: Lesson, task: Task, epoch: int, train_loss: float | None) -> Epoch:
    """Validation: a patient's log-odds are the mean of those of his plain pictures."""
    chosen = task.division.validation
    patient = np.repeat(chosen, lesson.acquisitions)
    acquisition = np.tile(np.arange(lesson.acquisitions), chosen.size)
    lesson.model.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, patient.size, lesson.batch):
            part = slice(start, start + lesson.batch)
            view = np.zeros_like(patient[part])
            found.append(lesson.model(lesson.inputs(patient[part], acquisition[part], view)).cpu())
    logits = torch.cat(found).reshape(chosen.size, lesson.acquisitions, -1).mean(dim=1)
    stage = task.stage[chosen]
    truth, scores = positives(stage), logits.double().numpy()
    return Epoch(
        epoch=epoch,
        train_loss=train_loss,
        validation_loss=float(ordinal_loss(logits, torch.from_numpy(stage), task.threshold)),
        validation_auc={
            key: delong_auc(scores[:, k], truth[:, k]).auc
            for k, key in enumerate(THRESHOLDS)
            if task.threshold in (None, k)
        },
    )


def ordinal_loss(logits: Tensor, stage: Tensor, threshold: int | None = None) -> Tensor:
    """Mean binary cross-entropy over the three thresholds, or at one of them alone.

    Args:
        logits: log-odds, (n, 3).
        stage: Scheuer stages 0-4, (n,).
        threshold: 0, 1 or 2 for >=S2, >=S3 or S4; None: all three.
    """
    truth = (stage[:, None] >= torch.tensor([2, 3, 4])).float().to(logits.device)
    columns = slice(None) if threshold is None else slice(threshold, threshold + 1)
    return functional.binary_cross_entropy_with_logits(logits[:, columns], truth[:, columns])


def make_optimiser(groups: list[dict[str, Any]], options: TrainingOptions) -> torch.optim.Optimizer:
    """AdamW, or the paper's stochastic gradient descent with momentum."""
    if options.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=MOMENTUM, weight_decay=options.weight_decay)
    return torch.optim.AdamW(groups, weight_decay=options.weight_decay)


def make_schedule(
    optimiser: torch.optim.Optimizer, options: TrainingOptions, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """A cosine over all steps for AdamW; constant rates for the paper's mode."""
    if options.optimiser == "sgd":
        return torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    return torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))


class BestState:
    """Remembers the parameters with the least validation loss."""

    def __init__(self, module: nn.Module) -> None:
        """Watch this module."""
        self._module = module
        self._loss = float("inf")
        self._state = copy.deepcopy(module.state_dict())

    def offer(self, loss: float) -> None:
        """Keep the parameters as they are now if the loss is the least so far."""
        if loss < self._loss:
            self._loss = loss
            self._state = copy.deepcopy(self._module.state_dict())

    def restore(self) -> None:
        """Put the best parameters back."""
        self._module.load_state_dict(self._state)

    def state_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"loss": self._loss, "state": self._state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """From a checkpoint."""
        self._loss = state_dict["loss"]
        self._state = state_dict["state"]
