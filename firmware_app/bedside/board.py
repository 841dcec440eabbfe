"""Between the frame loop and the page: what the loop leaves, for a server on another thread to show.

The loop swaps references and goes on; it never waits for the page, nor for who looks at it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from calibration.profile import ScreenProfile
from firmware_app.annotation import banner_areas
from firmware_app.appliance import Step
from firmware_app.bedside.album import Album
from firmware_app.crop import crop_pair
from firmware_app.errors import FibrostageError
from firmware_app.exam.state import AcquisitionAccepted, AcquisitionRefused, Exam, Phase
from firmware_app.journey import Frame, ScreenReading
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.mirror import Mirror
from firmware_app.video.stream_events import SignalLost, StreamEnded
from firmware_app.ward.health_message import Health
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Closing

LISTENERS = 12
"""So many pages may be open at once."""
REFUSALS_SHOWN = 6


class BoardFullError(FibrostageError):
    """So many pages are open that one more is not served."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What there is to show; replaced as a whole.

    Attributes:
        appliance: who speaks.
        exam: as it stands.
        capture: state of the video.
        cause: of a lost signal, one clause; empty: none.
    """

    appliance: Appliance
    exam: Exam
    capture: CaptureState
    cause: str = ""


class Board:
    """The newest snapshot, frame and crops; a listener of the frame loop, safe between threads."""

    def __init__(self, appliance: Appliance, mirror: Mirror, profile: ScreenProfile) -> None:
        self.album = Album()
        self._mirror = mirror
        self._profile = profile
        self._lock = threading.Lock()
        self._snapshot = Snapshot(appliance, Exam(), CaptureState.STARTING)
        self._seen: tuple[Frame, ScreenReading] | None = None
        self._health: Health | None = None
        self._wakes: dict[object, Callable[[], None]] = {}
        self._closed = False

    def tell(self, step: Step, appliance: Appliance) -> None:
        """Take in a step of the loop; a few microseconds, or a millisecond when crops are cut."""
        self._keep_crops(step)
        before, snapshot = self._snapshot, _snapshot_of(step, appliance)
        if isinstance(step.event, Frame) and step.reading is not None:
            self._seen = (step.event, step.reading)
            placement = step.reading.registration
            self._mirror.hide(banner_areas(step.event.pixels.shape, placement, self._profile))
        if snapshot == before:  # what did not change is the same object: this costs next to nothing
            return
        if snapshot.exam is not before.exam:
            self.album.keep_only(pictures_of(snapshot.exam))
        with self._lock:
            self._snapshot = snapshot
        self.wake()

    def _keep_crops(self, step: Step) -> None:
        if not isinstance(step.event, Frame):
            return
        for effect in step.effects:
            match effect:
                case AcquisitionAccepted(acquisition=acquisition):
                    self.album.add(acquisition.id, crop_pair(step.event, acquisition.roi))
                case AcquisitionRefused(exam_id=exam_id, refusal=refusal):
                    if exam_id is not None and refusal.roi is not None:
                        self.album.add(refusal.id, crop_pair(step.event, refusal.roi))
                case _:
                    pass

    @property
    def snapshot(self) -> Snapshot:
        """What there is to show."""
        with self._lock:
            return self._snapshot

    @property
    def seen(self) -> tuple[Frame, ScreenReading] | None:
        """The newest frame and what was read in it; None: there was none yet."""
        return self._seen

    def note_health(self, health: Health) -> None:
        """Take in a report of how the appliance is."""
        self._health = health

    @property
    def health(self) -> Health | None:
        """The newest report; None: there was none yet."""
        return self._health

    @property
    def is_closed(self) -> bool:
        """Whether the appliance stops: who listens is to leave."""
        return self._closed

    @contextmanager
    def listen(self, wake: Callable[[], None]) -> Iterator[None]:
        """Be woken after each change for the length of the block; `wake` must return at once.

        Raises:
            BoardFullError: `LISTENERS` listen already.
        """
        token = object()
        with self._lock:
            if len(self._wakes) >= LISTENERS:
                raise BoardFullError("too many pages are open: close one of them")
            self._wakes[token] = wake
        try:
            yield
        finally:
            with self._lock:
                del self._wakes[token]

    def wake(self) -> None:
        """Wake everybody who listens."""
        with self._lock:
            wakes = tuple(self._wakes.values())
        for wake in wakes:
            wake()

    def close(self) -> None:
        """Send everybody home."""
        self._closed = True
        self.wake()


def pictures_of(exam: Exam) -> frozenset[UUID]:
    """Whose crops may be kept: of an exam that goes on, or that was finished and is still shown."""
    if exam.phase is Phase.WAITING or exam.closing not in {None, Closing.FINISHED}:
        return frozenset()
    refused = exam.refusals[-REFUSALS_SHOWN:]
    return frozenset(a.id for a in exam.acquisitions) | frozenset(r.id for r in refused)


def _snapshot_of(step: Step, appliance: Appliance) -> Snapshot:
    match step.event:
        case SignalLost(state=state, cause=cause):
            return Snapshot(appliance, step.exam, state, cause)
        case StreamEnded():
            return Snapshot(appliance, step.exam, CaptureState.ENDED)
        case _:
            return Snapshot(appliance, step.exam, CaptureState.LIVE)
