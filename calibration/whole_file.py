"""Files that are there wholly or not at all: written beside their place under another name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

HALF_WRITTEN = ".half-written-"
"""Begins the name of what a killed process or a power cut leaves behind; such names are hidden."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what shall stand at `path`: it takes its place after the block, or goes if that fails.

    The name ends as `path` does, for writers that look at it, and bears the number of this process: two that
    write the same file do not meet.

    Raises:
        OSError: it cannot take its place; what stood there stays.
    """
    part = path.with_name(f"{HALF_WRITTEN}{os.getpid()}-{path.name}")
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """A whole file to write to, whose bytes are on the disk before it takes its place.

    Raises:
        OSError: the disk refuses; what stood there stays, and nothing is left behind.
    """
    with whole_file(path) as part, part.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def write_durably(path: Path, data: bytes) -> None:
    """Write a whole file that a power cut does not take away again.

    Raises:
        OSError: the disk refuses; what stood there stays, and nothing is left behind.
    """
    with durable_file(path) as stream:
        stream.write(data)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Put the names in a folder on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_half_written(folder: Path) -> None:
    """Remove what earlier processes left in a folder and below it; call it while nobody else writes there."""
    for left in folder.rglob(f"{HALF_WRITTEN}*"):
        left.unlink(missing_ok=True)
