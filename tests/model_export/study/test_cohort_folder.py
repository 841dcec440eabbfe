from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from model_export.errors import WrongInputError
from model_export.study.cohort_folder import read_cohort
from tests.model_export.study.ready_crops import ReadyCrops, ready_crops

DAMAGED = "is no PNG or JPEG picture, or is damaged; export it anew"


def refusal(cohort: ReadyCrops) -> str:
    """Why a cohort cannot be used."""
    with pytest.raises(WrongInputError) as refused:
        read_cohort(cohort.write())
    return str(refused.value)


@pytest.mark.timeout(180)
def test_everything_wrong_is_listed_at_once(tmp_path: Path) -> None:
    """Six kinds of fault in one cohort: one list with a line for each, exit code 2, no traceback."""
    cohort = ready_crops(tmp_path, per_stage=2)
    for number, row in enumerate(cohort.patients):
        row["split"] = "test" if number % 2 else "train"
    cohort.patient("P1")["stage"] = "7"
    cohort.patient("P3")["platelets"] = "-150"
    for name in ("P5", "P6"):  # nobody is left at stage 2
        cohort.patient(name)["stage"] = "1"
    cohort.patients.append({**cohort.patient("P4"), "split": "train"})
    (tmp_path / cohort.images[7]["gray_file"]).unlink()
    (tmp_path / cohort.images[9]["elastogram_file"]).write_bytes(b"\x89PNG\r\n\x1a\nthis is no picture")
    cohort.write()
    done = subprocess.run(
        [sys.executable, "-m", "model_export.cli", "prepare", str(tmp_path), "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    first, *problems = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert first == f"error: the cohort {tmp_path} cannot be used; mend these 6 problems:"
    assert problems == [
        '- patients.csv line 2 (P1): stage "7" is none of 0, 1, 2, 3, 4 (Scheuer); mend or empty it',
        '- patients.csv line 4 (P3): platelets_10e9_l "-150" is not plausible; 1 to 2000 is (10^9/L)',
        "- patients.csv lines 5 and 12 (P4): one patient in both splits; keep one row",
        "- patients.csv: no patient has stage 2; every stage 0-4 needs some",
        "- images.csv line 9 (P2): crops/P2_3_gray.png is missing",
        f"- images.csv line 11 (P2): crops/P2_5_elastogram.png {DAMAGED}",
    ]
    assert not (tmp_path / "out").exists()


def test_a_cohort_without_a_fault_is_read(tmp_path: Path) -> None:
    """Short names of columns are known, values keep their place, every file has its digest."""
    cohort = read_cohort(ready_crops(tmp_path, per_stage=1).write())
    assert [patient.stage for patient in cohort.patients] == [0, 1, 2, 3, 4]
    assert cohort.patients[0].values["platelets_10e9_l"] == 200
    assert cohort.patients[0].values["tumour_mm"] is None
    assert [image.lsm_kpa for image in cohort.images["P3"]] == [7.1, 7.2, 7.3, 7.4, 7.5]
    assert len(cohort.digests) == 2 + 50
    assert "tumour_mm" not in cohort.columns


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stage": "2.5"}, 'stage "2.5" is none of'),
        ({"age": "old"}, 'age "old" is no number'),
        ({"AST": "nan"}, "is not plausible"),
        ({"ULN": ""}, "AST without ast_uln_u_l"),
        ({"sex": "x"}, 'sex "x" is none of f, m'),
        ({"id": ""}, "no id"),
        ({"split": "validation"}, 'split "validation" is none of train, test'),
        ({"liver_transplant": "perhaps"}, "is none of yes"),
        ({"surname": "Nobody"}, "column surname tells who the patients are"),
    ],
)
def test_a_wrong_patient_is_named(tmp_path: Path, change: dict[str, str], says: str) -> None:
    """Every kind of fault in patients.csv has its sentence."""
    cohort = ready_crops(tmp_path, per_stage=1, pictures=1)
    cohort.patients[1].update(change)
    assert says in refusal(cohort)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"patient": "P99"}, "line 3 (P99): no patient of that id"),
        ({"LSM": ""}, "lsm_kpa is needed"),
        ({"LSM": "0"}, "not plausible"),
        ({"gray_file": ""}, "either file, a whole screen, or both"),
        ({"file": "crops/P1_1_gray.png"}, "either file, a whole screen, or both"),
        ({"gray_file": "../elsewhere.png"}, "lies outside the cohort's folder"),
        ({"gray_file": "patients.csv"}, "is of no known kind"),
        ({"gray_file": "crops/P1_1_gray.png"}, "already used in line 2"),
        ({"gray_file": f"{'a' * 300}.png"}, "is missing"),
        ({"roi_gray": "1 2 3", "roi_elastogram": "1 2 3"}, "cannot be cut from ready crops"),
    ],
)
def test_a_wrong_picture_is_named(tmp_path: Path, change: dict[str, str], says: str) -> None:
    """Every kind of fault in images.csv has its sentence."""
    cohort = ready_crops(tmp_path, per_stage=1, pictures=1)
    cohort.images[1].update(change)
    assert says in refusal(cohort)


def test_squares_that_fit_nowhere_are_named(tmp_path: Path) -> None:
    """A square needs three numbers in plain digits, its twin of the same side, and the picture around it."""
    cohort = ready_crops(tmp_path, per_stage=1, pictures=1)
    squares = (
        ("1 2", "1 2 3"),
        ("1 2 4", "1 2 3"),
        ("1 2 3", ""),
        ("30 0 20", "0 0 20"),
        ("1 ² 3", "1 2 3"),
    )
    says = ("is no square", "same side", "same side", "leaves the picture of 40x40", "is no square")
    for (elastogram, gray), image in zip(squares, cohort.images, strict=False):
        image.update(file=image.pop("gray_file"), roi_elastogram=elastogram, roi_gray=gray)
        image["elastogram_file"] = ""
    message = refusal(cohort)
    for number, part in enumerate(says, start=2):
        assert f"images.csv line {number} " in message
        assert part in message


def test_the_same_picture_twice_is_noticed(tmp_path: Path) -> None:
    """A copy under another name, in another patient, would leak from training into the test."""
    cohort = ready_crops(tmp_path, per_stage=1, pictures=1)
    copied = (tmp_path / "crops/P1_1_gray.png").read_bytes()
    (tmp_path / "crops/P4_1_gray.png").write_bytes(copied)
    assert "crops/P4_1_gray.png is the very same picture as crops/P1_1_gray.png" in refusal(cohort)


def test_a_threshold_with_one_side_in_a_split_is_named(tmp_path: Path) -> None:
    """Every stage is there, but all S4 patients train."""
    cohort = ready_crops(tmp_path, per_stage=2, pictures=1)
    for number, row in enumerate(cohort.patients):
        row["split"] = "test" if number % 2 and row["stage"] != "4" else "train"
    message = refusal(cohort)
    assert "no patient at or above S4 in split test" in message
    assert "mend this problem" in message


def test_tables_that_are_none_are_named(tmp_path: Path) -> None:
    """Missing, binary and headless tables: a sentence each, and no traceback."""
    with pytest.raises(WrongInputError, match=r"patients\.csv: cannot be read .*") as refused:
        read_cohort(tmp_path)
    assert "images.csv: cannot be read" in str(refused.value)
    (tmp_path / "patients.csv").write_bytes(b"\x00\xff")
    (tmp_path / "images.csv").write_text("patient,LSM\nP1,5\n")
    with pytest.raises(WrongInputError, match=r"patients\.csv: not a CSV") as refused:
        read_cohort(tmp_path)
    assert "images.csv: no column file" in str(refused.value)


def test_a_truncated_jpeg_is_no_picture(tmp_path: Path) -> None:
    """Half a JPEG file is told, not filled up with gray."""
    cohort = ready_crops(tmp_path, per_stage=1, pictures=1)
    noise = np.random.default_rng(2).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    (tmp_path / "crops/half.jpg").write_bytes(whole[: len(whole) // 2])
    cohort.images[0]["gray_file"] = "crops/half.jpg"
    assert "crops/half.jpg" in refusal(cohort)
