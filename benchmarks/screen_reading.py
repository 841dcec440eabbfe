"""Times the reading of one screen on one core: every step inside the real reading, from 720x540 to 4K.

The steps are clocked where the reader calls them, so that they add up to what is really spent. Beside it
stands what one would write first for the same decisions with OpenCV alone: template matching for the colour
bar and for the snowflake, a mask of saturated colours with its largest contour for the colour box,
HoughCircles for the Q-box. That way reads no stiffness, no banner and no printed text, checks nothing, and
knows beforehand how large everything is. Times are processor time over all threads, so that other work on the
machine does not count. Pictures differ by noise from round to round.

    python -m benchmarks.screen_reading [--rounds 200]
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import ModuleType

import cv2
import numpy as np

from benchmarks.record import Run, keep, parser
from benchmarks.screen.plain import plain_reader
from calibration.phantom import Viewport, draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.crop import crop_pair
from firmware_app.journey import Frame, Picture
from firmware_app.screen import ScreenReader, elastogram, reader
from firmware_app.screen.registration import Registration, register

NATIVE, WHOLE = "1440x1080", "read and crop (whole)"
PLAIN = {
    WHOLE: "OpenCV: template, colour mask, Hough",
    "registration, tracked": "OpenCV: template of the colour bar",
    "snowflake": "OpenCV: template of the snowflake",
    "  of these: box": "OpenCV: colour mask, largest contour",
    "  of these: Q-box ring": "OpenCV: HoughCircles",
}
"""For a step, what one would write first."""
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
    few = max(rounds // 10, 3)
    anew = [_ms(partial(ScreenReader(screen_reader.profile).read, frames[n % VARIANTS])) for n in range(few)]
    reading = screen_reader.read(frames[0])
    text = [_ms(partial(screen_reader.read_text, frames[0], reading)) for _ in range(max(rounds // 40, 1))]
    return {
        WHOLE: whole,
        **steps,
        "the same picture again": repeated,
        "first look at a screen": anew,
        "texts (OCR)": text,
    }


def measure_plain(picture: Picture, rounds: int) -> Times:
    """Times of the OpenCV way, whole and by decision, milliseconds."""
    frames, profile = variants_of(picture), load_profile("aixplorer")
    placed = register(picture, profile)
    if not isinstance(placed, Registration):
        raise SystemExit("the drawn screen was not registered; the time would mean nothing")
    plain = plain_reader(picture, placed, profile)
    box = plain.box(picture)
    turns = [frames[n % VARIANTS].pixels for n in range(rounds)]
    return {
        WHOLE: [_ms(partial(plain.read, pixels)) for pixels in turns],
        "registration, tracked": [_ms(partial(plain.is_there, pixels)) for pixels in turns],
        "snowflake": [_ms(partial(plain.is_frozen, pixels)) for pixels in turns],
        "  of these: box": [_ms(partial(plain.box, pixels)) for pixels in turns],
        "  of these: Q-box ring": [_ms(partial(plain.q_box, pixels, box)) for pixels in turns],
    }


def add(run: Run, size: str, ours: Times, plain: Times) -> None:
    """Put one size into the run; single steps are compared at the scanner's own size only."""
    for name, times in ours.items():
        label = f"{size}: {name.strip()}"
        run.measure(label, times, "ms")
        if name in plain and (size == NATIVE or name == WHOLE):
            run.compare(label, PLAIN[name], plain[name])


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=200)
    arguments = options.parse_args()
    cv2.setNumThreads(1)
    native, _ = draw_acquisition(draw_patient(np.random.default_rng(5), stage=2), 0, 5)
    run, rounds = Run(), 3 if arguments.smoke else arguments.rounds
    for name, view in SIZES.items():
        if arguments.smoke and name not in {"720x540", NATIVE}:
            continue
        turns = rounds if name == NATIVE else max(rounds // 4, 3)
        picture = view.apply(native)
        add(run, name, measure_size(picture, turns), measure_plain(picture, max(turns // 4, 3)))
    whole = run.measures[f"{NATIVE}: {WHOLE}"]
    run.budget("screen_reading_median_ms", whole.p50)
    run.budget("screen_reading_p99_ms", whole.p99)
    return keep("screen_reading", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
