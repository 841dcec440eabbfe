"""What an epoch leaves on the disk: enough to go on from there to the same weights, bit for bit.

No generator is saved: every epoch seeds its own from the seed of the training and its number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from calibration.whole_file import durable_file

CURVES = "curves.json"


@dataclass(frozen=True, slots=True)
class Epoch:
    """One point of a convergence curve.

    Attributes:
        epoch: 0 is the start.
        train_loss: mean over the pictures as they were learnt, dropout and augmentation included; None at the
            start.
        validation_loss: of the patients who only decide when to stop, without dropout.
        validation_auc: of the same patients, by threshold; None where all are on one side.
    """

    epoch: int
    train_loss: float | None
    validation_loss: float
    validation_auc: dict[str, float | None] = field(default_factory=dict)


class Stateful(Protocol):
    """Modules, optimisers and schedules of torch, and `BestState`."""

    def state_dict(self) -> dict[str, Any]:
        """Everything worth keeping, as tensors and plain values."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> object:
        """Put it back."""


class Checkpoint:
    """One file, replaced as a whole after every epoch, and beside it the curve so far as JSON."""

    def __init__(self, path: Path, parts: Mapping[str, Stateful]) -> None:
        """Name what is kept.

        Args:
            path: of the file, which need not exist; the curve is `curve_file(path)`.
            parts: by name, what changes from epoch to epoch.
        """
        self._path = path
        self._parts = parts

    def load(self) -> list[Epoch]:
        """Put back the last finished epoch; returns the curve up to it, empty if there is none."""
        if not self._path.is_file():
            return []
        state = torch.load(self._path, map_location="cpu", weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        return [Epoch(**row) for row in state["curve"]]

    def save(self, curve: Sequence[Epoch]) -> None:
        """Keep everything as it is after the last epoch of the curve."""
        rows = [asdict(epoch) for epoch in curve]
        state = {name: part.state_dict() for name, part in self._parts.items()}
        with durable_file(self._path) as file:
            torch.save({**state, "curve": rows}, file)
        with durable_file(curve_file(self._path)) as file:
            file.write(json.dumps(rows, indent=1).encode())


def curve_file(checkpoint: Path) -> Path:
    """Where the curve of a checkpoint stands; it stays when the checkpoint is removed."""
    return checkpoint.with_suffix(".curve.json")


def write_curves(folder: Path, checkpoints: Mapping[str, Mapping[str, Path]]) -> None:
    """`curves.json`: of each method the epochs of each part; the checkpoints have done their duty and go.

    Args:
        folder: gets the file.
        checkpoints: by method, then by part (`head`, `top` or `whole`).
    """
    curves = {
        method: {part: json.loads(curve_file(path).read_bytes()) for part, path in parts.items()}
        for method, parts in checkpoints.items()
    }
    with durable_file(folder / CURVES) as file:
        file.write(json.dumps(curves, indent=1).encode())
    for parts in checkpoints.values():
        for path in parts.values():
            path.unlink(missing_ok=True)
