"""Virtual patients for the campaign: every picture drawn in advance, with what is true of it.

A patient is measured up to `SHOTS` times. Whatever the appliance says of a measurement can be told to be of
this patient and of this very freeze by the values that the scanner printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from statistics import mean

import cv2

from calibration.phantom.exam import REFUSED_INDEX, ExamScript, Phase, PhaseKind, numbered_exam
from calibration.phantom.scanner import Scanner
from calibration.phantom.truth import Viewport
from calibration.profile import load_profile
from firmware_app.journey import Frame
from firmware_app.screen import ScreenReader
from firmware_app.video.pixels import Layout, to_bgr

WIDTH, HEIGHT, FPS = 720, 540, 15
SHOTS = 12
"""A fault may spoil some of them; five make an exam."""
LEAST = 9
"""So many of them must be pictures that the appliance accepts when nothing is wrong."""
APART = 0.15
"""By so much of its value the stiffness of one patient differs from that of the next."""
LIVE_FRAMES, STILL_FRAMES, SEARCH_FRAMES = 45, 1, 12
LIVE_SHOWN = (28, 31, 34, 37, 40, 43)
"""Frames of a live phase that are drawn: the map is there, nothing is frozen."""

Printed = tuple[float, float, float, float]
"""Mean, minimum, maximum and SD as the scanner prints them, kPa."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One measurement: I420 frames of its live phase, its freeze without and with the Q-box."""

    live: tuple[bytes, ...]
    freeze: bytes
    measured: bytes
    printed: Printed
    mean_kpa: float


Judge = Callable[[bytes], bool]
"""Whether the appliance accepts a measured picture when nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Who lies on the couch: I420 frames with his banner, and his measurements."""

    number: int
    lsm_kpa: float
    search: tuple[bytes, ...]
    shots: tuple[Shot, ...]


def patients(seed: int) -> Iterator[Patient]:
    """Patients who can be told apart: by stiffness from the one before, by every printed value from all."""
    judge = judge_of_pictures()
    seen: set[Printed] = set()
    before_kpa = 0.0
    for number in count():
        patient = draw_patient(seed, number, judge)
        printed = {shot.printed for shot in patient.shots}
        like_before = abs(patient.lsm_kpa - before_kpa) < APART * before_kpa
        if like_before or printed & seen or len(printed) < len(patient.shots) or len(patient.shots) < LEAST:
            continue
        seen |= printed
        before_kpa = patient.lsm_kpa
        yield patient


def judge_of_pictures() -> Judge:
    """The screen reader itself, undisturbed: some drawn pictures are not good enough at this size.

    It knows nothing of the pictures before: the campaign may have made the appliance forget them.
    """
    profile = load_profile("aixplorer")
    layout = Layout(
        "I420", WIDTH, HEIGHT, (0, WIDTH * HEIGHT, WIDTH * HEIGHT * 5 // 4), (WIDTH, WIDTH // 2, WIDTH // 2)
    )

    def is_accepted(picture: bytes) -> bool:
        reader, frame = ScreenReader(profile), Frame(to_bgr(memoryview(picture), layout), 0, 0, 0, 0)
        return reader.read_text(frame, reader.read(frame)).rejected is None

    return is_accepted


def draw_patient(seed: int, number: int, judge: Judge) -> Patient:
    """Draw everything that the campaign shows of this patient (some seconds of work)."""
    scanner = Scanner(script_of(seed, number, FPS, SEARCH_FRAMES, SHOTS), Viewport.fit(WIDTH, HEIGHT))
    search = scanner.script.phases[0]
    drawn = (_shot(scanner, phase) for phase in scanner.script.phases if phase.kind is PhaseKind.LIVE)
    shots = tuple(shot for shot in drawn if judge(shot.measured))
    return Patient(
        number,
        mean(shot.mean_kpa for shot in shots) if shots else 0.0,
        tuple(_frame(scanner, n) for n in range(search.start_frame, search.end_frame, 3)),
        shots,
    )


def script_of(seed: int, number: int, fps: int, search_frames: int, shots: int) -> ExamScript:
    """An exam: search, then (live, freeze, measured) for so many measurements, none of them to be refused.

    Args:
        seed: of the cohort.
        number: of the patient in it.
        fps: frames a second.
        search_frames: how long the search is; each live phase has `LIVE_FRAMES`.
        shots: measurements.
    """
    phases = [Phase(PhaseKind.SEARCH, 0, search_frames, 0)]
    for index in (i for i in range(shots + 1) if i != REFUSED_INDEX):
        for kind, frames in (
            (PhaseKind.LIVE, LIVE_FRAMES),
            (PhaseKind.FREEZE, STILL_FRAMES),
            (PhaseKind.MEASURED, STILL_FRAMES),
        ):
            start = phases[-1].end_frame
            phases.append(Phase(kind, start, start + frames, 0, index))
    return ExamScript(seed, fps, (numbered_exam(seed, number, None),), tuple(phases))


def _shot(scanner: Scanner, live: Phase) -> Shot:
    if live.acquisition is None:
        raise ValueError("a live phase belongs to a measurement")
    truth = scanner.truth(0, live.acquisition)
    if truth.readout is None or truth.q_box_mean_kpa is None:
        raise ValueError("a measured screen has a read-out")
    values = truth.readout
    return Shot(
        tuple(_frame(scanner, live.start_frame + n) for n in LIVE_SHOWN),
        _frame(scanner, live.end_frame),
        _frame(scanner, live.end_frame + STILL_FRAMES),
        (values.mean_kpa, values.min_kpa, values.max_kpa, values.sd_kpa),
        truth.q_box_mean_kpa,
    )


def _frame(scanner: Scanner, number: int) -> bytes:
    planes: bytes = cv2.cvtColor(scanner.picture(number), cv2.COLOR_BGR2YUV_I420).tobytes()
    return planes
