"""The reader on real and drawn screens, in every form a capture chain delivers, and on everything else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.phantom import FrameTruth, Viewport, draw_acquisition, draw_patient
from calibration.phantom.capture import Chain, capture_many, capture_pictures
from calibration.phantom.negative import Negative, draw_negative
from calibration.phantom.scene import Scene, draw_scene, random_scene
from calibration.profile import ScreenProfile, load_profile
from firmware_app.journey import Frame, Picture, Polygon, View
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason

Drawn = tuple[Picture, FrameTruth]
FORMS = {
    "native": Viewport.fit(1440, 1080),
    "half": Viewport.fit(720, 540),
    "pillar-boxed": Viewport.fit(1920, 1080),
    "stretched": Viewport.fit(1920, 1080, stretch=True),
}

# Hypothesis runs one test body many times; it takes no fixtures of a function's scope.
_PROFILE = load_profile("aixplorer")
_SCREEN = FORMS["half"].apply(draw_acquisition(draw_patient(np.random.default_rng(8), stage=1), 0, 8)[0])


def frame(pixels: Picture, number: int = 0) -> Frame:
    """A frame at 60 Hz."""
    return Frame(np.ascontiguousarray(pixels), number, number * 16_666_667, 0)


def overlap(first: Polygon, second: Polygon, size: tuple[int, int]) -> float:
    """Intersection over union of two polygons, in pixels."""
    masks = []
    for polygon in (first, second):
        mask = np.zeros((size[1], size[0]), np.uint8)
        cv2.fillPoly(mask, [np.rint(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        masks.append(mask > 0)
    return float((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())


def test_real_screen(real_screen: Picture, profile: ScreenProfile) -> None:
    """The real Aixplorer screen: view, box within 3 px, 150 kPa, 50 %, frozen, and why it is refused."""
    reading = ScreenReader(profile).inspect(frame(real_screen))
    assert reading.view is View.SWE_DUAL
    assert reading.rejected is not None
    assert reading.rejected.reason is Reason.NO_Q_BOX
    assert reading.q_box is None
    assert reading.frozen
    assert reading.opacity == 0.5
    assert reading.colour_bar is not None
    assert (reading.colour_bar.maximum, reading.colour_bar.unit) == (150.0, "kPa")
    assert reading.colour_box is not None
    # Measured by hand: the orange line is brightest at x 312 and 615, y 151.5 and 260.
    measured = np.array([(312.5, 151.5), (615.0, 151.5), (615.0, 260.0), (312.5, 260.0)])
    assert np.abs(reading.colour_box - measured).max() <= 3
    assert reading.panes is not None
    assert abs(reading.panes.elastogram.x - 212) <= 3
    assert abs(reading.panes.elastogram.y - 98) <= 3
    assert reading.panes.gray.y - reading.panes.elastogram.y == 304


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("negative_ge_logiq_power_doppler.png", {Reason.POWER_DOPPLER}),
        ("grabber_epiq7_640x480.png", {Reason.B_MODE, Reason.OTHER_SCREEN}),
        ("grabber_epiq7_1280x960_mjpg.png", {Reason.B_MODE, Reason.OTHER_SCREEN}),
        ("grabber_epiq7_1920x1080.png", {Reason.B_MODE, Reason.OTHER_SCREEN}),
    ],
)
def test_other_real_screens_are_refused_by_name(
    name: str, reason: set[Reason], screens: Path, profile: ScreenProfile
) -> None:
    """Screens of other scanners are no SWE view, and the refusal says what they are."""
    reading = ScreenReader(profile).inspect(frame(np.asarray(cv2.imread(str(screens / name)), np.uint8)))
    assert reading.view is not View.SWE_DUAL
    assert reading.rejected is not None
    assert reading.rejected.reason in reason


def test_no_frame_of_a_real_b_mode_sweep_is_accepted(screens: Path, profile: ScreenProfile) -> None:
    """A real liver sweep without elastogram is refused in every frame."""
    capture = cv2.VideoCapture(str(screens / "liver_bmode_sweep.h264"))
    reader, count = ScreenReader(profile), 0
    while True:
        more, pixels = capture.read()
        if not more:
            break
        reading = reader.read(frame(np.asarray(pixels, np.uint8), count))
        assert reading.view is not View.SWE_DUAL
        assert reading.rejected is not None
        count += 1
    capture.release()
    assert count >= 100


@pytest.mark.parametrize("form", FORMS)
def test_drawn_screens_are_read(form: str, drawn: list[Drawn], profile: ScreenProfile) -> None:
    """Box, Q-box, stiffness and print of drawn screens are read in every form of the picture."""
    view = FORMS[form]
    assert len(drawn) == 5
    for native, native_truth in drawn:
        truth = view.apply_truth(native_truth)
        assert truth.colour_box is not None
        assert truth.q_box is not None
        assert native_truth.q_box is not None
        assert truth.readout is not None
        reading = ScreenReader(profile).inspect(frame(view.apply(native)))
        assert reading.view is View.SWE_DUAL
        assert reading.rejected is None
        assert reading.frozen == truth.frozen
        assert reading.colour_box is not None
        assert overlap(np.array(truth.colour_box), reading.colour_box, truth.size) >= 0.96
        assert reading.q_box is not None
        scale_x, scale_y = view.inner_width / 1440, view.inner_height / 1080
        assert abs(reading.q_box.x - truth.q_box.x) / scale_x <= 2
        assert abs(reading.q_box.y - truth.q_box.y) / scale_y <= 2
        assert abs(reading.q_box.r / scale_y - native_truth.q_box.r) <= 2
        assert reading.stiffness is not None
        assert truth.q_box_mean_kpa is not None
        assert abs(reading.stiffness.mean_kpa - truth.q_box_mean_kpa) <= 0.4
        assert reading.readout is not None
        assert reading.readout.mean_kpa == truth.readout.mean_kpa
        assert reading.readout.max_kpa == truth.readout.max_kpa
        assert reading.readout.diameter_mm == truth.readout.diameter_mm


def test_text_is_remembered_while_it_stands(drawn: list[Drawn], profile: ScreenProfile) -> None:
    """The fast path keeps what was read, and drops it once another number is printed."""
    reader = ScreenReader(profile)
    first, other = drawn[0][0], drawn[1][0]
    before = reader.read(frame(first))
    assert before.colour_bar is not None
    assert before.colour_bar.maximum is None
    full = reader.read_text(frame(first), before)
    again = reader.read(frame(first, 1))
    assert again.readout == full.readout
    assert again.readout is not None
    assert again.stiffness is not None
    assert full.stiffness is not None
    assert again.stiffness.mean_kpa == pytest.approx(full.stiffness.mean_kpa, abs=0.02)
    assert reader.read(frame(other, 2)).readout is None


def test_unfilled_box_is_refused_with_its_share(drawn: list[Drawn], profile: ScreenProfile) -> None:
    """A map with a large hole is still outlined, measured and refused."""
    native, truth = drawn[0]
    assert truth.colour_box is not None
    assert truth.panes is not None
    pixels = native.copy()
    box = np.array(truth.colour_box)
    corner = box[np.argmax(box[:, 1] - box[:, 0])]  # lower left
    hole = np.zeros(pixels.shape[:2], np.uint8)
    cv2.circle(hole, (int(corner[0]), int(corner[1])), 55, 255, -1)
    inside = np.zeros_like(hole)
    cv2.fillPoly(inside, [np.rint(box).astype(np.int32)], 255)
    inside = cv2.erode(inside, np.ones((5, 5), np.uint8))
    shift = int(truth.panes.gray[1] - truth.panes.elastogram[1])
    where = (hole > 0) & (inside > 0)
    pixels[where] = np.roll(pixels, -shift, axis=0)[where]
    reading = ScreenReader(profile).inspect(frame(pixels))
    assert reading.view is View.SWE_DUAL
    assert reading.rejected is not None
    assert reading.rejected.reason is Reason.BOX_UNFILLED
    assert "% filled" in reading.rejected.detail
    assert reading.colour_box is not None
    assert overlap(box, reading.colour_box, truth.size) >= 0.96


def test_different_panes_are_refused(drawn: list[Drawn], profile: ScreenProfile) -> None:
    """Where the lower pane shows another plane the frame is refused by that name."""
    pixels, truth = drawn[0][0].copy(), drawn[0][1]
    assert truth.panes is not None
    x, y, w, h = (int(value) for value in truth.panes.gray)
    pixels[y : y + h, x : x + w] = pixels[y : y + h, x : x + w][:, ::-1]
    reading = ScreenReader(profile).read(frame(pixels))
    assert reading.view is not View.SWE_DUAL
    assert reading.rejected is not None
    assert reading.rejected.reason is Reason.PANES_DIFFER


def test_covered_outline_is_no_swe_view(drawn: list[Drawn], profile: ScreenProfile) -> None:
    """Colour without an outline in the lower pane is no evidence of a colour box."""
    pixels, truth = drawn[0][0].copy(), drawn[0][1]
    assert truth.colour_box is not None
    assert truth.panes is not None
    shift = truth.panes.gray[1] - truth.panes.elastogram[1]
    below = np.rint(np.array(truth.colour_box) + np.array([0.0, shift])).astype(np.int32)
    line = cv2.polylines(np.zeros(pixels.shape[:2], np.uint8), [below], True, 255, 7)
    pixels[line > 0] = cv2.medianBlur(pixels, 21)[line > 0]
    reading = ScreenReader(profile).read(frame(pixels))
    assert reading.view is not View.SWE_DUAL
    assert reading.rejected is not None
    assert reading.rejected.reason is Reason.NO_COLOUR_BOX


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3, 2), (119, 400), (480, 640), (2160, 3840)])
@pytest.mark.parametrize("kind", ["black", "white", "red", "noise"])
def test_pictures_of_nothing_are_refused(size: tuple[int, int], kind: str, profile: ScreenProfile) -> None:
    """Solid colours and noise of any size are refused by name, without an exception."""
    pixels = np.zeros((*size, 3), np.uint8)
    if kind == "white":
        pixels[:] = 255
    elif kind == "red":
        pixels[:] = (10, 10, 230)
    elif kind == "noise":
        pixels = np.random.default_rng(1).integers(0, 256, pixels.shape, np.uint8)
    reading = ScreenReader(profile).inspect(frame(pixels))
    assert reading.view is not View.SWE_DUAL
    assert reading.rejected is not None


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 900),
    height=st.integers(1, 700),
    seed=st.integers(0, 2**32 - 1),
    coarse=st.integers(1, 64),
    channels=st.sampled_from([1, 3]),
)
def test_random_pictures_are_never_accepted(
    width: int, height: int, seed: int, coarse: int, channels: int
) -> None:
    """Coarse and fine random patterns, gray and coloured, are never an exception and never an SWE view."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // coarse + 1, width // coarse + 1, channels), dtype=np.uint8)
    small = np.repeat(small, 3 // channels, axis=2)
    pixels = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    reading = ScreenReader(_PROFILE).inspect(frame(pixels))
    assert reading.view is not View.SWE_DUAL
    assert reading.rejected is not None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_damaged_screens_never_raise(seed: int, count: int) -> None:
    """A drawn screen with random rectangles painted over is read or refused, never an exception."""
    rng = np.random.default_rng(seed)
    pixels = _SCREEN.copy()
    for _ in range(count):
        x, y = int(rng.integers(0, 720)), int(rng.integers(0, 540))
        w, h = int(rng.integers(1, 400)), int(rng.integers(1, 300))
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        cv2.rectangle(pixels, (x, y), (x + w, y + h), colour, -1 if rng.random() < 0.8 else 3)
    reading = ScreenReader(_PROFILE).read(frame(pixels))
    assert (reading.view is View.SWE_DUAL) or reading.rejected is not None


def test_strided_and_gray_arrays_are_no_surprise(profile: ScreenProfile, drawn: list[Drawn]) -> None:
    """A view with odd strides reads like its copy; a picture of one channel is refused."""
    wide = np.zeros((1080, 1500, 3), np.uint8)
    wide[:, 20:1460] = drawn[0][0]
    view = Frame(wide[:, 20:1460], 0, 0, 0)
    plain = ScreenReader(profile).read(frame(drawn[0][0]))
    assert ScreenReader(profile).read(view).q_box == plain.q_box
    gray = Frame(np.zeros((500, 500), np.uint8), 0, 0, 0)
    refused = ScreenReader(profile).read(gray).rejected
    assert refused is not None
    assert refused.reason is Reason.UNREADABLE_PICTURE


SCENES = (
    Scene(opacity=0.3, annotated=True),
    Scene(opacity=1.0, q_boxes=3),
    Scene(holes="large", at_edge=True),
    Scene(probe="linear", maximum=150.0, q_boxes=0, readout=False),
    Scene(probe="linear", opacity=0.8, at_edge=True, annotated=True),
    Scene(unit="m/s", maximum=3.7, language="de", comma=True, frozen=False),
    Scene(layout="mach30", language="fr", q_boxes=2),
    Scene(layout="mach30", probe="linear", holes="corner", opacity=0.4),
)
"""Every property that an SWE view may have: probes, opacities, holes, edges, texts, several Q-boxes."""


@pytest.fixture(scope="module")
def scenes() -> list[Drawn]:
    """`SCENES`, drawn."""
    return [draw_scene(scene, 50 + number) for number, scene in enumerate(SCENES)]


QUICK = [chain for chain in Chain if "h264" not in chain.value or chain is Chain.LIMITED_H264]
SLOW = [pytest.param(chain, marks=pytest.mark.slow) for chain in Chain if chain not in QUICK]


@pytest.mark.parametrize("chain", [*QUICK, *SLOW])
def test_every_swe_scene_is_seen_through_every_chain(chain: Chain, scenes: list[Drawn]) -> None:
    """An SWE view is one whatever its properties and whatever the capture chain did to it."""
    numbers = range(len(scenes))
    pictures, _ = capture_many([s[0] for s in scenes], [s[1] for s in scenes], chain, numbers)
    for scene, pixels in zip(SCENES, pictures, strict=True):
        reading = ScreenReader(load_profile(scene.layout)).read(frame(pixels))
        assert reading.view is View.SWE_DUAL, (scene, reading.rejected)


NAMES: dict[Negative, set[Reason]] = {
    Negative.B_MODE_SINGLE: {Reason.B_MODE},
    Negative.B_MODE_DUAL: {Reason.B_MODE},
    Negative.COLOUR_DOPPLER: {Reason.DOPPLER},
    Negative.POWER_DOPPLER: {Reason.POWER_DOPPLER},
    Negative.STRAIN: {Reason.OTHER_ELASTOGRAPHY},
    Negative.OTHER_MAP: {
        Reason.OTHER_ELASTOGRAPHY,
        Reason.SCREEN_COVERED,
        Reason.POWER_DOPPLER,
        Reason.DOPPLER,
        Reason.B_MODE,
        Reason.OTHER_SCREEN,
    },
    Negative.AWAITING_MAP: {Reason.NO_COLOUR_BOX},
    Negative.OTHER_PLANE: {Reason.PANES_DIFFER},
    Negative.TOP_PANE_ALONE: {Reason.PANES_DIFFER},
    Negative.COVERED: {Reason.SCREEN_COVERED, Reason.PANES_DIFFER, Reason.OTHER_ELASTOGRAPHY},
    Negative.REPORT: {Reason.OTHER_SCREEN},
    Negative.MENU: {Reason.OTHER_SCREEN},
    Negative.DESKTOP: {Reason.OTHER_SCREEN},
    Negative.OTHER_SCANNER: {
        Reason.OTHER_SCREEN,
        Reason.B_MODE,
        Reason.OTHER_ELASTOGRAPHY,
        Reason.SCREEN_COVERED,  # a map whose bar is not this scanner's
    },
    Negative.NO_SIGNAL: {Reason.NO_SIGNAL, Reason.OTHER_SCREEN},
    Negative.VIDEO_PLAYER: {Reason.OTHER_SCREEN},
    Negative.PHOTOGRAPH: {Reason.OTHER_SCREEN},
    Negative.THERMAL_CAMERA: {Reason.OTHER_SCREEN},
}
"""The names under which each kind may be refused."""


@pytest.mark.parametrize("kind", Negative)
def test_negatives_are_refused_by_name(kind: Negative) -> None:
    """Whatever else a scanner or a computer shows is no SWE view, and the refusal says what it is."""
    for seed in (61, 62):
        native = draw_negative(kind, seed)
        layout = random_scene(seed).layout
        for chain in (Chain.NATIVE, Chain.SXGA_LIMITED_MJPEG):
            reading = ScreenReader(load_profile(layout)).read(
                frame(capture_pictures([native], chain, [seed])[0])
            )
            assert reading.view is not View.SWE_DUAL
            assert reading.rejected is not None
            assert reading.rejected.reason in NAMES[kind], (seed, chain, reading.rejected)


def test_profile_of_another_scanner_is_noticed() -> None:
    """Under the wrong profile the gray pane is found elsewhere, and the refusal says so."""
    pixels, _ = draw_scene(Scene(layout="mach30"), 71)
    reading = ScreenReader(load_profile("aixplorer")).read(frame(pixels))
    assert reading.rejected is not None
    assert reading.rejected.reason is Reason.OTHER_LAYOUT


@pytest.mark.parametrize("place", ["bar", "box", "gray pane"])
def test_covered_screen_is_no_swe_view(place: str, drawn: list[Drawn], profile: ScreenProfile) -> None:
    """A window over the bar's end, over half of the box or over a part of the gray pane is named."""
    pixels, truth = drawn[0][0].copy(), drawn[0][1]
    assert truth.colour_box is not None
    box = np.array(truth.colour_box)
    left, top = np.floor(box.min(axis=0)).astype(int)
    right, lower = np.ceil(box.max(axis=0)).astype(int)
    corners = {
        "bar": (1380, 120, 1420, 240),
        "box": (left, top, (left + right) // 2, lower),
        "gray pane": (400, 780, 700, 900),
    }
    x0, y0, x1, y1 = corners[place]
    pixels[y0:y1, x0:x1] = 90
    reading = ScreenReader(profile).read(frame(pixels))
    assert reading.view is not View.SWE_DUAL
    assert reading.rejected is not None
    assert reading.rejected.reason is Reason.SCREEN_COVERED


@pytest.mark.parametrize(
    "name",
    [
        "examples_rgb_color.dcm",
        "examples_palette.dcm",
        "examples_jpeg2k.dcm",
        "examples_ybr_color.dcm",
        "ExplVR_BigEnd.dcm",
    ],
)
def test_ultrasound_of_a_dicom_library_is_refused(name: str, profile: ScreenProfile) -> None:
    """Real ultrasound of other scanners, every frame, is no SWE view, at its own size and enlarged."""
    reader = ScreenReader(profile)
    for number, pixels in enumerate(_dicom_frames(name)):
        for size in (pixels.shape[1::-1], (1440, 1080)):
            reading = reader.read(frame(cv2.resize(pixels, size), number))
            assert reading.view is not View.SWE_DUAL
            assert reading.rejected is not None


def _dicom_frames(name: str) -> list[Picture]:
    """The frames of one of pydicom's own samples, BGR."""
    data = pytest.importorskip("pydicom.data", reason="pydicom is not installed: its samples are not at hand")
    encaps, pixels = pytest.importorskip("pydicom.encaps"), pytest.importorskip("pydicom.pixels")
    sample = pytest.importorskip("pydicom").dcmread(data.get_testdata_file(name, download=False))
    if sample.file_meta.TransferSyntaxUID.is_compressed:
        count = int(sample.get("NumberOfFrames", 1))
        coded = encaps.generate_frames(sample.PixelData, number_of_frames=count)
        return [np.asarray(cv2.imdecode(np.frombuffer(part, np.uint8), cv2.IMREAD_COLOR)) for part in coded]
    values = sample.pixel_array
    if "PALETTE" in sample.PhotometricInterpretation:
        values = (pixels.apply_color_lut(values, sample) >> 8).astype(np.uint8)
    return [np.ascontiguousarray(values[:, :, ::-1])]
