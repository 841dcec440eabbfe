"""Times the reading of one screen on one core: every step inside the real reading, at several sizes.

The steps are clocked where the reader calls them, so that they add up to what is really spent. Beside it
stands the way one would write it first: a conversion of the whole picture to HSV, a colour mask with its
largest contour for the box, and HoughCircles for the Q-box. Times are the process's CPU time over all of its
threads, so that other work on the machine does not count. Pictures differ by noise from round to round.

    python -m benchmarks.screen_reading [--rounds 200] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np

from calibration.phantom import Viewport, draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.crop import crop_pair
from firmware_app.journey import Frame, Picture
from firmware_app.screen import ScreenReader, elastogram, reader

RESULT = Path(__file__).parent / "results" / "screen_reading.json"
STEPS: dict[str, tuple[ModuleType, str]] = {
    "picture readable": (reader, "unreadable"),
    "registration, tracked": (reader, "follow"),
    "texts unchanged": (reader, "still_printed"),
    "panes": (reader, "cut_panes"),
    "box, Q-box, square": (reader, "read_elastogram"),
    "  of these: box": (elastogram, "_outlined_box"),
    "  of these: Q-box ring": (elastogram, "find_rings"),
    "  of these: square": (elastogram, "largest_square"),
    "stiffness": (reader, "measure"),
    "snowflake": (reader, "has_snowflake"),
    "banner": (reader, "banner_digest"),
}
"""What is clocked: the function that a module calls, by its name there."""
SIZES = {
    "720x540": Viewport.fit(720, 540),
    "1280x1024": Viewport.fit(1280, 1024, stretch=True),
    "1440x1080": Viewport.fit(1440, 1080),
    "1920x1080": Viewport.fit(1920, 1080),
    "3840x2160": Viewport.fit(3840, 2160),
}
VARIANTS = 6
Times = dict[str, list[float]]


@contextmanager
def clocked() -> Iterator[Times]:
    """Clock the steps for as long as the block lasts; milliseconds of CPU time by name."""
    times: Times = defaultdict(list)
    originals = {name: getattr(module, function) for name, (module, function) in STEPS.items()}

    def clock(name: str, original: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **named: object) -> object:
            began = time.process_time_ns()
            try:
                return original(*arguments, **named)
            finally:
                times[name].append((time.process_time_ns() - began) / 1e6)

        return call

    for name, (module, function) in STEPS.items():
        setattr(module, function, clock(name, originals[name]))
    try:
        yield times
    finally:
        for name, (module, function) in STEPS.items():
            setattr(module, function, originals[name])


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


def variants_of(picture: Picture) -> list[Frame]:
    """The picture with different noise, as a live source delivers it."""
    rng = np.random.default_rng(1)
    frames = []
    for number in range(VARIANTS):
        noise = rng.normal(0.0, 1.2, picture.shape).astype(np.float32)
        noisy = np.clip(picture + noise, 0, 255).astype(np.uint8)
        frames.append(Frame(np.ascontiguousarray(noisy), number, number * 16_666_667, 0))
    return frames


def _ms(step: Callable[[], object]) -> float:
    began = time.process_time_ns()
    step()
    return (time.process_time_ns() - began) / 1e6


def read_and_crop(screen_reader: ScreenReader, frame: Frame) -> None:
    """What every frame of the stream costs.

    Raises:
        SystemExit: the screen was not read; its time would mean nothing.
    """
    reading = screen_reader.read(frame)
    if reading.roi is None or reading.stiffness is None or reading.q_box is None:
        raise SystemExit(f"the drawn screen was not read ({reading.rejected}); the time would mean nothing")
    crop_pair(frame, reading.roi)


def measure_size(picture: Picture, rounds: int) -> Times:
    """Times of whole readings and of their steps, milliseconds."""
    frames = variants_of(picture)
    screen_reader = ScreenReader(load_profile("aixplorer"))
    screen_reader.inspect(frames[0])
    for frame in frames:  # not measured: caches fill
        read_and_crop(screen_reader, frame)
    whole = [_ms(partial(read_and_crop, screen_reader, frames[n % VARIANTS])) for n in range(rounds)]
    with clocked() as steps:
        for number in range(rounds):
            read_and_crop(screen_reader, frames[number % VARIANTS])
    again = [replace(frames[0], pixels=frames[0].pixels.copy()) for _ in range(2)]
    read_and_crop(screen_reader, again[0])
    repeated = [_ms(partial(read_and_crop, screen_reader, again[n % 2])) for n in range(rounds)]
    few = max(rounds // 10, 10)
    anew = [_ms(partial(ScreenReader(screen_reader.profile).read, frames[n % VARIANTS])) for n in range(few)]
    reading = screen_reader.read(frames[0])
    text = [_ms(partial(screen_reader.read_text, frames[0], reading)) for _ in range(max(rounds // 40, 3))]
    return {
        "read and crop (whole)": whole,
        **steps,
        "the same picture again": repeated,
        "first look at a screen": anew,
        "texts (OCR)": text,
    }


def summary(times: Times) -> dict[str, dict[str, float]]:
    """Median and 99th percentile of each row."""
    return {
        name: {
            "median_ms": round(float(np.median(row)), 3),
            "p99_ms": round(float(np.quantile(row, 0.99)), 3),
        }
        for name, row in times.items()
    }


def main() -> None:
    """Measure, write the result, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    native, _ = draw_acquisition(draw_patient(np.random.default_rng(5), stage=2), 0, 5)
    tables = {}
    for name, view in SIZES.items():
        rounds = arguments.rounds if name == "1440x1080" else max(arguments.rounds // 4, 20)
        tables[name] = summary(measure_size(view.apply(native), rounds))
    alternative = float(np.median([_ms(partial(plain_opencv, native)) for _ in range(9)]))
    ratio = alternative / tables["1440x1080"]["read and crop (whole)"]["median_ms"]
    report = {
        "sizes": tables,
        "alternative_ms": round(alternative, 2),
        "alternative_over_whole": round(ratio, 1),
    }
    arguments.out.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.json:
        print(json.dumps(report))
        return
    for size, table in tables.items():
        print(size)
        for name, row in table.items():
            print(f"    {name:28s} median {row['median_ms']:9.3f} ms   p99 {row['p99_ms']:9.3f} ms")
    print(f"the plain OpenCV alternative takes {alternative:.1f} ms, {ratio:.1f} times as long")


if __name__ == "__main__":
    main()
