"""To which picture, and to which patient's name, belongs what the overlay tells."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from calibration.profile import ScreenProfile
from firmware_app.appliance import Step
from firmware_app.exam.events import Acquisition
from firmware_app.exam.state import AcquisitionAccepted
from firmware_app.journey import Attention, Frame, ImageScores, Rect, Roi, ScreenPlacement
from firmware_app.overlay.guards import Guard, PictureGuard, picture_guard
from firmware_app.overlay.places import rect_of
from firmware_app.overlay.state import OverlayState

_BANNER_STEP, _ACQUISITION_STEP = 2, 4
"""Every second pixel of the banner is compared: half the stroke of its letters."""


@dataclass(frozen=True, slots=True)
class Looked:
    """Where the networks looked in the last acquisition, and the picture that they saw."""

    roi: Roi
    attention: Attention
    picture: PictureGuard


class Bindings:
    """What was told of which picture; in memory only, like the banner's digest.

    An exam's outcome is bound to the banner of its newest acquisition, a preview to that of its frame, the
    class-activation map to the frozen picture itself.
    """

    def __init__(self, profile: ScreenProfile) -> None:
        self._profile = profile
        self._exam: tuple[UUID | None, PictureGuard] | None = None
        self._preview: tuple[ImageScores, PictureGuard] | None = None
        self.looked: Looked | None = None

    def forget(self) -> None:
        """The picture has another size: nothing of the old one can be compared."""
        self._exam = self._preview = self.looked = None

    def guards_of(self, state: OverlayState) -> tuple[Guard, ...]:
        """What must be seen for this outcome, or this preview, to be shown."""
        if state.estimate is not None:
            return () if self._exam is None else (self._exam[1],)
        return () if state.preview is None or self._preview is None else (self._preview[1],)

    def note(self, step: Step, frame: Frame) -> None:
        """Learn from a frame that was analysed, and from what came of it."""
        exam = step.exam
        if self._exam is not None and (self._exam[0] != exam.id or not exam.acquisitions):
            self._exam = self.looked = None
        for effect in step.effects:
            if isinstance(effect, AcquisitionAccepted):
                self._exam, self.looked = None, _looked(effect.acquisition, frame)
        place = None if step.reading is None else step.reading.registration
        if place is None:
            return
        if self._exam is None and exam.acquisitions:
            self._exam = exam.id, self._banner(frame, place)
        if step.preview is None:
            self._preview = None
        elif self._preview is None or self._preview[0] is not step.preview:
            self._preview = step.preview, self._banner(frame, place)

    def _banner(self, frame: Frame, place: ScreenPlacement) -> PictureGuard:
        height, width = frame.pixels.shape[:2]
        areas = tuple(rect_of(area, place, width, height) for area in self._profile.banner.areas)
        return picture_guard(areas, frame.pixels, _BANNER_STEP)


def _looked(acquisition: Acquisition, frame: Frame) -> Looked | None:
    attention = None if acquisition.scores is None else acquisition.scores.attention
    if attention is None:
        return None
    gray = acquisition.roi.gray
    area = Rect(gray.x, gray.y, gray.width, gray.side)
    return Looked(acquisition.roi, attention, picture_guard((area,), frame.pixels, _ACQUISITION_STEP))
