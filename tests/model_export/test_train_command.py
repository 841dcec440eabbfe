"""`fibrostage-export train` refuses what cannot be, in one line and before it computes."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from model_export.cli import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "no initial weights given"),
        (["--weights", "w.pth", "--random-weights"], "exclude each other"),
        (["--random-weights", "--heads", "three", "--out", "bundle"], "leave out --out"),
        (["--random-weights", "--trainable", "all", "--out", "bundle"], "leave out --out"),
        (["--weights", "w.pth", "--trainable", "all"], "leave out --weights"),
        (["--weights", "w.pth"], "no weights file w.pth"),
        (["--random-weights", "--name", "my liver"], "--name takes"),
        (["--random-weights", "--seed", str(2**32)], "--seed"),
        (["--random-weights", "--out", str(Path(__file__).parent)], "is not a bundle"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one sentence; nothing is written."""
    assert main(["train", "--work", str(tmp_path / "work"), *arguments]) == 2
    answer = capsys.readouterr().err
    assert sentence in answer
    assert len(answer.strip().splitlines()) == 1
    assert not (tmp_path / "work").exists()
