"""The study from arrays to tables: what it writes, and that an interrupted one goes on.

The networks are stand-ins that are "trained" at once; `test_report_command` trains real ones.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from firmware_app.wording import NOTICE
from model_export.errors import WrongInputError
from model_export.evaluate_scores import read_scores
from model_export.patient_scores import Vector
from model_export.stages import Request
from model_export.study import run as study_run
from model_export.study.report.study_folder import read_study
from model_export.study.rules import Flow, Step
from model_export.study.run import Study, StudyRequest, run_study
from model_export.task import TrainingOptions
from model_export.trained import TrainedRun
from model_export.weights import InputRange

STAGES = {"train": tuple(range(5)) * 8, "test": tuple(range(5)) * 3}
PATIENTS = "id,stage,age,sex,ast_u_l,ast_uln_u_l,alt_u_l,platelets_10e9_l"
PICTURES = 5


def write_prepared(folder: Path) -> Path:
    """A prepared cohort without pictures; one test patient has no ALT."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(3)
    for split, stages in STAGES.items():
        stage = np.array(stages)
        lsm_kpa = np.exp(1.6 + 0.25 * stage[:, None] + 0.2 * rng.normal(size=(stage.size, PICTURES)))
        np.savez(folder / f"{split}.npz", stage=stage, lsm_kpa=lsm_kpa)
        for name in ("gray", "elastogram"):
            np.save(folder / f"{split}_{name}.npy", np.zeros((stage.size, PICTURES, 1, 1, 3), np.uint8))
        rows = [PATIENTS]
        for i, s in enumerate(stages):
            alt = "" if (split, i) == ("test", 1) else 30 + i
            rows.append(f"{split}{i},{s},{50 + i},f,{30 + 5 * s + i},40,{alt},{250 - 30 * s}")
        (folder / f"{split}_patients.csv").write_text("\n".join(rows) + "\n")
    step = Step("tumour", "tumour larger than 5 cm", checked=True, excluded=2, unknown=1, remaining=55)
    flow = Flow(
        57, (step,), 276, 275, {"no_q_box": 1}, {name: len(stages) for name, stages in STAGES.items()}
    )
    (folder / "flow.json").write_text(json.dumps(flow.to_json()))
    (folder / "splits.json").write_text("{}")
    return folder


class StandIns:
    """Networks that are trained at once; counts what was asked of them.

    Attributes:
        fail_at: a stage that is interrupted once.
    """

    def __init__(self, request: StudyRequest, fail_at: str) -> None:
        self.cohort = write_prepared(request.training.work / "prepared-1")
        self.fail_at = fail_at
        self.asked: list[str] = []

    def prepared(self, *_: object) -> str:
        """Instead of `prepare_below`."""
        return self.cohort.name

    def twin(self, request: Request) -> TrainedRun:
        """Instead of `make_twin`."""
        return self._run(request, "network-twin")

    def trained(self, request: Request) -> TrainedRun:
        """Instead of `make_trained`."""
        return self._run(request, "network-trained")

    def _run(self, request: Request, network: str) -> TrainedRun:
        self.asked.append(network)
        if self.fail_at == network:
            self.fail_at = ""
            raise KeyboardInterrupt
        assert request.cohort == self.cohort.name
        folder = request.work / network
        folder.mkdir(exist_ok=True)
        epochs = [{"epoch": 0, "train_loss": None, "validation_loss": 0.5}]
        (folder / "curves.json").write_text(json.dumps({"GM": {"head": epochs}}))
        return TrainedRun(request.work, request.cohort, network, "x", "w", "l", 1, 0.15, 0.1)

    def logits(self, run: TrainedRun, split: str, _: int) -> Vector:
        """Instead of `image_logits`: rise with the stage; those of the twin with more noise."""
        stage = np.array(STAGES[split])
        rng = np.random.default_rng([len(run.network), stage.size])
        noise = (3.0 if run.network == "network-twin" else 1.0) * rng.normal(size=(stage.size, PICTURES, 3))
        score = stage[:, None, None] - 2.0 + noise
        return np.asarray(score[..., None] - np.array([0.0, 1.0, 2.0]))


@pytest.fixture
def asked(tmp_path: Path) -> StudyRequest:
    """A study of a cohort folder whose path may name somebody."""
    cohort = tmp_path / "named-after-somebody"
    cohort.mkdir()
    for name in ("patients.csv", "images.csv"):
        (cohort / name).write_text("id\n")
    training = Request(
        weights=None,
        input_range=InputRange.SIGNED,
        licence="none",
        work=tmp_path / "work",
        name="tiny",
        patients_train=20,
        patients_test=20,
        views=1,
        options=TrainingOptions(seed=1),
        processes=1,
    )
    return StudyRequest(cohort, training, tmp_path / "out", "fibrostage-export report --cohort x")


def run(asked: StudyRequest, monkeypatch: pytest.MonkeyPatch, stand_ins: StandIns) -> Study:
    """Run the study with stand-ins for whatever takes long."""
    monkeypatch.setattr(study_run, "prepare_below", stand_ins.prepared)
    monkeypatch.setattr(study_run, "make_twin", stand_ins.twin)
    monkeypatch.setattr(study_run, "make_trained", stand_ins.trained)
    monkeypatch.setattr(study_run, "image_logits", stand_ins.logits)
    return run_study(asked)


def test_every_method_is_scored_and_read_by_evaluate(
    asked: StudyRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables hold all patients and all methods but FIB-4, which one patient has no ALT for."""
    study = run(asked, monkeypatch, StandIns(asked, ""))
    table, train = read_scores(study.folder / "test_scores.csv", study.folder / "train_scores.csv", None)
    assert train is not None
    assert tuple(train.stage) == STAGES["train"]
    assert tuple(table.stage) == STAGES["test"]
    assert table.patient_of_image.size == PICTURES * len(STAGES["test"])
    assert set(table.methods()) == {"LSM", "APRI", "GM", "EM", "GM+EM", "GM+LSM", "GM non-TL", "EM non-TL"}
    assert list(json.loads((study.folder / "study.json").read_text())["left_out"]) == ["FIB-4"]
    assert (table.columns["GM@S4"].patients != table.columns["GM non-TL@S4"].patients).all()
    curves = json.loads((study.folder / "curves.json").read_text())
    assert {kind: list(networks) for kind, networks in curves.items()} == {"TL": ["GM"], "non-TL": ["GM"]}
    for name in ("flow.json", "splits.json"):
        assert (study.folder / name).read_bytes() == (asked.training.work / "prepared-1" / name).read_bytes()
    header = (study.folder / "test_patients.csv").read_text().splitlines()[0]
    assert header == PATIENTS


def test_the_report_reads_what_the_study_writes(asked: StudyRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores, patients, flow, curves and record pass the report's own checks."""
    read = read_study(run(asked, monkeypatch, StandIns(asked, "")).folder)
    assert {split: tuple(one.stage) for split, one in read.patients.items()} == STAGES
    assert np.isnan(read.patients["test"].numbers["alt_u_l"][1])
    assert list(read.curves) == ["TL", "non-TL"]
    assert read.virtual is False


def test_the_record_says_how_it_was_made_and_names_no_folder(
    asked: StudyRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notice, command, seed, options, digests, versions, machine and times; nothing that may name people."""
    study = run(asked, monkeypatch, StandIns(asked, ""))
    text = (study.folder / "study.json").read_text()
    record = json.loads(text)
    assert record["notice"] == NOTICE
    assert record["command"] == asked.command
    assert (record["seed"], record["virtual"], record["options"]["epochs"]) == (1, False, 3)
    assert {"patients.csv", "images.csv", "weights", "test_scores.csv"} <= record["sha256"].keys()
    assert {"python", "torch", "fibrostage"} <= record["versions"].keys()
    assert record["machine"]["cores"] >= 1
    assert list(record["seconds"]) == [
        *("prepare the cohort", "train without transfer learning", "train with transfer learning"),
        *("score all pictures", "score every method"),
    ]
    assert str(asked.out.parent) not in text
    assert "named-after-somebody" not in text


def test_an_interrupted_study_goes_on_and_ends_with_the_same_bytes(
    asked: StudyRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Interrupted while it trains it leaves no half study; run again it writes what it would have written."""
    stand_ins = StandIns(asked, "network-trained")
    with pytest.raises(KeyboardInterrupt):
        run(asked, monkeypatch, stand_ins)
    assert not asked.out.exists()
    times = next(asked.training.work.glob("study-*/times.json"))
    assert "train with transfer learning" in json.loads(times.read_text())
    study = run(asked, monkeypatch, stand_ins)
    again = run(replace(asked, out=tmp_path / "again"), monkeypatch, stand_ins)
    names = sorted(path.name for path in study.folder.iterdir() if path.name != "study.json")
    assert len(names) == 7
    for name in names:
        assert (study.folder / name).read_bytes() == (again.folder / name).read_bytes(), name


def test_another_cohort_or_option_has_times_of_its_own(
    asked: StudyRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage folder changes with the cohort's tables and with every option, not with the processes."""
    stand_ins = StandIns(asked, "")
    others = [
        asked,
        replace(asked, training=replace(asked.training, processes=7)),
        replace(asked, training=replace(asked.training, views=9)),
    ]
    for one in others:
        run(one, monkeypatch, stand_ins)
    assert len(list(asked.training.work.glob("study-*"))) == 2
    assert asked.cohort is not None
    (asked.cohort / "patients.csv").write_text("id\np1\n")
    run(asked, monkeypatch, stand_ins)
    assert len(list(asked.training.work.glob("study-*"))) == 3


def test_wrong_weights_and_folders_are_told_before_the_long_work(asked: StudyRequest, tmp_path: Path) -> None:
    """A missing weights file or table is told in one sentence, and nothing is begun."""
    absent = replace(asked, training=replace(asked.training, weights=tmp_path / "absent.pth"))
    with pytest.raises(WrongInputError, match=r"no weights file .*absent\.pth"):
        run_study(absent)
    with pytest.raises(WrongInputError, match=r"no cohort folder: patients\.csv and images\.csv missing"):
        run_study(replace(asked, cohort=tmp_path))
    assert not asked.training.work.exists()
