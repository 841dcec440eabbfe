"""The values that travel from stage to stage: follow a frame from the cable to the ward.

Every stage is a function from one of these to the next, or to `Rejected`. All of them are frozen.
Pixel coordinates are those of the picture as it arrived (x to the right, y down, pixel centres on
whole numbers). Pictures are uint8. Stiffness is Young's modulus in kPa unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from firmware_app.wording import Reason

Picture = npt.NDArray[np.uint8]
"""A picture of shape (height, width, 3), uint8."""
Polygon = npt.NDArray[np.float64]
"""Vertices of a closed polygon, shape (n, 2), columns x and y, in pixels."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it came over the cable.

    Attributes:
        pixels: BGR picture (height, width, 3), C-contiguous; nobody writes into it.
        number: counts the frames that the source delivered, from 0.
        pts_ns: presentation time stamp of the stream.
        captured_ns: `time.monotonic_ns()` when the frame reached the appliance.
        dropped: frames passed over since the previous frame that was taken.
    """

    pixels: Picture
    number: int
    pts_ns: int
    captured_ns: int
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why a stage went no further: a reason from the one table of wordings, and the measured detail."""

    reason: Reason
    detail: str = ""


class View(str, Enum):
    """What the scanner shows."""

    SWE_DUAL = "swe_dual"
    B_MODE = "b_mode"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rect:
    """Axis-aligned rectangle in whole pixels; the right and lower edges are exclusive."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, slots=True)
class Panes:
    """The elastogram's pane and the plain gray-scale pane of the same plane; both of one size."""

    elastogram: Rect
    gray: Rect


@dataclass(frozen=True, slots=True)
class ColourBar:
    """The colour bar: where it stands, and what is printed at it (None: not read, or unreadable)."""

    rect: Rect
    maximum: float | None
    unit: str | None


@dataclass(frozen=True, slots=True)
class Circle:
    """The Q-box in the elastogram's pane: centre and radius in pixels.

    `r` is the vertical radius; in a horizontally stretched picture the horizontal one is `r * stretch`.
    """

    x: float
    y: float
    r: float
    stretch: float = 1.0


@dataclass(frozen=True, slots=True)
class Square:
    """Axis-aligned square in whole pixels: left, top, side.

    `side` is its height; in a horizontally stretched picture it is `round(side * stretch)` pixels wide.
    """

    x: int
    y: int
    side: int
    stretch: float = 1.0

    @property
    def width(self) -> int:
        """Width in pixels of the picture; the side unless the picture is stretched."""
        return round(self.side * self.stretch)


@dataclass(frozen=True, slots=True)
class Roi:
    """The same square in both panes."""

    elastogram: Square
    gray: Square


@dataclass(frozen=True, slots=True)
class Stiffness:
    """Decoded stiffness in a region ("q_box" or "roi"), in kPa; `filled_fraction` of the colour box, 0-1."""

    region: str
    mean_kpa: float
    median_kpa: float
    sd_kpa: float
    min_kpa: float
    max_kpa: float
    filled_fraction: float


@dataclass(frozen=True, slots=True)
class ReadOut:
    """The values that the scanner prints for the Q-box, converted to kPa; None: not printed."""

    unit: str
    mean_kpa: float | None
    min_kpa: float | None
    max_kpa: float | None
    sd_kpa: float | None
    diameter_mm: float | None


@dataclass(frozen=True, slots=True)
class ScreenReading:
    """Everything the appliance sees in one frame, and why it would refuse it.

    Attributes:
        frozen: whether the scanner shows its sign of a frozen picture.
        opacity: share of colour in the elastogram, 0-1, as printed; None: not read.
        banner: digest of the patient banner, comparable within this process only; None: no banner known.
    """

    width: int
    height: int
    view: View
    rejected: Rejected | None = None
    panes: Panes | None = None
    colour_bar: ColourBar | None = None
    colour_box: Polygon | None = None
    q_box: Circle | None = None
    roi: Roi | None = None
    stiffness: Stiffness | None = None
    readout: ReadOut | None = None
    frozen: bool = False
    opacity: float | None = None
    banner: bytes | None = None


@dataclass(frozen=True, slots=True)
class Crops:
    """The ROI cut from both panes: two RGB squares of one size (side, side, 3), as displayed."""

    elastogram: Picture
    gray: Picture


Logits = tuple[float, float, float]
"""Log-odds of >=S2, >=S3 and S4, calibrated, never increasing from left to right."""


@dataclass(frozen=True, slots=True)
class ImageScores:
    """What the networks say about one acquisition."""

    gm: Logits
    em: Logits
    gm_em: Logits
