"""A training killed at any moment resumes to the same weights; several ranks end with the same ones."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from safetensors.torch import load_file  # noqa: E402 - after the check that torch is there

from model_export.checkpoint import curve_file  # noqa: E402
from tests.model_export import killed_training  # noqa: E402

EPOCHS = 40
KILLS = 3
WEIGHTS = "weights_0.safetensors"


def _epochs(folder: Path) -> int:
    """Epochs that the disk knows of, the start not counted; -1: not even the start."""
    path = curve_file(folder / "tiny.checkpoint")
    return len(json.loads(path.read_bytes())) - 1 if path.is_file() else -1


def _start(folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-m", killed_training.__name__, str(folder), str(EPOCHS)])


@pytest.mark.timeout(300)
def test_killed_training_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """SIGKILL at random moments between the first and the last epoch leaves no trace in the weights."""
    undisturbed = _start(tmp_path / "undisturbed")
    rng, folder = random.Random(7), tmp_path / "killed"
    for number in range(KILLS):
        process, before = _start(folder), _epochs(folder)
        moment = before + 1 + rng.randrange(EPOCHS // (2 * KILLS))
        while process.poll() is None and _epochs(folder) < moment:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.02)
        process.kill()
        assert process.wait() < 0, f"it had ended by itself before kill {number}"
        assert before < _epochs(folder)
    assert _start(folder).wait() == 0
    assert undisturbed.wait() == 0
    assert (folder / WEIGHTS).read_bytes() == (tmp_path / "undisturbed" / WEIGHTS).read_bytes()


@pytest.mark.timeout(300)
def test_two_ranks_of_torchrun_train_one_network(tmp_path: Path) -> None:
    """Both ranks end with the same finite weights; only the first writes an epoch."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    arguments = ["-m", killed_training.__name__, str(tmp_path), "3"]
    subprocess.run([*command, *arguments], check=True, timeout=280)
    first, second = (load_file(tmp_path / f"weights_{rank}.safetensors") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.isfinite(value).all() for value in first.values())
    assert _epochs(tmp_path) == 3
    curve = json.loads(curve_file(tmp_path / "tiny.checkpoint").read_bytes())
    assert curve[-1]["train_loss"] < curve[1]["train_loss"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tiny.checkpoint",
        "tiny.curve.json",
        "weights_0.safetensors",
        "weights_1.safetensors",
    ]
