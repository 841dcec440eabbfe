"""A cohort folder, read and checked as a whole: everything that is wrong is told at once."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from firmware_app.inference.bundle import digest_of
from model_export.cohort import SPLITS, Split
from model_export.errors import PictureError, WrongInputError
from model_export.study.cohort_tables import (
    IMAGES,
    PATIENTS,
    ImageRow,
    PatientRow,
    Problems,
    image_rows,
    patient_rows,
)
from model_export.study.pictures import KINDS, check, decode

THRESHOLDS = ((2, ">=S2"), (3, ">=S3"), (4, "S4"))
Digests = dict[str, str]
"""SHA-256 of each file of a cohort by its name below the folder."""


@dataclass(frozen=True, slots=True)
class CohortFolder:
    """A cohort without faults.

    Attributes:
        folder: where it lies.
        patients: in the order of the table.
        images: of each patient, in the order of the table.
        columns: numbers and answers of patients.csv that are recorded of anybody.
        digests: of both tables and every picture.
    """

    folder: Path
    patients: tuple[PatientRow, ...]
    images: dict[str, tuple[ImageRow, ...]]
    columns: frozenset[str]
    digests: Digests


def read_cohort(folder: Path, processes: int = 2) -> CohortFolder:
    """Read both tables and decode every picture once.

    Args:
        folder: with patients.csv, images.csv and the pictures.
        processes: how many pictures are decoded at once.

    Raises:
        WrongInputError: lists everything that is wrong with the cohort.
    """
    problems, digests = Problems(), Digests()
    patients = patient_rows(_table(folder, PATIENTS, problems, digests), problems)
    images = image_rows(_table(folder, IMAGES, problems, digests), problems)
    _check_patients(patients, problems)
    _check_images(patients, images, problems)
    _check_classes(patients, problems)
    _check_pictures(folder, images, processes, problems, digests)
    if problems.lines:
        count = "this problem" if len(problems.lines) == 1 else f"these {len(problems.lines)} problems"
        listing = "".join(f"\n- {line}" for line in problems.lines)
        raise WrongInputError(f"the cohort {folder} cannot be used; mend {count}:{listing}")
    by_patient: dict[str, list[ImageRow]] = defaultdict(list)
    for image in images:
        by_patient[image.patient].append(image)
    return CohortFolder(
        folder=folder,
        patients=tuple(patients),
        images={patient: tuple(rows) for patient, rows in by_patient.items()},
        columns=frozenset(n for p in patients for n, value in p.values.items() if value is not None),
        digests=digests,
    )


def missing_classes(stages: Iterable[tuple[Split | None, int]]) -> Iterator[str]:
    """What is missing to tell every stage and every threshold apart, in all and in each split."""
    counted = Counter(stages)
    in_all = Counter(stage for _, stage in counted.elements())
    for stage in range(5):
        if not in_all[stage]:
            yield f"no patient has stage {stage}; every stage 0-4 needs some"
    for split in SPLITS:
        here = {stage for of, stage in counted if of == split}
        for stage, name in THRESHOLDS:
            lacking = not any(s >= stage for s in here), not any(s < stage for s in here)
            sides = [side for side, lacks in zip(("at or above", "below"), lacking, strict=True) if lacks]
            if here and sides:
                yield f"no patient {sides[0]} {name} in split {split}; both sides of a threshold need some"


def _table(folder: Path, name: str, problems: Problems, digests: Digests) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        problems.add(name, f"cannot be read ({error.strerror}); a cohort has {PATIENTS} and {IMAGES}")
        return b""
    digests[name] = hashlib.sha256(content).hexdigest()
    return content


def _check_patients(patients: list[PatientRow], problems: Problems) -> None:
    by_id: dict[str, list[PatientRow]] = defaultdict(list)
    for patient in patients:
        by_id[patient.id].append(patient)
    for name, rows in by_id.items():
        if not name or len(rows) == 1:
            continue
        lines = " and ".join(str(row.line) for row in rows)
        if len({row.split for row in rows} & {*SPLITS}) == len(SPLITS):
            problems.add(f"{PATIENTS} lines {lines} ({name})", "one patient in both splits; keep one row")
        else:
            problems.add(f"{PATIENTS} lines {lines} ({name})", "one patient in several rows; keep one")
    unsplit = [patient for patient in patients if patient.split is None]
    if len(unsplit) < len(patients):
        for patient in unsplit:
            problems.add(
                f"{PATIENTS} line {patient.line} ({patient.id})",
                "no split where other patients have one; give train or test, or leave the whole column empty",
            )


def _check_images(patients: list[PatientRow], images: list[ImageRow], problems: Problems) -> None:
    splits = {patient.id: patient.split for patient in patients}
    used: dict[str, int] = {}
    for image in images:
        where = f"{IMAGES} line {image.line} ({image.patient})"
        if image.patient not in splits:
            problems.add(where, f"no patient of that id in {PATIENTS}; add it, or remove the picture")
        split = splits.get(image.patient)
        if image.split is not None and split is not None and image.split != split:
            problems.add(where, f"one patient in both splits: {split} in {PATIENTS}, {image.split} here")
        for name in image.files:
            if name in used:
                problems.add(where, f"{name} is already used in line {used[name]}; every picture counts once")
            used.setdefault(name, image.line)


def _check_classes(patients: list[PatientRow], problems: Problems) -> None:
    if patients:
        staged = [(patient.split, patient.stage) for patient in patients if patient.stage is not None]
        for missing in missing_classes(staged):
            problems.add(PATIENTS, missing)


def _check_pictures(
    folder: Path, images: list[ImageRow], processes: int, problems: Problems, digests: Digests
) -> None:
    """Decode every picture; the digests of those that are there are added."""
    first: dict[str, str] = {}
    with ThreadPoolExecutor(processes, "pictures") as pool:
        looked = pool.map(lambda image: _look(folder, image), images)
        for image, (found, wrong) in zip(
            images, tqdm(looked, desc="checking", unit="picture", total=len(images)), strict=True
        ):
            where = f"{IMAGES} line {image.line} ({image.patient})"
            for what in wrong:
                problems.add(where, what)
            for name, digest in found.items():
                digests[name] = digest
                if first.setdefault(digest, name) != name:
                    problems.add(where, f"{name} is the very same picture as {first[digest]}; remove one")


def _look(folder: Path, image: ImageRow) -> tuple[Digests, list[str]]:
    """Digests of a row's files, and what is wrong with them."""
    wrong: list[str] = []
    found, pictures = Digests(), []
    for name in image.files:
        say = _sentence(name, wrong)
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name:
            say("lies outside the cohort's folder; name files below it, with /")
        elif path.suffix.lower() not in KINDS:
            say(f"is of no known kind; known are {', '.join(sorted(KINDS))}")
        elif not os.path.isfile(folder / name):  # noqa: PTH113 - `Path.is_file` fails at a name that is too long
            say("is missing")
        else:
            try:
                pictures.append(decode(folder / name))
                found[name] = digest_of(folder / name)
            except PictureError as error:
                say(str(error))
    if len(pictures) == len(image.files) and (what := check(image, tuple(pictures))):
        wrong.append(what)
    return found, wrong


def _sentence(name: str, wrong: list[str]) -> Callable[[str], None]:
    return lambda what: wrong.append(f"{name} {what}")
