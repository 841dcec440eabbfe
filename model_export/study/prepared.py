"""A cohort folder made ready for training: the same arrays as a drawn cohort, and who is who.

Into the target go, for each split, `SPLIT.npz` with `stage` (patients,) and `lsm_kpa` (patients, 5),
`SPLIT_gray.npy` and `SPLIT_elastogram.npy` (patients, 5, 299, 299, 3; uint8 RGB), and `SPLIT_patients.csv` in
the order of the arrays; then `flow.json`, and last `splits.json`.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration import json_input
from calibration.phantom.options import write_whole
from model_export import eyes, work
from model_export.cohort import OWN_COHORT, Split, join_crops
from model_export.errors import WrongInputError
from model_export.study import splits as kept_splits
from model_export.study.cohort_drawing import VIRTUAL
from model_export.study.cohort_folder import missing_classes, read_cohort
from model_export.study.cohort_tables import PatientRow
from model_export.study.rules import (
    BEFORE_PICTURES,
    SERUM,
    SERUM_RULE,
    Flow,
    Step,
    apply_rules,
    pictures_rule,
)
from model_export.study.seen import Seen, folder_of, look_at

_FLOW = "flow.json"
READS_A_COHORT = ("cohort_tables", "cohort_folder", "pictures", "seen", "rules", "splits", "prepared")
"""Modules of the study that decide what a prepared cohort is; the others may change without a new reading."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A prepared cohort.

    Attributes:
        folder: with the arrays, see `load_cohort`.
        flow: from the patients given to those studied.
    """

    folder: Path
    flow: Flow


def prepare_cohort(folder: Path, target: Path, seed: int, processes: int = 2) -> Prepared:
    """Check a cohort, look at its pictures, apply the rules and split it; goes on where it was interrupted.

    The first five usable pictures of a patient count. The flow of patients is printed on stderr.

    Args:
        folder: with patients.csv, images.csv and the pictures.
        target: where the arrays go; made if it is not there.
        seed: of the split, if the table has none.
        processes: how many look at once; the arrays do not depend on it.

    Raises:
        WrongInputError: the cohort has faults, its rules leave a class empty, or it has changed since it was
            prepared here.
    """
    if (target / kept_splits.FILE).is_file():
        kept_splits.check_splits(target, folder, seed)
        return load_prepared(target)
    cohort = read_cohort(folder, processes)
    patients, steps = apply_rules(BEFORE_PICTURES, cohort.patients, cohort.columns)
    parts = folder_of(cohort, target)
    seen = look_at(cohort, patients, parts, processes)
    usable = {name: one.usable for name, one in seen.items()}
    patients, more = apply_rules((pictures_rule(usable), SERUM_RULE), patients, cohort.columns)
    splits = kept_splits.split_patients(patients, seed)
    flow = _flow(len(cohort.patients), (*steps, *more), seen, splits)
    print("\n".join(flow.lines()), file=sys.stderr)
    _check_enough(folder, splits)
    for split, rows in splits.items():
        _assemble(split, rows, [seen[patient.id].file for patient in rows], target)
    write_whole(target / _FLOW, (json.dumps(flow.to_json(), indent=1) + "\n").encode())
    kept_splits.write_splits(target, splits, cohort.digests, seed)
    shutil.rmtree(parts)
    return Prepared(target, flow)


def prepare_below(work_folder: Path, folder: Path, seed: int, processes: int) -> str:
    """Prepare a cohort as a stage of a training; returns the name of the stage's folder.

    Args:
        work_folder: keeps the stages.
        folder: of the cohort.
        seed: of the split, if the table has none.
        processes: how many look at once.

    Raises:
        WrongInputError: as `prepare_cohort`.
    """
    reads = [Path(__file__).with_name(f"{name}.py") for name in READS_A_COHORT]
    source = work.source_key(*eyes.sources(), *reads)
    target = work.stage_folder(work_folder, "prepared", work.key_of(str(folder.resolve()), seed, source))
    prepared = prepare_cohort(folder, target, seed, processes)
    if not work.is_done(target):
        virtual = (folder / VIRTUAL).is_file()
        work.mark_done(target, prepared.flow.pictures_refused | ({} if virtual else {OWN_COHORT: 1}))
    return target.name


def load_prepared(target: Path) -> Prepared:
    """A cohort that `prepare_cohort` has finished.

    Raises:
        WrongInputError: its flow of patients is damaged.
    """
    flow = target / _FLOW
    try:
        content = json_input.parse(flow.read_text(encoding="utf-8"))
        steps = tuple(Step(**step) for step in content.pop("steps"))
        return Prepared(target, Flow(steps=steps, **content))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise WrongInputError(f"{flow} is damaged; prepare the cohort into another folder") from None


def _flow(
    given: int, steps: tuple[Step, ...], seen: dict[str, Seen], splits: dict[Split, list[PatientRow]]
) -> Flow:
    usable = sum(one.usable for one in seen.values())
    refused: Counter[str] = sum((one.refused for one in seen.values()), Counter())
    return Flow(
        given=given,
        steps=steps,
        pictures_seen=usable + refused.total(),
        pictures_usable=usable,
        pictures_refused=dict(sorted(refused.items())),
        included={split: len(rows) for split, rows in splits.items()},
    )


def _check_enough(folder: Path, splits: dict[Split, list[PatientRow]]) -> None:
    staged = [(split, row.stage) for split, rows in splits.items() for row in rows if row.stage is not None]
    missing = list(missing_classes(staged)) if staged else ["nobody is left"]
    if missing:
        raise WrongInputError(
            f"too few patients of {folder} are left by the rules: {'; '.join(missing)}; add patients"
        )


def _assemble(split: Split, patients: Sequence[PatientRow], files: Sequence[Path], target: Path) -> None:
    """Join the patients' files to one array each, and write who they are."""
    join_crops(files, target, split)
    lsm_kpa = []
    for file in files:
        with np.load(file, allow_pickle=False) as part:
            lsm_kpa.append(part["lsm_kpa"])
    stage = np.array([patient.stage for patient in patients], dtype=np.int64)
    np.savez(target / f"{split}.npz", stage=stage, lsm_kpa=np.stack(lsm_kpa))
    write_whole(target / f"{split}_patients.csv", _table(patients).encode())


def _table(patients: Sequence[PatientRow]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    age, *serum = SERUM
    writer.writerow(("id", "stage", age, "sex", *serum))
    for patient in patients:
        numbers = {name: "" if value is None else f"{value:.10g}" for name, value in patient.values.items()}
        writer.writerow(
            (patient.id, patient.stage, numbers[age], patient.sex, *(numbers[name] for name in serum))
        )
    return text.getvalue()
