"""Whether the scanner's layout changed: decided over time from what single frames say about the profile."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from firmware_app.journey import ScreenReading, View
from firmware_app.wording import Reason

RESIDUAL_BOUND, BLUR_PX = 2.0, 1.6
"""Reference pixels by which a landmark may miss its place, and picture pixels that coding may blur it by;
measured: 1.1 pixels at full size, 1.0 at half size through MJPEG."""
DRIFT_NS = 10_000_000_000
"""Time for which frames must contradict the profile, with none between that fits it, to raise the alarm."""
LONGEST_STEP_NS = 1_000_000_000
"""A frame speaks for the time since the last one, but for no more than this."""


class Fit(str, Enum):
    """What one frame says about the profile: its screen, the bar at another place, or nothing."""

    FITS = "fits"
    MISFIT = "misfit"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class LayoutWatch:
    """What is known so far; `LayoutWatch()` before the first frame.

    Attributes:
        now_ns: time stamp of the last frame.
        misfit_ns: time for which frames contradicted the profile since one last fitted it.
    """

    now_ns: int = 0
    misfit_ns: int = 0

    @property
    def drifted(self) -> bool:
        """Whether the technician has to be told."""
        return self.misfit_ns >= DRIFT_NS


def fit_of(reading: ScreenReading) -> Fit:
    """What a reading says about the profile."""
    placed, rejected = reading.registration, reading.rejected
    if placed is not None and placed.residual_px > max(RESIDUAL_BOUND * placed.scale_y, BLUR_PX):
        return Fit.MISFIT
    if rejected is not None and rejected.reason is Reason.OTHER_LAYOUT:
        return Fit.MISFIT
    return Fit.FITS if reading.view is View.SWE_DUAL else Fit.SILENT


def watch_layout(state: LayoutWatch, now_ns: int, fit: Fit) -> LayoutWatch:
    """Advance by one frame."""
    if now_ns < state.now_ns:
        state = LayoutWatch()  # the stream began anew
    if fit is Fit.FITS:
        return LayoutWatch(now_ns)
    step = min(now_ns - state.now_ns, LONGEST_STEP_NS) if state.now_ns else 0
    return LayoutWatch(now_ns, state.misfit_ns + (step if fit is Fit.MISFIT else 0))
