"""What is truly on a drawn screen, in the pixels of the picture as it was put out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from calibration.errors import WrongInputError
from calibration.phantom.geometry import SCREEN_HEIGHT, SCREEN_WIDTH

Picture = npt.NDArray[np.uint8]
NATIVE_SIZE = (SCREEN_WIDTH, SCREEN_HEIGHT)


@dataclass(frozen=True, slots=True)
class CircleTruth:
    """The Q-box in the elastogram's pane: centre and radius in pixels."""

    x: float
    y: float
    r: float


@dataclass(frozen=True, slots=True)
class PanesTruth:
    """Both panes as (x, y, width, height)."""

    elastogram: tuple[float, float, float, float]
    gray: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ReadOutTruth:
    """The values as printed, rounded as printed.

    Attributes:
        unit: "kPa" or "m/s", as printed.
        mean_kpa, min_kpa, max_kpa: the printed values; of speeds c, 3 c^2.
        sd_kpa: the printed spread; of speeds, 6 c dc.
        diameter_mm, depth_cm: size and depth of the Q-box.
        mean, minimum, maximum, sd: the numbers as printed, in the printed unit.
        stability_index: the printed stability index, percent; None if none is printed.
        lines: label and value of each printed line, as printed; empty for the exam's default screens.
    """

    unit: str
    mean_kpa: float
    min_kpa: float
    max_kpa: float
    sd_kpa: float
    diameter_mm: float
    depth_cm: float
    mean: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    sd: float | None = None
    stability_index: int | None = None
    lines: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class QBoxTruth:
    """One Q-box: its circle, the true mean of the drawn field over it, and what is printed of it."""

    circle: CircleTruth
    mean_kpa: float
    readout: ReadOutTruth | None


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """What is on one screen.

    Attributes:
        stage: the patient's Scheuer stage.
        lsm_kpa: the patient's liver stiffness, mean of five acquisitions.
        view: "swe_dual", "b_mode" or "other" (Doppler).
        frozen: the snowflake is shown.
        colour_box: polygon in the elastogram's pane, [[x, y], ...]; None without a box.
        q_box: measuring circle in the elastogram's pane; the first of several.
        q_box_mean_kpa: true mean of the drawn field over the Q-box; the read-out rounds it.
        bar_max_kpa: upper end of the colour bar; None without a stiffness bar.
        colour_bar: (x, y, width, height) of the stiffness bar.
        filled_fraction: filled share of the colour box, 0-1.
        panes: both panes; None in single views.
        readout: what is printed; None if nothing is.
        size: (width, height) of the picture.
        q_boxes: every Q-box, the first of them as in `q_box`.
        unit: "kPa" or "m/s", as printed above the bar.
        bar_max: the bar's upper end as printed, in that unit; `bar_max_kpa` is 3 c^2 of a speed.
        bar_ticks: the four printed tick labels, from the lowest, in that unit.
        opacity: share of the colour in the blend, 0-1, as printed.
        annotations: bounding rectangles of free texts over the image.
        layout, probe, language: what was drawn ("aixplorer", "convex", "en" ...).
        snowflake: centre of the sign of a frozen picture; None while live.
        chain: the capture chain the picture went through.
        black, white: gray levels that 0 and 255 of the screen have in the picture.
    """

    stage: int
    lsm_kpa: float
    view: str
    frozen: bool
    colour_box: tuple[tuple[float, float], ...] | None
    q_box: CircleTruth | None
    q_box_mean_kpa: float | None
    bar_max_kpa: float | None
    colour_bar: tuple[float, float, float, float] | None
    filled_fraction: float | None
    panes: PanesTruth | None
    readout: ReadOutTruth | None
    size: tuple[int, int] = NATIVE_SIZE
    q_boxes: tuple[QBoxTruth, ...] = ()
    unit: str = "kPa"
    bar_max: float | None = None
    bar_ticks: tuple[float, ...] = ()
    opacity: float | None = None
    annotations: tuple[tuple[float, float, float, float], ...] = ()
    layout: str = "aixplorer"
    probe: str = "convex"
    language: str = "en"
    snowflake: tuple[float, float] | None = None
    chain: str = "native"
    black: float = 0.0
    white: float = 255.0

    def to_json(self) -> dict[str, object]:
        """Returns the truth as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where pixels go: a native pixel's centre (x, y) to ((x + 0.5) sx - 0.5 + dx, ...)."""

    sx: float
    sy: float
    dx: float
    dy: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Returns where a pixel's centre goes."""
        return (x + 0.5) * self.sx - 0.5 + self.dx, (y + 0.5) * self.sy - 0.5 + self.dy

    def rect(self, rect: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """Returns where a rectangle of whole pixels goes."""
        return rect[0] * self.sx + self.dx, rect[1] * self.sy + self.dy, rect[2] * self.sx, rect[3] * self.sy

    def circle(self, circle: CircleTruth) -> CircleTruth:
        """Returns where a circle goes; a stretched one gets its mean radius."""
        return CircleTruth(*self.point(circle.x, circle.y), circle.r * (self.sx + self.sy) / 2)

    def truth(self, truth: FrameTruth, size: tuple[int, int]) -> FrameTruth:
        """Returns the truth in the pixels of a picture of the given width and height."""
        panes = truth.panes
        if panes is not None:
            panes = PanesTruth(self.rect(panes.elastogram), self.rect(panes.gray))
        return replace(
            truth,
            colour_box=truth.colour_box and tuple(self.point(x, y) for x, y in truth.colour_box),
            q_box=truth.q_box and self.circle(truth.q_box),
            colour_bar=truth.colour_bar and self.rect(truth.colour_bar),
            panes=panes,
            size=size,
            q_boxes=tuple(replace(box, circle=self.circle(box.circle)) for box in truth.q_boxes),
            annotations=tuple(self.rect(rect) for rect in truth.annotations),
            snowflake=truth.snowflake and self.point(*truth.snowflake),
        )


@dataclass(frozen=True, slots=True)
class Viewport:
    """How the native screen lies in the picture that is put out: scaled, then offset.

    Attributes:
        width, height: size of the output.
        inner_width, inner_height: size of the scaled screen.
        x, y: its upper left corner.
    """

    width: int
    height: int
    inner_width: int
    inner_height: int
    x: int
    y: int

    @classmethod
    def fit(cls, width: int, height: int, *, stretch: bool = False) -> Viewport:
        """Returns the screen pillar-boxed (or letter-boxed) into the size; stretched to fill it if asked.

        Raises:
            WrongInputError: the size is odd, or below 320x240, or above 3840x2160.
        """
        if not (320 <= width <= 3840 and 240 <= height <= 2160) or width % 2 or height % 2:
            raise WrongInputError(
                f"the size {width}x{height} is not usable: give even numbers from 320x240 to 3840x2160"
            )
        scale = min(width / SCREEN_WIDTH, height / SCREEN_HEIGHT)
        w = width if stretch else 2 * round(SCREEN_WIDTH * scale / 2)
        h = height if stretch else 2 * round(SCREEN_HEIGHT * scale / 2)
        return cls(width, height, w, h, (width - w) // 2, (height - h) // 2)

    def apply(self, picture: Picture) -> Picture:
        """Returns the native screen as put out; the same array where nothing changes."""
        if (self.width, self.height) == NATIVE_SIZE:
            return picture
        way = cv2.INTER_AREA if self.inner_height < SCREEN_HEIGHT else cv2.INTER_LINEAR
        inner = picture
        if (self.inner_width, self.inner_height) != NATIVE_SIZE:
            inner = cv2.resize(picture, (self.inner_width, self.inner_height), interpolation=way)
        if (self.inner_width, self.inner_height) == (self.width, self.height):
            return inner
        out = np.zeros((self.height, self.width, 3), dtype=np.uint8)
        out[self.y : self.y + self.inner_height, self.x : self.x + self.inner_width] = inner
        return out

    @property
    def placement(self) -> Placement:
        """Where the native screen's pixels go."""
        sx, sy = self.inner_width / SCREEN_WIDTH, self.inner_height / SCREEN_HEIGHT
        return Placement(sx, sy, self.x, self.y)

    def apply_truth(self, truth: FrameTruth) -> FrameTruth:
        """Returns the truth in the pixels of the output; a stretched circle gets its mean radius."""
        if (self.width, self.height) == NATIVE_SIZE:
            return truth
        return self.placement.truth(truth, (self.width, self.height))
