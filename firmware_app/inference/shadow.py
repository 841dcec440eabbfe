"""The shadow: a second engine that scores what the first has scored, only to count where they differ.

It works in a thread of its own, with an engine of its own, and never delays a result: while it is busy,
pictures pass it by.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from firmware_app.errors import FibrostageError
from firmware_app.inference.bundle import THRESHOLDS, OperatingPoint, Threshold
from firmware_app.journey import Crops, ImageScores, Logits

LOG = logging.getLogger(__name__)
_LOOK_UP_S = 0.2
"""How often an idle shadow looks whether it shall end."""
_JOIN_S = 10.0
"""Longer than one acquisition takes on any processor."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How far two engines are from each other so far.

    Attributes:
        name: of the shadow's engine; empty until it is open.
        compared: pictures that both have scored, live previews among them.
        passed_by: pictures that came while the shadow was busy or had failed.
        largest_difference: of any probability of GM, EM and GM+EM.
        stage_flips: pictures whose GM+EM probabilities pass another number of cut-offs.
        failure: why the shadow has ended; None: it has not.
    """

    name: str = ""
    compared: int = 0
    passed_by: int = 0
    largest_difference: float = 0.0
    stage_flips: int = 0
    failure: str | None = None


class ShadowEngine(Protocol):
    """What the shadow needs of an engine."""

    @property
    def name(self) -> str:
        """Runtime, version, processor, precision."""
        ...

    def score(self, crops: Crops) -> ImageScores:
        """Log-odds of one acquisition."""
        ...

    def close(self) -> None:
        """Release the runtime."""
        ...


class Shadow:
    """Owns the thread in which the second engine is opened, used and closed."""

    def __init__(
        self, open_engine: Callable[[], ShadowEngine], points: Mapping[Threshold, OperatingPoint]
    ) -> None:
        """Start the thread; the engine is opened there, while the appliance starts.

        Args:
            open_engine: opens the second engine.
            points: cut-offs of the bundle, which tell the stages.
        """
        self._open_engine = open_engine
        self._cutoffs = np.array([points[threshold].cutoff for threshold in THRESHOLDS])
        self._work: queue.Queue[tuple[Crops, ImageScores]] = queue.Queue(maxsize=2)
        self._lock = threading.Lock()
        self._found = Disagreement()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._thread.start()

    @property
    def disagreement(self) -> Disagreement:
        """What was found so far."""
        with self._lock:
            return self._found

    def compare(self, crops: Crops, scores: ImageScores) -> None:
        """Let the shadow score these crops, too, when it finds the time. Never waits."""
        if self._closed.is_set() or self.disagreement.failure is not None:
            self._note(passed_by=1)
            return
        try:
            self._work.put_nowait((crops, scores))
        except queue.Full:
            self._note(passed_by=1)

    def close(self) -> None:
        """End the thread and its engine; harmless when repeated."""
        self._closed.set()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            engine = self._open_engine()
            self._note(name=engine.name)
            try:
                self._work_on(engine)
            finally:
                engine.close()
        except FibrostageError as error:
            LOG.warning("the shadow ends: %s", error)
            self._note(failure=str(error))

    def _work_on(self, engine: ShadowEngine) -> None:
        while not self._closed.is_set():
            try:
                crops, scores = self._work.get(timeout=_LOOK_UP_S)
            except queue.Empty:
                continue
            other = engine.score(crops)
            largest = float(np.abs(_chances(scores) - _chances(other)).max())
            flip = self._passed(scores.gm_em) != self._passed(other.gm_em)
            self._note(compared=1, difference=largest, flips=int(flip))

    def _passed(self, logits: Logits) -> int:
        return int((_sigmoid(np.array(logits)) >= self._cutoffs).sum())

    def _note(  # noqa: PLR0913 - one argument for each thing that can be new
        self,
        *,
        name: str | None = None,
        compared: int = 0,
        passed_by: int = 0,
        difference: float = 0.0,
        flips: int = 0,
        failure: str | None = None,
    ) -> None:
        with self._lock:
            old = self._found
            self._found = Disagreement(
                name=old.name if name is None else name,
                compared=old.compared + compared,
                passed_by=old.passed_by + passed_by,
                largest_difference=max(old.largest_difference, difference),
                stage_flips=old.stage_flips + flips,
                failure=old.failure if failure is None else failure,
            )


def _chances(scores: ImageScores) -> npt.NDArray[np.float64]:
    """Probabilities (method, threshold)."""
    return _sigmoid(np.array([scores.gm, scores.em, scores.gm_em]))


def _sigmoid(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    chances: npt.NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logits))
    return chances
