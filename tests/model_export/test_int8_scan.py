"""What stays in float32 is what pays for it; the commands say what they lack."""
# ruff: noqa: E402 - the imports come after the checks that the extras are there

from __future__ import annotations

from pathlib import Path

import pytest

_WHY = "training needs the extra `train`, which is not installed"
pytest.importorskip("torch", reason=_WHY)
pytest.importorskip("onnx", reason=_WHY)

from calibration.cli import main as calibrate_main
from model_export.cli import main as export_main
from model_export.int8 import Int8Choices
from model_export.int8_scan import Trial, choose

BASE = Int8Choices(
    range_method="mean_square",
    float32=("stem.0", "stem.1", "stem.2"),
    int8_weights=(),
    feedback=True,
    provenance="",
)


def trial(name: str, error: float, latency_ms: float) -> Trial:
    """One measured candidate."""
    return Trial(name, error, (0.1, 0.1, 0.1), latency_ms, 40.0)


def test_groups_that_help_stay_in_float32_until_the_time_is_used_up() -> None:
    """The best comes first; one that helps little, or would take too long, is left in INT8."""
    groups = [
        trial("stem.7", 0.0070, 48.0),
        trial("stem.8", 0.0060, 54.0),
        trial("stem.9", 0.0065, 53.0),
        trial("stem.10", 0.0098, 41.0),
    ]
    choices = choose(BASE, trial("mean_square", 0.0100, 44.0), groups, budget_ms=60.0, pictures=108)
    assert choices.int8_weights == ("stem.7", "stem.8")
    assert "108 pictures of held-out training patients" in choices.provenance


def test_first_convolutions_are_quantised_where_that_does_no_harm() -> None:
    """A trial of theirs is INT8: they stay in float32 only if the error rises by a stated share."""
    groups = [trial("stem.1", 0.0150, 42.0), trial("stem.2", 0.0101, 42.0)]
    choices = choose(BASE, trial("mean_square", 0.0100, 44.0), groups, budget_ms=60.0, pictures=10)
    assert choices.float32 == ("stem.0", "stem.1")


@pytest.mark.parametrize("command", ["export", "quantise"])
def test_a_work_folder_without_a_training_is_wrong_input(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the folder and the command that is missing, and exit code 2."""
    assert export_main([command, "--work", str(tmp_path), "--out", str(tmp_path / "bundle")]) == 2
    assert "run fibrostage-export train first" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_scan_needs_a_training_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`fibrostage-calibrate int8` ends the same way."""
    assert calibrate_main(["int8", "--work", str(tmp_path)]) == 2
    assert "run fibrostage-export train first" in capsys.readouterr().err
