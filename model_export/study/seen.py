"""What the appliance sees of every patient of a cohort, kept patient by patient until all are done."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from calibration.phantom.options import SOFTWARE_VERSION
from calibration.whole_file import whole_file
from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.journey import Rejected
from model_export.cohort import ACQUISITIONS
from model_export.eyes import Shot
from model_export.study.cohort_folder import CohortFolder
from model_export.study.cohort_tables import ImageRow, PatientRow
from model_export.study.pictures import shot_of
from model_export.workers import in_workers


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one patient's pictures, up to his fifth usable one.

    Attributes:
        file: holds `gray` and `elastogram`, (usable, 299, 299, 3), uint8 RGB, and `lsm_kpa`, (usable,).
        usable: how many the appliance would have taken, at most five.
        refused: how many it would not, by reason.
    """

    file: Path
    usable: int
    refused: Counter[str]


@dataclass(frozen=True, slots=True)
class _Job:
    """One patient's pictures, and the file that keeps what was seen of them."""

    folder: Path
    images: tuple[ImageRow, ...]
    file: Path


def folder_of(cohort: CohortFolder, target: Path) -> Path:
    """Where the patients' files lie: another place for other tables, pictures or software."""
    key = hashlib.sha256(json.dumps([SOFTWARE_VERSION, cohort.digests]).encode()).hexdigest()
    return target / f"seen-{key[:16]}"


def look_at(
    cohort: CohortFolder, patients: Sequence[PatientRow], folder: Path, processes: int
) -> dict[str, Seen]:
    """Look at the patients' pictures; those whose file is there already have been looked at.

    Args:
        cohort: whose pictures.
        patients: of whom.
        folder: keeps a file for each of them.
        processes: how many look at once.

    Returns:
        What was seen of each, by pseudonym.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jobs = {
        patient.id: _Job(cohort.folder, cohort.images.get(patient.id, ()), folder / _file_name(patient.id))
        for patient in patients
    }
    missing = [job for job in jobs.values() if not job.file.is_file()]
    done = in_workers(_look, missing, processes)
    for _ in tqdm(done, desc="reading", unit="patient", initial=len(jobs) - len(missing), total=len(jobs)):
        pass
    return {name: _seen(job.file) for name, job in jobs.items()}


def _file_name(patient: str) -> str:
    """Of any pseudonym, whatever signs it has."""
    return f"{hashlib.sha256(patient.encode()).hexdigest()[:32]}.npz"


def _look(job: _Job) -> None:
    shots: list[Shot] = []
    refused: Counter[str] = Counter()
    for image in job.images:
        seen = shot_of(job.folder, image)
        if isinstance(seen, Rejected):
            refused[seen.reason.value] += 1
        else:
            shots.append(seen)
        if len(shots) == ACQUISITIONS:
            break
    nothing = np.empty((0, INPUT_SIDE, INPUT_SIDE, 3), np.uint8)
    with whole_file(job.file) as unfinished:
        np.savez(
            unfinished,
            gray=np.stack([shot.gray for shot in shots]) if shots else nothing,
            elastogram=np.stack([shot.elastogram for shot in shots]) if shots else nothing,
            lsm_kpa=np.array([shot.lsm_kpa for shot in shots], dtype=np.float64),
            refused=json.dumps(refused),
        )


def _seen(file: Path) -> Seen:
    with np.load(file, allow_pickle=False) as part:
        return Seen(file, len(part["lsm_kpa"]), Counter(json.loads(str(part["refused"]))))
