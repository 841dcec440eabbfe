"""What the appliance sees, drawn for a technician: green what is right, red what is wrong and what to do.

The picture stays on the left with everything marked that was found; the column on its right lists each
check with its numbers. The patient's banner is hatched over: it is never shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw

from calibration.colour_map import supersonic_table
from calibration.profile import Area, ScreenProfile
from firmware_app.annotation_checks import Check, State, checks_of
from firmware_app.journey import (
    Circle,
    Frame,
    Picture,
    Rect,
    Roi,
    ScreenPlacement,
    ScreenReading,
    Square,
    View,
)
from firmware_app.overlay.canvas import font, wrapped
from firmware_app.screen.bar import BarEdges, sample_ramp
from firmware_app.video.pixels import hatched
from firmware_app.wording import NOTICE, WORDINGS

HEIGHT = 1080
"""Rows of the drawing; the picture is scaled to it."""
LARGEST_WIDTH = 4 * HEIGHT
"""Columns of the picture in it: a very flat one is lower than the drawing."""
COLUMN = 640
"""Pixels of the column of checks."""
Colour = tuple[int, int, int]
RIGHT, WRONG, UNKNOWN = (80, 214, 120), (255, 92, 84), (150, 156, 164)
INK, PAPER, READ_AREA, SQUARE = (236, 236, 236), (22, 24, 28), (96, 156, 246), (255, 196, 64)
_COLOURS: dict[State, Colour] = {State.RIGHT: RIGHT, State.WRONG: WRONG, State.UNKNOWN: UNKNOWN}
_SIGNS = {State.RIGHT: "\N{CHECK MARK}", State.WRONG: "\N{MULTIPLICATION X}", State.UNKNOWN: "\N{EN DASH}"}


@dataclass(frozen=True, slots=True)
class Timings:
    """How long reading took, milliseconds: the first look, the next one of the same screen, the texts."""

    first_ms: float
    tracked_ms: float
    text_ms: float


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws in pixels of the picture on its enlarged copy."""

    draw: ImageDraw.ImageDraw
    factor: float

    def rect(self, rect: Rect, colour: Colour, label: str = "", width: int = 2) -> None:
        f = self.factor
        x, y = rect.x * f, rect.y * f
        self.draw.rectangle((x, y, x + rect.w * f, y + rect.h * f), outline=colour, width=width)
        if label:  # inside where there is room, else below
            self.note(x + 4, y + 3 if rect.h * f > 60 else y + rect.h * f + 4, label, colour)

    def note(self, x: float, y: float, text: str, colour: Colour) -> None:
        """Small text on a dark ground, in pixels of the drawing."""
        style = font(15)
        left, top, right, bottom = self.draw.textbbox((x, y), text, font=style)
        self.draw.rectangle((left - 3, top - 2, right + 3, bottom + 2), fill=PAPER)
        self.draw.text((x, y), text, fill=colour, font=style)


def annotate(
    frame: Frame, reading: ScreenReading, profile: ScreenProfile, timings: Timings | None
) -> Picture:
    """Draw a reading into a copy of its picture.

    Args:
        frame: the picture.
        reading: what was seen in it, texts included.
        profile: where the reader looked.
        timings: how long it took; None: it was not measured.

    Returns:
        BGR, 1080 rows: the picture on the left, the checks on the right.
    """
    hidden = hatched(frame.pixels, banner_areas(frame.pixels.shape, reading.registration, profile))
    factor = min(HEIGHT / hidden.shape[0], LARGEST_WIDTH / hidden.shape[1])
    width, height = (max(1, round(pixels * factor)) for pixels in hidden.shape[1::-1])
    scaled = cv2.resize(
        hidden, (width, height), interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )
    image = Image.new("RGB", (width + COLUMN, HEIGHT), PAPER)
    image.paste(Image.fromarray(cv2.cvtColor(scaled, cv2.COLOR_BGR2RGB)), (0, 0))
    draw = ImageDraw.Draw(image)
    checks = checks_of(reading, profile)
    _draw_found(_Pen(draw, factor), reading, profile, checks)
    y = _draw_verdict(draw, reading, width + 22)
    y = _draw_checks(draw, checks, width + 22, y)
    _draw_ramp(image, frame.pixels, reading, width + 22, y + 6)
    _draw_foot(draw, timings, width + 22)
    return np.asarray(cv2.cvtColor(np.asarray(image, np.uint8), cv2.COLOR_RGB2BGR), np.uint8)


def placed(area: Area, placement: ScreenPlacement) -> Rect:
    """A reference area of the profile in pixels of the picture."""
    x, y, w, h = area
    left, top = placement.offset_x + x * placement.scale_x, placement.offset_y + y * placement.scale_y
    return Rect(round(left), round(top), round(w * placement.scale_x), round(h * placement.scale_y))


def banner_areas(
    shape: tuple[int, ...], placement: ScreenPlacement | None, profile: ScreenProfile
) -> tuple[Rect, ...]:
    """Where the banner stands in a picture of this shape; on an unknown screen its whole upper tenth."""
    height, width = shape[:2]
    if placement is None:
        return (Rect(0, 0, width, max(1, height // 10)),)
    return tuple(placed(area, placement) for area in profile.banner.areas)


def _draw_found(pen: _Pen, reading: ScreenReading, profile: ScreenProfile, checks: tuple[Check, ...]) -> None:
    states = {check.title: check.state for check in checks}
    colour = {title: _COLOURS[state] for title, state in states.items()}
    if reading.registration is not None:
        _draw_read_areas(pen, reading, profile, reading.registration)
    if reading.panes is not None:
        tone = colour["Panes"]
        pen.rect(reading.panes.elastogram, tone, "elastogram")
        pen.rect(reading.panes.gray, tone, "gray scale")
    if reading.colour_bar is not None:
        pen.rect(reading.colour_bar.rect, colour["Colour bar"])
    if reading.colour_box is not None and reading.panes is not None:
        dx = reading.panes.gray.x - reading.panes.elastogram.x
        dy = reading.panes.gray.y - reading.panes.elastogram.y
        for move in ((0, 0), (dx, dy)):
            points = [
                (float(x + 0.5 + move[0]) * pen.factor, float(y + 0.5 + move[1]) * pen.factor)
                for x, y in reading.colour_box
            ]
            pen.draw.line([*points, points[0]], fill=colour["Colour box"], width=2)
    for number, circle in enumerate(reading.q_boxes, start=1):
        _draw_ring(pen, circle, colour["Q-box"], f"{number}" if len(reading.q_boxes) > 1 else "")
    if reading.roi is not None:
        _draw_squares(pen, reading.roi)


def _draw_read_areas(
    pen: _Pen, reading: ScreenReading, profile: ScreenProfile, placement: ScreenPlacement
) -> None:
    """Where texts are looked for, with what was read there, and the snowflake's place."""
    bar, readout = reading.colour_bar, reading.readout
    maximum = "?" if bar is None or bar.maximum is None else f"{bar.maximum:g} {bar.unit or '?'}"
    opacity = "?" if reading.opacity is None else f"{100 * reading.opacity:.0f} %"
    printed = "?"
    if readout is not None and readout.mean_kpa is not None:
        printed = f"mean {readout.mean_kpa:.1f} kPa"
    pen.rect(placed(profile.colour_bar.maximum_area, placement), READ_AREA, f"read: {maximum}", 1)
    pen.rect(placed(profile.blend.area, placement), READ_AREA, f"read: opacity {opacity}", 1)
    for number, area in enumerate(profile.readout.areas):
        pen.rect(placed(area, placement), READ_AREA, f"read: {printed}" if number == 0 else "", 1)
    snowflake = placed(profile.freeze.snowflake_area, placement)
    seen = reading.view is View.SWE_DUAL
    freeze = "" if not seen else "frozen" if reading.frozen else "live"
    pen.rect(snowflake, RIGHT if reading.frozen else UNKNOWN, freeze, 1)
    for area in profile.banner.areas:
        pen.rect(placed(area, placement), UNKNOWN, "patient's banner: hidden", 1)


def _draw_ring(pen: _Pen, circle: Circle, colour: Colour, label: str) -> None:
    f, across = pen.factor, circle.r * circle.stretch
    x, y = circle.x + 0.5, circle.y + 0.5
    box = ((x - across) * f, (y - circle.r) * f, (x + across) * f, (y + circle.r) * f)
    pen.draw.ellipse(box, outline=colour, width=2)
    pen.draw.line((x * f - 6, y * f, x * f + 6, y * f), fill=colour, width=1)
    pen.draw.line((x * f, y * f - 6, x * f, y * f + 6), fill=colour, width=1)
    if label:
        pen.note(x * f + 8, y * f - 8, label, colour)


def _draw_squares(pen: _Pen, roi: Roi) -> None:
    def rect(square: Square) -> Rect:
        return Rect(square.x, square.y, square.width, square.side)

    pen.rect(rect(roi.elastogram), SQUARE)
    pen.rect(rect(roi.gray), SQUARE)


def _draw_verdict(draw: ImageDraw.ImageDraw, reading: ScreenReading, x: int) -> float:
    """Accepted, or the reason with its remedy; returns where the next line begins."""
    rejected = reading.rejected
    title = "Accepted" if rejected is None else f"Refused: {WORDINGS[rejected.reason].text}"
    colour = RIGHT if rejected is None else WRONG
    y = 20.0
    for line in wrapped(title, 25, COLUMN - 44, bold=True):
        draw.text((x, y), line, fill=colour, font=font(25, bold=True))
        y += 32
    if rejected is not None:
        detail = f"{rejected.detail}. " if rejected.detail else ""
        for line in wrapped(f"{detail}What to do: {WORDINGS[rejected.reason].remedy}.", 17, COLUMN - 44):
            draw.text((x, y), line, fill=INK, font=font(17))
            y += 23
    return y + 12


def _draw_checks(draw: ImageDraw.ImageDraw, checks: tuple[Check, ...], x: int, y: float) -> float:
    for check in checks:
        colour = _COLOURS[check.state]
        ink = UNKNOWN if check.state is State.UNKNOWN else INK
        draw.text((x, y), _SIGNS[check.state], fill=colour, font=font(19, bold=True))
        draw.text((x + 28, y), check.title, fill=colour, font=font(18, bold=True))
        y += 24
        for line in wrapped(check.detail, 16, COLUMN - 72):
            draw.text((x + 28, y), line, fill=ink, font=font(16))
            y += 20
        y += 8
    return y


def _draw_ramp(image: Image.Image, pixels: Picture, reading: ScreenReading, x: int, y: float) -> None:
    """The bar as sampled from this screen above the known map, with the values of its ticks."""
    bar = reading.colour_bar
    if bar is None or y > HEIGHT - 150:
        return
    rect = bar.rect
    edges = BarEdges(float(rect.x), float(rect.y), float(rect.x + rect.w), float(rect.y + rect.h))
    sampled = np.clip(sample_ramp(pixels, edges), 0, 255).astype(np.uint8)
    known = supersonic_table(len(sampled))
    wide = COLUMN - 150
    draw, top = ImageDraw.Draw(image), round(y)
    for row, (ramp, name) in enumerate(((sampled, "this screen"), (known, "known map"))):
        strip = cv2.resize(
            np.ascontiguousarray(ramp[None, :, ::-1]), (wide, 22), interpolation=cv2.INTER_LINEAR
        )
        image.paste(Image.fromarray(strip), (x, top + 24 * row))
        draw.text((x + wide + 10, top + 24 * row + 2), name, fill=INK, font=font(15))
    if bar.maximum is None:
        return
    for tick in range(6):
        at = x + wide * tick / 5
        draw.line((at, top + 46, at, top + 52), fill=INK, width=1)
        draw.text((at, top + 54), f"{bar.maximum * tick / 5:g}", fill=INK, font=font(14), anchor="ma")


def _draw_foot(draw: ImageDraw.ImageDraw, timings: Timings | None, x: int) -> None:
    if timings is not None:
        times = (
            f"time: first look {timings.first_ms:.1f} ms, next look {timings.tracked_ms:.1f} ms, "
            f"texts {timings.text_ms:.0f} ms"
        )
        draw.text((x, HEIGHT - 66), times, fill=UNKNOWN, font=font(15))
    for offset, line in enumerate(wrapped(NOTICE, 15, COLUMN - 44)):
        draw.text((x, HEIGHT - 44 + 18 * offset), line, fill=UNKNOWN, font=font(15))
