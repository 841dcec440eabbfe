"""Why an SWE frame makes no acquisition: the first of these reasons that holds, with its numbers."""

from __future__ import annotations

from calibration.profile import ScreenProfile
from firmware_app.journey import ColourBar, ReadOut, Rejected, ScreenReading, Stiffness
from firmware_app.wording import Reason

LEAST_FILLED = 0.95
"""Fraction of the colour box; an unfilled box is no measurement (2D-SWE rules of the liver)."""
NEAR_ZERO_KPA = 0.2
"""A minimum at or below marks unfilled pixels in the Q-box."""
LEAST_STABLE = 90.0
"""Stability index, percent, where one is printed (2D-SWE rules of the liver)."""
AGREEMENT_KPA = 1.0
AGREEMENT_SHARE = 0.10
"""Printed and decoded mean agree within the larger of `AGREEMENT_KPA` and this share of the printed one."""


def _q_box(reading: ScreenReading) -> Rejected | None:
    printed = 0 if reading.readout is None else reading.readout.blocks
    several = max(len(reading.q_boxes), printed)
    if several > 1:
        return Rejected(Reason.SEVERAL_Q_BOXES, f"{several} Q-boxes")
    if reading.q_box is None:
        return Rejected(Reason.NO_Q_BOX, "no ring in the colour box")
    if reading.roi is None:
        return Rejected(Reason.NO_Q_BOX, "the Q-box reaches beyond the colour box")
    return None


def _filling(filled_fraction: float) -> Rejected | None:
    if filled_fraction >= LEAST_FILLED:
        return None
    return Rejected(Reason.BOX_UNFILLED, f"Box {100 * filled_fraction:.0f} % filled")


def _minimum(stiffness: Stiffness | None, readout: ReadOut | None) -> Rejected | None:
    """By the decoded or by the printed minimum: the scanner's own map is finer than the screen's."""
    if stiffness is not None and not stiffness.min_kpa > NEAR_ZERO_KPA:
        return Rejected(Reason.MINIMUM_NEAR_ZERO, f"minimum {stiffness.min_kpa:.1f} kPa")
    printed = None if readout is None else readout.min_kpa
    if printed is not None and printed <= NEAR_ZERO_KPA:
        return Rejected(Reason.MINIMUM_NEAR_ZERO, f"printed minimum {printed:.1f} kPa")
    return None


def _printed(reading: ScreenReading, *, required: bool) -> Rejected | None:
    """Without printed values the opacity, read or measured, must vouch for the decoded ones."""
    if reading.readout is not None:
        return None
    if required:
        return Rejected(Reason.READOUT_UNREADABLE, "no printed mean with its unit")
    if reading.opacity is None and reading.opacity_estimated is None:
        return Rejected(Reason.READOUT_UNREADABLE, "no printed values, and the opacity is not known")
    return None


def _stability(readout: ReadOut | None) -> Rejected | None:
    index = None if readout is None else readout.stability_index
    if index is None or index >= LEAST_STABLE:
        return None
    return Rejected(Reason.UNSTABLE, f"stability index {index:.0f} %")


def _bar(bar: ColourBar | None, profile: ScreenProfile, *, text_was_read: bool) -> Rejected | None:
    if bar is None or bar.maximum is None or bar.unit is None:
        return (
            Rejected(Reason.BAR_UNREADABLE, "no number with a unit above the bar") if text_was_read else None
        )
    allowed = profile.colour_bar.allowed_maxima_kpa
    if bar.unit != "kPa" or all(abs(bar.maximum - maximum) > 0.01 for maximum in allowed):
        wanted = " or ".join(f"{maximum:g}" for maximum in allowed)
        return Rejected(Reason.BAR_RANGE, f"{bar.maximum:g} {bar.unit} instead of {wanted} kPa")
    return None


def _agreement(stiffness: Stiffness | None, readout: ReadOut | None) -> Rejected | None:
    if stiffness is None or readout is None or readout.mean_kpa is None:
        return None
    apart = abs(stiffness.mean_kpa - readout.mean_kpa)
    if apart <= max(AGREEMENT_KPA, AGREEMENT_SHARE * readout.mean_kpa):
        return None
    return Rejected(
        Reason.READOUT_DISAGREES,
        f"printed {readout.mean_kpa:.1f} kPa, decoded {stiffness.mean_kpa:.1f} kPa",
    )


def refusal(
    reading: ScreenReading,
    filled_fraction: float,
    profile: ScreenProfile,
    *,
    text_was_read: bool,
    readout_shown: bool = True,
) -> Rejected | None:
    """The first reason against an acquisition that one frame of an SWE view shows.

    Args:
        reading: complete but for this.
        filled_fraction: of the colour box.
        profile: which ranges are allowed.
        text_was_read: whether a missing text counts.
        readout_shown: whether values are printed, readable or not; a profile may do without those not shown.
    """
    required = readout_shown or profile.readout.require_readout
    checks = (
        _q_box(reading),
        _bar(reading.colour_bar, profile, text_was_read=text_was_read),
        _filling(filled_fraction),
        _minimum(reading.stiffness, reading.readout),
        _agreement(reading.stiffness, reading.readout),
        _stability(reading.readout),
        _printed(reading, required=required) if text_was_read else None,
    )
    return next((check for check in checks if check is not None), None)
