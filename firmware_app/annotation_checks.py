"""The checks of one screen, in the order of reading: each right, wrong or not reached, with its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from calibration.profile import ScreenProfile
from firmware_app.journey import ScreenReading, View
from firmware_app.screen.refusal import LEAST_FILLED
from firmware_app.wording import Reason


class State(str, Enum):
    """Whether a check is passed; UNKNOWN where the reading did not get there."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the column."""

    title: str
    state: State
    detail: str


_BLAMED: dict[Reason, str] = {
    Reason.NO_SIGNAL: "Screen",
    Reason.UNREADABLE_PICTURE: "Screen",
    Reason.OTHER_SCREEN: "Screen",
    Reason.OTHER_LAYOUT: "Screen",
    Reason.LAYOUT_DRIFT: "Screen",
    Reason.SCREEN_COVERED: "Screen",
    Reason.B_MODE: "Screen",
    Reason.DOPPLER: "Screen",
    Reason.POWER_DOPPLER: "Screen",
    Reason.OTHER_ELASTOGRAPHY: "Screen",
    Reason.PANES_DIFFER: "Panes",
    Reason.NO_COLOUR_BOX: "Colour box",
    Reason.BOX_UNFILLED: "Colour box",
    Reason.NO_Q_BOX: "Q-box",
    Reason.SEVERAL_Q_BOXES: "Q-box",
    Reason.BAR_RANGE: "Colour bar",
    Reason.BAR_UNREADABLE: "Colour bar",
    Reason.MINIMUM_NEAR_ZERO: "Stiffness",
    Reason.READOUT_DISAGREES: "Read-out",
    Reason.READOUT_UNREADABLE: "Read-out",
    Reason.UNSTABLE: "Read-out",
}
"""The check that a refusal turns red."""


def checks_of(reading: ScreenReading, profile: ScreenProfile) -> tuple[Check, ...]:
    """Every check of a reading whose texts were read."""
    details = {
        "Screen": _screen(reading, profile),
        "Panes": _panes(reading),
        "Colour bar": _bar(reading, profile),
        "Opacity": _opacity(reading),
        "Colour box": _box(reading),
        "Q-box": _q_box(reading),
        "Region of interest": _roi(reading),
        "Stiffness": _stiffness(reading),
        "Read-out": _readout(reading),
        "Freeze": _freeze(reading),
    }
    blamed = _BLAMED.get(reading.rejected.reason) if reading.rejected is not None else None
    also = _also_wrong(reading, profile)
    checks = []
    for title, detail in details.items():
        wrong = title == blamed or title in also
        state = State.WRONG if wrong else State.UNKNOWN if detail is None else State.RIGHT
        checks.append(Check(title, state, detail or _NOTHING.get(title, "not found")))
    return tuple(checks)


_NOTHING = {
    "Screen": "no elastography screen of this profile recognised",
    "Freeze": "not looked at",
    "Opacity": "not read",
    "Region of interest": "none without a colour box",
    "Stiffness": "not measured",
}


def _freeze(reading: ScreenReading) -> str | None:
    if reading.view is not View.SWE_DUAL:
        return None
    return (
        "frozen: the snowflake is shown" if reading.frozen else "live: no snowflake where the profile has it"
    )


def _screen(reading: ScreenReading, profile: ScreenProfile) -> str | None:
    place = reading.registration
    if place is None:
        return None
    return (
        f"{profile.scanner}: scale {place.scale_x:.4f} x {place.scale_y:.4f}, "
        f"offset {place.offset_x:.1f}, {place.offset_y:.1f}, residual {place.residual_px:.2f} px, "
        f"levels {place.black:.0f} to {place.white:.0f}" + (", DRIFTED" if place.drifted else "")
    )


def _panes(reading: ScreenReading) -> str | None:
    panes = reading.panes
    if panes is None or reading.view is not View.SWE_DUAL:
        return None
    dx, dy = panes.gray.x - panes.elastogram.x, panes.gray.y - panes.elastogram.y
    return (
        f"{panes.elastogram.w} x {panes.elastogram.h} px, the gray pane {dx:+d}, {dy:+d} px away, same plane"
    )


def _bar(reading: ScreenReading, profile: ScreenProfile) -> str | None:
    bar = reading.colour_bar
    if bar is None:
        return None
    wanted = " or ".join(f"{maximum:g}" for maximum in profile.colour_bar.allowed_maxima_kpa)
    if bar.maximum is None or bar.unit is None:
        return "stands; its range could not be read"
    return f"0 to {bar.maximum:g} {bar.unit} (acquisitions need {wanted} kPa)"


def _also_wrong(reading: ScreenReading, profile: ScreenProfile) -> set[str]:
    """What would be refused next, once the first reason is mended."""
    wrong = set()
    bar, stiffness = reading.colour_bar, reading.stiffness
    if bar is not None and bar.maximum is not None:
        usable = bar.unit == "kPa" and bar.maximum in profile.colour_bar.allowed_maxima_kpa
        wrong |= set() if usable else {"Colour bar"}
    if stiffness is not None and stiffness.filled_fraction < LEAST_FILLED:
        wrong.add("Colour box")
    return wrong


def _opacity(reading: ScreenReading) -> str | None:
    told = []
    if reading.opacity is not None:
        told.append(f"printed {100 * reading.opacity:.0f} %")
    if reading.opacity_estimated is not None:
        told.append(f"measured {100 * reading.opacity_estimated:.0f} %")
    return ", ".join(told) or None


def _box(reading: ScreenReading) -> str | None:
    box = reading.colour_box
    if box is None:
        return None
    shape = "rectangle" if len(box) == 4 else "sector"
    wide, tall = box.max(axis=0) - box.min(axis=0)
    filled = "" if reading.stiffness is None else f", {100 * reading.stiffness.filled_fraction:.1f} % filled"
    return f"{shape}, {wide:.0f} x {tall:.0f} px, outlined in the gray pane{filled}"


def _q_box(reading: ScreenReading) -> str | None:
    ring = reading.q_box
    if ring is None:
        return None
    count = len(reading.q_boxes)
    several = f"{count} rings; the first: " if count > 1 else ""
    return f"{several}centre {ring.x:.1f}, {ring.y:.1f}, radius {ring.r:.1f} px"


def _roi(reading: ScreenReading) -> str | None:
    roi = reading.roi
    if roi is None:
        return None
    upper, lower = roi.elastogram, roi.gray
    return f"{upper.side} px square at {upper.x}, {upper.y} and {lower.x}, {lower.y}"


def _stiffness(reading: ScreenReading) -> str | None:
    found = reading.stiffness
    if found is None:
        return None
    return (
        f"decoded in the {found.region.replace('_', '-')}: mean {found.mean_kpa:.1f}, SD {found.sd_kpa:.1f}, "
        f"{found.min_kpa:.1f} to {found.max_kpa:.1f} kPa"
    )


def _readout(reading: ScreenReading) -> str | None:
    printed, found = reading.readout, reading.stiffness
    if printed is None or printed.mean_kpa is None:
        return None
    apart = "" if found is None else f"; decoded {found.mean_kpa - printed.mean_kpa:+.2f} kPa apart"
    spread = "" if printed.sd_kpa is None else f", SD {printed.sd_kpa:.1f}"
    return f"printed mean {printed.mean_kpa:.1f} kPa ({printed.unit}){spread}{apart}"
