from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from calibration.colour_map import supersonic_table
from calibration.errors import WrongInputError
from calibration.phantom.b_mode import tint
from calibration.phantom.elastogram import q_box_mask
from calibration.phantom.language import WORDS
from calibration.phantom.layout import LAYOUTS
from calibration.phantom.pane import draw_pane, place_q_boxes
from calibration.phantom.properties import Scene, random_scene
from calibration.phantom.randomness import stream
from calibration.phantom.scene import draw_scene
from calibration.phantom.scene_map import MapWish, draw_scene_map
from calibration.phantom.scene_print import range_kpa
from calibration.phantom.scene_screen import blend
from calibration.phantom.truth import FrameTruth, Picture
from calibration.profile import load_profile

Drawn = tuple[Scene, Picture, FrameTruth]
Values = npt.NDArray[np.float64]
SCENES = {
    "usual": Scene(),
    "linear": Scene(probe="linear", maximum=150.0, language="de", annotated=True, holes="corner"),
    "speed": Scene(
        layout="mach30", unit="m/s", maximum=3.7, opacity=0.8, language="fr", comma=True, q_boxes=3
    ),
    "edge": Scene(layout="mach30", probe="linear", at_edge=True, opacity=0.3, holes="large", q_boxes=2),
    "beside": Scene(layout="custom", language="it", stability_index=True, q_boxes=2, at_edge=True),
    "opaque": Scene(opacity=1.0, unit="m/s", maximum=5.0, stability_index=True, annotated=True),
    "bare": Scene(layout="mach30", q_boxes=0, readout=False, frozen=False, maximum=10.0),
}


@pytest.fixture(scope="session", params=list(SCENES))
def shown(request: pytest.FixtureRequest) -> Drawn:
    """Screens that between them have every property."""
    scene = SCENES[request.param]
    picture, truth = draw_scene(scene, 5)
    picture.flags.writeable = False
    return scene, picture, truth


def panes(picture: Picture, truth: FrameTruth) -> tuple[Picture, Picture]:
    """Returns the elastogram's and the gray-scale pane."""
    assert truth.panes is not None
    both = []
    for rect in (truth.panes.elastogram, truth.panes.gray):
        x, y, w, h = (round(v) for v in rect)
        both.append(picture[y : y + h, x : x + w])
    return both[0], both[1]


def box_mask(truth: FrameTruth, grow: int) -> npt.NDArray[np.bool_]:
    """Returns the colour box in the pane, grown (or shrunk) by so many pixels."""
    assert truth.panes is not None
    assert truth.colour_box is not None
    x, y, w, h = (round(v) for v in truth.panes.elastogram)
    corners = np.rint(np.array(truth.colour_box) - [x, y]).astype(np.int32)
    mask = cv2.fillPoly(np.zeros((h, w), np.uint8), [corners], 1)
    kernel = np.ones((2 * abs(grow) + 1,) * 2, np.uint8)
    return np.asarray(cv2.dilate(mask, kernel) if grow > 0 else cv2.erode(mask, kernel), dtype=bool)


def free_of_signs(truth: FrameTruth) -> npt.NDArray[np.bool_]:
    """Returns the pane's pixels over which no free text and no snowflake lies, in either pane."""
    assert truth.panes is not None
    free = np.ones(tuple(round(v) for v in truth.panes.gray[:1:-1]), dtype=bool)
    signs = [*truth.annotations]
    if truth.snowflake is not None:
        signs.append((truth.snowflake[0] - 18, truth.snowflake[1] - 18, 36, 36))
    for sx, sy, sw, sh in signs:
        for px, py, _, _ in (truth.panes.elastogram, truth.panes.gray):
            left, top = max(round(sx - px), 0), max(round(sy - py), 0)
            free[top : max(round(sy - py + sh), 0), left : max(round(sx - px + sw), 0)] = False
    return free


def test_the_panes_are_equal_outside_the_box(shown: Drawn) -> None:
    """Outside the box, signs apart, both panes are the same; inside, the filled part differs."""
    _, picture, truth = shown
    upper, lower = (pane.astype(int) for pane in panes(picture, truth))
    differs = np.any(upper != lower, axis=2)
    free = free_of_signs(truth)
    assert not differs[~box_mask(truth, 3) & free].any()
    assert differs[box_mask(truth, -3) & free].mean() == pytest.approx(truth.filled_fraction, abs=0.06)


def test_the_outline_stands_where_the_truth_says(shown: Drawn) -> None:
    """In the lower pane the outline stands out from its surroundings, orange for the linear probe."""
    scene, picture, truth = shown
    _, lower = panes(picture, truth)
    assert truth.colour_box is not None
    assert truth.panes is not None
    corner = np.array(truth.panes.elastogram[:2])
    polygon = np.array([*truth.colour_box, truth.colour_box[0]]) - corner
    along = [a + (b - a) * s for a, b in pairwise(polygon) for s in np.linspace(0, 1, 30)]
    on = np.rint(np.array(along)).astype(int)
    on = on[free_of_signs(truth)[np.clip(on[:, 1], 0, lower.shape[0] - 1), on[:, 0]]]
    line = lower[on[:, 1], on[:, 0]].astype(int)
    if scene.probe == "linear":
        assert np.median(line[:, 2] - line[:, 0]) > 60
    around = cv2.GaussianBlur(lower, (0, 0), 6)[on[:, 1], on[:, 0]].astype(int)
    assert np.median(line[:, 1] - around[:, 1]) > 8


def test_the_rings_stand_where_the_truth_says(shown: Drawn) -> None:
    """Every Q-box is a bright ring in both panes, inside the colour box and beside the others."""
    scene, picture, truth = shown
    assert len(truth.q_boxes) == scene.q_boxes
    assert (truth.q_box is None) == (scene.q_boxes == 0)
    assert truth.panes is not None
    turn = np.linspace(0, 2 * np.pi, 90)
    contour = np.array(truth.colour_box, dtype=np.float32)
    shift = np.array(truth.panes.gray[:2]) - np.array(truth.panes.elastogram[:2])
    for box in truth.q_boxes:
        c = box.circle
        for move in (np.zeros(2), shift):
            points = np.stack([c.x + c.r * np.cos(turn), c.y + c.r * np.sin(turn)], axis=1) + move
            x, y = np.rint(points).astype(int).T
            assert np.percentile(picture[y, x].min(axis=1), 10) > 150
        assert cv2.pointPolygonTest(contour, (c.x, c.y), measureDist=True) > c.r
        for other in truth.q_boxes:
            gap = np.hypot(c.x - other.circle.x, c.y - other.circle.y)
            assert other is box or gap > c.r + other.circle.r


def test_the_bar_stands_where_the_truth_says(shown: Drawn) -> None:
    """The bar shows the map's row centres, black or panel around it; its range and ticks follow the unit."""
    scene, picture, truth = shown
    x, y, w, h = LAYOUTS[scene.layout].bar
    assert truth.colour_bar == (x, y, w, h)
    bar = picture[y : y + h, x : x + w]
    assert np.array_equal(bar[:, 0], supersonic_table(2 * h + 1)[1::2][::-1])
    assert np.all(bar == bar[:, :1])
    assert picture[y : y + h, x - 5 : x].max() < 20
    assert truth.unit == scene.unit
    assert truth.bar_max == scene.maximum
    assert truth.bar_max_kpa == range_kpa(scene.maximum, scene.unit)
    assert truth.bar_ticks == pytest.approx([0.2 * i * scene.maximum for i in range(1, 5)], abs=0.051)


def test_the_print_tells_the_measured_values(shown: Drawn) -> None:
    """Each printed line shows the truth's number in unit and language; the mean rounds the field's mean."""
    scene, _, truth = shown
    for box in truth.q_boxes:
        assert box.readout is not None
        told = box.readout
        assert told.unit == scene.unit
        numbers = [float(re.findall(r"[\d.]+", text.replace(",", "."))[0]) for _, text in told.lines]
        expected = [told.mean, told.minimum, told.maximum, told.sd, told.diameter_mm, told.depth_cm]
        assert numbers[:6] == expected
        assert ("," in told.lines[0][1]) == scene.comma
        assert (told.stability_index is not None) == scene.stability_index
        assert told.mean_kpa == pytest.approx(box.mean_kpa, rel=0.03, abs=0.06)
        assert told.min_kpa <= told.mean_kpa <= told.max_kpa <= range_kpa(scene.maximum, scene.unit) + 0.1
        assert 1.0 <= told.depth_cm <= 12.0 or scene.probe == "linear"
    assert truth.readout == (truth.q_boxes[0].readout if truth.q_boxes else None)


def test_without_print_nothing_stands_beside_the_panes() -> None:
    """The read-out is the only thing that a scene without one lacks."""
    scene = Scene(layout="mach30", q_boxes=2)
    with_print, truth = draw_scene(scene, 3)
    without, silent = draw_scene(replace(scene, readout=False), 3)
    assert silent.readout is None
    assert len(silent.q_boxes) == len(truth.q_boxes) == 2
    ys, xs = np.nonzero(np.any(with_print != without, axis=2))
    left, top = LAYOUTS["mach30"].read_out
    assert left - 2 <= xs.min() < left + 10
    assert top - 30 <= ys.min()
    assert xs.max() < 1440 - 8


def decoded(upper: Picture, lower: Picture, opacity: float) -> Values:
    """Returns shares of the bar by undoing the blend and looking for the nearest colour: slow and obvious."""
    colour = (upper.astype(float) - (1 - opacity) * lower.astype(float)) / opacity
    table = supersonic_table(256).astype(float)
    distance = ((colour[:, None] - table[None]) ** 2).sum(axis=-1)
    return np.asarray(distance.argmin(axis=1) / 255.0)


@pytest.mark.parametrize(
    "scene",
    [
        Scene(),
        Scene(opacity=0.3),
        Scene(unit="m/s", maximum=3.7, opacity=0.7),
        Scene(probe="linear", opacity=1.0),
    ],
    ids=["half", "faint", "speed", "opaque"],
)
def test_decoded_colours_give_the_true_mean(scene: Scene) -> None:
    """Undoing the blend and inverting the bar over the whole Q-box gives its mean within 0.1 kPa."""
    pane = draw_pane(2, scene.probe, LAYOUTS["aixplorer"].elastogram[2:], at_edge=False)
    q_boxes = place_q_boxes(stream(2, "q_boxes"), pane, (8.0,))
    maximum = range_kpa(scene.maximum, scene.unit)
    scene_map = draw_scene_map(stream(2, "map"), pane, q_boxes, MapWish("corner", 0.3, maximum))
    lower = tint(pane.gray)
    upper = lower.copy()
    blend(upper, scene_map, scene)
    area = scene_map.elastogram.area
    inside = q_box_mask(q_boxes[0], area) & scene_map.elastogram.filled
    rows, columns = np.nonzero(inside)
    at = (rows + area.y, columns + area.x)
    share = decoded(upper[at], lower[at], scene.opacity)
    kpa = 3.0 * (share * scene.maximum) ** 2 if scene.unit == "m/s" else share * scene.maximum
    assert kpa.mean() == pytest.approx(scene_map.measured[0].mean_kpa, abs=0.1)


@pytest.mark.parametrize(
    ("holes", "low", "high"), [("none", 0.99, 1.0), ("corner", 0.94, 0.99), ("large", 0.45, 0.94)]
)
def test_the_holes_are_as_large_as_asked_for(holes: str, low: float, high: float) -> None:
    """Unfilled parts take their share of the box and stay clear of the Q-box."""
    scene = replace(Scene(q_boxes=1), holes=holes)  # type: ignore[arg-type] # a value of the table
    for seed in range(3):
        _, truth = draw_scene(scene, seed)
        assert truth.filled_fraction is not None
        assert low <= truth.filled_fraction <= high
        assert truth.readout is not None
        assert truth.readout.min_kpa > 0.2


@pytest.mark.parametrize("probe", ["convex", "linear"])
def test_a_box_at_the_edge_touches_it_all_but(probe: str) -> None:
    """The box comes within a few pixels of the picture's edge, and never leaves it."""
    for seed in range(6):
        pane = draw_pane(seed, probe, (776, 440), at_edge=True)  # type: ignore[arg-type] # a value of the table
        picture = cv2.morphologyEx((pane.gray > 0).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15)))
        framed = cv2.copyMakeBorder(picture, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        clear = cv2.distanceTransform(framed, cv2.DIST_L2, 5)[1:-1, 1:-1]
        along = np.rint(pane.outline).astype(int)
        nearest = clear[along[:, 1], along[:, 0]].min()
        assert nearest < 22
        assert pane.outline.min() >= 0
        assert np.all(pane.outline.max(axis=0) <= (775, 439))


def test_random_scenes_have_all_the_variety() -> None:
    """A few hundred seeds meet every family, probe, language, unit, range, number of Q-boxes and flag."""
    scenes = [random_scene(seed, ("aixplorer", "mach30", "custom")) for seed in range(400)]
    for field in fields(Scene):
        values = {getattr(scene, field.name) for scene in scenes}
        enough = {
            "maximum": 15,
            "opacity": 14,
            "level": 300,
            "language": 4,
            "q_boxes": 4,
            "layout": 3,
            "holes": 3,
        }
        assert len(values) >= enough.get(field.name, 2), field.name
    assert {scene.layout for scene in map(random_scene, range(60))} == {"aixplorer", "mach30"}


def test_the_same_seed_draws_the_same_scene() -> None:
    """A screen follows from scene and seed; its truth survives JSON."""
    scene = random_scene(17)
    first, truth = draw_scene(scene, 17)
    again, truth_again = draw_scene(scene, 17)
    assert np.array_equal(first, again)
    assert truth == truth_again
    assert not np.array_equal(first, draw_scene(scene, 18)[0])
    told = json.loads(json.dumps(truth.to_json()))
    assert told["bar_max"] == scene.maximum
    assert len(told["q_boxes"]) == len(truth.q_boxes)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("opacity", 0.2, "opacity"),
        ("maximum", 2.0, "range"),
        ("q_boxes", 4, "Q-boxes"),
        ("level", 1.0, "level"),
    ],
)
def test_a_scene_that_no_scanner_shows_is_refused(name: str, value: float, says: str) -> None:
    """A property out of its range raises a typed error that names it."""
    with pytest.raises(WrongInputError, match=says):
        replace(Scene(), **{name: value})  # type: ignore[arg-type] # values of the table


@pytest.mark.parametrize("name", ["aixplorer", "mach30"])
def test_the_profiles_know_every_label_that_is_drawn(name: str) -> None:
    """What the virtual scanner prints in a language stands in the shipped profiles' read-out grammar."""
    known = load_profile(name).readout.labels
    for words in WORDS.values():
        assert {label.lower() for label in words.mean} <= set(known["mean"])
        assert {label.lower() for label in words.minimum} <= set(known["min"])
        assert {label.lower() for label in words.maximum} <= set(known["max"])
        assert {label.lower() for label in words.deviation} <= set(known["sd"])
        assert {label.lower() for label in words.diameter} <= set(known["diameter"])
        assert {label.lower() for label in words.depth} <= set(known["depth"])
        assert {label.lower() for label in words.stability} <= set(known["stability_index"])


@pytest.mark.parametrize("name", ["aixplorer", "mach30"])
def test_the_profiles_know_where_it_is_drawn(name: str) -> None:
    """Panes and bar of each drawn family stand where its shipped profile looks for them, to two pixels."""
    profile, layout = load_profile(name), LAYOUTS[name]  # type: ignore[index] # both are of this name
    assert profile.colour_bar.rect == layout.bar
    assert profile.panes.elastogram == pytest.approx(layout.elastogram, abs=2)
    assert profile.panes.gray == pytest.approx(layout.gray, abs=2)
