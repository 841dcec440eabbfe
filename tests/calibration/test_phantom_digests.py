"""The default drawing is pinned: trained models rest on it, so that not one of its pixels may change.

The digests were taken before the virtual scanner learnt its variety (`scene`, `negative`, `capture`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pytest

from calibration.phantom import Quality, Viewport, draw_acquisition, draw_patient
from calibration.phantom.exam import write_script
from calibration.phantom.randomness import stream
from calibration.phantom.scanner import Scanner

FIELDS = (
    "stage", "lsm_kpa", "view", "frozen", "colour_box", "q_box", "q_box_mean_kpa", "bar_max_kpa",
    "colour_bar", "filled_fraction", "panes", "readout", "size",
)  # fmt: skip
READ_OUT_FIELDS = ("unit", "mean_kpa", "min_kpa", "max_kpa", "sd_kpa", "diameter_mm", "depth_cm")


def digest(data: bytes) -> str:
    """Returns the first 16 digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Pinned:
    """A patient's acquisition and its digests."""

    seed: int
    stage: int | None
    quality: str
    index: int
    picture: str
    truth: str
    patient: str


@pytest.mark.parametrize(
    "pinned",
    [
        Pinned(0, None, "good", 0, "71dc0a9f6475b086", "f53633b165f61d04", "7fac76c9f15215ad"),
        Pinned(31, 4, "good", 3, "a654aec576ce68e3", "70d3934bfa138707", "ddfee4009d8e3ba2"),
        Pinned(32, 1, "unreliable", 1, "14a1d50055af6cfc", "435aa3ad264c6d68", "1f8820f5474f9b94"),
        Pinned(33, 0, "failed", 4, "e4973811a4b73aac", "716b86b0ab7d3008", "d5e28ec25c93ec98"),
    ],
    ids=lambda pinned: f"seed {pinned.seed}",
)
def test_an_acquisition_never_changes(pinned: Pinned) -> None:
    """Patient, picture and the first fields of the truth are those on which the models were trained."""
    patient = draw_patient(stream(pinned.seed, "patient"), pinned.stage, Quality(pinned.quality))
    picture, truth = draw_acquisition(patient, pinned.index, pinned.seed)
    told = {name: value for name, value in truth.to_json().items() if name in FIELDS}
    read_out = told["readout"]
    assert isinstance(read_out, dict)
    told["readout"] = {name: read_out[name] for name in READ_OUT_FIELDS}
    assert digest(repr(patient).encode()) == pinned.patient
    assert digest(json.dumps(told).encode()) == pinned.truth
    assert digest(picture.tobytes()) == pinned.picture


def test_an_exam_never_changes() -> None:
    """Search, Doppler, live and measured frames of a scripted session are those of the first release."""
    scanner = Scanner(write_script(5, 2, 10, 2), Viewport.fit(720, 540))
    assert scanner.script.frame_count == 907
    seen = {frame: digest(scanner.picture(frame).tobytes()) for frame in (0, 181, 280, 302, 453, 906)}
    assert seen == {
        0: "5d4de4c756a7fce8",
        181: "2433873e3f154d98",
        280: "ef100f6da5362da2",
        302: "fb91b472e0801def",
        453: "e37950da93c5a5b6",
        906: "d8e1878214d2fb2f",
    }
