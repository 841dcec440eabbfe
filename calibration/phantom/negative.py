"""Pictures that are no dual-pane shear-wave elastography, of every kind that an appliance may meet."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from calibration.phantom import negative_other, negative_ultrasound
from calibration.phantom.truth import Picture


class Negative(str, Enum):
    """What is on the screen instead."""

    B_MODE_SINGLE = "b_mode_single"
    B_MODE_DUAL = "b_mode_dual"
    COLOUR_DOPPLER = "colour_doppler"
    POWER_DOPPLER = "power_doppler"
    STRAIN = "strain"
    OTHER_MAP = "other_map"
    AWAITING_MAP = "awaiting_map"
    OTHER_PLANE = "other_plane"
    TOP_PANE_ALONE = "top_pane_alone"
    COVERED = "covered"
    REPORT = "report"
    MENU = "menu"
    DESKTOP = "desktop"
    OTHER_SCANNER = "other_scanner"
    NO_SIGNAL = "no_signal"
    VIDEO_PLAYER = "video_player"
    PHOTOGRAPH = "photograph"
    THERMAL_CAMERA = "thermal_camera"


def _colour_doppler(seed: int) -> Picture:
    return negative_ultrasound.doppler(seed, power=False)


def _power_doppler(seed: int) -> Picture:
    return negative_ultrasound.doppler(seed, power=True)


_DRAW: dict[Negative, Callable[[int], Picture]] = {
    Negative.B_MODE_SINGLE: negative_ultrasound.b_mode_single,
    Negative.B_MODE_DUAL: negative_ultrasound.b_mode_dual,
    Negative.COLOUR_DOPPLER: _colour_doppler,
    Negative.POWER_DOPPLER: _power_doppler,
    Negative.STRAIN: negative_ultrasound.strain,
    Negative.OTHER_MAP: negative_ultrasound.other_map,
    Negative.AWAITING_MAP: negative_ultrasound.awaiting_map,
    Negative.OTHER_PLANE: negative_ultrasound.other_plane,
    Negative.TOP_PANE_ALONE: negative_ultrasound.top_pane_alone,
    Negative.COVERED: negative_ultrasound.covered,
    Negative.REPORT: negative_other.report,
    Negative.MENU: negative_other.menu_over_all,
    Negative.DESKTOP: negative_other.desktop,
    Negative.OTHER_SCANNER: negative_other.other_scanner,
    Negative.NO_SIGNAL: negative_other.no_signal,
    Negative.VIDEO_PLAYER: negative_other.video_player,
    Negative.PHOTOGRAPH: negative_other.photograph,
    Negative.THERMAL_CAMERA: negative_other.thermal_camera,
}


def draw_negative(kind: Negative, seed: int) -> Picture:
    """Draws a picture that must not be taken for an elastography screen.

    Args:
        kind: what is on it.
        seed: everything else follows from it.

    Returns:
        BGR picture (1080, 1440, 3), uint8.
    """
    return _DRAW[kind](seed)
