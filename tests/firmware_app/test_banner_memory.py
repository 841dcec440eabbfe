"""The banner over a crash: remembered on a RAM disk, by a process of its own, and nowhere else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_app.screen.banner_memory import NAME, BannerMemory, is_in_memory

RAM = Path("/dev/shm")  # noqa: S108 - Linux' own RAM disk
PROGRAM = """
import sys, numpy as np
from pathlib import Path
from calibration.phantom import draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.journey import Frame
from firmware_app.screen import ScreenReader
from firmware_app.screen.banner import differs
from firmware_app.screen.banner_memory import BannerMemory

memory = BannerMemory(Path(sys.argv[1]))
rng = np.random.default_rng(int(sys.argv[2]))
picture, _ = draw_acquisition(draw_patient(rng, stage=2), 2, int(sys.argv[2]))
banner = ScreenReader(load_profile("aixplorer")).read(Frame(picture, 0, 0, 0)).banner
print("unknown" if memory.before is None else "other" if differs(memory.before, banner) else "same")
memory.note(banner)
"""


@pytest.fixture
def ram() -> Iterator[Path]:
    """A folder in memory."""
    if not is_in_memory(RAM):
        pytest.skip("this machine has no RAM disk")
    with tempfile.TemporaryDirectory(dir=RAM) as folder:
        yield Path(folder)


def seen(folder: Path, patient: int) -> str:
    """What a process that is started now makes of this patient's banner."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), str(patient)],
        capture_output=True, text=True, check=True, timeout=50,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_next_process_knows_the_patient(ram: Path) -> None:
    """The same patient is recognised, another one is told apart; the digest says nothing by itself."""
    assert [seen(ram, 5), seen(ram, 5), seen(ram, 6), seen(ram, 6)] == ["unknown", "same", "other", "same"]
    assert (ram / NAME).stat().st_mode & 0o077 == 0


def test_nothing_reaches_a_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A folder that is not in memory is not used, and that is said."""
    if is_in_memory(tmp_path):
        pytest.skip("the folder of the tests lies in memory here")
    memory = BannerMemory(tmp_path)
    memory.note(b"12345678")
    assert list(tmp_path.iterdir()) == []
    assert "does not lie in memory" in caplog.text


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 17, b"y" * 100_000])
def test_a_damaged_memory_is_no_memory(ram: Path, content: bytes) -> None:
    """What is not a salt with a digest is not believed."""
    (ram / NAME).write_bytes(content)
    assert BannerMemory(ram).before is None


def test_a_folder_that_goes_away_is_told(ram: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What cannot be written delays nobody."""
    folder = ram / "gone"
    folder.mkdir()
    memory = BannerMemory(folder)
    folder.rmdir()
    memory.note(b"12345678")
    assert "cannot be remembered" in caplog.text
