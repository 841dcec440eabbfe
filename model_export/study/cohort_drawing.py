"""The virtual cohort as a folder that looks like a real one: tables and whole screens of the virtual scanner.

    patients.csv  images.csv  pictures/ID_N.png or .jpg  README.txt  cohort.json

Half of the patients' screens passed a lossy capture card and are the JPEG files that it made. The stiffness
in images.csv is what the scanner printed, as a hospital would have written it down. The patients are those
whom `fibrostage-export train` draws with the same seed.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
from tqdm import tqdm

from calibration import json_input
from calibration.phantom.options import SOFTWARE_VERSION, write_whole
from calibration.phantom.randomness import stream
from firmware_app.wording import NOTICE
from model_export.cohort import SPLITS, Split
from model_export.errors import WrongInputError
from model_export.virtual_patients import PATIENTS_LEFT_OUT, Found, Place, Taken, find_patient, places
from model_export.workers import in_workers

PATIENT_COLUMNS = ("id", "stage", "split", "age", "sex", "ast_u_l", "ast_uln_u_l", "alt_u_l",
                   "platelets_10e9_l")  # fmt: skip
IMAGE_COLUMNS = ("patient", "file", "lsm_kpa")
MEN_SHARE = (281 + 72) / 466
"""Of the paper's two cohorts; nothing in a picture follows from it."""
_UNDER_WAY = ".drawn"
"""Folder of what is known so far while a drawing is not complete."""
VIRTUAL = "cohort.json"
"""Stands in a folder that the virtual scanner has drawn, and in no other."""
_FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]
_README = """{notice}

A virtual cohort of fibrostage {version}: {train} training and {test} test patients, five screens each.
Nobody here has ever lived: patients, names on the screens and laboratory values are drawn from the numbers
that Xue et al., Eur Radiol 2020;30:2973-2983, have published. Results on these pictures show that the tool
chain works; they are no clinical evidence.

Drawn by
    fibrostage-calibrate phantom cohort --patients {patients} --seed {seed} --train-patients {train} --out DIR

patients.csv: a row per patient. id; stage: Scheuer, 0-4; split: train or test; age: years; sex: f or m;
  ast_u_l, alt_u_l: U/L; ast_uln_u_l: the laboratory's upper limit of normal of AST, U/L;
  platelets_10e9_l: 10^9/L.
images.csv: a row per picture. patient: an id; file: in this folder; lsm_kpa: the Q-box mean as printed, kPa.
pictures: whole screens. JPEG files are as a lossy capture card delivered them.

Left out on the way, as a sonographer would take a picture again or give a patient up:
{counted}
"""


@dataclass(frozen=True, slots=True)
class Request:
    """What to draw: everything in the folder follows from it and from the software's version.

    Attributes:
        seed: of everything.
        train, test: patients of each split.
        version: of the software.
    """

    seed: int
    train: int
    test: int
    version: str = SOFTWARE_VERSION

    def patients(self, split: Split) -> int:
        """Patients of one split."""
        return self.train if split == "train" else self.test


@dataclass(frozen=True, slots=True)
class _Job:
    """One place of the cohort, under the pseudonym that its patient gets."""

    place: Place
    name: str
    folder: Path

    @property
    def record(self) -> Path:
        """File that is there when all of the patient's pictures are."""
        return self.folder / _UNDER_WAY / f"{self.name}.json"


def draw_folder(request: Request, folder: Path, processes: int = 2) -> dict[str, int]:
    """Draw a virtual cohort; an interrupted drawing goes on, a complete one is left as it is.

    Args:
        request: what to draw.
        folder: where; made if it is not there.
        processes: how many draw at once; the pictures do not depend on it.

    Returns:
        How many patients were left out and how many acquisitions were refused, by reason.

    Raises:
        WrongInputError: the folder holds something else, or cannot be written.
        CohortError: the appliance refuses nearly everybody.
    """
    about = folder / VIRTUAL
    if about.is_file() and not (folder / _UNDER_WAY).exists():
        return _already_drawn(request, about)
    _claim(request, folder)
    jobs = _jobs(request, folder)
    missing = [job for job in jobs if not job.record.is_file()]
    done = in_workers(_draw, missing, processes)
    for _ in tqdm(done, desc="cohort", unit="patient", initial=len(jobs) - len(missing), total=len(jobs)):
        pass
    counted = _write_tables(request, jobs, folder)
    write_whole(about, _json({"request": asdict(request), "counted": counted}))
    shutil.rmtree(folder / _UNDER_WAY)
    return counted


def _already_drawn(request: Request, about: Path) -> dict[str, int]:
    try:
        kept = json_input.parse(about.read_text(encoding="utf-8"))
        same, counted = kept["request"] == asdict(request), dict(kept["counted"])
    except (ValueError, KeyError, TypeError):
        same, counted = False, {}
    if not same:
        raise WrongInputError(f"{about.parent} already holds another cohort; give another folder")
    return counted


def _claim(request: Request, folder: Path) -> None:
    """Make the folder this drawing's own."""
    under_way = folder / _UNDER_WAY
    kept = under_way / "request.json"
    if kept.is_file():
        if kept.read_bytes() != _json(asdict(request)):
            raise WrongInputError(
                f"{folder} holds the unfinished drawing of another cohort; repeat its options, remove it or "
                "give another folder"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongInputError(f"{folder} is not an empty folder; give a new one")
    try:
        (folder / "pictures").mkdir(parents=True)
        under_way.mkdir()
    except OSError as error:
        raise WrongInputError(f"cannot write {folder}: {error.strerror}") from None
    write_whole(kept, _json(asdict(request)))


def _jobs(request: Request, folder: Path) -> list[_Job]:
    """All places; the pseudonyms are dealt out at random, so that they do not tell stage or split."""
    every = [place for split in SPLITS for place in places(split, request.patients(split), request.seed)]
    numbers = stream(request.seed, "pseudonyms").permutation(len(every))
    jobs = [_Job(place, f"P{number + 1:04d}", folder) for place, number in zip(every, numbers, strict=True)]
    return sorted(jobs, key=lambda job: job.name)


def _draw(job: _Job) -> None:
    """Find a patient for a place and write his pictures, then what is known of him."""
    found = find_patient(job.place)
    images = []
    for number, taken in enumerate(found.taken, start=1):
        name = f"pictures/{job.name}_{number}.{'png' if taken.jpeg is None else 'jpg'}"
        write_whole(job.folder / name, _file_of(taken))
        read_out = taken.truth.readout
        images.append([job.name, name, "" if read_out is None else f"{read_out.mean_kpa:.1f}"])
    record = {"patient": _row(job, found), "images": images, "counted": found.counted}
    write_whole(job.record, _json(record))


def _file_of(taken: Taken) -> bytes:
    return taken.jpeg if taken.jpeg is not None else cv2.imencode(".png", taken.screen, _FAST)[1].tobytes()


def _row(job: _Job, found: Found) -> list[str | int | float]:
    """The patient in the order of PATIENT_COLUMNS."""
    patient, place = found.patient, job.place
    draw = stream(place.seed, "sex", SPLITS.index(place.split), place.index).random()
    sex = "m" if draw < MEN_SHARE else "f"
    serum = (patient.ast_u_l, patient.ast_uln_u_l, patient.alt_u_l, patient.platelets_10e9_l)
    return [job.name, place.stage, place.split, patient.age, sex, *serum]


def _write_tables(request: Request, jobs: list[_Job], folder: Path) -> dict[str, int]:
    """Join the patients' records; returns what was counted."""
    records = [json.loads(job.record.read_text(encoding="utf-8")) for job in jobs]
    counted: Counter[str] = Counter()
    for record in records:
        counted += Counter(record["counted"])
    write_whole(folder / "patients.csv", _csv(PATIENT_COLUMNS, [record["patient"] for record in records]))
    write_whole(
        folder / "images.csv", _csv(IMAGE_COLUMNS, [row for record in records for row in record["images"]])
    )
    refused = [
        f"  acquisitions refused, {name}: {n}" for name, n in counted.items() if name != PATIENTS_LEFT_OUT
    ]
    lines = [f"  patients: {counted[PATIENTS_LEFT_OUT]}", *sorted(refused)]
    text = _README.format(
        notice=NOTICE,
        patients=request.train + request.test,
        counted="\n".join(lines),
        **asdict(request),
    )
    write_whole(folder / "README.txt", text.encode())
    return dict(sorted(counted.items()))


def _csv(columns: tuple[str, ...], rows: list[list[str | int | float]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _json(content: object) -> bytes:
    return (json.dumps(content, indent=1) + "\n").encode()
