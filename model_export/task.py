"""What is to be learnt, from whom, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]
Optimiser = Literal["adamw", "sgd"]
Heads = Literal["shared", "three"]
Trainable = Literal["top", "all"]


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train.

    Attributes:
        seed: of the division, the order of the pictures, the views and the dropout.
        epochs: passes over the pictures while a top is fine-tuned; 0 leaves the tops as they were.
        batch: pictures per step of a top, over all ranks together; a head takes four times as many.
        top_rate: learning rate of the tops.
        head_rate: learning rate of the heads.
        weight_decay: of both.
        head_epochs: passes over the pooled features when only a head is trained.
        validation_share: share of the patients of each stage that only decide when to stop.
        optimiser: `adamw`, its rates falling along a cosine, or `sgd` with momentum .9 and constant rates.
        heads: `shared`: one score and three ordered biases; `three`: the paper's separate binary networks, a
            top and a head for each threshold.
    """

    seed: int
    epochs: int = 3
    batch: int = 32
    top_rate: float = 5e-5
    head_rate: float = 1e-3
    weight_decay: float = 0.2
    head_epochs: int = 40
    validation_share: float = 0.15
    optimiser: Optimiser = "adamw"
    heads: Heads = "shared"


def as_in_the_paper(options: TrainingOptions) -> TrainingOptions:
    """Stochastic gradient descent at the rates taken for the paper's, whose supplement is not available."""
    return replace(options, optimiser="sgd", top_rate=0.001, head_rate=0.01, weight_decay=0.0)


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
        threshold: 0, 1 or 2 for the binary network of >=S2, >=S3 or S4; None: all three at once.
    """

    stage: Indices
    division: Division
    options: TrainingOptions
    threshold: int | None = None


def divide(stage: Indices, share: float, seed: int) -> Division:
    """Set apart a share of the patients of every stage, at least one wherever a stage has two."""
    rng = np.random.default_rng([seed, 1])
    chosen: list[Indices] = []
    for value in np.unique(stage):
        members = rng.permutation(np.flatnonzero(stage == value))
        count = min(max(round(share * members.size), 1), members.size - 1)
        chosen.append(members[:count])
    validation = np.sort(np.concatenate(chosen))
    return Division(train=np.setdiff1d(np.arange(stage.size), validation), validation=validation)
