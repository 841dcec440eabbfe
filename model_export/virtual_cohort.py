"""The virtual cohort, drawn straight into the arrays that training reads."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from calibration.whole_file import whole_file
from model_export.cohort import SPLITS, Split, join_crops
from model_export.virtual_patients import Place, find_patient, places
from model_export.workers import in_workers


@dataclass(frozen=True, slots=True)
class _Part:
    """A place in the cohort and the file that keeps its patient until all are there."""

    place: Place
    file: Path


def draw_cohort(patients: dict[Split, int], seed: int, folder: Path, processes: int = 2) -> dict[str, int]:
    """Draw both splits into a folder; an interrupted drawing goes on where it stopped.

    Args:
        patients: how many of each split.
        seed: of everything.
        folder: where the arrays go, see `load_cohort`.
        processes: how many draw at once.

    Returns:
        How many patients were left out and how many acquisitions were refused, by reason.

    Raises:
        CohortError: the appliance refuses nearly everybody.
    """
    kept = folder / "patients"
    kept.mkdir(parents=True, exist_ok=True)
    parts = [
        _Part(place, kept / f"{split}_{place.index:04d}.npz")
        for split in SPLITS
        for place in places(split, patients[split], seed)
    ]
    missing = [part for part in parts if not part.file.is_file()]
    done = in_workers(_fill, missing, processes)
    for _ in tqdm(done, desc="cohort", unit="patient", initial=len(parts) - len(missing), total=len(parts)):
        pass
    counted: Counter[str] = Counter()
    for split in SPLITS:
        counted += _assemble([part.file for part in parts if part.place.split == split], folder, split)
    shutil.rmtree(kept)
    return dict(counted)


def _fill(part: _Part) -> None:
    """Find a patient for a place and write what was seen of him."""
    found = find_patient(part.place)
    with whole_file(part.file) as unfinished:
        np.savez(
            unfinished,
            gray=np.stack([taken.shot.gray for taken in found.taken]),
            elastogram=np.stack([taken.shot.elastogram for taken in found.taken]),
            lsm_kpa=np.array([taken.shot.lsm_kpa for taken in found.taken]),
            stage=part.place.stage,
            latents=np.array([found.patient.gm_latent, found.patient.em_latent]),
            counted=json.dumps(found.counted),
        )


def _assemble(files: list[Path], folder: Path, split: Split) -> Counter[str]:
    """Join the patients' files to one array each; returns what was counted."""
    join_crops(files, folder, split)
    rows: dict[str, list[npt.NDArray[np.float64]]] = {"stage": [], "lsm_kpa": [], "latents": []}
    counted: Counter[str] = Counter()
    for file in files:
        with np.load(file, allow_pickle=False) as part:
            for name, values in rows.items():
                values.append(part[name])
            counted += Counter(json.loads(str(part["counted"])))
    np.savez(
        folder / f"{split}.npz",
        stage=np.stack(rows["stage"]).astype(np.int64),
        lsm_kpa=np.stack(rows["lsm_kpa"]),
        latents=np.stack(rows["latents"]),
    )
    return counted
