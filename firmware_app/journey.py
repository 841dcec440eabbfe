"""The values that travel from stage to stage: follow a frame from the cable to the ward.

Every stage is a function from one of these to the next, or to `Rejected`. All of them are frozen.
Pixel coordinates are those of the picture as it arrived (x to the right, y down, pixel centres on
whole numbers). Pictures are uint8. Stiffness is Young's modulus in kPa unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
    """The values that the scanner prints for the Q-box, converted to kPa; None: not printed.

    Speeds c (m/s) become E = 3 c^2. That is exact for minimum and maximum. The mean of squares is not the
    square of the mean: `mean_kpa` is 3 SD^2 too low if the scanner averages speeds. `sd_kpa` is 6 c SD, which
    falls short by SD^2 / (4 c^2) where speeds are normally distributed (1 % at SD = 0.2 c).

    Attributes:
        unit: "kPa" or "m/s", as printed.
        depth_mm: of the Q-box.
        stability_index: percent.
        blocks: how many Q-boxes' values are printed; the values are those of the first.
    """

    unit: str
    mean_kpa: float | None
    min_kpa: float | None
    max_kpa: float | None
    sd_kpa: float | None
    diameter_mm: float | None
    depth_mm: float | None = None
    stability_index: float | None = None
    blocks: int = 1


@dataclass(frozen=True, slots=True)
class ScreenPlacement:
    """How the scanner's screen lies in the picture: picture pixel = offset + scale x reference pixel.

    Attributes:
        scale_x, scale_y: picture pixels per reference pixel.
        offset_x, offset_y: upper left corner of the screen, pixels.
        residual_px: largest miss of a landmark, pixels.
        black, white: what the capture chain made of the scanner's levels 0 and 255.
        drifted: the landmarks have not fitted for so long that the scanner's layout must have changed.
    """

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    residual_px: float
    black: float
    white: float
    drifted: bool = False


@dataclass(frozen=True, slots=True)
class ScreenReading:
    """Everything the appliance sees in one frame, and why it would refuse it.

    Attributes:
        q_box: the only Q-box; of several the first. `q_boxes` all of them, in reading order.
        frozen: whether the scanner shows its sign of a frozen picture.
        opacity: share of colour in the elastogram, 0-1, as printed; None: not read.
        opacity_estimated: the same as the picture tells it when the text was read; None: it does not tell.
        banner: digest of the patient banner, comparable in this process only; None: no banner known.
        registration: where the scanner's screen lies in the picture; None: no such screen was found.
        colours: what a broken capture chain did to the colours, in a few words; None: nothing is known.
    """

    width: int
    height: int
    view: View
    rejected: Rejected | None = None
    panes: Panes | None = None
    colour_bar: ColourBar | None = None
    colour_box: Polygon | None = None
    q_box: Circle | None = None
    q_boxes: tuple[Circle, ...] = ()
    roi: Roi | None = None
    stiffness: Stiffness | None = None
    readout: ReadOut | None = None
    frozen: bool = False
    opacity: float | None = None
    opacity_estimated: float | None = None
    banner: bytes | None = None
    registration: ScreenPlacement | None = None
    colours: str | None = None


@dataclass(frozen=True, slots=True)
class Crops:
    """The ROI cut from both panes: two RGB squares of one size (side, side, 3), as displayed."""

    elastogram: Picture
    gray: Picture


Logits = tuple[float, float, float]
"""Log-odds of >=S2, >=S3 and S4, calibrated, never increasing from left to right."""


ActivationMap = npt.NDArray[np.float32]
"""What each place of a crop adds to the score, (8, 8), row 0 at the top; higher is worse."""
FeatureVector = npt.NDArray[np.float32]
"""Features behind the last average pooling of a network, (2048,)."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Class-activation maps of one acquisition, of the gray-scale and the elastogram network."""

    gm: ActivationMap
    em: ActivationMap


@dataclass(frozen=True, slots=True)
class Features:
    """Pooled features of one acquisition, of the gray-scale and the elastogram network."""

    gm: FeatureVector
    em: FeatureVector


@dataclass(frozen=True, slots=True)
class ImageScores:
    """What the networks say about one acquisition.

    Attributes:
        gm: by the gray-scale network.
        em: by the elastogram network.
        gm_em: by both.
        attention: where it comes from; None: the graph does not tell.
        features: what the networks saw; None: the graph does not tell.
    """

    gm: Logits
    em: Logits
    gm_em: Logits
    # Evidence beside the scores: two answers are the same when their log-odds are.
    attention: Attention | None = field(default=None, compare=False, repr=False)
    features: Features | None = field(default=None, compare=False, repr=False)
