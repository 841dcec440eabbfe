"""Examples that the tests of the exam, its outcome and its messages share."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import UUID

import numpy as np

from firmware_app.exam.events import (
    Acquired,
    Acquisition,
    CropDigests,
    Event,
    FreezeEvidence,
    Moment,
    Refusal,
    Refused,
)
from firmware_app.exam.machine import advance
from firmware_app.exam.state import Effect, Exam
from firmware_app.inference.bundle import (
    FORMAT,
    THRESHOLDS,
    Affine,
    Calibration,
    Graph,
    LsmConfidence,
    LsmCutoffs,
    Manifest,
    OperatingPoint,
    SelfTest,
)
from firmware_app.journey import Circle, ImageScores, Logits, ReadOut, Roi, Square, Stiffness
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Reason

SECOND_NS = 1_000_000_000
BIRTH = datetime(2026, 3, 1, 9, 0, tzinfo=timezone.utc)
S3: Logits = (3.0, 1.5, -2.0)


def uid(number: int) -> UUID:
    """A known id."""
    return UUID(int=number)


def moment(second: float) -> Moment:
    """So many seconds after the video began."""
    return Moment(BIRTH + timedelta(seconds=second), int(second * SECOND_NS), int(second * SECOND_NS))


def digests(picture: int) -> CropDigests:
    """Digests of the two crops of a picture."""
    return CropDigests(f"{picture:064x}", f"{picture + (1 << 200):064x}")


def acquisition(
    number: int,
    *,
    second: float | None = None,
    mean_kpa: float = 9.0,
    logits: Logits | None = S3,
    picture: int | None = None,
    freeze: FreezeEvidence | None = None,
) -> Acquisition:
    """Acquisition with id `number`, captured at that second, of the picture of that number."""
    return Acquisition(
        id=uid(number),
        at=moment(number if second is None else second),
        frame_number=60 * number,
        stiffness=Stiffness("q_box", mean_kpa, mean_kpa, 0.6, mean_kpa * 0.8, mean_kpa * 1.2, 0.98),
        readout=ReadOut("kPa", mean_kpa, mean_kpa * 0.8, mean_kpa * 1.2, 0.6, 20.0),
        scores=None if logits is None else ImageScores(logits, logits, logits),
        q_box=Circle(520.0, 300.0, 40.0),
        roi=Roi(Square(400, 220, 200), Square(400, 700, 200)),
        crop_digests=digests(number if picture is None else picture),
        dropped=2,
        latency_ms=71.5,
        freeze=freeze,
    )


def acquired(
    number: int,
    *,
    second: float | None = None,
    picture: int | None = None,
    freeze: FreezeEvidence | None = None,
) -> Acquired:
    """The event of that acquisition; its id is 1000 above."""
    made = acquisition(number, second=second, picture=picture, freeze=freeze)
    return Acquired(uid(1000 + number), made.at, made)


def refused(
    number: int,
    reason: Reason = Reason.BOX_UNFILLED,
    *,
    second: float | None = None,
    freeze: FreezeEvidence | None = None,
) -> Refused:
    """The event of a refusal."""
    at = moment(number if second is None else second)
    refusal = Refusal(uid(number), at, 60 * number, reason, "82 % filled", freeze=freeze)
    return Refused(uid(1000 + number), at, refusal)


def likeness(picture: int) -> bytes:
    """Both panes of a picture in small; those of different numbers are far apart."""
    return np.random.default_rng(picture).integers(0, 256, 2 * 48 * 32, np.uint8).tobytes()


def frozen(first: int, *, began: float | None = None, picture: int | None = None) -> FreezeEvidence:
    """The freeze of which `first` was the first verdict."""
    since = moment(first - 0.9 if began is None else began).monotonic_ns
    return FreezeEvidence(since, uid(first), likeness(first if picture is None else picture))


def after(*events: Event, exam: Exam | None = None) -> tuple[Exam, tuple[Effect, ...]]:
    """The exam after these events, and the effects of the last one."""
    current = exam or Exam()
    effects: tuple[Effect, ...] = ()
    for event in events:
        current, effects = advance(current, event)
    return current, effects


def manifest(cutoff: float = 0.5, half_band: float = 0.1) -> Manifest:
    """A bundle's manifest with round numbers."""
    low, high = cutoff - half_band, cutoff + half_band
    point = OperatingPoint(cutoff=cutoff, low=low, high=high, rule_out=low, rule_in=high)
    affine = dict.fromkeys(THRESHOLDS, Affine(scale=1.0, offset=0.0))
    return Manifest(
        format=FORMAT,
        bundle_id="example-1",
        created="2026-03-01T00:00:00Z",
        software="fibrostage 0.1.0",
        notice="example",
        graph=Graph(file="model.onnx", sha256="0" * 64, precision="int8"),
        bar_range_kpa=40.0,
        calibration=Calibration(
            method="example",
            fitted_on="nobody",
            patients=0,
            parameters={"GM": affine, "EM": affine, "GM+EM": affine},
        ),
        operating_points=dict.fromkeys(THRESHOLDS, point),
        gm_lsm=dict.fromkeys(
            THRESHOLDS, LsmConfidence(ln_cutoff_kpa=2.0, scale=0.25, intercept=-3.0, w_gm=2.0, w_lsm=4.0)
        ),
        lsm_cutoffs=LsmCutoffs(source="example", ge_s2=7.6, ge_s3=9.2, s4=10.4),
        self_test=SelfTest(file="golden.npz", tolerance=0.03),
        files={"golden.npz": "0" * 64},
        training={},
    )


def appliance(device: str = "us-1", room: str = "Ultrasound 1", *, with_model: bool = True) -> Appliance:
    """An appliance in a department."""
    return Appliance(
        site="liver-centre",
        device=device,
        room=room,
        software="fibrostage 0.1.0",
        runtime="OpenVINO CPU" if with_model else None,
        profile_id="aixplorer",
        manifest=manifest() if with_model else None,
        versions={"python": "3.10"},
    )
