"""A small cohort of ready crops, written in a moment."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

Row = dict[str, str]


@dataclass
class ReadyCrops:
    """A cohort folder in the making: change its rows, then write it."""

    folder: Path
    patients: list[Row] = field(default_factory=list)
    images: list[Row] = field(default_factory=list)

    def patient(self, name: str) -> Row:
        """The row of a patient."""
        return next(row for row in self.patients if row["id"] == name)

    def write(self) -> Path:
        """Write both tables; returns the folder."""
        for name, rows in (("patients.csv", self.patients), ("images.csv", self.images)):
            with (self.folder / name).open("w", encoding="utf-8", newline="") as stream:
                columns = list(dict.fromkeys(column for row in rows for column in row))
                writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        return self.folder


def ready_crops(folder: Path, per_stage: int = 4, pictures: int = 5) -> ReadyCrops:
    """So many patients of each stage, P1 and so on, with crops of noise."""
    (folder / "crops").mkdir(parents=True)
    cohort = ReadyCrops(folder)
    rng = np.random.default_rng(1)
    for number in range(1, 5 * per_stage + 1):
        name, stage = f"P{number}", (number - 1) // per_stage
        serum = {"AST": "30", "ULN": "40", "ALT": "20", "platelets": "200"}
        cohort.patients.append({"id": name, "stage": str(stage), "age": "50", "sex": "f", **serum})
        for picture in range(1, pictures + 1):
            files = {kind: f"crops/{name}_{picture}_{kind}.png" for kind in ("elastogram", "gray")}
            for file in files.values():
                cv2.imwrite(str(folder / file), rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
            lsm = {"LSM": f"{5 + stage}.{picture}"}
            cohort.images.append({"patient": name, **{f"{k}_file": f for k, f in files.items()}, **lsm})
    return cohort
