"""The virtual cohort: patients drawn by the virtual scanner, seen through the appliance's own eyes.

Every picture goes the appliance's way: a whole screen is drawn, half of the patients' screens pass a lossy
capture card, then `ScreenReader` reads it, `crop_pair` cuts it and `prepare` resizes it. A picture that
the appliance would refuse is taken again, as a sonographer would; a patient who cannot give five is
left out and replaced by another of the same stage. Both are counted.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from calibration.phantom import Patient, draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.crop import crop_pair
from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.inference.prepare import prepare
from firmware_app.journey import Frame, Picture, Rejected
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason
from model_export.errors import CohortError
from model_export.workers import in_workers

Split = Literal["train", "test"]
SPLITS: tuple[Split, ...] = ("train", "test")
PAPER_STAGE_COUNTS: dict[Split, tuple[int, ...]] = {
    "train": (79, 42, 53, 43, 147),
    "test": (20, 13, 15, 13, 41),
}
"""Patients with S0..S4 of Xue et al. 2020."""
PROFILE = "aixplorer"
"""The screen that the virtual scanner draws."""
ACQUISITIONS = 5
ATTEMPTS = 9
"""Acquisitions tried before a patient is given up."""
REPLACEMENTS = 30
"""Patients tried for one place in the cohort before the drawing is given up."""
LOSSY_SHARE = 0.5
"""Share of patients whose screens pass a lossy capture card (JPEG, chroma halved)."""
JPEG_QUALITY = (70, 95)
Shot = tuple[Picture, Picture, float]
"""One accepted acquisition: gray-scale crop, elastogram crop, stiffness in kPa."""


@dataclass(frozen=True, slots=True)
class Cohort:
    """Accepted patients of one split.

    Attributes:
        stage: Scheuer stage 0-4, (patients,).
        lsm_kpa: Q-box mean of every acquisition as the appliance decoded it, (patients, 5).
        gray: prepared gray-scale crops, (patients, 5, 299, 299, 3), uint8 RGB.
        elastogram: prepared elastogram crops, likewise.
        latents: the simulation's gray-scale and elastogram latents, (patients, 2); for checks, never for
            training.
    """

    stage: npt.NDArray[np.int64]
    lsm_kpa: npt.NDArray[np.float64]
    gray: Picture
    elastogram: Picture
    latents: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Place:
    """One place in the cohort, to be filled by the first patient who gives five acquisitions."""

    split: Split
    index: int
    stage: int
    seed: int
    file: Path


def stage_counts(split: Split, patients: int) -> tuple[int, ...]:
    """Patients with S0..S4, in the paper's proportions (the paper's own numbers for its own totals)."""
    shares = np.array(PAPER_STAGE_COUNTS[split]) * patients / sum(PAPER_STAGE_COUNTS[split])
    counts = np.floor(shares).astype(int)
    # The largest remainders get what rounding down has left.
    for stage in np.argsort(counts - shares, kind="stable")[: patients - int(counts.sum())]:
        counts[stage] += 1
    return tuple(int(count) for count in counts)


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
    parts = folder / "patients"
    parts.mkdir(parents=True, exist_ok=True)
    places = [place for split in SPLITS for place in _places(split, patients[split], seed, parts)]
    missing = [place for place in places if not place.file.is_file()]
    done = in_workers(_fill, missing, processes)
    for _ in tqdm(done, desc="cohort", unit="patient", initial=len(places) - len(missing), total=len(places)):
        pass
    counted: Counter[str] = Counter()
    for split in SPLITS:
        counted += _assemble([place for place in places if place.split == split], folder / split)
    shutil.rmtree(parts)
    return dict(counted)


def load_cohort(folder: Path, split: Split) -> Cohort:
    """A drawn cohort; the pictures stay on disk until they are looked at."""
    with np.load(folder / f"{split}.npz", allow_pickle=False) as table:
        stage, lsm_kpa, latents = table["stage"], table["lsm_kpa"], table["latents"]
    gray = np.load(folder / f"{split}_gray.npy", mmap_mode="r")
    elastogram = np.load(folder / f"{split}_elastogram.npy", mmap_mode="r")
    return Cohort(stage=stage, lsm_kpa=lsm_kpa, gray=gray, elastogram=elastogram, latents=latents)


def _places(split: Split, patients: int, seed: int, parts: Path) -> Iterator[_Place]:
    stages = np.repeat(np.arange(5), stage_counts(split, patients))
    for index, stage in enumerate(stages):
        yield _Place(split, index, int(stage), seed, parts / f"{split}_{index:04d}.npz")


def _fill(place: _Place) -> None:
    """Find a patient for a place and write what was seen of him."""
    reader = ScreenReader(load_profile(PROFILE))
    refused: Counter[str] = Counter()
    for left_out in range(REPLACEMENTS):
        rng = np.random.default_rng([place.seed, SPLITS.index(place.split), place.index, left_out])
        patient = draw_patient(rng, stage=place.stage)
        shots = _examine(reader, patient, rng, refused)
        if len(shots) == ACQUISITIONS:
            _write(place, patient, shots, refused + Counter({"patients_left_out": left_out}))
            return
    raise CohortError(
        f"{REPLACEMENTS} virtual patients of stage {place.stage} in a row were refused: {dict(refused)}"
    )


def _examine(
    reader: ScreenReader, patient: Patient, rng: np.random.Generator, refused: Counter[str]
) -> list[Shot]:
    """Up to five accepted acquisitions of a patient."""
    seed = int(rng.integers(2**31))
    quality = int(rng.integers(*JPEG_QUALITY)) if rng.random() < LOSSY_SHARE else None
    shots: list[Shot] = []
    for attempt in range(ATTEMPTS):
        screen, _ = draw_acquisition(patient, attempt, seed)
        seen = look(reader, capture(screen, quality))
        if isinstance(seen, Rejected):
            refused[seen.reason.value] += 1
        else:
            shots.append(seen)
        if len(shots) == ACQUISITIONS or len(shots) + ATTEMPTS - attempt - 1 < ACQUISITIONS:
            break
    return shots


def capture(screen: Picture, quality: int | None) -> Picture:
    """The screen as a capture card delivers it.

    Args:
        screen: BGR, as drawn.
        quality: of the card's JPEG with halved chroma, 0-100; None: lossless.
    """
    if quality is None:
        return screen
    _, encoded = cv2.imencode(".jpg", screen, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), dtype=np.uint8)


def look(reader: ScreenReader, screen: Picture) -> Shot | Rejected:
    """One frozen screen through the appliance's eyes: prepared crops and stiffness, or the refusal."""
    frame = Frame(pixels=np.ascontiguousarray(screen), number=0, pts_ns=0, captured_ns=0)
    reading = reader.inspect(frame)
    if reading.rejected is not None:
        return reading.rejected
    if reading.roi is None or reading.q_box is None or reading.stiffness is None:
        return Rejected(Reason.NO_Q_BOX)
    crops = crop_pair(frame, reading.roi)
    return prepare(crops.gray), prepare(crops.elastogram), reading.stiffness.mean_kpa


def _write(place: _Place, patient: Patient, shots: list[Shot], counted: Counter[str]) -> None:
    gray, elastogram, lsm_kpa = zip(*shots, strict=True)
    unfinished = place.file.with_suffix(".part.npz")
    np.savez(
        unfinished,
        gray=np.stack(gray),
        elastogram=np.stack(elastogram),
        lsm_kpa=np.array(lsm_kpa),
        stage=place.stage,
        latents=np.array([patient.gm_latent, patient.em_latent]),
        counted=json.dumps(counted),
    )
    unfinished.replace(place.file)


def _assemble(places: list[_Place], target: Path) -> Counter[str]:
    """Join the patients' files to one array each; returns what was counted."""
    shape = (len(places), ACQUISITIONS, INPUT_SIDE, INPUT_SIDE, 3)
    pictures = {
        name: np.lib.format.open_memmap(
            target.with_name(f"{target.name}_{name}.npy"), mode="w+", dtype=np.uint8, shape=shape
        )
        for name in ("gray", "elastogram")
    }
    rows: dict[str, list[npt.NDArray[np.float64]]] = {"stage": [], "lsm_kpa": [], "latents": []}
    counted: Counter[str] = Counter()
    for index, place in enumerate(places):
        with np.load(place.file, allow_pickle=False) as part:
            for name, array in pictures.items():
                array[index] = part[name]
            for name, values in rows.items():
                values.append(part[name])
            counted += Counter(json.loads(str(part["counted"])))
    for array in pictures.values():
        array.flush()
    np.savez(
        target.with_suffix(".npz"),
        stage=np.stack(rows["stage"]).astype(np.int64),
        lsm_kpa=np.stack(rows["lsm_kpa"]),
        latents=np.stack(rows["latents"]),
    )
    return counted
