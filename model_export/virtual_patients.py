"""Virtual patients for a cohort, drawn by the virtual scanner and seen through the appliance's own eyes.

Every picture goes the appliance's way: a whole screen is drawn, half of the patients' screens pass a lossy
capture card, then the appliance reads it. A picture that it would refuse is taken again, as a sonographer
would; a patient who cannot give five is left out and replaced by another of the same stage. Both are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.phantom import FrameTruth, Patient, draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.journey import Picture, Rejected
from model_export.cohort import ACQUISITIONS, SPLITS, Split, stage_counts
from model_export.errors import CohortError
from model_export.eyes import Shot, look

PROFILE = "aixplorer"
"""The screen that the virtual scanner draws."""
ATTEMPTS = 9
"""Acquisitions tried before a patient is given up."""
REPLACEMENTS = 30
"""Patients tried for one place in the cohort before the drawing is given up."""
LOSSY_SHARE = 0.5
"""Share of patients whose screens pass a lossy capture card (JPEG, chroma halved)."""
JPEG_QUALITY = (70, 95)
PATIENTS_LEFT_OUT = "patients_left_out"


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the cohort, to be filled by the first patient who gives five acquisitions."""

    split: Split
    index: int
    stage: int
    seed: int


@dataclass(frozen=True, slots=True)
class Taken:
    """One accepted acquisition of a virtual patient.

    Attributes:
        screen: as it was drawn, BGR (1080, 1440, 3).
        jpeg: the file that a lossy capture card made of it; None: it came through unchanged.
        truth: what is on it.
        shot: what the appliance sees of it.
    """

    screen: Picture
    jpeg: bytes | None
    truth: FrameTruth
    shot: Shot


@dataclass(frozen=True, slots=True)
class Found:
    """A patient in his place.

    Attributes:
        patient: who.
        taken: his five acquisitions.
        counted: acquisitions that were refused on the way, by reason, and patients left out.
    """

    patient: Patient
    taken: tuple[Taken, ...]
    counted: Counter[str]


def places(split: Split, patients: int, seed: int) -> Iterator[Place]:
    """The places of a split, in order of their stages."""
    for index, stage in enumerate(np.repeat(np.arange(5), stage_counts(split, patients))):
        yield Place(split, index, int(stage), seed)


def find_patient(place: Place) -> Found:
    """The patient of a place; nothing but the place decides who and what is seen of him.

    Raises:
        CohortError: the appliance refuses nearly everybody.
    """
    refused: Counter[str] = Counter()
    for left_out in range(REPLACEMENTS):
        rng = np.random.default_rng([place.seed, SPLITS.index(place.split), place.index, left_out])
        patient = draw_patient(rng, stage=place.stage)
        taken = _examine(patient, rng, refused)
        if len(taken) == ACQUISITIONS:
            return Found(patient, tuple(taken), refused + Counter({PATIENTS_LEFT_OUT: left_out}))
    raise CohortError(
        f"{REPLACEMENTS} virtual patients of stage {place.stage} in a row were refused: {dict(refused)}"
    )


def _examine(patient: Patient, rng: np.random.Generator, refused: Counter[str]) -> list[Taken]:
    """Up to five accepted acquisitions of a patient."""
    profile = load_profile(PROFILE)
    seed = int(rng.integers(2**31))
    quality = int(rng.integers(*JPEG_QUALITY)) if rng.random() < LOSSY_SHARE else None
    taken: list[Taken] = []
    for attempt in range(ATTEMPTS):
        screen, truth = draw_acquisition(patient, attempt, seed)
        jpeg = None if quality is None else _lossy_file(screen, quality)
        seen = look(profile, screen if jpeg is None else _decoded(jpeg))
        if isinstance(seen, Rejected):
            refused[seen.reason.value] += 1
        else:
            taken.append(Taken(screen, jpeg, truth, seen))
        if len(taken) == ACQUISITIONS or len(taken) + ATTEMPTS - attempt - 1 < ACQUISITIONS:
            break
    return taken


def _lossy_file(screen: Picture, quality: int) -> bytes:
    """The screen as a lossy capture card stores it: JPEG of a quality 0-100, chroma halved."""
    _, encoded = cv2.imencode(".jpg", screen, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _decoded(file: bytes) -> Picture:
    return np.asarray(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), dtype=np.uint8)
