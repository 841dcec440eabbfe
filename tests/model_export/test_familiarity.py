"""The out-of-range check knows what it was trained with, and says so of nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy", reason="fitting needs the extra `train`, which is not installed")

from calibration.phantom import draw_acquisition, draw_patient
from firmware_app.assembly import screen_reader
from firmware_app.errors import BundleError
from firmware_app.exam.events import Acquired, FreezeEvidence, Refused
from firmware_app.examination import Examiner, Subject, examine
from firmware_app.inference import open_engine
from firmware_app.inference.bundle import digest_of, load_bundle
from firmware_app.inference.familiarity import (
    FAMILIARITY_NAME,
    FEATURES,
    Familiarity,
    Vector,
    arrays_of,
    read_familiarity,
)
from firmware_app.journey import Features, Frame
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason
from model_export.familiarity import QUANTILE, fit_familiarity
from tests.firmware_app.bundle_examples import TRUST, small_fields, write_small_bundle
from tests.firmware_app.exam_examples import moment, uid
from tests.model_export.tiny_bundle import write_tiny_bundle

RANK = 30


def cohort(seed: int, patients: int = 60) -> Vector:
    """Features of patients (patients, 5, 2048): a few directions that vary, noise on each."""
    mixing = np.random.default_rng(0).normal(size=(RANK, FEATURES)) / 10
    rng = np.random.default_rng(seed)
    latents = rng.normal(size=(patients, 1, RANK)) + 0.3 * rng.normal(size=(patients, 5, RANK))
    features = 1.0 + latents @ mixing + 0.05 * rng.normal(size=(patients, 5, FEATURES))
    return features.astype(np.float32)


@pytest.fixture(scope="module")
def familiarity() -> Familiarity:
    """Fitted to sixty patients."""
    return fit_familiarity(cohort(1), cohort(2))


def test_unseen_patients_of_the_same_kind_are_familiar(familiarity: Familiarity) -> None:
    """Of other patients at most a few times the stated share is refused."""
    refused = (familiarity.gm.distance(cohort(3)) > 1).mean()
    assert refused <= 10 * (1 - QUANTILE)


def test_other_pictures_are_strange_and_the_pane_is_named(familiarity: Familiarity) -> None:
    """Features moved off the axes, or far along one, are refused; the other pane is not blamed."""
    own = cohort(4)[0, 0]
    off = own + np.random.default_rng(5).normal(size=FEATURES).astype(np.float32)
    along = (
        own + 12 * np.sqrt(familiarity.gm.variance[-1]) * familiarity.gm.axes[-1] * familiarity.gm.deviation
    )
    assert familiarity.complaint(Features(gm=own, em=own)) is None
    for strange in (off, along):
        complaint = familiarity.complaint(Features(gm=strange, em=own))
        assert complaint is not None
        assert complaint.startswith("gray-scale picture")
        assert "elastogram" not in complaint
    complaint = familiarity.complaint(Features(gm=own, em=off))
    assert complaint is not None
    assert complaint.startswith("elastogram")


def test_distance_is_what_the_slow_formula_says(familiarity: Familiarity) -> None:
    """The distance is the Mahalanobis distance along the axes plus what is left over, written out."""
    cloud, own = familiarity.em, cohort(6)[3, 2]
    standard = ((own - cloud.mean) / cloud.deviation).astype(np.float64)
    scores = [float(standard @ axis) for axis in cloud.axes]
    left = standard - sum(
        score * axis.astype(np.float64) for score, axis in zip(scores, cloud.axes, strict=True)
    )
    squared = (
        sum(s * s / v for s, v in zip(scores, cloud.variance, strict=True)) + left @ left / cloud.left_over
    )
    assert float(cloud.distance(own)) == pytest.approx(float(np.sqrt(squared) / cloud.limit), rel=1e-4)


def test_feature_that_never_varies_says_nothing() -> None:
    """A dead feature neither divides by zero nor makes a picture strange."""
    features = cohort(7)
    features[:, :, 10] = 0.25
    fitted = fit_familiarity(features, features)
    other = features[0, 0].copy()
    other[10] = 100.0
    assert float(fitted.gm.distance(other)) == float(fitted.gm.distance(features[0, 0]))


def test_check_travels_in_the_bundle(familiarity: Familiarity, tmp_path: Path) -> None:
    """Written into a bundle and read back it says the same, in less than 1 MB; a hostile file is refused."""
    folder = write_small_bundle(tmp_path / "bundle")
    assert read_familiarity(load_bundle(folder, TRUST)) is None
    arrays = arrays_of(familiarity)
    for name, content in (("good", arrays), ("bad", arrays | {"gm_axes": np.zeros((3, 7), np.float32)})):
        np.savez_compressed(folder / FAMILIARITY_NAME, **content)  # type: ignore[arg-type]  # names, not options
        files = {**small_fields(folder)["files"], FAMILIARITY_NAME: digest_of(folder / FAMILIARITY_NAME)}  # type: ignore[dict-item]  # it is a dict
        (tmp_path / name).mkdir()
        copy = write_small_bundle(tmp_path / name / "bundle", files=files)
        (copy / FAMILIARITY_NAME).write_bytes((folder / FAMILIARITY_NAME).read_bytes())
        bundle = load_bundle(copy, TRUST)
        if name == "bad":
            with pytest.raises(BundleError, match=r"gm_axes is float32 \(3, 7\)"):
                read_familiarity(bundle)
            continue
        read = read_familiarity(bundle)
        assert read is not None
        own = cohort(8)[:2]
        np.testing.assert_array_equal(read.gm.distance(own), familiarity.gm.distance(own))
        assert (copy / FAMILIARITY_NAME).stat().st_size < 1_000_000


@pytest.fixture(scope="module")
def frozen() -> tuple[ScreenReader, Subject]:
    """A drawn frozen screen, and who reads it."""
    picture, _ = draw_acquisition(draw_patient(np.random.default_rng(1), stage=2), 0, 1)
    frame = Frame(np.ascontiguousarray(picture), number=0, pts_ns=0, captured_ns=0)
    reader = screen_reader("aixplorer")
    at = moment(0)
    return reader, Subject(frame, reader.read(frame), at, FreezeEvidence(at.monotonic_ns), 0)


def test_strange_acquisition_is_refused_by_its_reason(
    frozen: tuple[ScreenReader, Subject], familiarity: Familiarity, tmp_path: Path
) -> None:
    """With the check the same frozen screen is refused as `picture_quality`; without it, it counts."""
    reader, subject = frozen
    bundle = write_tiny_bundle(tmp_path / "bundle")
    engine = open_engine(bundle)
    ids = iter(range(1, 100))
    counted = examine(Examiner(reader, engine, 40.0, lambda: uid(next(ids))), subject)
    refused = examine(Examiner(reader, engine, 40.0, lambda: uid(next(ids)), familiarity), subject)
    engine.close()
    assert isinstance(counted, Acquired)
    assert counted.acquisition.scores is not None
    assert isinstance(refused, Refused)
    assert refused.refusal.reason is Reason.PICTURE_QUALITY
    assert "times the limit" in refused.refusal.detail
    assert refused.refusal.crop_digests == counted.acquisition.crop_digests
