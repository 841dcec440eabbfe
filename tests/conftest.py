"""What every area of the tests shares: drawn exams, the programs, the real screens where they are at hand."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(sys.executable).parent
SCREENS = Path(__file__).resolve().parents[2] / "shared" / "screens"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its output as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]


def call(*words: object, timeout_s: float = 120.0) -> Ended:
    """Run one of our programs as a user would."""
    program, *arguments = (str(word) for word in words)
    done = subprocess.run(
        [str(PROGRAMS / program), *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class DrawnExam:
    """A virtual exam on disk, and what is true of it."""

    video: Path
    truth: dict[str, Any]


def draw_exam(folder: Path, stage: int, seed: int, *options: object) -> DrawnExam:
    """Let the virtual scanner write an exam."""
    video, truth = folder / f"exam-{stage}-{seed}.mp4", folder / f"exam-{stage}-{seed}.json"
    words = ("phantom", "exam", "--stage", stage, "--seed", seed, "--out", video, "--truth", truth)
    ended = call("fibrostage-calibrate", *words, *options)
    assert ended.code == 0, ended.err
    return DrawnExam(video, json.loads(truth.read_text()))


@pytest.fixture(scope="session")
def drawn_exam(tmp_path_factory: pytest.TempPathFactory) -> DrawnExam:
    """One whole exam at the scanner's own size."""
    return draw_exam(tmp_path_factory.mktemp("exam"), 3, 7, "--fps", 10)


@pytest.fixture(scope="session")
def screens() -> Path:
    """The folder of real screens."""
    if not SCREENS.is_dir():
        pytest.skip(f"the real screens are not at {SCREENS.name}: they are not part of the repository")
    return SCREENS
