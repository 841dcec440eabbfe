"""The cohort that a study begins with: somebody's folder, or one that the virtual scanner draws."""

from __future__ import annotations

from pathlib import Path

import calibration
import firmware_app
from firmware_app.inference.bundle import digest_of
from model_export import work
from model_export.errors import WrongInputError
from model_export.stages import SEEN_BY_THE_COHORT
from model_export.study.cohort_drawing import Request as Drawing
from model_export.study.cohort_drawing import draw_folder
from model_export.study.cohort_tables import IMAGES, PATIENTS


def drawn_cohort(folder: Path, drawing: Drawing, processes: int) -> Path:
    """Draw the virtual cohort below a work folder; an interrupted drawing goes on."""
    seen_by = [Path(firmware_app.__file__).parent / part for part in SEEN_BY_THE_COHORT]
    source = work.source_key(Path(calibration.__file__).parent, *seen_by)
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
