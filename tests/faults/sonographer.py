"""The sonographer: examines one patient after the other, and repeats a measurement that a fault has spoiled.

She does not look at the appliance: what the campaign did to it tells which of her freezes must count.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.faults.patients import Patient, Printed, patients
from tests.faults.scanner import ScannerOutput

NEEDED = 5
SEARCH_S = (1.2, 1.8)
LIVE_S = (1.5, 2.0)
FREEZE_S = (0.2, 0.4)
MEASURED_S = (1.5, 1.8)


@dataclass(frozen=True, slots=True)
class Freeze:
    """One measurement as it was shown: from the end of the live phase before it to its own end.

    Attributes:
        patient: number of the patient.
        printed: the values on the screen; no two freezes of a campaign show the same.
        mean_kpa: the drawn mean in the Q-box.
        began_s, ended_s: monotonic; `began_s` is the beginning of the live phase before.
        good: no fault that may spoil it was near.
    """

    patient: int
    printed: Printed
    mean_kpa: float
    began_s: float
    ended_s: float
    good: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One patient's time on the couch, monotonic, and what was frozen in it."""

    patient: int
    began_s: float
    ended_s: float
    freezes: tuple[Freeze, ...]


class Sonographer:
    """Examines patients on a thread of her own.

    Args:
        scanner: what she works on.
        seed: of the patients and of her pace.
        is_good: whether what was shown between two moments was free of faults that spoil it.
        is_enough: whether she may go home after so many patients.
        patience: factor on her pace, for an appliance on a busy machine.
    """

    def __init__(
        self,
        scanner: ScannerOutput,
        seed: int,
        is_good: Callable[[float, float], bool],
        is_enough: Callable[[int], bool],
        patience: float = 1.0,
    ) -> None:
        self._scanner = scanner
        self._seed = seed
        self._is_good = is_good
        self._is_enough = is_enough
        self._patience = patience
        self._random = random.Random(seed)
        self._stop = threading.Event()
        self._error: Exception | None = None
        self.visits: list[Visit] = []
        self.measuring = threading.Event()
        """Set while a frozen picture with its Q-box is shown."""
        self.begun = threading.Event()
        """Set once the first patient is drawn and lies on the couch."""
        self._thread = threading.Thread(target=self._examine_all, name="sonographer", daemon=True)

    def __enter__(self) -> Sonographer:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def is_done(self) -> bool:
        """Whether everybody was examined; raises what ended her work before."""
        if self._error is not None:
            raise self._error
        return not self._thread.is_alive()

    def _examine_all(self) -> None:
        coming = patients(self._seed)
        with ThreadPoolExecutor(1, "drawing") as drawing:
            following = drawing.submit(next, coming)
            try:
                while not (self._stop.is_set() or self._is_enough(len(self.visits))):
                    patient = following.result()
                    following = drawing.submit(next, coming)
                    self.visits.append(self._examine(patient))
            except Exception as error:  # noqa: BLE001 - told to the campaign's thread
                self._error = error

    def _examine(self, patient: Patient) -> Visit:
        began_s = time.monotonic()
        self.begun.set()
        freezes: list[Freeze] = []
        self._show(patient.search, SEARCH_S)
        for shot in patient.shots:
            shot_s = time.monotonic()
            self._show(shot.live, LIVE_S)
            self._show((shot.freeze,), FREEZE_S)
            self.measuring.set()
            self._show((shot.measured,), MEASURED_S)
            self.measuring.clear()
            ended_s = time.monotonic()
            good = self._is_good(shot_s, ended_s)
            freezes.append(Freeze(patient.number, shot.printed, shot.mean_kpa, shot_s, ended_s, good))
            if sum(freeze.good for freeze in freezes) == NEEDED or self._stop.is_set():
                break
        return Visit(patient.number, began_s, time.monotonic(), tuple(freezes))

    def _show(self, frames: tuple[bytes, ...], between_s: tuple[float, float]) -> None:
        self._scanner.show(frames)
        self._stop.wait(self._patience * self._random.uniform(*between_s))
