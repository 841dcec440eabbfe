"""A tiny cohort folder of ready crops, brighter with the stage, for tests of the whole study."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

PATIENT_COLUMNS = (
    "id",
    "stage",
    "split",
    "age",
    "sex",
    "ast_u_l",
    "ast_uln_u_l",
    "alt_u_l",
    "platelets_10e9_l",
)
PICTURES = 5


def write_cohort(folder: Path, train: Sequence[int], test: Sequence[int], *, serum: bool = True) -> Path:
    """Write patients.csv, images.csv and crops of patients with these stages.

    Args:
        folder: made.
        train: stages of the training patients.
        test: of the test patients.
        serum: whether the serum values are known.
    """
    rng = np.random.default_rng(11)
    folder.mkdir()
    patients, images = [], []
    for split, stages in (("train", train), ("test", test)):
        for number, stage in enumerate(stages):
            name = f"{split}{number}"
            values = (30 + 5 * stage + number, 40, 35 + number, 240 - 20 * stage) if serum else ("",) * 4
            patients.append((name, stage, split, 50 + number, "fm"[number % 2], *values))
            for picture in range(PICTURES):
                files = []
                for kind in ("elastogram", "gray"):
                    pixels = rng.integers(0, 90, (120, 120, 3)) + 35 * stage
                    files.append(f"{name}_{picture}_{kind}.png")
                    cv2.imwrite(str(folder / files[-1]), pixels.astype(np.uint8))
                images.append((name, *files, round(4.0 + 2 * stage + rng.normal(0, 0.3), 1)))
    _write(folder / "patients.csv", PATIENT_COLUMNS, patients)
    _write(folder / "images.csv", ("patient", "elastogram_file", "gray_file", "lsm_kpa"), images)
    return folder


def _write(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
