"""Reports: what another system gets of a result validates, says what the result says, and names nobody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pydicom
import pytest
from fhir.resources.R4B.bundle import Bundle

from firmware_app.errors import ReportError
from firmware_app.exam.events import Event, SerumEntered
from firmware_app.reports.command import read_result
from firmware_app.reports.dicom import secondary_capture, structured_report
from firmware_app.reports.fhir import fhir_bundle
from firmware_app.reports.picture import draw_result
from firmware_app.serum import Serum
from firmware_app.ward.messages import ResultMessage
from firmware_app.ward.publication import publication_of
from firmware_app.wording import NOTICE
from tests.conftest import call
from tests.firmware_app.exam_examples import acquired, after, appliance, moment, uid

SERUM = Serum(ast_u_l=64, ast_uln_u_l=40, platelets_g_l=200, alt_u_l=64, age_years=50)


def result_of(*, with_model: bool = True, with_serum: bool = True) -> ResultMessage:
    """The result of an exam, as the ward would get it."""
    serum: tuple[Event, ...] = (SerumEntered(uid(90), moment(1), SERUM),) if with_serum else ()
    _, effects = after(*serum, *(acquired(n) for n in range(1, 6)))
    issued = publication_of(effects[1], moment(5), appliance(with_model=with_model), time_trusted=True)
    assert issued is not None
    assert isinstance(issued.message, ResultMessage)
    return issued.message


@pytest.fixture(params=[(True, True), (False, False)], ids=["model and serum", "stiffness only"])
def result(request: pytest.FixtureRequest) -> ResultMessage:
    """A full result, and the poorest one."""
    with_model, with_serum = request.param
    return result_of(with_model=with_model, with_serum=with_serum)


def test_fhir_bundle_is_valid_and_says_what_the_result_says(result: ResultMessage) -> None:
    """Report, observations and device refer to each other; values, codes and the notice are there."""
    text = fhir_bundle(result)
    Bundle.model_validate_json(text)
    entries = {entry["fullUrl"]: entry["resource"] for entry in json.loads(text)["entry"]}
    report = next(r for r in entries.values() if r["resourceType"] == "DiagnosticReport")
    observed = [entries[reference["reference"]] for reference in report["result"]]
    assert NOTICE in report["conclusion"]
    assert result.stage_text in report["conclusion"]
    assert all(any(note["text"] == NOTICE for note in o["note"]) for o in observed)
    assert all(entries[o["device"]["reference"]]["resourceType"] == "Device" for o in observed)
    by_code = {o["code"]["coding"][0]["code"]: o for o in observed}
    mean = by_code["110830"]["component"][0]
    assert mean["valueQuantity"] == {
        "value": round(result.lsm.mean_kpa, 4),
        "unit": "kPa",
        "system": "http://unitsofmeasure.org",
        "code": "kPa",
    }
    if result.probabilities is not None and result.methods.apri is not None:
        assert by_code["p-ge-s2"]["valueQuantity"]["value"] == round(result.probabilities.ge_s2, 4)
        assert by_code["86465-2"]["valueQuantity"]["value"] == round(result.methods.apri.value, 4)
    else:
        assert not {"p-ge-s2", "86465-2"} & by_code.keys()


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_dicom_objects_validate(result: ResultMessage, tmp_path: Path) -> None:
    """An independent validator of DICOM finds no error in the picture nor in the structured report."""
    image = secondary_capture(result, draw_result(result))
    image.save_as(tmp_path / "sc.dcm")
    structured_report(result, image).save_as(tmp_path / "sr.dcm")
    for name in ("sc.dcm", "sr.dcm"):
        told = subprocess.run(["dciodvfy", str(tmp_path / name)], capture_output=True, text=True, check=False)
        assert "Error" not in told.stderr + told.stdout, told.stderr


def test_structured_report_holds_the_values(result: ResultMessage) -> None:
    """Stiffness with unit and method, the stage's code and the notice stand in the report."""
    report = structured_report(result, secondary_capture(result, draw_result(result)))
    said = [str(element.value) for element in report.iterall()]
    assert NOTICE in said
    for value in (result.lsm.mean_kpa, result.lsm.median_kpa, result.lsm.iqr_kpa):
        assert str(round(value, 4)) in said
    stage = {None: "indeterminate", 0: "s0-s1"}.get(result.stage, f"s{result.stage}")
    assert {"130609", stage} <= set(said)


def test_nothing_names_a_patient_and_writing_twice_is_the_same(result: ResultMessage, tmp_path: Path) -> None:
    """Patient fields are empty in DICOM and absent in FHIR; the same result gives the same bytes."""
    written = []
    for attempt in ("a", "b"):
        image = secondary_capture(result, draw_result(result))
        report = structured_report(result, image)
        for dataset in (image, report):
            for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber"):
                assert str(dataset.get(keyword) or "") == "", keyword
        path = tmp_path / f"{attempt}.dcm"
        report.save_as(path)
        written.append(path.read_bytes())
    assert written[0] == written[1]
    assert not re.search(r'"(Patient|subject|performer|birthDate)"', fhir_bundle(result))


def test_page_says_the_result_and_the_notice(result: ResultMessage) -> None:
    """The page is a picture of the promised size in which the notice's line is not empty."""
    page = draw_result(result)
    assert page.shape == (720, 960, 3)
    assert page.dtype == np.uint8
    assert int(np.ptp(page[672:700, 56:600])) > 100


def test_program_writes_all_four(tmp_path: Path) -> None:
    """From the lines of a replay it writes the last result, or the one that is named."""
    first, last = result_of(), result_of(with_serum=False)
    last = last.model_copy(update={"id": uid(77)})
    lines = tmp_path / "exam.jsonl"
    lines.write_text(f'{first.to_json()}\n{last.to_json()}\n{{"type":"summary"}}\n', encoding="utf-8")
    done = call("fibrostage", "report", lines, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(
        f"result-{uid(77)}{suffix}" for suffix in (".fhir.json", ".png", ".sc.dcm", ".sr.dcm")
    )
    assert call("fibrostage", "report", lines, "--out", tmp_path / "one", "--id", first.id).code == 0
    image = pydicom.dcmread(tmp_path / "one" / f"result-{first.id}.sc.dcm")
    assert image.Rows == 720


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no result"),
        (b'{"type":"acquisition"}', "holds no result"),
        (b'{"type":"result","id":', "not JSON lines"),
        (b'{"type":"result","id":"x"}', "not one of this version"),
        (b"\xff\xfe\x00", "not text"),
    ],
)
def test_wrong_files_are_refused_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    """A file without a result that this version knows is refused with one sentence that says why."""
    (tmp_path / "in.jsonl").write_bytes(content)
    with pytest.raises(ReportError, match=words) as refusal:
        read_result(tmp_path / "in.jsonl", None)
    assert "\n" not in str(refusal.value)


def test_program_refuses_an_absent_file(tmp_path: Path) -> None:
    """A file that is not there ends with exit code 2 and one line."""
    done = call("fibrostage", "report", tmp_path / "absent", "--out", tmp_path / "out")
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
