from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from model_export.cohort import PAPER_STAGE_COUNTS
from model_export.errors import WrongInputError
from model_export.study.cohort_tables import NUMBERS, YES_OR_NO, PatientRow
from model_export.study.rules import BEFORE_PICTURES, SERUM_RULE, apply_rules, pictures_rule
from model_export.study.splits import check_splits, split_patients, write_splits

NOTHING: dict[str, float | None] = dict.fromkeys((*NUMBERS, *YES_OR_NO))
SERUM = {"age": 50.0, "ast_u_l": 30.0, "ast_uln_u_l": 40.0, "alt_u_l": 20.0, "platelets_10e9_l": 200.0}


def patient(name: str, stage: int | None = 2, **values: float | None) -> PatientRow:
    """A patient with serum values and nothing against him."""
    return PatientRow(2, name, stage, None, "f", {**NOTHING, **SERUM, **values})


def test_each_rule_leaves_out_its_own_patient_and_the_numbers_add_up() -> None:
    """One patient for every rule of the paper, one at each limit, who stays."""
    out = [
        patient("unstaged", None),
        patient("child", age=17.9),
        patient("late", days_to_surgery=15),
        patient("large", tumour_mm=51),
        patient("hepatitis_c", other_hepatitis=1),
        patient("treated", antiviral_6_months=1),
        patient("transplanted", liver_transplant=1),
        patient("dilated", bile_ducts_dilated=1),
        patient("heart", heart_failure=1),
    ]
    at_the_limit = patient("limit", age=18, days_to_surgery=14, tumour_mm=50, other_hepatitis=0)
    patients = (*out, at_the_limit, patient("plain"))
    columns = frozenset((*NUMBERS, *YES_OR_NO))
    left, steps = apply_rules(BEFORE_PICTURES, patients, columns)
    assert [p.id for p in left] == ["limit", "plain"]
    assert [step.excluded for step in steps] == [1] * 9
    assert [step.remaining for step in steps] == list(range(10, 1, -1))
    assert steps[-1].unknown == 2
    usable = {"limit": 5, "plain": 4}
    left, steps = apply_rules((pictures_rule(usable), SERUM_RULE), left, columns)
    assert [p.id for p in left] == ["limit"]
    assert [(step.excluded, step.remaining) for step in steps] == [(1, 1), (0, 1)]


def test_serum_is_asked_of_a_cohort_that_has_it_and_of_no_other() -> None:
    """A gap leaves its patient out; a cohort without serum values keeps everybody, and the flow says so."""
    patients = (patient("whole"), patient("gap", alt_u_l=None))
    left, (step,) = apply_rules((SERUM_RULE,), patients, frozenset(SERUM))
    assert [p.id for p in left] == ["whole"]
    assert step.checked
    left, (step,) = apply_rules((SERUM_RULE,), patients, frozenset({"age"}))
    assert (len(left), step.checked, step.excluded) == (2, False, 0)


def cohort() -> list[PatientRow]:
    """As many patients as in the paper."""
    counts = [sum(pair) for pair in zip(*PAPER_STAGE_COUNTS.values(), strict=True)]
    return [patient(f"{stage}-{i}", stage) for stage, count in enumerate(counts) for i in range(count)]


def test_a_split_by_stage_is_disjoint_stratified_and_follows_from_the_seed() -> None:
    """Everybody is in one split, each stage keeps the paper's share, the table's order does not matter."""
    patients = cohort()
    splits = split_patients(patients, 3)
    train, test = ({p.id for p in splits[split]} for split in ("train", "test"))
    assert not train & test
    assert train | test == {p.id for p in patients}
    counted = Counter(p.stage for p in splits["test"])
    for stage, count in Counter(p.stage for p in patients).items():
        assert counted[stage] == round(count * 102 / 466)
    again = split_patients(patients[::-1], 3)
    assert {p.id for p in again["test"]} == test
    assert {p.id for p in split_patients(patients, 4)["test"]} != test


def test_the_tables_own_split_is_kept() -> None:
    """A cohort that says who trains and who tests is not dealt out anew."""
    patients = [replace(p, split="test" if i % 7 == 0 else "train") for i, p in enumerate(cohort())]
    splits = split_patients(patients, 3)
    assert [p.id for p in splits["test"]] == [p.id for p in patients[::7]]


def test_kept_splits_notice_every_change(tmp_path: Path) -> None:
    """Another table, a changed or missing picture, another seed, a damaged file: refused in a sentence."""
    folder, target = tmp_path / "cohort", tmp_path / "target"
    folder.mkdir()
    target.mkdir()
    (folder / "a.png").write_bytes(b"picture")
    digests = {"a.png": hashlib.sha256(b"picture").hexdigest()}
    write_splits(target, split_patients(cohort(), 1), digests, 1)
    check_splits(target, folder, 1)
    (folder / "a.png").write_bytes(b"another")
    with pytest.raises(WrongInputError, match=r"a\.png has changed"):
        check_splits(target, folder, 1)
    with pytest.raises(WrongInputError, match="made with seed 1, not 2"):
        check_splits(target, folder, 2)
    (folder / "a.png").unlink()
    with pytest.raises(WrongInputError, match=r"a\.png is gone"):
        check_splits(target, folder, 1)
    (target / "splits.json").write_text("{")
    with pytest.raises(WrongInputError, match="is damaged"):
        check_splits(target, folder, 1)
