"""From a cohort to the scores of every method: all the stages of the study in one function.

    cohort -> prepared -> twins -> networks -> log-odds -> methods -> study folder

Every stage is a folder of the work folder whose name changes with what goes into it; what is there is not
done again. What comes out is a folder of plain tables: `fibrostage-export evaluate` reads them, the report
shows them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from calibration.whole_file import durable_file
from firmware_app.inference.bundle import THRESHOLDS, digest_of
from firmware_app.wording import NOTICE
from model_export import work
from model_export.checkpoint import CURVES
from model_export.cohort import SPLITS, Split, load_cohort
from model_export.patient_scores import Vector
from model_export.stages import Request, make_trained, make_twin
from model_export.study.cohort_drawing import VIRTUAL
from model_export.study.cohort_drawing import Request as Drawing
from model_export.study.cohort_stage import cohort_digests, drawn_cohort
from model_export.study.image_logits import image_logits
from model_export.study.machine_facts import machine, versions
from model_export.study.methods import Fitted, Measured, columns_of, fit_methods, write_scores
from model_export.study.patients import read_patients
from model_export.study.prepared import prepare_below
from model_export.study.stopwatch import Stopwatch
from model_export.trained import TrainedRun
from model_export.weights import load_trunk
from model_export.whole import WholeRun


@dataclass(frozen=True, slots=True)
class StudyRequest:
    """What to study.

    Attributes:
        cohort: folder with patients.csv, images.csv and pictures; None draws a virtual one of the sizes in
            `training`.
        training: how the networks are trained; its work folder keeps every stage.
        out: becomes the study folder.
        command: that was given, for the record; without names of folders, which may name people.
    """

    cohort: Path | None
    training: Request
    out: Path
    command: str


@dataclass(frozen=True, slots=True)
class Study:
    """A finished study.

    Attributes:
        folder: the tables: scores, patients, flow, splits, curves, study.json.
        run: the networks with transfer learning.
        twin: those without.
        seconds: that each stage took, over all runs.
    """

    folder: Path
    run: TrainedRun
    twin: TrainedRun | WholeRun
    seconds: dict[str, float]


def run_study(request: StudyRequest) -> Study:
    """Run the study, or what is left of it.

    Raises:
        WrongInputError: the cohort, the weights or the folders cannot be used; the sentence says why.
        CohortError: no virtual cohort can be drawn.
    """
    training = request.training
    if training.weights is not None:
        load_trunk(training.weights, training.input_range)  # wrong weights are told before the long work
    own = _own_folder(request)
    watch = Stopwatch(own / "times.json", 5 if request.cohort else 6)
    if request.cohort is None:
        with watch.stage("draw the virtual cohort"):
            cohort = drawn_cohort(training.work, _drawing(training), training.processes)
    else:
        cohort = request.cohort
    with watch.stage("prepare the cohort"):
        name = prepare_below(training.work, cohort, training.options.seed, training.processes)
        seen = training.work / name
    with watch.stage("train without transfer learning"):
        twin = make_twin(replace(training, cohort=name))
    with watch.stage("train with transfer learning"):
        run = make_trained(replace(training, cohort=name))
    runs: dict[str, TrainedRun | WholeRun] = {"TL": run, "non-TL": twin}
    with watch.stage("score all pictures"):
        logits = {
            kind: {split: image_logits(one, split, training.processes) for split in SPLITS}
            for kind, one in runs.items()
        }
    with watch.stage("score every method"):
        measured = {split: _measured(seen, split, logits) for split in SPLITS}
        fitted = fit_methods(measured["train"], measured["test"], training.options.seed)
        _write_tables(request.out, seen, measured, fitted)
        _write_curves(request.out, runs)
    record = _record(request, cohort, fitted, watch)
    _write_json(request.out / "study.json", record)
    return Study(request.out, run, twin, watch.seconds())


def _own_folder(request: StudyRequest) -> Path:
    """The stage folder of this study's times; it changes with everything that was asked for."""
    training = request.training
    asked = replace(training, work=Path(), processes=0, weights=None)
    key = work.key_of(
        json.dumps(asdict(asked), default=str, sort_keys=True),
        "random" if training.weights is None else digest_of(training.weights),
        *([] if request.cohort is None else cohort_digests(request.cohort).values()),
    )
    return work.stage_folder(training.work, "study", key)


def _drawing(training: Request) -> Drawing:
    return Drawing(training.options.seed, training.patients_train, training.patients_test)


def _measured(seen: Path, split: Split, logits: dict[str, dict[Split, Vector]]) -> Measured:
    return Measured(
        patients=read_patients(seen, split),
        lsm_kpa=load_cohort(seen, split).lsm_kpa,
        transfer=logits["TL"][split],
        twin=logits["non-TL"][split],
    )


def _write_tables(out: Path, seen: Path, measured: dict[Split, Measured], fitted: Fitted) -> None:
    """Scores of both splits, and what the prepared cohort tells of its patients."""
    out.mkdir(parents=True, exist_ok=True)
    for split, one in measured.items():
        write_scores(out / f"{split}_scores.csv", one, columns_of(one, fitted))
        shutil.copyfile(seen / f"{split}_patients.csv", out / f"{split}_patients.csv")
    for name in ("flow.json", "splits.json"):
        shutil.copyfile(seen / name, out / name)


def _write_curves(out: Path, runs: dict[str, TrainedRun | WholeRun]) -> None:
    """Losses by epoch: {"TL": {"GM": {"head": [...], "top": [...]}, ...}, "non-TL": ...}.

    Of the three binary networks of `--heads three` each has its own, "GM ge_s2" and so on.
    """
    curves = {kind: _curves(run.work / run.network) for kind, run in runs.items()}
    _write_json(out / "curves.json", curves)


def _curves(folder: Path) -> dict[str, object]:
    if (folder / CURVES).is_file():
        found: dict[str, object] = json.loads((folder / CURVES).read_text(encoding="utf-8"))
        return found
    return {
        f"{name} {threshold}": parts
        for threshold in THRESHOLDS
        for name, parts in json.loads((folder / threshold / CURVES).read_text(encoding="utf-8")).items()
    }


def _record(request: StudyRequest, cohort: Path, fitted: Fitted, watch: Stopwatch) -> dict[str, object]:
    """Everything needed to make the study again, and what it cost."""
    training = request.training
    digests = cohort_digests(cohort)
    digests["weights"] = "random" if training.weights is None else digest_of(training.weights)
    digests |= {
        name: digest_of(request.out / name)
        for name in (f"{split}_{kind}.csv" for split in SPLITS for kind in ("scores", "patients"))
    }
    return {
        "notice": NOTICE,
        "virtual": (cohort / VIRTUAL).is_file(),
        "command": request.command,
        "seed": training.options.seed,
        "options": {
            "weights": "random" if training.weights is None else training.weights.name,
            "weights_range": training.input_range.value,
            "licence": training.licence,
            "views": training.views,
            "trainable": training.trainable,
            **asdict(training.options),
        },
        "left_out": fitted.left_out,
        "gm_lsm": {key: weights.model_dump() for key, weights in fitted.gm_lsm.items()},
        "sha256": digests,
        "versions": versions(),
        "machine": machine(),
        "seconds": watch.seconds(),
    }


def _write_json(path: Path, content: object) -> None:
    with durable_file(path) as file:
        file.write((json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
