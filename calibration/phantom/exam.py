"""The script of an examination: which phase the screen is in at every frame, for one patient or several.

    search -> (live -> freeze -> measured) x 5 -> next patient's banner
               between the second and third: a freeze with an unfilled box
               between the third and fourth: a moment of colour Doppler

The script is pure: a seed gives the patients and the phases. `scanner` draws it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum

import numpy as np

from calibration.phantom.patient import Patient, Quality, draw_patient
from calibration.phantom.randomness import derived_seed, stream

ACQUISITIONS = 5
REFUSED_INDEX = 5
"""Number of the acquisition whose box is not filled, beside 0-4."""


class PhaseKind(str, Enum):
    """What the sonographer does."""

    SEARCH = "search"
    LIVE = "live"
    FREEZE = "freeze"
    MEASURED = "measured"
    DOPPLER = "doppler"
    NEXT_PATIENT = "next_patient"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of frames, `start_frame` to `end_frame` (exclusive).

    Attributes:
        kind: what is on the screen.
        exam: number of the exam; the banner is that patient's.
        acquisition: 0-4, or REFUSED_INDEX for the freeze with an unfilled box; None elsewhere.
    """

    kind: PhaseKind
    start_frame: int
    end_frame: int
    exam: int
    acquisition: int | None = None

    @property
    def name(self) -> str:
        """Name in the truth: refused freezes are told apart."""
        refused = self.acquisition == REFUSED_INDEX and self.kind in {PhaseKind.FREEZE, PhaseKind.MEASURED}
        return f"refused_{self.kind.value}" if refused else self.kind.value


@dataclass(frozen=True, slots=True)
class Exam:
    """One patient's examination: everything about it follows from `seed` and `patient`."""

    patient: Patient
    seed: int


@dataclass(frozen=True, slots=True)
class ExamScript:
    """A session of one or more exams.

    Attributes:
        seed: the session's seed.
        fps: frames per second.
        exams: the patients; the last one only shows his banner.
        phases: without gaps, from frame 0.
    """

    seed: int
    fps: int
    exams: tuple[Exam, ...]
    phases: tuple[Phase, ...]

    @property
    def frame_count(self) -> int:
        """Number of frames."""
        return self.phases[-1].end_frame

    def phase_index(self, frame: int) -> int:
        """Returns which phase the frame belongs to."""
        return bisect_right([p.start_frame for p in self.phases], frame) - 1


def numbered_exam(seed: int, number: int, stage: int | None) -> Exam:
    """Returns the exam of the session's patient of this number; `stage` is kept for number 0 only."""
    exam_seed = seed if number == 0 else derived_seed(seed, "patient", number)
    wanted = stage if number == 0 else None
    return Exam(draw_patient(stream(exam_seed, "patient"), wanted, Quality.GOOD), exam_seed)


def _exam_phases(rng: np.random.Generator, number: int) -> list[tuple[PhaseKind, float, int | None]]:
    """Returns kind, duration in seconds and acquisition of one exam's phases in order."""

    def seconds(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def attempt(index: int) -> list[tuple[PhaseKind, float, int | None]]:
        return [
            (PhaseKind.LIVE, seconds(3.0, 4.0), index),
            (PhaseKind.FREEZE, seconds(0.5, 0.7), index),
            (PhaseKind.MEASURED, seconds(1.9, 2.3), index),
        ]

    first_search = seconds(2.0, 2.6) if number == 0 else 0.0
    phases: list[tuple[PhaseKind, float, int | None]] = [(PhaseKind.SEARCH, first_search, None)]
    for index in range(ACQUISITIONS):
        if index == 2:
            phases += attempt(REFUSED_INDEX)
        if index == 3:
            phases += [
                (PhaseKind.DOPPLER, seconds(2.4, 3.0), None),
                (PhaseKind.SEARCH, seconds(0.8, 1.2), None),
            ]
        phases += attempt(index)
    return phases


def write_script(
    seed: int, stage: int | None, fps: int = 60, patients: int = 1, first: int = 0
) -> ExamScript:
    """Returns the script of a session.

    Args:
        seed: everything follows from it.
        stage: Scheuer stage 0-4 of the session's very first patient; None draws it.
        fps: frames per second of the video.
        patients: how many exams follow one another.
        first: number of the first patient, to continue a session.
    """
    exams = tuple(numbered_exam(seed, first + i, stage) for i in range(patients + 1))
    phases: list[Phase] = []
    start = 0
    for number in range(patients):
        for kind, duration, acquisition in _exam_phases(stream(exams[number].seed, "script"), number):
            if frames := round(duration * fps):
                phases.append(Phase(kind, start, start + frames, number, acquisition))
                start += frames
        banner = round(float(stream(exams[number].seed, "banner time").uniform(2.8, 3.4)) * fps)
        phases.append(Phase(PhaseKind.NEXT_PATIENT, start, start + banner, number + 1))
        start += banner
    return ExamScript(seed, fps, exams, tuple(phases))
