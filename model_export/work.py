"""The work folder: every stage has a folder named by the key of what went into it, so runs can be resumed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from calibration.whole_file import durable_file

DONE = "done.json"
"""Written last into a stage's folder; without it the stage is not complete."""


def key_of(*parts: str | float | tuple[int, ...]) -> str:
    """Sixteen hexadecimal digits that change with any of the parts."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def source_key(*packages: Path) -> str:
    """A key that changes with any line of Python source in the given files and folders."""
    digest = hashlib.sha256()
    for package in packages:
        files = sorted(package.rglob("*.py")) if package.is_dir() else [package]
        for file in files:
            digest.update(file.name.encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def stage_folder(work: Path, stage: str, key: str) -> Path:
    """The folder of a stage, made if it is not there."""
    folder = work / f"{stage}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_done(folder: Path) -> bool:
    """Whether a stage was completed here."""
    return (folder / DONE).is_file()


def mark_done(folder: Path, summary: Mapping[str, int | float | str]) -> None:
    """Record a stage as complete, with numbers worth keeping."""
    with durable_file(folder / DONE) as file:
        file.write((json.dumps({**summary}, indent=2) + "\n").encode())


def summary_of(folder: Path) -> dict[str, int | float | str]:
    """The numbers that `mark_done` kept."""
    summary: dict[str, int | float | str] = json.loads((folder / DONE).read_text(encoding="utf-8"))
    return summary
