"""How long each stage of a study took, over all the runs that it needed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from calibration.whole_file import durable_file


class Stopwatch:
    """Adds up seconds by stage in a file, interrupted runs included, and tells each stage in one line."""

    def __init__(self, file: Path, stages: int) -> None:
        """Go on from a file.

        Args:
            file: JSON, seconds by stage; made when it is not there.
            stages: how many there will be, for the lines.
        """
        self._file = file
        self._stages = stages
        self._told = 0
        kept: dict[str, float] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        self._seconds = kept

    def seconds(self) -> dict[str, float]:
        """By stage, so far."""
        return {name: round(value, 1) for name, value in self._seconds.items()}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time what happens inside; also when it is interrupted."""
        self._told += 1
        start = time.monotonic()
        before = self._seconds.get(name, 0.0)
        _tell(f"[{self._told}/{self._stages}] {name} ...")
        try:
            yield
        finally:
            took = time.monotonic() - start
            self._seconds[name] = before + took
            with durable_file(self._file) as file:
                file.write((json.dumps(self._seconds, indent=1) + "\n").encode())
        again = f", {in_words(before + took)} with earlier runs" if before else ""
        _tell(f"[{self._told}/{self._stages}] {name}: {in_words(took)}{again}")


def in_words(seconds: float) -> str:
    """A time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _tell(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
