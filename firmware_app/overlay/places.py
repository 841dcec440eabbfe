"""From places on the reference screen or on the analysed frame to places on the picture that is drawn on."""

from __future__ import annotations

from calibration.profile import Area
from firmware_app.journey import Circle, Rect, ScreenPlacement, Square


def rect_of(area: Area, place: ScreenPlacement, width: int, height: int) -> Rect:
    """A reference area in whole pixels of a frame of this size, cut to it."""
    x, y, w, h = area
    left, right = (place.offset_x + place.scale_x * edge for edge in (x, x + w))
    top, bottom = (place.offset_y + place.scale_y * edge for edge in (y, y + h))
    x0, x1 = (min(max(round(edge), 0), width) for edge in (left, right))
    y0, y1 = (min(max(round(edge), 0), height) for edge in (top, bottom))
    return Rect(x0, y0, x1 - x0, y1 - y0)


def scaled_rect(rect: Rect, across: float, down: float) -> Rect:
    """The rectangle in a picture that is `across` times as wide and `down` times as high."""
    return Rect(*(round(n) for n in (rect.x * across, rect.y * down, rect.w * across, rect.h * down)))


def scaled_square(square: Square, across: float, down: float) -> Square:
    """Likewise; a square stays one of the scanner's screen, whatever the stretch."""
    x, y, side = (round(n) for n in (square.x * across, square.y * down, square.side * down))
    return Square(x, y, side, square.stretch * across / down)


def scaled_circle(circle: Circle, across: float, down: float) -> Circle:
    """Likewise."""
    return Circle(circle.x * across, circle.y * down, circle.r * down, circle.stretch * across / down)
