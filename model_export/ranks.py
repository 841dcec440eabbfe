"""Several processes of one training, started and watched by torch's own `torchrun`; without it there is one.

Every process runs the same code. The first draws the cohort, computes the maps and writes files while the
others wait; heads and tops are trained by all of them together (`epochs.learn`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

PATIENCE = timedelta(hours=24)
"""How long the others wait for the first, who may have a cohort to draw."""


@contextmanager
def launched_ranks() -> Iterator[None]:
    """Join the processes that `torchrun` has started, if it has; a CUDA device for each, else processors."""
    if not distributed.is_torchelastic_launched():
        yield
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if cuda else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def ranks() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def is_first() -> bool:
    """Whether this process does what only one may do."""
    return rank() == 0


def wait() -> None:
    """Go on when all have come here."""
    if distributed.is_initialized():
        distributed.barrier()


def together(model: nn.Module) -> nn.Module:
    """A model whose gradients are the mean over all processes; its parameters become those of the first."""
    return DistributedDataParallel(model) if distributed.is_initialized() else model


def total(value: float) -> float:
    """Sum over all processes."""
    if not distributed.is_initialized():
        return value
    summed = torch.tensor(value, dtype=torch.float64, device="cuda" if torch.cuda.is_available() else "cpu")
    distributed.all_reduce(summed)
    return float(summed)
