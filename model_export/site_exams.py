"""A site's own labelled exams: stages from a table, answers from what the appliance has published.

The table is what a department can make: CSV with the columns `exam_id` and `stage` (Scheuer, 0-4). The
answers are `result` payloads, one JSON object a line: the output of `fibrostage replay --json`, saved MQTT
messages, or lines of the audit log, whose `content` they are.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from tqdm import tqdm

from calibration import json_input
from firmware_app.inference.bundle import THRESHOLDS
from firmware_app.ward.messages import Probabilities, ResultMessage
from model_export.errors import WrongInputError
from model_export.graph_tail import Tail
from model_export.patient_scores import PatientScores, Vector, positives

FEWEST_EXAMS = 50
FEWEST_ON_A_SIDE = 10
"""Exams that each threshold needs on either side: ten for each of the fit's degrees of freedom there."""
_CLOSEST = 1e-12
"""Probabilities nearer to 0 or 1 have lost their log-odds."""


@dataclass(frozen=True, slots=True)
class SiteExams:
    """Labelled exams of one site.

    Attributes:
        scores: by the bundle's graph as it is, one row an exam.
        without_result: exams of the table that no result of this bundle was found for.
    """

    scores: PatientScores
    without_result: int


def read_exams(table: Path, results: Sequence[Path], bundle_id: str, tails: Sequence[Tail]) -> SiteExams:
    """The labelled exams that were made with a bundle.

    Args:
        table: CSV with `exam_id` and `stage`.
        results: files of result payloads.
        bundle_id: of the bundle; results of another one do not count.
        tails: how the bundle's graph makes log-odds, of GM, EM and GM+EM.

    Raises:
        WrongInputError: a file cannot be read or is not what it should be, or there are too few exams.
    """
    stages = _stages(table)
    found: dict[str, ResultMessage] = {}
    others: Counter[str] = Counter()
    for path in results:
        for result in _results(path):
            if result.bundle_id != bundle_id:
                others[str(result.bundle_id)] += 1
            elif str(result.exam_id) in stages and _is_complete(result):
                found[str(result.exam_id)] = result  # of several results of one exam the last one holds
    if not found and others:
        raise WrongInputError(
            f"no result is of {bundle_id}, but of {', '.join(sorted(others))}; give that bundle"
        )
    ids = sorted(found)
    logits = [_logits([_of(found[key], method) for key in ids], tails[method]) for method in range(3)]
    scores = PatientScores(
        stage=np.array([stages[key] for key in ids], dtype=np.int64),
        lsm_kpa=np.array([found[key].lsm.mean_kpa for key in ids], dtype=np.float64),
        gm=logits[0],
        em=logits[1],
        gm_em=logits[2],
    )
    _check_enough(scores)
    return SiteExams(scores, without_result=len(stages) - len(ids))


def _stages(table: Path) -> dict[str, int]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise WrongInputError(f"{table} cannot be read as CSV in UTF-8: {error}") from error
    stages: dict[str, int] = {}
    for number, row in enumerate(rows, start=2):
        exam, stage = (row.get("exam_id") or "").strip().lower(), (row.get("stage") or "").strip()
        if not exam or stage not in {"0", "1", "2", "3", "4"}:
            raise WrongInputError(f"{table}, line {number}: give an exam_id and a stage from 0 to 4")
        if exam in stages:
            raise WrongInputError(f"{table}, line {number}: exam {exam} stands twice; keep one of them")
        stages[exam] = int(stage)
    return stages


def _results(path: Path) -> Iterator[ResultMessage]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInputError(f"{path} cannot be read as text in UTF-8: {error}") from error
    for number, line in enumerate(
        tqdm(lines, desc=path.name, unit="line", leave=False, disable=None), start=1
    ):
        if not line.strip():
            continue
        try:
            record = json_input.parse(line)
            payload = record.get("content", record)
            if isinstance(payload, dict) and payload.get("type") == "result":
                yield ResultMessage.model_validate_json(json.dumps(payload))
        except (ValueError, AttributeError, ValidationError) as error:
            raise WrongInputError(
                f"{path}, line {number} is not a message of the appliance; give its JSON lines as they are"
            ) from error


def _is_complete(result: ResultMessage) -> bool:
    return None not in {result.methods.gm, result.methods.em, result.methods.gm_em}


def _of(result: ResultMessage, method: int) -> Probabilities:
    chances = (result.methods.gm, result.methods.em, result.methods.gm_em)[method]
    if chances is None:
        raise AssertionError("incomplete results were left out")
    return chances


def _logits(chances: Sequence[Probabilities], tail: Tail) -> Vector:
    """Log-odds (exams, 3); two of the columns follow from the one that kept most of its digits."""
    published = np.array([[one.ge_s2, one.ge_s3, one.s4] for one in chances]).reshape(-1, 3)
    clipped = np.clip(published, _CLOSEST, 1 - _CLOSEST)
    logits = np.log(clipped / (1 - clipped))
    offsets = np.array(tail.offsets)
    best = np.abs(logits).argmin(axis=1)
    score = logits[np.arange(len(logits)), best] + offsets[best]
    return np.asarray(score[:, np.newaxis] - offsets, dtype=np.float64)


def _check_enough(scores: PatientScores) -> None:
    exams = len(scores.stage)
    if exams < FEWEST_EXAMS:
        raise WrongInputError(
            f"{exams} labelled exams with a result of this bundle, at least {FEWEST_EXAMS} are needed"
        )
    truth = positives(scores.stage)
    for k, key in enumerate(THRESHOLDS):
        fewest = min(int(truth[:, k].sum()), int((~truth[:, k]).sum()))
        if fewest < FEWEST_ON_A_SIDE:
            raise WrongInputError(
                f"{fewest} exams on one side of {key}, at least {FEWEST_ON_A_SIDE} are needed on either"
            )
