from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from calibration.phantom import draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.crop import crop_pair
from firmware_app.inference.prepare import prepare
from firmware_app.journey import Frame, Picture, Rejected
from firmware_app.screen import ScreenReader
from model_export.cohort import OWN_COHORT, SPLITS, load_cohort
from model_export.errors import PictureError, WrongInputError
from model_export.eyes import Shot
from model_export.study import seen
from model_export.study.cohort_tables import ImageRow
from model_export.study.pictures import decode, shot_of
from model_export.study.prepared import load_prepared, prepare_below, prepare_cohort
from model_export.work import summary_of
from tests.model_export.study.ready_crops import ready_crops


def as_rgb(file: Path) -> Picture:
    """A picture file, RGB."""
    picture = cv2.imread(str(file))
    assert picture is not None
    return np.asarray(picture[..., ::-1], dtype=np.uint8)


def test_arrays_tables_and_flow_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sixth picture is not needed, a refused one is replaced by it, and whoever has four is left out."""
    cohort = ready_crops(tmp_path / "cohort", pictures=6)
    noise = np.random.default_rng(3).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    for name in ("P1_1", "P2_1", "P2_2"):  # whole pictures that show no scanner
        row = next(row for row in cohort.images if name in row["gray_file"])
        row.update(file=f"crops/{name}.png", gray_file="", elastogram_file="")
        noise[0, 0] = int(name[1]) * 10 + int(name[3])
        cv2.imwrite(str(tmp_path / "cohort" / row["file"]), noise)
    cohort.patient("P20")["stage"] = ""
    prepared = prepare_cohort(cohort.write(), tmp_path / "out", seed=1, processes=1)
    flow = prepared.flow
    assert flow.given == 20
    excluded = {step.rule: step.excluded for step in flow.steps if step.excluded}
    assert excluded == {"stage": 1, "pictures": 1}
    assert (flow.pictures_seen, flow.pictures_usable) == (18 * 5 + 1 + 6, 18 * 5 + 4)
    assert flow.pictures_refused == {"no_signal": 3}
    assert sum(flow.included.values()) == 18
    printed = capsys.readouterr().err
    for line in ("20 patients given", "-1 no stage from histology", "no_signal 3", "18 patients included"):
        assert line in printed
    for split in SPLITS:
        arrays = load_cohort(tmp_path / "out", split)
        with (tmp_path / "out" / f"{split}_patients.csv").open(newline="") as stream:
            rows = list(csv.DictReader(stream))
        assert arrays.latents is None
        assert arrays.gray.shape == (flow.included[split], 5, 299, 299, 3)
        assert [int(row["stage"]) for row in rows] == arrays.stage.tolist()
        for index, row in enumerate(rows):
            first = 2 if row["id"] == "P1" else 1
            file = tmp_path / "cohort/crops" / f"{row['id']}_{first}_elastogram.png"
            assert np.array_equal(arrays.elastogram[index, 0], prepare(as_rgb(file)))
            assert arrays.lsm_kpa[index, 0] == float(f"{5 + int(row['stage'])}.{first}")
            assert row["platelets_10e9_l"] == "200"
    ids = json.loads((tmp_path / "out/splits.json").read_text())["patients"]
    assert not set(ids["train"]) & set(ids["test"])
    assert "P2" not in {*ids["train"], *ids["test"]}
    assert load_prepared(tmp_path / "out") == prepared


def test_an_interrupted_preparation_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No picture is read twice, the arrays are as without interruption, and changes are noticed."""
    folder = ready_crops(tmp_path / "cohort", per_stage=2).write()
    whole = prepare_cohort(folder, tmp_path / "whole", seed=1, processes=1)
    looked: list[tuple[str, ...]] = []

    def interrupted(folder: Path, image: ImageRow) -> Shot | Rejected:
        if len(looked) == left:
            raise KeyboardInterrupt
        looked.append(image.files)
        return shot_of(folder, image)

    monkeypatch.setattr(seen, "shot_of", interrupted)
    left = 25
    with pytest.raises(KeyboardInterrupt):
        prepare_cohort(folder, tmp_path / "halved", seed=1, processes=1)
    left = 50
    again = prepare_cohort(folder, tmp_path / "halved", seed=1, processes=1)
    assert len(looked) == len(set(looked)) == 50
    assert again.flow == whole.flow
    for split in SPLITS:
        one, two = load_cohort(whole.folder, split), load_cohort(again.folder, split)
        assert np.array_equal(one.gray, two.gray)
        assert np.array_equal(one.lsm_kpa, two.lsm_kpa)
    assert prepare_cohort(folder, tmp_path / "halved", seed=1, processes=1) == again
    (folder / "crops/P3_2_gray.png").write_bytes(b"another")
    with pytest.raises(WrongInputError, match=r"crops/P3_2_gray\.png has changed"):
        prepare_cohort(folder, tmp_path / "halved", seed=1, processes=1)


def test_a_prepared_cohort_is_a_stage_of_a_training(tmp_path: Path) -> None:
    """It is made once, and marked as nobody's drawing; a drawn one is not."""
    folder = ready_crops(tmp_path / "cohort", per_stage=2).write()
    work = tmp_path / "work"
    name = prepare_below(work, folder, 1, processes=1)
    assert load_cohort(work / name, "train").stage.size + load_cohort(work / name, "test").stage.size == 10
    assert summary_of(work / name) == {OWN_COHORT: 1}
    assert prepare_below(work, folder, 1, processes=1) == name
    (folder / "cohort.json").write_text("{}")
    assert summary_of(work / prepare_below(work, folder, 2, processes=1)) == {}


def test_rules_that_leave_a_class_empty_are_told(tmp_path: Path) -> None:
    """The table has every stage, the rules leave none of stage 4."""
    cohort = ready_crops(tmp_path / "cohort", per_stage=2, pictures=5)
    for row in cohort.patients:
        row["age"] = "17" if row["stage"] == "4" else "40"
    with pytest.raises(WrongInputError, match="are left by the rules: no patient has stage 4"):
        prepare_cohort(cohort.write(), tmp_path / "out", seed=1, processes=1)


@pytest.mark.timeout(180)
def test_ready_crops_equal_those_of_the_screen(tmp_path: Path) -> None:
    """The appliance's own cut, a given square and ready crops give the networks the very same."""
    screen, truth = draw_acquisition(draw_patient(np.random.default_rng(4), stage=3), 0, 5)
    cv2.imwrite(str(tmp_path / "screen.png"), screen)
    frame = Frame(pixels=screen, number=0, pts_ns=0, captured_ns=0)
    roi = ScreenReader(load_profile("aixplorer")).inspect(frame).roi
    assert roi is not None
    crops = crop_pair(frame, roi)
    for name, crop in (("e.png", crops.elastogram), ("g.png", crops.gray)):
        cv2.imwrite(str(tmp_path / name), crop[..., ::-1])
    read = shot_of(tmp_path, ImageRow(2, "P", ("screen.png",), None, None, None))
    given = shot_of(tmp_path, ImageRow(2, "P", ("screen.png",), 9.5, roi, None))
    ready = shot_of(tmp_path, ImageRow(2, "P", ("e.png", "g.png"), 9.5, None, None))
    assert isinstance(read, Shot)
    assert truth.q_box_mean_kpa == pytest.approx(read.lsm_kpa, abs=0.5)
    for other in (given, ready):
        assert isinstance(other, Shot)
        assert other.lsm_kpa == 9.5
        assert np.array_equal(other.gray, read.gray)
        assert np.array_equal(other.elastogram, read.elastogram)


def write_dicom(file: Path, pixels: Picture, frames: int = 1) -> None:
    """An ultrasound picture in DICOM, with a name that must stay where it is."""
    dataset = pytest.importorskip("pydicom").Dataset()
    meta = pytest.importorskip("pydicom").dataset.FileMetaDataset()
    uid = pytest.importorskip("pydicom.uid")
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = uid.ExplicitVRLittleEndian, uid.generate_uid()
    meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    dataset.file_meta = meta
    dataset.PatientName = "Doe^Jane"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.itemsize
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PixelData = pixels.tobytes() * frames
    dataset.save_as(file, enforce_file_format=True)


def test_dicom_pixels_come_back_and_nothing_else_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """RGB and gray pictures are exact; of the header no element is read but those of the pixels."""
    rng = np.random.default_rng(6)
    colour, gray = (
        rng.integers(0, 256, (8, 6, 3), dtype=np.uint8),
        rng.integers(0, 256, (8, 6), dtype=np.uint8),
    )
    write_dicom(tmp_path / "colour.dcm", colour)
    write_dicom(tmp_path / "gray.dcm", gray)
    pydicom = pytest.importorskip("pydicom")
    read = pydicom.dcmread
    elements: list[str] = []

    def watched(*arguments: object, **options: object) -> object:
        dataset = read(*arguments, **options)
        elements.extend(element.keyword for element in dataset)
        return dataset

    monkeypatch.setattr(pydicom, "dcmread", watched)
    assert np.array_equal(decode(tmp_path / "colour.dcm"), colour[..., ::-1])
    assert np.array_equal(decode(tmp_path / "gray.dcm"), np.repeat(gray[..., None], 3, axis=2))
    assert "PixelData" in elements
    assert "PatientName" not in elements


def test_dicom_that_is_no_single_picture_is_told(tmp_path: Path) -> None:
    """Several frames, 16 bits, and what is no DICOM: a sentence each."""
    noise = np.random.default_rng(7).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    write_dicom(tmp_path / "cine.dcm", noise, frames=2)
    write_dicom(tmp_path / "deep.dcm", noise[..., 0].astype(np.uint16))
    (tmp_path / "none.dcm").write_bytes(b"none")
    for name, says in (("cine", "several frames"), ("deep", "8 bits"), ("none", "no DICOM picture")):
        with pytest.raises(PictureError, match=says):
            decode(tmp_path / f"{name}.dcm")
