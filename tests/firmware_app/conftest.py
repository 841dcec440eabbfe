"""Screens that the tests of the screen reading share: the real ones, and drawn ones with their truth."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.phantom import FrameTruth, draw_acquisition, draw_patient
from calibration.profile import ScreenProfile, load_profile
from firmware_app.journey import Picture

SCREENS = Path(__file__).parents[3] / "shared" / "screens"
Drawn = tuple[Picture, FrameTruth]


@pytest.fixture(scope="session")
def profile() -> ScreenProfile:
    """The profile that ships with the product."""
    return load_profile("aixplorer")


@pytest.fixture(scope="session")
def screens() -> Path:
    """The folder of real screens."""
    if not SCREENS.is_dir():
        pytest.skip("the shared folder with real screens is not at hand")
    return SCREENS


@pytest.fixture(scope="session")
def real_screen(screens: Path) -> Picture:
    """The real Aixplorer screen: muscle, 150 kPa, frozen, no Q-box."""
    picture = cv2.imread(str(screens / "aixplorer_trapezius_150kpa.png"))
    return np.asarray(picture, np.uint8)


@pytest.fixture(scope="session")
def drawn() -> list[Drawn]:
    """Drawn screens of five patients of good quality, one of each stage."""
    found: list[Drawn] = []
    for picture, truth in _draw(np.random.default_rng(4711)):
        if truth.filled_fraction is not None and truth.filled_fraction > 0.96:
            found.append((picture, truth))
        if len(found) == 5:
            break
    return found


def _draw(rng: np.random.Generator) -> Iterator[Drawn]:
    for number in range(30):
        patient = draw_patient(rng, stage=number % 5)
        yield draw_acquisition(patient, number % 5, 4711 + number)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB of its own, in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    mounted = subprocess.run(words, capture_output=True, timeout=20, check=False)
    if mounted.returncode != 0:
        pytest.skip("a file system cannot be mounted here: run as root to try full and read-only disks")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True, timeout=20)
