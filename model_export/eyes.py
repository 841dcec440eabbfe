"""One picture through the appliance's own eyes: read, cut and resized as at the bedside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import firmware_app
from calibration.profile import ScreenProfile
from firmware_app.crop import crop_pair
from firmware_app.inference.prepare import prepare
from firmware_app.journey import Frame, Picture, Rejected
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason


@dataclass(frozen=True, slots=True)
class Shot:
    """What one accepted acquisition gives the networks.

    Attributes:
        gray: prepared gray-scale crop, (299, 299, 3), uint8 RGB.
        elastogram: prepared crop of the elastogram, likewise.
        lsm_kpa: mean stiffness in the Q-box as decoded from the colours.
    """

    gray: Picture
    elastogram: Picture
    lsm_kpa: float


def sources() -> list[Path]:
    """Source files and folders that decide what is seen of a picture, for keys of what is made of it."""
    appliance = Path(firmware_app.__file__).parent
    parts = ("crop.py", "stiffness.py", "screen", "inference/prepare.py")
    return [Path(__file__), *(appliance / part for part in parts)]


def look(profile: ScreenProfile, screen: Picture) -> Shot | Rejected:
    """Read one frozen screen; what is seen depends on this picture alone, not on those before it.

    Args:
        profile: of the scanner.
        screen: the whole screen, BGR.

    Returns:
        The prepared crops and the stiffness, or why the appliance would refuse the picture.
    """
    frame = Frame(pixels=np.ascontiguousarray(screen), number=0, pts_ns=0, captured_ns=0)
    reading = ScreenReader(profile).inspect(frame)
    if reading.rejected is not None:
        return reading.rejected
    if reading.roi is None or reading.q_box is None or reading.stiffness is None:
        return Rejected(Reason.NO_Q_BOX)
    crops = crop_pair(frame, reading.roi)
    return Shot(prepare(crops.gray), prepare(crops.elastogram), reading.stiffness.mean_kpa)
