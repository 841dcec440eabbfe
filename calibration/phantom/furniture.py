"""What stands still on the screen around the picture: header, left column, bars, scale, menu row.

Positions and sizes are read off the real screen in the reference material, in native 1440x1080 pixels.
The furniture of one exam is drawn once and copied for every frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from calibration.colour_map import supersonic_table
from calibration.phantom.geometry import (
    B_MODE_WIDTH,
    B_MODE_X,
    BAR_HEIGHT,
    BAR_MAX_KPA,
    BAR_WIDTH,
    BAR_X,
    BAR_Y,
    ELASTOGRAM_Y,
    GRAY_Y,
    GREY_BAR_WIDTH,
    GREY_BAR_X,
    PANE_HEIGHT,
    PANE_WIDTH,
    PANE_X,
    SCREEN_HEIGHT,
    SCREEN_WIDTH,
)
from calibration.phantom.text import draw_text

Picture = npt.NDArray[np.uint8]
PANEL = (18, 18, 18)
INK = (176, 176, 176)
SOFT_INK = (165, 165, 165)
ORANGE = (36, 160, 248)


@dataclass(frozen=True, slots=True)
class Banner:
    """The header's words: site, the fictional patient's name and number."""

    site: str
    name: str
    identifier: str


@dataclass(frozen=True, slots=True)
class Settings:
    """What the left column and the depth scale print.

    Attributes:
        mode: "swe", "b_mode" or "doppler".
        px_per_mm: scale of the picture.
        skin_y: row of depth zero in the pane.
        depth_mm: depth shown.
        frame_rate_hz: B-mode frame rate.
        gain_percent: B-mode gain.
    """

    mode: str
    px_per_mm: float
    skin_y: float
    depth_mm: float
    frame_rate_hz: int
    gain_percent: int


def swirl(picture: Picture, x: float, y: float, height: float, colour: tuple[int, int, int]) -> None:
    """Draws the maker's place: an S-shaped brush stroke that thins towards its tail."""
    knots = np.array(
        [[0.86, 0.16], [0.70, 0.03], [0.50, 0.06], [0.40, 0.22], [0.52, 0.36], [0.82, 0.52],
         [0.93, 0.72], [0.78, 0.92], [0.48, 0.99], [0.18, 0.88], [0.02, 0.60]]
    )  # fmt: skip
    at = np.linspace(0, len(knots) - 1, 60)
    index = np.arange(len(knots))
    px = x + height * 0.8 * np.interp(at, index, knots[:, 0])
    py = y + height * np.interp(at, index, knots[:, 1])
    smooth = np.ones(7) / 7
    px[3:-3], py[3:-3] = np.convolve(px, smooth, "valid"), np.convolve(py, smooth, "valid")
    width = height * np.interp(np.linspace(0, 1, 60), [0, 0.2, 0.6, 1.0], [0.08, 0.06, 0.05, 0.01])
    for cx, cy, r in zip(px, py, width, strict=True):
        centre = (round(float(cx) * 8), round(float(cy) * 8))
        cv2.circle(picture, centre, max(round(float(r) * 8), 4), colour, -1, cv2.LINE_AA, shift=3)


def _header(picture: Picture, banner: Banner, mode: str) -> None:
    picture[:90] = PANEL
    swirl(picture, 17, 8, 74, (250, 210, 150))
    for text, x, y, align in (
        (banner.site, 94, 24, "left"),
        (banner.name, 766, 24, "centre"),
        (f"ID: {banner.identifier}", 766, 84, "centre"),
        ("MI 1.3  TIs  0.9" if mode != "doppler" else "MI 1.2  TIs  1.4", 1437, 54, "right"),
        ("SC6-1 / Abdomen / Liver", 1437, 84, "right"),
    ):
        draw_text(picture, text, x, y, align=align, size=24, weight="bold", colour=INK)


def _left_column(picture: Picture, settings: Settings) -> None:
    b_block = ("Gen/Med", "M 9/72 dB/Low", "T 1540 m/s", "SC/SR 3")
    rows = [*b_block, f"G {settings.gain_percent} %", f"Fr. {settings.frame_rate_hz} Hz"]
    draw_text(picture, "B", 11, 129, weight="bold", size=23, colour=SOFT_INK)
    for i, text in enumerate(rows):
        draw_text(picture, text, 21, 151 + 22 * i, size=23, colour=SOFT_INK)
    blocks = {
        "swe": ("SWE\N{TRADE MARK SIGN}", ("Std/1.4 Hz", "M 1/Med", "S 5/O 50 %", "G 90 %")),
        "doppler": ("CFI", ("Gen/Med", "PRF 1.4 kHz", "F 60 Hz", "G 62 %")),
    }
    if settings.mode in blocks:
        title, lines = blocks[settings.mode]
        draw_text(picture, title, 11, 326, weight="bold", size=23, colour=SOFT_INK)
        for i, text in enumerate(lines):
            draw_text(picture, text, 21, 349 + 22 * i, size=23, colour=SOFT_INK)
    draw_text(picture, "Z 100 %", 11, 482, weight="bold", size=23, colour=SOFT_INK)


def bar_colours(mode: str) -> Picture:
    """Returns the colours of the bar from top to bottom (BAR_HEIGHT, 3), BGR."""
    if mode == "swe":
        # A row shows the value at its centre: (row + 0.5) / BAR_HEIGHT of the range.
        return supersonic_table(2 * BAR_HEIGHT + 1)[1::2][::-1]
    return velocity_colour(np.linspace(1.0, -1.0, BAR_HEIGHT))


def velocity_colour(velocity: npt.NDArray[np.float64]) -> Picture:
    """Returns Doppler colours (..., 3), BGR, of velocities of -1..1: red towards the probe, blue away."""
    towards, away = np.clip(velocity, 0, 1), np.clip(-velocity, 0, 1)
    red = np.where(velocity > 0, 70 + 185 * np.sqrt(towards), 0.0)
    green = np.where(velocity > 0, 190 * towards**1.5, 180 * away**1.5)
    blue = np.where(velocity < 0, 70 + 185 * np.sqrt(away), 0.0)
    return np.asarray(np.rint(np.stack([blue, green, red], axis=-1)), dtype=np.uint8)


def _bars(picture: Picture, mode: str) -> None:
    ramp = np.linspace(255, 0, BAR_HEIGHT)[:, None]
    gray = np.clip(ramp * np.array([[1.0, 0.97, 0.97]]), 0, 255).astype(np.uint8)
    x = GREY_BAR_X
    picture[BAR_Y : BAR_Y + BAR_HEIGHT, x : x + GREY_BAR_WIDTH] = gray[:, None]
    if mode == "b_mode":
        return
    picture[BAR_Y : BAR_Y + BAR_HEIGHT, BAR_X : BAR_X + BAR_WIDTH] = bar_colours(mode)[:, None]
    if mode == "swe":
        title = f"\N{GREATER-THAN OR EQUAL TO}{BAR_MAX_KPA:.0f} kPa"
        draw_text(picture, title, 1437, 129, size=22, align="right", colour=SOFT_INK)
        for fraction in (0.2, 0.4, 0.6, 0.8):
            y = BAR_Y + round((1 - fraction) * BAR_HEIGHT) + 7
            draw_text(picture, f"{fraction * BAR_MAX_KPA:.0f}", 1408, y, size=20, colour=SOFT_INK)
        return
    draw_text(picture, "+19.3", 1437, 129, size=20, align="right", colour=SOFT_INK)
    draw_text(picture, "-19.3", 1437, 384, size=20, align="right", colour=SOFT_INK)
    draw_text(picture, "cm/s", 1437, 408, size=20, align="right", colour=SOFT_INK)


def _depth_scale(picture: Picture, settings: Settings, pane: tuple[int, int, int, int]) -> None:
    """Draws ticks every half centimetre at the right and upper edges, numbers every centimetre."""
    x, y, width, _ = pane
    step = settings.px_per_mm * 5
    for i in range(int(settings.depth_mm / 5) + 1):
        at = round(y + settings.skin_y + i * step)
        picture[at : at + 2, x + width : x + width + (9 if i % 2 == 0 else 3)] = 120
        if i % 2 == 0:
            draw_text(picture, f"{i / 2:.1f}", x + width + 18, at + 8, size=21, colour=SOFT_INK)
    for i in range(int(width / 2 / step) + 1):
        for at in {round(x + width / 2 + i * step), round(x + width / 2 - i * step)}:
            picture[y - (7 if i % 2 == 0 else 3) : y, at : at + 2] = 110


def _menu(picture: Picture) -> None:
    picture[1053:] = PANEL
    draw_text(picture, "Pan", 504, 1071, size=23, weight="bold", colour=(176, 176, 176))
    draw_text(picture, "Box Pos.", 604, 1068, size=23, weight="bold", colour=ORANGE)
    draw_text(picture, "Box Size", 604, 1083, size=23, weight="bold", colour=(150, 150, 150))
    cv2.rectangle(picture, (786, 1056), (811, 1079), (150, 150, 150), 2, cv2.LINE_AA)
    arrow = np.array(
        [[794, 1060], [794, 1074], [797, 1071], [800, 1077], [803, 1075], [800, 1070], [804, 1070]]
    )
    cv2.fillPoly(picture, [arrow.astype(np.int32)], (200, 200, 200), cv2.LINE_AA)


@lru_cache(maxsize=24)
def furniture(banner: Banner, settings: Settings) -> Picture:
    """Returns everything but the pictures, the clock and what changes with freezing; read-only BGR."""
    picture = np.zeros((SCREEN_HEIGHT, SCREEN_WIDTH, 3), dtype=np.uint8)
    _header(picture, banner, settings.mode)
    _left_column(picture, settings)
    _bars(picture, settings.mode)
    _menu(picture)
    swirl(
        picture, (PANE_X if settings.mode == "swe" else B_MODE_X) + 7, ELASTOGRAM_Y - 24, 21, (190, 190, 190)
    )
    if settings.mode == "swe":
        for y in (ELASTOGRAM_Y, GRAY_Y):
            _depth_scale(picture, settings, (PANE_X, y, PANE_WIDTH, PANE_HEIGHT))
    else:
        _depth_scale(
            picture, settings, (B_MODE_X, ELASTOGRAM_Y, B_MODE_WIDTH, GRAY_Y + PANE_HEIGHT - ELASTOGRAM_Y)
        )
    picture.flags.writeable = False
    return picture
