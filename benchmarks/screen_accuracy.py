"""Measures the screen reading against the truth of drawn screens, in every form a capture chain delivers.

Run: `python benchmarks/screen_accuracy.py [--screens 40] [--jpeg QUALITY] [--json]`. The seeds are used in no
test and in no training. `--jpeg` codes every picture as an MJPEG capture card would.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom import FrameTruth, Viewport, draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.journey import Frame, Picture, ReadOut, ScreenReading, View
from firmware_app.screen import ScreenReader

SEED = 90_000
FORMS = {
    "native 1440x1080": Viewport.fit(1440, 1080),
    "half 720x540": Viewport.fit(720, 540),
    "pillar-boxed 1920x1080": Viewport.fit(1920, 1080),
    "stretched 1920x1080": Viewport.fit(1920, 1080, stretch=True),
}


@dataclass
class Tally:
    """What was measured in one form."""

    screens: int = 0
    accepted_views: int = 0
    printed_right: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    overlaps: list[float] = field(default_factory=list)
    q_box_errors: list[float] = field(default_factory=list)
    mean_errors_kpa: list[float] = field(default_factory=list)
    filling_errors: list[float] = field(default_factory=list)

    def figures(self) -> dict[str, object]:
        """The figures of the documentation."""
        return {
            "screens": self.screens,
            "seen as SWE": self.accepted_views,
            "refused": dict(self.refusals),
            "box IoU median": round(float(np.median(self.overlaps)), 4),
            "box IoU smallest": round(min(self.overlaps), 4),
            "Q-box error largest, px of 1440": round(max(self.q_box_errors), 2),
            "Q-box mean MAE, kPa": round(float(np.abs(self.mean_errors_kpa).mean()), 3),
            "Q-box mean bias, kPa": round(float(np.mean(self.mean_errors_kpa)), 3),
            "Q-box mean largest error, kPa": round(float(np.abs(self.mean_errors_kpa).max()), 3),
            "filled fraction largest error": round(max(self.filling_errors), 3),
            "printed values exact": self.printed_right,
        }


def _mask(polygon: npt.NDArray[np.float64], truth: FrameTruth) -> npt.NDArray[np.bool_]:
    mask = np.zeros((truth.size[1], truth.size[0]), np.uint8)
    cv2.fillPoly(mask, [np.rint(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask > 0


def _printed(readout: ReadOut | None) -> tuple[float | None, ...] | None:
    if readout is None:
        return None
    return readout.mean_kpa, readout.min_kpa, readout.max_kpa, readout.sd_kpa, readout.diameter_mm


def tally_one(tally: Tally, reading: ScreenReading, truth: FrameTruth, native: FrameTruth) -> None:
    """Add one screen to a tally."""
    tally.screens += 1
    if reading.rejected is not None:
        tally.refusals[reading.rejected.reason.value] += 1
    if reading.view is not View.SWE_DUAL or reading.colour_box is None or truth.colour_box is None:
        return
    tally.accepted_views += 1
    found, true = _mask(reading.colour_box, truth), _mask(np.array(truth.colour_box), truth)
    tally.overlaps.append(float((found & true).sum() / (found | true).sum()))
    circle = truth.q_box
    if reading.q_box is not None and circle is not None and native.q_box is not None:
        scale_y = reading.q_box.r / native.q_box.r
        x, y = abs(reading.q_box.x - circle.x), abs(reading.q_box.y - circle.y)
        radius = abs(reading.q_box.r / (truth.panes.gray[3] / 440) - native.q_box.r) if truth.panes else 0.0
        tally.q_box_errors.append(max(x / (scale_y * reading.q_box.stretch), y / scale_y, radius))
    if reading.stiffness is not None and truth.q_box_mean_kpa is not None:
        tally.mean_errors_kpa.append(reading.stiffness.mean_kpa - truth.q_box_mean_kpa)
        if truth.filled_fraction is not None:
            tally.filling_errors.append(abs(reading.stiffness.filled_fraction - truth.filled_fraction))
    printed = truth.readout
    wanted = None
    if printed is not None:
        wanted = (printed.mean_kpa, printed.min_kpa, printed.max_kpa, printed.sd_kpa, printed.diameter_mm)
    tally.printed_right += _printed(reading.readout) == wanted


def coded(picture: Picture, quality: int) -> Picture:
    """The picture after JPEG; as it is for quality 0."""
    if quality == 0:
        return picture
    data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def measure(screens: int, quality: int) -> dict[str, Tally]:
    """Read that many drawn screens in every form."""
    profile = load_profile("aixplorer")
    tallies = {name: Tally() for name in FORMS}
    for number in range(screens):
        patient = draw_patient(np.random.default_rng(SEED + number), stage=number % 5)
        picture, native = draw_acquisition(patient, number % 5, SEED + number)
        for name, view in FORMS.items():
            pixels = np.ascontiguousarray(coded(view.apply(picture), quality))
            reading = ScreenReader(profile).inspect(Frame(pixels, 0, 0, 0))
            tally_one(tallies[name], reading, view.apply_truth(native), native)
    return tallies


def main() -> None:
    """Print the figures of each form, or the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screens", type=int, default=40)
    parser.add_argument("--jpeg", type=int, default=0, help="quality 1-100; 0: not coded")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = {name: tally.figures() for name, tally in measure(arguments.screens, arguments.jpeg).items()}
    if arguments.json:
        print(json.dumps(figures))
        return
    for name, values in figures.items():
        print(name)
        for what, value in values.items():
            print(f"    {what:34s} {value}")


if __name__ == "__main__":
    main()
