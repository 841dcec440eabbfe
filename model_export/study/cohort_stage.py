"""The cohort that a study begins with: somebody's folder, or one that the virtual scanner draws."""

from __future__ import annotations

from pathlib import Path

import calibration
from firmware_app.inference.bundle import digest_of
from model_export import eyes, work
from model_export.errors import WrongInputError
from model_export.study.cohort_drawing import Request as Drawing
from model_export.study.cohort_drawing import draw_folder
from model_export.study.cohort_tables import IMAGES, PATIENTS


def drawn_cohort(folder: Path, drawing: Drawing, processes: int) -> Path:
    """Draw the virtual cohort below a work folder; an interrupted drawing goes on."""
    here = Path(__file__).parent
    draws = [here / "cohort_drawing.py", here.parent / "virtual_patients.py"]
    source = work.source_key(Path(calibration.__file__).parent, *eyes.sources(), *draws)
    target = folder / f"virtual-{work.key_of(drawing.seed, drawing.train, drawing.test, source)}"
    draw_folder(drawing, target, processes)
    return target


def cohort_digests(cohort: Path) -> dict[str, str]:
    """SHA-256 of the two tables of a cohort folder.

    Raises:
        WrongInputError: a table is missing.
    """
    missing = [name for name in (PATIENTS, IMAGES) if not (cohort / name).is_file()]
    if missing:
        raise WrongInputError(f"{cohort} is no cohort folder: {' and '.join(missing)} missing")
    return {name: digest_of(cohort / name) for name in (PATIENTS, IMAGES)}
