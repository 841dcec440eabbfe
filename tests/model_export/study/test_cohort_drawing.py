from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.phantom import FrameTruth, draw_acquisition, draw_patient
from firmware_app.wording import NOTICE
from model_export.cohort import SPLITS, stage_counts
from model_export.errors import WrongInputError
from model_export.eyes import Shot
from model_export.study import cohort_drawing
from model_export.study.cohort_drawing import Request, draw_folder
from model_export.virtual_patients import Found, Place, Taken, find_patient, places


def rows_of(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV file."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder and what is in it."""
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@cache
def some_truth() -> FrameTruth:
    """What is on one screen."""
    return draw_acquisition(draw_patient(np.random.default_rng(1)), 0, 1)[1]


def quick_patient(place: Place) -> Found:
    """A patient whose screens are not looked at, so that drawing him takes a moment."""
    rng = np.random.default_rng([place.seed, SPLITS.index(place.split), place.index])
    patient = draw_patient(rng, stage=place.stage)
    screen = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Found(
        patient, (Taken(screen, None, some_truth(), Shot(screen, screen, 5.0)),), Counter({"no_q_box": 1})
    )


@pytest.mark.timeout(240)
def test_the_program_draws_patients_whom_the_appliance_reads(tmp_path: Path) -> None:
    """Two processes write the very pictures that one place gives here; a second call leaves all as it is."""
    out = tmp_path / "cohort"
    program = (sys.executable, "-m", "calibration.cli", "phantom", "cohort", "--out", str(out))
    options = ("--patients", "2", "--train-patients", "1", "--seed", "5")
    done = subprocess.run([*program, *options], capture_output=True, text=True, timeout=230, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 training and 1 test patients" in done.stdout
    patients, images = rows_of(out / "patients.csv"), rows_of(out / "images.csv")
    assert sorted(row["split"] for row in patients) == ["test", "train"]
    assert [row["patient"] for row in images] == ["P0001"] * 5 + ["P0002"] * 5
    (place,) = places("train", 1, 5)
    name = next(row["id"] for row in patients if row["split"] == "train")
    for taken, row in zip(
        find_patient(place).taken, (r for r in images if r["patient"] == name), strict=True
    ):
        shown = cv2.imdecode(np.frombuffer((out / row["file"]).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        assert shown is not None
        assert shown.shape == (1080, 1440, 3)
        if taken.jpeg is None:
            assert np.array_equal(shown, taken.screen)
        else:
            assert (out / row["file"]).read_bytes() == taken.jpeg
        assert abs(float(row["lsm_kpa"]) - taken.shot.lsm_kpa) <= max(1.0, 0.1 * taken.shot.lsm_kpa)
    text = (out / "README.txt").read_text(encoding="utf-8")
    assert text.startswith(NOTICE)
    assert "--patients 2 --seed 5 --train-patients 1" in text
    before = files_of(out)
    draw_folder(Request(5, 1, 1), out)
    assert files_of(out) == before


def test_an_interrupted_drawing_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After an interruption only the missing patients are drawn, and the folder is as without one."""
    drawn: list[Place] = []
    left = 4

    def interrupted(place: Place) -> Found:
        if len(drawn) == left:
            raise KeyboardInterrupt
        drawn.append(place)
        return quick_patient(place)

    request = Request(7, 6, 4)
    monkeypatch.setattr(cohort_drawing, "find_patient", quick_patient)
    draw_folder(request, tmp_path / "whole", processes=1)
    monkeypatch.setattr(cohort_drawing, "find_patient", interrupted)
    with pytest.raises(KeyboardInterrupt):
        draw_folder(request, tmp_path / "halved", processes=1)
    assert not (tmp_path / "halved" / "patients.csv").exists()
    with pytest.raises(WrongInputError, match="unfinished drawing of another cohort"):
        draw_folder(Request(8, 6, 4), tmp_path / "halved", processes=1)
    first = list(drawn)
    drawn.clear()
    left = 10
    draw_folder(request, tmp_path / "halved", processes=1)
    assert (len(first), len(drawn)) == (4, 6)
    assert not set(first) & set(drawn)
    assert files_of(tmp_path / "halved") == files_of(tmp_path / "whole")


def test_the_paper_s_cohort_has_the_paper_s_stages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """466 patients fall into the paper's stages and splits; pseudonyms do not tell them; seeds differ."""
    monkeypatch.setattr(cohort_drawing, "find_patient", quick_patient)
    counted = draw_folder(Request(1, 364, 102), tmp_path / "a", processes=1)
    rows = rows_of(tmp_path / "a" / "patients.csv")
    counts = Counter((row["split"], int(row["stage"])) for row in rows)
    for split in SPLITS:
        assert tuple(counts[split, stage] for stage in range(5)) == stage_counts(
            split, 364 if split == "train" else 102
        )
    assert (counts["train", 4], counts["test", 4]) == (147, 41)
    stages = [int(row["stage"]) for row in rows]
    assert stages != sorted(stages)
    assert counted == {"no_q_box": 466}
    assert json.loads((tmp_path / "a" / "cohort.json").read_text())["counted"] == counted
    with pytest.raises(WrongInputError, match="already holds another cohort"):
        draw_folder(Request(2, 364, 102), tmp_path / "a")


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    """A folder with other things in it, or a file in its place, is refused untouched."""
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(WrongInputError, match="not an empty folder"):
        draw_folder(Request(1, 2, 2), tmp_path)
    with pytest.raises(WrongInputError, match="not an empty folder"):
        draw_folder(Request(1, 2, 2), tmp_path / "mine.txt")
    assert files_of(tmp_path) == {"mine.txt": b"mine"}
