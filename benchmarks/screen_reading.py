"""Times the reading of one 1440x1080 screen on one core, step by step, beside a plain OpenCV alternative.

The alternative takes the same decision the way one would write it first: a conversion of the whole picture to
HSV, a colour mask with its largest contour for the box, and HoughCircles on the elastogram's pane for the
Q-box. Times are the process's CPU time, over all of its threads, so that other work on the machine does not
count. Run: `python benchmarks/screen_reading.py [--rounds 200] [--json]`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import cv2
import numpy as np

from calibration.phantom import draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.crop import crop_pair, largest_square
from firmware_app.journey import Frame, Picture
from firmware_app.screen import ScreenReader
from firmware_app.screen.banner import banner_digest
from firmware_app.screen.bar import chroma
from firmware_app.screen.colour_box import coloured_region, fit_region
from firmware_app.screen.elastogram import read_elastogram
from firmware_app.screen.freeze import has_snowflake
from firmware_app.screen.panes import cut_panes, locate_panes
from firmware_app.screen.registration import holds, register

Step = Callable[[], object]


def plain_opencv(pixels: Picture) -> tuple[object, object]:
    """Colour box and Q-box by HSV mask, largest contour and HoughCircles."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
    mask = cv2.inRange(hsv, (0, 60, 40), (179, 255, 255))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    x, y, w, h = cv2.boundingRect(largest)
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)[y : y + h, x : x + w]
    circles = cv2.HoughCircles(
        cv2.medianBlur(gray, 5), cv2.HOUGH_GRADIENT, 1, 60, param1=120, param2=40, minRadius=20, maxRadius=100
    )
    return cv2.approxPolyDP(largest, 4, True), circles


def steps(pixels: Picture) -> dict[str, Step]:
    """Every step of the reading on its own, the whole, and the alternative."""
    profile = load_profile("aixplorer")
    reader, frame = ScreenReader(profile), Frame(pixels, 0, 0, 0)
    reading = reader.inspect(frame)
    registration = register(pixels, profile)
    roi, box = reading.roi, reading.colour_box
    if registration is None or roi is None or box is None:
        raise SystemExit("the drawn screen was not read; the timing would mean nothing")
    panes = locate_panes(pixels, registration, profile)
    pair = cut_panes(pixels, panes)
    region = coloured_region(pair.coloured_half)
    if region is None:
        raise SystemExit("the drawn screen shows no colour; the timing would mean nothing")
    area = registration.rect(profile.freeze.snowflake_area)
    return {
        "read + crop (whole)": lambda: (reader.read(frame), crop_pair(frame, roi)),
        "registration holds": lambda: holds(registration, pixels),
        "registration anew": lambda: register(pixels, profile),
        "panes": lambda: cut_panes(pixels, panes),
        "chroma of a pane": lambda: chroma(pair.top_half),
        "first fit of the box": lambda: fit_region(region, 1.0),
        "box, Q-box, region": lambda: read_elastogram(pair, registration, profile, None),
        "largest square": lambda: largest_square(box, reading.q_box),
        "snowflake": lambda: has_snowflake(pixels, area, panes, 1.0),
        "banner": lambda: banner_digest(pixels, registration, profile),
        "crop": lambda: crop_pair(frame, roi),
        "read with text (OCR)": lambda: reader.read_text(frame, reading),
        "plain OpenCV alternative": lambda: plain_opencv(pixels),
    }


def timed(step: Step, rounds: int) -> tuple[float, float]:
    """Median and 99th percentile of the CPU time in milliseconds."""
    step()
    times = np.empty(rounds)
    for index in range(rounds):
        start = time.process_time()
        step()
        times[index] = time.process_time() - start
    return float(np.median(times) * 1e3), float(np.quantile(times, 0.99) * 1e3)


def main() -> None:
    """Print the table, or the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pixels, _ = draw_acquisition(draw_patient(np.random.default_rng(5), stage=2), 0, 5)
    slow = {"read with text (OCR)", "plain OpenCV alternative"}
    results = {
        name: timed(step, max(5, arguments.rounds // 20) if name in slow else arguments.rounds)
        for name, step in steps(pixels).items()
    }
    ratio = results["plain OpenCV alternative"][0] / results["read + crop (whole)"][0]
    if arguments.json:
        table = {name: {"median_ms": median, "p99_ms": p99} for name, (median, p99) in results.items()}
        print(json.dumps({"steps": table, "alternative_over_whole": ratio}))
        return
    for name, (median, p99) in results.items():
        print(f"{name:28s} median {median:8.3f} ms   p99 {p99:8.3f} ms")
    print(f"the plain OpenCV alternative takes {ratio:.1f} times as long as reading and cropping")


if __name__ == "__main__":
    main()
