"""What is truly on a drawn screen, in the pixels of the picture as it was put out."""

from __future__ import annotations

from dataclasses import asdict, dataclass

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
    """The values as printed: one decimal."""

    unit: str
    mean_kpa: float
    min_kpa: float
    max_kpa: float
    sd_kpa: float
    diameter_mm: float
    depth_cm: float


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """What is on one screen.

    Attributes:
        stage: the patient's Scheuer stage.
        lsm_kpa: the patient's liver stiffness, mean of five acquisitions.
        view: "swe_dual", "b_mode" or "other" (Doppler).
        frozen: the snowflake is shown.
        colour_box: polygon in the elastogram's pane, [[x, y], ...]; None without a box.
        q_box: measuring circle in the elastogram's pane.
        q_box_mean_kpa: true mean of the drawn field over the Q-box; the read-out rounds it.
        bar_max_kpa: upper end of the colour bar; None without a stiffness bar.
        colour_bar: (x, y, width, height) of the stiffness bar.
        filled_fraction: filled share of the colour box, 0-1.
        panes: both panes; None in single views.
        readout: what is printed; None if nothing is.
        size: (width, height) of the picture.
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

    def to_json(self) -> dict[str, object]:
        """Returns the truth as plain JSON values."""
        return asdict(self)


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

    def _point(self, x: float, y: float) -> tuple[float, float]:
        sx, sy = self.inner_width / SCREEN_WIDTH, self.inner_height / SCREEN_HEIGHT
        return (x + 0.5) * sx - 0.5 + self.x, (y + 0.5) * sy - 0.5 + self.y

    def _rect(self, rect: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        sx, sy = self.inner_width / SCREEN_WIDTH, self.inner_height / SCREEN_HEIGHT
        return rect[0] * sx + self.x, rect[1] * sy + self.y, rect[2] * sx, rect[3] * sy

    def apply_truth(self, truth: FrameTruth) -> FrameTruth:
        """Returns the truth in the pixels of the output; a stretched circle gets its mean radius."""
        if (self.width, self.height) == NATIVE_SIZE:
            return truth
        sx, sy = self.inner_width / SCREEN_WIDTH, self.inner_height / SCREEN_HEIGHT
        circle = truth.q_box
        if circle is not None:
            circle = CircleTruth(*self._point(circle.x, circle.y), circle.r * (sx + sy) / 2)
        panes = truth.panes
        if panes is not None:
            panes = PanesTruth(self._rect(panes.elastogram), self._rect(panes.gray))
        return FrameTruth(
            stage=truth.stage,
            lsm_kpa=truth.lsm_kpa,
            view=truth.view,
            frozen=truth.frozen,
            colour_box=truth.colour_box and tuple(self._point(x, y) for x, y in truth.colour_box),
            q_box=circle,
            q_box_mean_kpa=truth.q_box_mean_kpa,
            bar_max_kpa=truth.bar_max_kpa,
            colour_bar=truth.colour_bar and self._rect(truth.colour_bar),
            filled_fraction=truth.filled_fraction,
            panes=panes,
            readout=truth.readout,
            size=(self.width, self.height),
        )
