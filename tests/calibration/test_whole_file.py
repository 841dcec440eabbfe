"""A file is there wholly or not at all, whoever is interrupted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from calibration.whole_file import HALF_WRITTEN, remove_half_written, whole_file, write_durably


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    """Until the block ends the old one stands; the name ends as the file's own does."""
    path = tmp_path / "crops.npz"
    path.write_text("old")
    with whole_file(path) as part:
        assert part.name.endswith("-crops.npz")
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    """Whatever is raised in the block comes through, also when nothing was written yet."""
    path = tmp_path / "graph.onnx"
    path.write_text("old")

    def fail(content: str) -> None:
        with whole_file(path) as part:
            if content:
                part.write_text(content)
            raise KeyboardInterrupt

    for content in ("half", ""):
        with pytest.raises(KeyboardInterrupt):
            fail(content)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_taken_is_told(tmp_path: Path) -> None:
    """A folder stands there, or there is no folder to write in."""
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "taken", tmp_path / "absent" / "file"):
        with pytest.raises(OSError, match=r"Is a directory|No such file"):
            write_durably(path, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_what_a_killed_process_leaves_is_removed(tmp_path: Path) -> None:
    """It is killed in the middle of the block; the old file stands, and the next start tidies up."""
    path = tmp_path / "below" / "head"
    path.parent.mkdir()
    path.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from calibration.whole_file import whole_file\n"
        "with whole_file(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(path)], timeout=50, check=False).returncode == -9
    assert len(list(path.parent.glob(f"{HALF_WRITTEN}*"))) == 1
    remove_half_written(tmp_path)
    assert list(path.parent.iterdir()) == [path]
    assert path.read_text() == "old"
