"""One frame of the scanner's screen: furniture, two panes, colour box, Q-box, read-out, snowflake, clock.

Composing takes what was drawn elsewhere and only places it, so that a changed Q-box, counter or clock
costs a few milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calibration.colour_map import supersonic_table
from calibration.phantom.b_mode import tint
from calibration.phantom.elastogram import Elastogram, QBoxValues
from calibration.phantom.furniture import Banner, Picture, Settings, furniture, velocity_colour
from calibration.phantom.geometry import (
    B_MODE_X,
    BAR_MAX_KPA,
    ELASTOGRAM_Y,
    GRAY_Y,
    PANE_HEIGHT,
    PANE_WIDTH,
    PANE_X,
    Q_BOX_DIAMETER_MM,
    Pixels,
    QBox,
)
from calibration.phantom.text import draw_text

Gray = npt.NDArray[np.uint8]
OUTLINE = (158, 152, 152)
RING = (235, 235, 235)
READ_OUT_X, READ_OUT_Y = 1166, 452
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class Status:
    """What changes from frame to frame around the picture.

    Attributes:
        clock: date and time as printed.
        frozen: snowflake and frame counter are shown.
        frame_number, frame_count: the cine counter.
    """

    clock: str
    frozen: bool
    frame_number: int
    frame_count: int


@dataclass(frozen=True, slots=True)
class ReadOut:
    """The printed values of the Q-box."""

    values: QBoxValues
    depth_mm: float

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Returns label and value of each printed line."""
        v = self.values
        return (
            ("Mean", f"{v.mean_kpa:.1f} kPa"),
            ("Min", f"{v.min_kpa:.1f} kPa"),
            ("Max", f"{v.max_kpa:.1f} kPa"),
            ("SD", f"{v.sd_kpa:.1f} kPa"),
            ("Diam", f"{Q_BOX_DIAMETER_MM:.1f} mm"),
            ("Depth", f"{self.depth_mm / 10:.1f} cm"),
        )


def fixed_point(points: Pixels) -> npt.NDArray[np.int32]:
    """Returns pixels for OpenCV's drawing with `shift=4`."""
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)


def _blend(pane: Picture, elastogram: Elastogram) -> None:
    """Lays the colours over the pane at 50 %: 0.5 colour + 0.5 B-mode, in place."""
    area = elastogram.area
    h, w = area.inside.shape
    index = np.rint(elastogram.stiffness_kpa * np.float32(255 / BAR_MAX_KPA)).astype(np.uint8)
    colours = supersonic_table(256)[index]
    ground = pane[area.y : area.y + h, area.x : area.x + w]
    mixed = ((colours.astype(np.uint16) + ground + 1) >> 1).astype(np.uint8)
    np.copyto(ground, mixed, where=elastogram.filled[:, :, None])


def _mark(pane: Picture, outline: Pixels, q_box: QBox | None) -> None:
    """Draws the colour box's outline and the Q-box ring, in place."""
    cv2.polylines(pane, [fixed_point(outline)], True, OUTLINE, 1, cv2.LINE_AA, shift=_SHIFT)
    if q_box is not None:
        centre = (round(q_box.x * (1 << _SHIFT)), round(q_box.y * (1 << _SHIFT)))
        cv2.circle(pane, centre, round(q_box.r * (1 << _SHIFT)), RING, 2, cv2.LINE_AA, shift=_SHIFT)


def snowflake(picture: Picture, x: int, y: int, radius: float, thickness: int = 1) -> None:
    """Draws the sign of a frozen picture."""
    colour = (240, 226, 205)
    for k in range(6):
        a = np.pi / 6 + k * np.pi / 3
        tip = np.array([np.cos(a), np.sin(a)]) * radius
        lines = [np.array([[0.0, 0.0], tip])]
        for share in (0.45, 0.75):
            for turn in (-1.0, 1.0):
                b = a + turn * np.pi / 3
                barb = tip * share + np.array([np.cos(b), np.sin(b)]) * radius * 0.3
                lines.append(np.array([tip * share, barb]))
        points = [fixed_point(line + np.array([x, y])) for line in lines]
        cv2.polylines(picture, points, False, colour, thickness, cv2.LINE_AA, shift=_SHIFT)


def _draw_status(picture: Picture, status: Status) -> None:
    draw_text(picture, status.clock, 1437, 24, size=24, weight="bold", colour=(176, 176, 176), align="right")
    cv2.rectangle(picture, (11, 1000), (110, 1012), (34, 34, 34), 1)
    if status.frozen:
        at = 11 + round(96 * status.frame_number / max(status.frame_count, 1))
        picture[1001:1012, at : at + 3] = 110
        text = f"Fr: {status.frame_number}/{status.frame_count}"
        draw_text(picture, text, 11, 1028, size=21, colour=(84, 84, 84))


def _draw_read_out(picture: Picture, read_out: ReadOut) -> None:
    draw_text(
        picture,
        "Q-Box\N{TRADE MARK SIGN}",
        READ_OUT_X,
        READ_OUT_Y,
        size=24,
        weight="bold",
        colour=(205, 205, 205),
    )
    for i, (label, value) in enumerate(read_out.lines()):
        y = READ_OUT_Y + 32 + 29 * i
        draw_text(picture, label, READ_OUT_X + 6, y, size=23, colour=(190, 190, 190))
        draw_text(picture, value, READ_OUT_X + 96, y, size=23, colour=(205, 205, 205))


def compose_dual(  # noqa: PLR0913 - a screen has this many independent parts
    gray: Gray,
    outline: Pixels,
    elastogram: Elastogram | None,
    *,
    banner: Banner,
    settings: Settings,
    status: Status,
    q_box: QBox | None = None,
    read_out: ReadOut | None = None,
) -> Picture:
    """Returns the elastography screen (1080, 1440, 3), BGR.

    Args:
        gray: the plane, gray values (PANE_HEIGHT, PANE_WIDTH).
        outline: colour box in pane pixels (n, 2).
        elastogram: the map; None while the first one is awaited.
        banner: header words.
        settings: left column and scale.
        status: clock, freeze, counter.
        q_box: measuring circle in pane pixels.
        read_out: printed values.
    """
    picture = furniture(banner, settings).copy()
    columns = slice(PANE_X, PANE_X + PANE_WIDTH)
    upper = picture[ELASTOGRAM_Y : ELASTOGRAM_Y + PANE_HEIGHT, columns]
    lower = picture[GRAY_Y : GRAY_Y + PANE_HEIGHT, columns]
    tinted = tint(gray)
    upper[:], lower[:] = tinted, tinted
    if elastogram is not None:
        _blend(upper, elastogram)
    for pane in (upper, lower):
        _mark(pane, outline, q_box)
    if status.frozen:
        snowflake(picture, 1071, 628, 14.0)
    if read_out is not None:
        _draw_read_out(picture, read_out)
    _draw_status(picture, status)
    return np.asarray(picture)


def compose_single(  # noqa: PLR0913 - a screen has this many independent parts
    gray: Gray,
    *,
    banner: Banner,
    settings: Settings,
    status: Status,
    outline: Pixels | None = None,
    velocity: npt.NDArray[np.float32] | None = None,
) -> Picture:
    """Returns a screen with one large pane: plain B-mode, or colour Doppler with its box and flow.

    Args:
        gray: the plane, gray values (B_MODE_HEIGHT, B_MODE_WIDTH).
        banner: header words.
        settings: left column and scale.
        status: clock, freeze, counter.
        outline: Doppler box in pane pixels.
        velocity: flow of -1..1 in the pane, 0 where none is shown.
    """
    picture = furniture(banner, settings).copy()
    height, width = gray.shape
    pane = picture[ELASTOGRAM_Y : ELASTOGRAM_Y + height, B_MODE_X : B_MODE_X + width]
    pane[:] = tint(gray)
    if velocity is not None:
        shown = velocity != 0
        pane[shown] = velocity_colour(velocity[shown].astype(np.float64))
    if outline is not None:
        cv2.polylines(pane, [fixed_point(outline)], True, (200, 200, 200), 1, cv2.LINE_AA, shift=_SHIFT)
    if status.frozen:
        snowflake(picture, 1130, 178, 14.0)
    _draw_status(picture, status)
    return np.asarray(picture)
