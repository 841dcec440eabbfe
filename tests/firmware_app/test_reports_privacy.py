"""Nothing of the patient's banner is in what other systems get, from the scanner's screen to the files."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import pydicom
import pytest

from calibration.phantom.acquisition import begin_study
from calibration.phantom.exam import write_script
from firmware_app.journey import Picture
from tests.conftest import call, draw_exam

STAGE, SEED, FPS = 3, 5, 5
pytestmark = pytest.mark.timeout(300)


def words_on(picture: Picture) -> str:
    """Every text on a picture, by OCR, without spaces."""
    from rapidocr import EngineType, RapidOCR  # noqa: PLC0415 - takes a second

    engines = dict.fromkeys(("Det.engine_type", "Cls.engine_type", "Rec.engine_type"), EngineType.OPENVINO)
    found = RapidOCR(params={**engines, "Global.log_level": "critical"})(picture)
    return "".join(found.txts or ()).replace(" ", "")


def secrets() -> list[str]:
    """Names and numbers of every banner that the exam shows, the next patient's too."""
    exams = write_script(SEED, STAGE, FPS, 1).exams
    banners = [begin_study(exam.patient, exam.seed).banner for exam in exams]
    names = [part for banner in banners for part in banner.name.split(", ")]
    return [*names, *(banner.identifier for banner in banners), *(banner.site for banner in banners)]


def test_no_banner_in_fhir_nor_in_dicom(tmp_path: Path) -> None:
    """Name, number and hospital are read off the scanner's screen by OCR; no file for others has them.

    Neither the bytes of any file (FHIR, SR, the header of the Secondary Capture) nor its picture.
    """
    drawn = draw_exam(tmp_path, STAGE, SEED, "--fps", FPS, "--size", "720x540")
    video = cv2.VideoCapture(str(drawn.video))
    video.set(cv2.CAP_PROP_POS_FRAMES, drawn.truth["acquisitions"][0]["measured_frame"])
    screen = words_on(video.read()[1])
    hidden = secrets()
    assert any(secret in screen for secret in hidden if re.search(r"\d{7}", secret)), screen
    replayed = call("fibrostage", "replay", drawn.video, "--json", timeout_s=200)
    assert replayed.code == 0, replayed.err
    (tmp_path / "exam.jsonl").write_text(replayed.out, encoding="utf-8")
    done = call("fibrostage", "report", tmp_path / "exam.jsonl", "--out", tmp_path / "reports")
    assert done.code == 0, done.err
    files = sorted((tmp_path / "reports").iterdir())
    assert [file.name.partition(".")[2] for file in files] == ["fhir.json", "png", "sc.dcm", "sr.dcm"]
    for file in files:
        content = file.read_bytes().decode("latin-1").lower()
        assert [secret for secret in hidden if secret.lower() in content] == [], file.name
    page = words_on(pydicom.dcmread(files[2]).pixel_array)
    assert "researchuseonly" in page.lower()
    assert [secret for secret in hidden if secret.replace(" ", "").lower() in page.lower()] == []
