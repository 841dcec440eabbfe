"""A cohort as training reads it: one array each of stages, stiffness and prepared crops, by split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.journey import Picture

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
PAPER_STAGE_COUNTS: dict[Split, tuple[int, ...]] = {
    "train": (79, 42, 53, 43, 147),
    "test": (20, 13, 15, 13, 41),
}
"""Patients with S0..S4 of Xue et al. 2020."""
ACQUISITIONS = 5
OWN_COHORT = "own_cohort"
"""Marks, in the summary of a cohort's stage, one that the virtual scanner has not drawn."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Patients of one split.

    Attributes:
        stage: Scheuer stage 0-4, (patients,).
        lsm_kpa: Q-box mean of every acquisition, as recorded or as the appliance decoded it, (patients, 5).
        gray: prepared gray-scale crops, (patients, 5, 299, 299, 3), uint8 RGB.
        elastogram: prepared elastogram crops, likewise.
        latents: the simulation's gray-scale and elastogram latents, (patients, 2), for checks, never for
            training; None of real patients.
    """

    stage: npt.NDArray[np.int64]
    lsm_kpa: npt.NDArray[np.float64]
    gray: Picture
    elastogram: Picture
    latents: npt.NDArray[np.float64] | None


def stage_counts(split: Split, patients: int) -> tuple[int, ...]:
    """Patients with S0..S4, in the paper's proportions (the paper's own numbers for its own totals)."""
    shares = np.array(PAPER_STAGE_COUNTS[split]) * patients / sum(PAPER_STAGE_COUNTS[split])
    counts = np.floor(shares).astype(int)
    # The largest remainders get what rounding down has left.
    for stage in np.argsort(counts - shares, kind="stable")[: patients - int(counts.sum())]:
        counts[stage] += 1
    return tuple(int(count) for count in counts)


def join_crops(files: Sequence[Path], folder: Path, split: Split) -> None:
    """Write a split's two arrays of crops, as `load_cohort` reads them.

    Args:
        files: of the patients, npz with `gray` and `elastogram` (5, 299, 299, 3), uint8 RGB.
        folder: of the cohort.
        split: which the patients are of.
    """
    shape = (len(files), ACQUISITIONS, INPUT_SIDE, INPUT_SIDE, 3)
    arrays = {
        name: np.lib.format.open_memmap(
            folder / f"{split}_{name}.npy", mode="w+", dtype=np.uint8, shape=shape
        )
        for name in ("gray", "elastogram")
    }
    for index, file in enumerate(files):
        with np.load(file, allow_pickle=False) as patient:
            for name, array in arrays.items():
                array[index] = patient[name]
    for array in arrays.values():
        array.flush()


def load_cohort(folder: Path, split: Split) -> Cohort:
    """A cohort as `draw_cohort` or `prepare_cohort` left it; the pictures stay on disk until looked at."""
    with np.load(folder / f"{split}.npz", allow_pickle=False) as table:
        stage, lsm_kpa = table["stage"], table["lsm_kpa"]
        latents = table.get("latents")
    gray = np.load(folder / f"{split}_gray.npy", mmap_mode="r")
    elastogram = np.load(folder / f"{split}_elastogram.npy", mmap_mode="r")
    return Cohort(stage=stage, lsm_kpa=lsm_kpa, gray=gray, elastogram=elastogram, latents=latents)
