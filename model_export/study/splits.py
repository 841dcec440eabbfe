"""Training and test patients: as the table says, or drawn by stage; kept with the digest of every file.

A split that was drawn depends on the seed, the patients' pseudonyms and their stages only, not on the order
of the table.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from calibration import json_input
from calibration.phantom.options import SOFTWARE_VERSION, write_whole
from calibration.phantom.randomness import stream
from firmware_app.inference.bundle import digest_of
from model_export.cohort import PAPER_STAGE_COUNTS, SPLITS, Split
from model_export.errors import WrongInputError
from model_export.study.cohort_folder import Digests
from model_export.study.cohort_tables import PatientRow

FILE = "splits.json"
TEST_SHARE = sum(PAPER_STAGE_COUNTS["test"]) / sum(map(sum, PAPER_STAGE_COUNTS.values()))
"""The paper's 102 of 466 patients."""


def split_patients(patients: Sequence[PatientRow], seed: int) -> dict[Split, list[PatientRow]]:
    """Deal the patients out; those of one split keep their order.

    Args:
        patients: with a stage each; either all or none say their split.
        seed: of a split by stage.
    """
    if all(patient.split is not None for patient in patients):
        chosen = {patient.id for patient in patients if patient.split == "test"}
    else:
        chosen = _drawn(patients, seed)
    return {split: [p for p in patients if (p.id in chosen) == (split == "test")] for split in SPLITS}


def _drawn(patients: Sequence[PatientRow], seed: int) -> set[str]:
    """Pseudonyms of the test patients: the paper's share of each stage, at least one of two."""
    by_stage: dict[int | None, list[str]] = defaultdict(list)
    for patient in patients:
        by_stage[patient.stage].append(patient.id)
    chosen: set[str] = set()
    for stage, names in by_stage.items():
        count = min(max(round(len(names) * TEST_SHARE), 1), len(names) - 1)
        order = stream(seed, "split", str(stage)).permutation(len(names))
        ordered = sorted(names)
        chosen.update(ordered[index] for index in order[:count])
    return chosen


def write_splits(target: Path, splits: dict[Split, list[PatientRow]], digests: Digests, seed: int) -> None:
    """Keep who is where, and what the cohort's files were."""
    content = {
        "seed": seed,
        "software": SOFTWARE_VERSION,
        "patients": {split: [patient.id for patient in rows] for split, rows in splits.items()},
        "sha256": digests,
    }
    write_whole(target / FILE, (json.dumps(content, indent=1) + "\n").encode())


def check_splits(target: Path, folder: Path, seed: int) -> None:
    """Make sure that kept splits still are those of the cohort.

    Raises:
        WrongInputError: a file has changed or is gone, or the splits were made with another seed.
    """
    kept = target / FILE
    try:
        content = json_input.parse(kept.read_text(encoding="utf-8"))
        digests: Digests = dict(content["sha256"])
        made_with = int(content["seed"])
    except (OSError, ValueError, KeyError, TypeError):
        raise WrongInputError(f"{kept} is damaged; prepare the cohort into another folder") from None
    if made_with != seed:
        raise WrongInputError(f"{kept} was made with seed {made_with}, not {seed}; give another folder")
    for name, digest in digests.items():
        try:
            now = digest_of(folder / name)
        except OSError:
            now = None
        if now != digest:
            what = "is gone" if now is None else "has changed"
            raise WrongInputError(
                f"{kept} does not fit the cohort {folder} any more: {name} {what}; "
                "prepare it into another folder"
            )
