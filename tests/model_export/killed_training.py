"""A tiny training for processes that are killed or that train together: `python -m ... FOLDER EPOCHS`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_model

from model_export import ranks
from model_export.epochs import learn
from model_export.network import Head
from model_export.task import Task, TrainingOptions, divide
from model_export.train import Classifier, top_lesson


class TinyTop(torch.nn.Module):
    """One convolution and global average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(6, 16, 3)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Pooled features (n, 16)."""
        pooled: torch.Tensor = self.convolution(maps).relu().mean(dim=(2, 3))
        return pooled


def main(folder: Path, epochs: int) -> None:
    """Train, or go on."""
    rng = np.random.default_rng(1)
    stage = np.repeat(np.arange(5), 6)
    maps = (rng.random((30, 3, 4, 5, 5, 6)) + 0.1 * stage[:, None, None, None, None, None]).astype(np.float16)
    options = TrainingOptions(seed=1, epochs=epochs, batch=16, top_rate=1e-3, head_rate=1e-3)
    task = Task(stage, divide(stage, 0.3, 1), options)
    torch.manual_seed(1)
    top, head = TinyTop(), Head([], 16)
    learn(top_lesson(top, head, maps, task, "tiny"), task, folder / "tiny.checkpoint")
    save_model(Classifier(top, head), str(folder / f"weights_{ranks.rank()}.safetensors"))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with ranks.launched_ranks():
        main(Path(sys.argv[1]), int(sys.argv[2]))
