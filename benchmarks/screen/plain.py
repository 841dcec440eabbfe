"""Reading the screen the way one would write it first, with OpenCV alone: template, colour mask, Hough.

It decides what the reader decides on every frame: is it this scanner's screen, where are colour box and
Q-box, does the snowflake of a freeze stand there. It may know the picture's scale and roughly where things
stand, and it is not asked whether it is right.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.profile import Area, ScreenProfile
from firmware_app.journey import Picture, Rect
from firmware_app.screen.registration import Registration

BAR_STRIP = 0.2
"""Share of the picture's width, at its right edge, in which the colour bar is looked for."""
LIKE = 0.8
"""Normalised correlation of a template that is found."""


@dataclass(frozen=True, slots=True)
class PlainReader:
    """Templates cut from one frozen picture, for pictures of its size."""

    bar: Picture
    snowflake: Picture
    freeze_area: Rect
    scale: float

    def is_there(self, pixels: Picture) -> bool:
        """Whether the colour bar is, by template matching in the right strip."""
        left = round(pixels.shape[1] * (1 - BAR_STRIP))
        return _found(pixels[:, left:], self.bar)

    def is_frozen(self, pixels: Picture) -> bool:
        """Whether the snowflake is, by template matching around its place."""
        return _found(_cut(pixels, self.freeze_area), self.snowflake)

    def box(self, pixels: Picture) -> Rect:
        """The colour box: the largest patch of colour."""
        hsv = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
        mask = cv2.inRange(hsv, np.array((0, 60, 40)), np.array((179, 255, 255)))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        return Rect(*cv2.boundingRect(max(contours, key=cv2.contourArea)))

    def q_box(self, pixels: Picture, box: Rect) -> object:
        """The Q-box: HoughCircles inside the box; radii as at 1440x1080, in scale."""
        gray = cv2.medianBlur(cv2.cvtColor(_cut(pixels, box), cv2.COLOR_BGR2GRAY), 5)
        apart, least, most = (max(1, round(self.scale * pixels_)) for pixels_ in (60, 20, 100))
        return cv2.HoughCircles(
            gray, cv2.HOUGH_GRADIENT, 1, apart, param1=120, param2=40, minRadius=least, maxRadius=most
        )

    def read(self, pixels: Picture) -> object:
        """All of it."""
        return self.is_there(pixels), self.is_frozen(pixels), self.q_box(pixels, self.box(pixels))


def plain_reader(pixels: Picture, placed: Registration, profile: ScreenProfile) -> PlainReader:
    """Cut the templates where the screen is known to show them."""
    bar, snowflake = profile.colour_bar.rect, profile.freeze.snowflake_area
    wider: Area = (snowflake[0] - 20, snowflake[1] - 20, snowflake[2] + 40, snowflake[3] + 40)
    return PlainReader(
        _cut(pixels, placed.rect(bar)).copy(),
        _cut(pixels, placed.rect(snowflake)).copy(),
        placed.rect(wider),
        placed.scale_y,
    )


def _cut(pixels: Picture, area: Rect) -> Picture:
    return pixels[area.y : area.y + area.h, area.x : area.x + area.w]


def _found(pixels: Picture, template: Picture) -> bool:
    likeness = cv2.matchTemplate(pixels, template, cv2.TM_CCOEFF_NORMED)
    return bool(cv2.minMaxLoc(likeness)[1] >= LIKE)
