"""The overlay in its named states, over screens of the virtual scanner: the golden pictures and their sheet.

python tests/firmware_app/overlay_gallery.py            # writes the pictures and the sheet anew
python tests/firmware_app/overlay_gallery.py FOLDER     # writes them in full size, to be looked at
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom.scene import Scene as Screen
from calibration.phantom.scene import draw_scene
from calibration.phantom.truth import Viewport
from calibration.profile import load_profile
from firmware_app.appliance import Step
from firmware_app.exam.events import Moment
from firmware_app.exam.state import Exam
from firmware_app.journey import Attention, Frame, Rect, ScreenReading
from firmware_app.overlay.display import Display
from firmware_app.overlay.guards import PictureLuma, picture_guard
from firmware_app.overlay.layers import Layer, Patch, Scene
from firmware_app.overlay.outlines import heat_patch
from firmware_app.overlay.state import Chances, Estimate, OverlayState
from firmware_app.screen import ScreenReader
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.wording import Closing, Doubt, Reason, Severity, Wording, sentences

HERE = Path(__file__).parent
PICTURES = HERE / "overlay_pictures"
DOCS = HERE.parents[1] / "docs"
SEED = 2101
LOW: Chances = (0.91, 0.74, 0.22)
HIGH: Chances = (0.99, 0.93, 0.31)
OPEN: Chances = (0.97, 0.52, 0.12)


@dataclass(frozen=True, slots=True)
class Shown:
    """One named state, and the screen it is shown over."""

    name: str
    state: OverlayState
    screen: Screen | None = field(default_factory=Screen)
    size: tuple[int, int] = (1440, 1080)
    stretch: bool = False
    heat: bool = False
    hidden: bool = False


BASE = OverlayState(runtime="TensorRT 10.3 INT8", bundle_id="demo-52b95750d78a")
FINAL = Estimate("S3", False, False, 5, HIGH, 11.4, 11.2, 0.14)
PROVISIONAL = Estimate("S2-S3", True, True, 3, LOW, 10.4, 11.2, 0.14)


def counted(
    accepted: int,
    refused: int = 0,
    estimate: Estimate | None = None,
    message: Wording | None = None,
    preview: Chances | None = None,
) -> OverlayState:
    """An English state with so many acquisitions."""
    return replace(
        BASE, accepted=accepted, refused=refused, estimate=estimate, message=message, preview=preview
    )


def gallery() -> tuple[Shown, ...]:
    """The named states."""
    live = Screen(frozen=False, q_boxes=0, readout=False)
    en, unfilled = sentences("en"), "Box 82 % filled"
    refusal = en.refusal(Reason.BOX_UNFILLED, unfilled)
    spread = replace(FINAL, stage_text="S2", chances=(0.9, 0.4, 0.1), spread=0.42, spread_ok=False)
    unsure = replace(FINAL, chances=OPEN, stage_text="S2-S3", indeterminate=True, mean_kpa=9.1)
    no_model = replace(FINAL, stage_text=None, chances=None, indeterminate=True)
    changed = Wording(en.closings[Closing.PATIENT_CHANGED], Severity.NOTICE, "")
    technical = ("display 9 ms, 0 lost", "212 ms per analysis")
    three = counted(3, 1, PROVISIONAL, refusal)
    return (
        Shown("waiting", counted(0, message=en.phases["waiting"]), live),
        Shown("preview", counted(1, message=en.phases["scanning"], preview=(0.83, 0.46, 0.11)), live),
        Shown("refusal", counted(2, 1, message=refusal), Screen(holes="large")),
        Shown("provisional", counted(3, 1, PROVISIONAL, preview=(0.88, 0.6, 0.3))),
        Shown("final", counted(5, 2, FINAL)),
        Shown("indeterminate", counted(5, 1, unsure)),
        Shown("unreliable-spread", counted(5, 0, spread)),
        Shown("stiffness-only", replace(counted(5, 0, no_model), runtime="no model", bundle_id="")),
        Shown("no-signal", counted(3, message=en.captures[CaptureState.NO_SIGNAL]), None),
        Shown("frozen-grabber", counted(3, message=en.captures[CaptureState.FROZEN_SOURCE])),
        Shown("patient-changed", counted(0, message=changed), live),
        Shown("other-patient", counted(5, 0, FINAL), live, hidden=True),
        Shown("held", counted(2, message=en.phases["held"]), live),
        Shown("activation-map", counted(4, 0, PROVISIONAL), heat=True),
        Shown("latency", replace(counted(5, 0, FINAL), technical=technical)),
        Shown("german", _german(), Screen(language="de")),
        Shown("chinese", _chinese(unfilled)),
        Shown("mach30", three, Screen(layout="mach30")),
        Shown("half-size", three, size=(720, 540)),
        Shown("wide", counted(5, 2, FINAL), size=(1920, 1080)),
        Shown("stretched", counted(5, 2, FINAL), size=(1920, 1080), stretch=True),
    )


def _german() -> OverlayState:
    words = sentences("de")
    estimate = replace(FINAL, doubts=(words.doubts[Doubt.NO_READOUT],))
    message = words.refusal(Reason.READOUT_DISAGREES, "printed 10.4 kPa, decoded 12.8 kPa")
    return replace(counted(5, 3, estimate, message), language="de")


def _chinese(detail: str) -> OverlayState:
    message = sentences("zh").refusal(Reason.BOX_UNFILLED, detail)
    return replace(counted(3, 1, PROVISIONAL, message), language="zh")


class Recorder:
    """A screen that keeps the scene."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.display_size: tuple[int, int] | None = size
        self.scene = Scene()

    def show(self, scene: Scene) -> None:
        """Keep it."""
        self.scene = scene

    def statistics(self) -> PipelineStatistics:
        """Nothing was counted."""
        return PipelineStatistics(0, 0, 0, 0, 0, 0, None)

    def snapshot(self, path: Path) -> None:
        """There is no picture."""


@cache
def screen_of(screen: Screen | None, size: tuple[int, int], *, stretch: bool) -> npt.NDArray[np.uint8]:
    """The scanner's screen as it arrives."""
    if screen is None:
        return np.zeros((size[1], size[0], 3), np.uint8)
    return Viewport.fit(*size, stretch=stretch).apply(draw_scene(screen, SEED)[0])


@cache
def reader_of(layout: str) -> ScreenReader:
    """The reader for a scanner family."""
    return ScreenReader(load_profile(layout))


def blend(picture: npt.NDArray[np.uint8], patches: tuple[Patch, ...]) -> npt.NDArray[np.uint8]:
    """The obvious way to blend straight alpha."""
    result = picture.astype(np.float64)
    for patch in patches:
        height, width = patch.pixels.shape[:2]
        area = result[patch.y : patch.y + height, patch.x : patch.x + width]
        alpha = patch.pixels[..., 3:] / 255.0
        area[:] = area * (1 - alpha) + patch.pixels[..., :3] * alpha
    return np.asarray(np.rint(result), np.uint8)


def scene_of(shown: Shown) -> tuple[Scene, npt.NDArray[np.uint8]]:
    """The scene that the appliance draws, and the picture that it is drawn over."""
    picture = screen_of(shown.screen, shown.size, stretch=shown.stretch)
    layout = "mach30" if shown.screen is not None and shown.screen.layout == "mach30" else "aixplorer"
    reader, recorder = reader_of(layout), Recorder(shown.size)
    frame = Frame(picture, 0, 0, 0)
    reading = reader.read(frame)
    display = Display(recorder, reader.profile)
    step = Step(frame, reading, Moment(datetime(2026, 3, 1, tzinfo=timezone.utc), 0, 0), Exam())
    display._note_frame(step, frame)
    if shown.hidden:  # the outcome belongs to the patient of another screen
        other = Viewport.fit(*shown.size).apply(draw_scene(Screen(), SEED + 1)[0])
        areas = tuple(Rect(*area) for area in reader.profile.banner.areas)
        display._bindings._exam = None, picture_guard(areas, other, 2)
    scene = display.scene(shown.state, step)
    return (_with_heat(scene, reading) if shown.heat else scene), picture


def _with_heat(scene: Scene, reading: ScreenReading) -> Scene:
    assert reading.roi is not None
    rows, columns = np.mgrid[0:8, 0:8]
    blob = np.exp(-((rows - 3) ** 2 + (columns - 5) ** 2) / 5).astype(np.float32) - np.float32(0.1)
    attention = Attention(gm=blob.T.copy(), em=blob)
    heat = (heat_patch(reading.roi.elastogram, attention.em), heat_patch(reading.roi.gray, attention.gm))
    return replace(scene, layers=(Layer(heat), *scene.layers))


def drawn(shown: Shown, *, plain: bool = False) -> npt.NDArray[np.uint8]:
    """The screen with its overlay, in full size; `plain`: over gray, as it is committed to be small."""
    scene, picture = scene_of(shown)
    patches = scene.patches(scene.verdict(PictureLuma(picture)))
    return blend(np.full_like(picture, 70) if plain else picture, patches)


def small(picture: npt.NDArray[np.uint8], lines: int = 540) -> npt.NDArray[np.uint8]:
    """The picture with so many lines."""
    size = round(picture.shape[1] * lines / picture.shape[0]), lines
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def sheet() -> npt.NDArray[np.uint8]:
    """All states of one form on one page, three in a row, each with its name."""
    tiles: list[npt.NDArray[np.uint8]] = []
    for shown in gallery():
        if shown.size != (1440, 1080):
            continue
        tile = np.full((360 + 34, 480, 3), 255, np.uint8)
        tile[:360] = small(drawn(shown), 360)
        cv2.putText(tile, shown.name, (8, 384), cv2.FONT_HERSHEY_DUPLEX, 0.7, (40, 40, 40), 1, cv2.LINE_AA)
        tiles.append(tile)
    while len(tiles) % 3:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [np.hstack(tiles[start : start + 3]) for start in range(0, len(tiles), 3)]
    return np.vstack(rows)


def main(arguments: list[str]) -> None:
    """Write the pictures; see the module's docstring."""
    if arguments:
        folder = Path(arguments[0])
        folder.mkdir(parents=True, exist_ok=True)
        for shown in gallery():
            cv2.imwrite(str(folder / f"{shown.name}.png"), drawn(shown))
        return
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob("*.png"):
        old.unlink()
    for shown in gallery():
        picture = small(drawn(shown, plain=True))
        cv2.imwrite(str(PICTURES / f"{shown.name}.png"), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    cv2.imwrite(str(DOCS / "overlay-states.jpg"), sheet(), [cv2.IMWRITE_JPEG_QUALITY, 80])
    one = next(shown for shown in gallery() if shown.name == "final")
    cv2.imwrite(str(DOCS / "overlay.jpg"), small(drawn(one), 810), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main(sys.argv[1:])
