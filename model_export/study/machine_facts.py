"""What a study was computed on and by which code: for the record, so that its times can be understood."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import psutil
import torch

import model_export
from firmware_app.processor import processor_name

LIBRARIES = ("fibrostage", "numpy", "scipy", "scikit-learn", "opencv-python", "torch", "torchvision")


def machine() -> dict[str, str | int | float]:
    """Processor, cores that this process may use, memory, and the accelerator if there is one."""
    facts: dict[str, str | int | float] = {
        "processor": processor_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.system(),
    }
    if torch.cuda.is_available():
        facts["accelerator"] = torch.cuda.get_device_name()
    return facts


def versions() -> dict[str, str]:
    """Of Python, of this software and of its libraries; the commit where the code is a checkout."""
    found = {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
    commit = _commit(Path(model_export.__file__).parent)
    return found if commit is None else found | {"commit": commit}


def _commit(folder: Path) -> str | None:
    """The commit of the checkout that holds a folder, with `-dirty` when files differ from it; else None."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return told.stdout.strip() or None
