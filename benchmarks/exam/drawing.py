"""Virtual patients drawn beforehand: the frames in one file, and which of them an exam shows for how long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from calibration.phantom.exam import PhaseKind
from calibration.phantom.scanner import Scanner
from calibration.phantom.truth import Viewport
from calibration.profile import load_profile
from firmware_app.journey import Frame, Picture
from firmware_app.screen import ScreenReader
from tests.faults.patients import script_of

WIDTH, HEIGHT, FPS = 1440, 1080, 60
NEEDED, SHOTS = 5, 9
"""Acquisitions of an exam, and how many are drawn at most to find so many that can be accepted."""
LIVE_SHOWN, SEARCH_SHOWN = (28, 33, 38, 43), (0, 6)
"""Of a live phase of 45 frames those are drawn in which the map is there."""
SEARCH_S, LIVE_S, FREEZE_S, MEASURED_S, LAST_S = 1.0, 0.9, 0.2, 1.8, 3.0
"""A brisk sonographer; after the fifth freeze she looks at the result."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A stretch of an exam.

    Attributes:
        kind: "search", "live", "freeze" or "measured".
        exam: number of the exam.
        shot: number of the acquisition, from 0; -1: none.
        frames: numbers in the file, shown in turn.
        count: how many frames it lasts.
    """

    kind: str
    exam: int
    shot: int
    frames: tuple[int, ...]
    count: int


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One patient: frames of the search, and live, freeze and measured ones of each acquisition."""

    search: tuple[int, ...]
    shots: tuple[tuple[tuple[int, ...], int, int], ...]


def draw_exams(path: Path, patients: int, exams: int, seed: int, pace: float = 1.0) -> list[Shown]:
    """Draw patients into a file of I420 frames; returns exams of them in turn.

    Args:
        path: of the file.
        patients: how many are drawn; two at least where there are two exams, for who follows is another one.
        exams: how many are shown.
        seed: of the patients.
        pace: factor on the length of everything.

    Raises:
        ValueError: a patient has no five pictures that can be accepted.
    """
    with path.open("wb") as file:
        drawn = [_draw(file, seed, number) for number in range(patients)]
    return [shown for exam in range(exams) for shown in _exam(drawn[exam % patients], exam, pace)]


def _exam(drawn: _Drawn, exam: int, pace: float) -> Iterator[Shown]:
    yield Shown("search", exam, -1, drawn.search, _frames(pace * SEARCH_S))
    for number, (live, freeze, measured) in enumerate(drawn.shots):
        last = number == NEEDED - 1
        yield Shown("live", exam, number, live, _frames(pace * LIVE_S))
        yield Shown("freeze", exam, number, (freeze,), _frames(pace * FREEZE_S))
        yield Shown("measured", exam, number, (measured,), _frames(pace * (LAST_S if last else MEASURED_S)))


def _frames(seconds: float) -> int:
    return round(seconds * FPS)


def _draw(file: BinaryIO, seed: int, number: int) -> _Drawn:
    scanner = Scanner(script_of(seed, number, FPS, max(SEARCH_SHOWN) + 1, SHOTS), Viewport.fit(WIDTH, HEIGHT))
    reader = ScreenReader(load_profile("aixplorer"))

    def put(frame: int) -> int:
        place = file.tell() // (WIDTH * HEIGHT * 3 // 2)
        file.write(cv2.cvtColor(scanner.picture(frame), cv2.COLOR_BGR2YUV_I420).tobytes())
        return place

    search = tuple(put(frame) for frame in SEARCH_SHOWN)
    shots = []
    for phase in scanner.script.phases:
        measured = phase.end_frame + 1
        if phase.kind is not PhaseKind.LIVE or not _is_accepted(reader, scanner.picture(measured)):
            continue
        live = tuple(put(phase.start_frame + n) for n in LIVE_SHOWN)
        shots.append((live, put(phase.end_frame), put(measured)))
        if len(shots) == NEEDED:
            return _Drawn(search, tuple(shots))
    raise ValueError(
        f"patient {number} of seed {seed} has no {NEEDED} acceptable pictures: take another seed"
    )


def _is_accepted(reader: ScreenReader, picture: Picture) -> bool:
    frame = Frame(np.ascontiguousarray(picture), 0, 0, 0)
    return reader.read_text(frame, reader.read(frame)).rejected is None
