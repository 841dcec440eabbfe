from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.colour_map import supersonic_table
from calibration.errors import WrongInputError
from calibration.phantom import FrameTruth, Patient, Quality, Viewport, draw_acquisition, draw_patient
from calibration.phantom.acquisition import acquire, begin_study
from calibration.phantom.randomness import stream
from calibration.phantom.truth import Picture

Drawn = tuple[Patient, Picture, FrameTruth]
Rect = tuple[float, float, float, float]


def cut(picture: Picture, rect: Rect) -> Picture:
    """Returns the part of the picture in the rectangle (x, y, w, h)."""
    x, y, w, h = (round(v) for v in rect)
    return picture[y : y + h, x : x + w]


def both_panes(picture: Picture, truth: FrameTruth) -> tuple[np.ndarray, np.ndarray]:
    """Returns the elastogram's and the gray-scale pane as integers."""
    assert truth.panes is not None
    upper = cut(picture, truth.panes.elastogram).astype(np.int32)
    return upper, cut(picture, truth.panes.gray).astype(np.int32)


def distance_to_q_box(truth: FrameTruth, shape: tuple[int, ...]) -> np.ndarray:
    """Returns each pane pixel's distance to the Q-box's centre."""
    assert truth.q_box is not None
    assert truth.panes is not None
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    left, top = truth.panes.elastogram[:2]
    return np.asarray(np.hypot(x + left - truth.q_box.x, y + top - truth.q_box.y))


def test_decoded_colours_give_the_true_mean(drawn: Drawn) -> None:
    """Undoing the blend with the lower pane and inverting the bar gives the Q-box's mean within 0.3 kPa."""
    _, picture, truth = drawn
    assert truth.q_box is not None
    assert truth.colour_bar is not None
    upper, lower = both_panes(picture, truth)
    inner = distance_to_q_box(truth, upper.shape[:2]) < truth.q_box.r - 3
    colour = np.clip(2 * upper - lower, 0, 255)[inner]
    bar = cut(picture, truth.colour_bar)[::-1, 4].astype(np.int32)
    index = ((colour[:, None] - bar[None]) ** 2).sum(axis=-1).argmin(axis=-1)
    kpa = (index + 0.5) * 40.0 / len(bar)
    assert kpa.mean() == pytest.approx(truth.q_box_mean_kpa, abs=0.3)


def test_the_panes_are_equal_outside_the_box(drawn: Drawn) -> None:
    """Outside the colour box both panes show the same picture; inside, all but the holes differ."""
    _, picture, truth = drawn
    upper, lower = both_panes(picture, truth)
    assert truth.colour_box is not None
    assert truth.panes is not None
    corner = np.array(truth.panes.elastogram[:2])
    outline = np.rint(np.array(truth.colour_box) - corner).astype(np.int32)
    box = cv2.fillPoly(np.zeros(upper.shape[:2], np.uint8), [outline], 1)
    outside = cv2.dilate(box, np.ones((7, 7), np.uint8)) == 0
    sheet = np.ones(upper.shape[:2], dtype=bool)
    sheet[20:70, 735:] = False  # the snowflake in the lower pane
    differs = np.any(upper != lower, axis=2)
    assert not differs[outside & sheet].any()
    inside = cv2.erode(box, np.ones((7, 7), np.uint8)) == 1
    assert differs[inside].mean() == pytest.approx(truth.filled_fraction, abs=0.04)


def test_the_bar_stands_where_the_real_one_does(drawn: Drawn) -> None:
    """The stiffness bar fills x 1386-1403, y 141-360 in the map's full colours, black around it."""
    _, picture, truth = drawn
    assert truth.colour_bar == (1386, 141, 18, 220)
    bar = cut(picture, (1386, 141, 18, 220))
    row_centres = supersonic_table(2 * 220 + 1)[1::2]
    assert np.array_equal(bar[:, 0], row_centres[::-1])
    assert np.all(bar == bar[:, :1])
    assert picture[141:361, 1380:1385].max() == 0
    gray = picture[141:361, 1367:1376].astype(int)
    assert np.all(np.diff(gray[:, 0, 1]) <= 0)
    assert np.ptp(gray, axis=2).max() < 12


def test_the_read_out_rounds_the_truth(drawn: Drawn) -> None:
    """The printed mean is the true one with one decimal, between the printed extremes."""
    _, _, truth = drawn
    assert truth.readout is not None
    assert truth.readout.mean_kpa == round(truth.q_box_mean_kpa or 0.0, 1)
    assert 0.2 < truth.readout.min_kpa < truth.readout.mean_kpa < truth.readout.max_kpa <= 40.0
    assert truth.readout.diameter_mm == 20.0


def test_the_box_is_a_liver_box(drawn: Drawn) -> None:
    """The colour box has straight slanted sides, a base 1.2-1.4 times its top, and holds the whole Q-box."""
    _, _, truth = drawn
    assert truth.colour_box is not None
    assert truth.q_box is not None
    box = np.array(truth.colour_box)
    half = len(box) // 2
    top, base = np.ptp(box[:half, 0]), np.ptp(box[half:, 0])
    assert 1.2 <= base / top <= 1.4
    contour = box.astype(np.float32)
    assert cv2.pointPolygonTest(contour, (truth.q_box.x, truth.q_box.y), measureDist=True) >= truth.q_box.r
    assert truth.filled_fraction is not None
    assert truth.filled_fraction > 0.95


def test_the_truth_is_plain_json(drawn: Drawn) -> None:
    """The truth survives being written and read as JSON."""
    _, _, truth = drawn
    again = json.loads(json.dumps(truth.to_json()))
    assert again["q_box"]["r"] == truth.q_box.r  # type: ignore[union-attr] # a measured screen has one
    assert len(again["colour_box"]) == len(truth.colour_box or ())


def test_the_same_seed_draws_the_same_screen() -> None:
    """A screen follows from patient, index and seed; another index is another picture of the same build."""
    patient = draw_patient(stream(3, "patient"), 1, Quality.GOOD)
    first, truth = draw_acquisition(patient, 1, 3)
    again, truth_again = draw_acquisition(patient, 1, 3)
    other, other_truth = draw_acquisition(patient, 2, 3)
    assert np.array_equal(first, again)
    assert truth == truth_again
    assert not np.array_equal(first, other)
    assert truth.colour_box == other_truth.colour_box


def test_the_picture_knows_the_latents_and_not_the_stage() -> None:
    """Two patients who differ in the stage alone give the same picture."""
    patient = draw_patient(stream(8, "patient"), 1, Quality.GOOD)
    first, _ = draw_acquisition(patient, 0, 8)
    second, _ = draw_acquisition(replace(patient, stage=4, age=80.0), 0, 8)
    assert np.array_equal(first, second)


@pytest.mark.parametrize(
    ("quality", "low", "high"),
    [(Quality.GOOD, 0.95, 1.0), (Quality.UNRELIABLE, 0.55, 0.93), (Quality.FAILED, 0.02, 0.45)],
)
def test_the_fill_follows_the_quality(quality: Quality, low: float, high: float) -> None:
    """Good patients fill the box; unreliable and failed ones leave holes."""
    patient = draw_patient(stream(21, "patient"), 2, quality)
    assert low <= acquire(begin_study(patient, 21), 0).elastogram.filled_fraction <= high


def test_a_high_latent_makes_an_uneven_map() -> None:
    """The Q-box's relative spread at least doubles from a low to a high elastogram latent."""
    patient = replace(draw_patient(stream(2, "patient"), 2, Quality.GOOD), lsm_kpa=10.0)

    def spread(em_latent: float) -> float:
        study = begin_study(replace(patient, em_latent=em_latent), 2)
        values = [acquire(study, i).values for i in range(5)]
        return float(np.mean([v.sd_kpa / v.mean_kpa for v in values]))

    assert spread(4.5) > 2.0 * spread(-1.5)


@pytest.mark.parametrize(
    ("size", "stretch", "scale", "offset"),
    [
        ((720, 540), False, (0.5, 0.5), (0.0, 0.0)),
        ((1920, 1080), False, (1.0, 1.0), (240.0, 0.0)),
        ((1920, 1080), True, (4 / 3, 1.0), (0.0, 0.0)),
    ],
)
def test_the_truth_follows_the_size(
    drawn: Drawn,
    size: tuple[int, int],
    stretch: bool,  # noqa: FBT001 - a parameter of the table
    scale: tuple[float, float],
    offset: tuple[float, float],
) -> None:
    """At other sizes the bar still shows its colours where the truth says."""
    _, picture, truth = drawn
    viewport = Viewport.fit(*size, stretch=stretch)
    out, there = viewport.apply(picture), viewport.apply_truth(truth)
    assert out.shape == (size[1], size[0], 3)
    assert there.colour_bar is not None
    assert there.colour_bar[0] == pytest.approx(1386 * scale[0] + offset[0])
    bar = cut(out, there.colour_bar).astype(int)
    middle = bar[2:-2, bar.shape[1] // 2]
    expected = supersonic_table(len(bar))[::-1][2:-2].astype(int)
    assert np.abs(middle - expected).mean() < 4
    assert there.q_box is not None
    assert truth.q_box is not None
    assert there.q_box.x == pytest.approx((truth.q_box.x + 0.5) * scale[0] - 0.5 + offset[0])


def test_an_unusable_size_is_refused() -> None:
    """Odd or tiny sizes raise a typed error that names them."""
    for size in ((721, 540), (100, 100), (8000, 4000)):
        with pytest.raises(WrongInputError, match=f"{size[0]}x{size[1]}"):
            Viewport.fit(*size)
