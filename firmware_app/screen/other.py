"""Names what a picture without the stiffness bar shows: no signal, Doppler, B-mode, or another screen."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from firmware_app.journey import Picture, Rejected, View
from firmware_app.screen.bar import chroma, every_nth, find_bars, is_part_of_map, sample_ramp
from firmware_app.wording import Reason

SMALLEST_SIDE = 120
"""Pixels; below it no text and no ring of a scanner's screen can be told."""
FLOW_CHROMA = 70
"""max - min of B, G, R of colours that are laid over an ultrasound picture."""
SATURATED = 130
"""Saturation (0-255) of such colours; a maker's mark in pale blue has less."""
ECHO_TEXTURE = 3.0
"""Levels of local contrast that tell speckle from a flat panel."""
LEAST_ECHOES = 0.03
"""Share of a picture that is speckle on an ultrasound screen."""
DARKEST_PANEL = 40
"""Gray level from which a plain ground is no scanner's black."""
DENSE = 0.7
"""Share of a neighbourhood that is speckle where there are echoes."""
STEP = 24
"""Levels between neighbours that are an edge."""
NOISE_TEXTURE = 35.0
"""Levels of local contrast all over a picture that is nothing but noise."""


@dataclass(frozen=True, slots=True)
class _Palette:
    """Shares of a picture.

    Attributes:
        echoes: gray speckle.
        tinted: any colour.
        strong: colours as strong as flow or a map.
        warm, green, blue: red to yellow, green, and cyan to blue, of the strong ones.
        texture: mean local contrast, levels.
        panel: the most frequent gray, unless it is black: menus and pages have a ground.
    """

    echoes: float
    tinted: float
    strong: float
    warm: float
    green: float
    blue: float
    texture: float
    panel: float


def unreadable(pixels: Picture) -> Rejected | None:
    """A picture in which nothing can be read whatever it shows."""
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        return Rejected(Reason.UNREADABLE_PICTURE, f"{pixels.dtype} picture of shape {pixels.shape}")
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_SIDE:
        return Rejected(Reason.UNREADABLE_PICTURE, f"{width}x{height} pixels")
    probe = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_NEAREST)
    spread = float(cv2.meanStdDev(probe)[1].max())
    if spread < 2.0:
        return Rejected(Reason.NO_SIGNAL, f"solid picture, contrast {spread:.1f} of 255")
    return None


def classify(pixels: Picture) -> tuple[View, Rejected]:
    """Name a picture that carries no stiffness bar."""
    step = max(1, min(pixels.shape[1] // 240, pixels.shape[0] // 180))
    small = every_nth(pixels, step)
    test_picture = _test_picture(small)
    if test_picture is not None:
        return View.OTHER, Rejected(Reason.NO_SIGNAL, test_picture)
    seen = _palette(small)
    if seen.texture > NOISE_TEXTURE and seen.tinted + seen.echoes > 0.5:
        return View.OTHER, Rejected(Reason.NO_SIGNAL, "nothing but noise")
    if seen.echoes > LEAST_ECHOES and seen.tinted < 0.35 and seen.panel < 0.4:
        if seen.strong > 0.004:
            return View.OTHER, _coloured(pixels, seen)
        if seen.tinted < 0.02:
            return View.B_MODE, Rejected(Reason.B_MODE, "no stiffness bar")
    return View.OTHER, Rejected(Reason.OTHER_SCREEN, "no stiffness bar")


def _coloured(pixels: Picture, seen: _Palette) -> Rejected:
    """Name an ultrasound picture with colour in it."""
    share = 100 * seen.strong
    if any(is_part_of_map(sample_ramp(pixels, edges)) for edges in find_bars(pixels)):
        return Rejected(Reason.SCREEN_COVERED, "only a part of the stiffness bar is in sight")
    if seen.green > 0.1:
        return Rejected(
            Reason.OTHER_ELASTOGRAPHY,
            f"{share:.1f} % of the picture in the colours of a map, no stiffness bar",
        )
    if seen.warm < 0.12:  # a map of soft tissue; flow has red, if only in its bar
        return Rejected(
            Reason.SCREEN_COVERED,
            f"{share:.1f} % of the picture in the colours of a map, its bar is not in sight",
        )
    reason = Reason.DOPPLER if seen.blue > 0.04 else Reason.POWER_DOPPLER
    return Rejected(reason, f"{share:.1f} % of the picture in flow colours")


def _palette(small: Picture) -> _Palette:
    colourful = chroma(small)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    local = cv2.absdiff(gray, cv2.blur(gray, (3, 3)))
    contrast = cv2.blur(local, (5, 5))
    strong = cv2.threshold(colourful, FLOW_CHROMA, 255, cv2.THRESH_BINARY)[1]
    hue, saturation, _ = cv2.split(cv2.cvtColor(small, cv2.COLOR_BGR2HSV))
    deep = cv2.bitwise_and(strong, cv2.threshold(saturation, SATURATED, 255, cv2.THRESH_BINARY)[1])
    counts = cv2.calcHist([hue], [0], deep, [180], [0, 180]).ravel()
    coloured = max(float(counts.sum()), 1.0)
    speckle = (gray > 24) & (gray < 236) & (colourful < 40) & (contrast >= ECHO_TEXTURE)
    echo = cv2.blur(speckle.astype(np.float32), (9, 9)) > DENSE  # text is textured as well, but not all over
    grays = cv2.blur(cv2.calcHist([gray], [0], None, [256], [0, 256]), (1, 7), borderType=cv2.BORDER_CONSTANT)
    return _Palette(
        echoes=float(echo.mean()),
        tinted=float((colourful > 40).mean()),
        strong=cv2.countNonZero(strong) / strong.size,
        warm=float(counts[:31].sum() + counts[165:].sum()) / coloured,
        green=float(counts[38:82].sum()) / coloured,
        blue=float(counts[82:135].sum()) / coloured,
        texture=float(cv2.mean(local)[0]),
        panel=7.0 * float(grays[DARKEST_PANEL:].max()) / gray.size,
    )


def _test_picture(small: Picture) -> str | None:
    """What a card or a monitor shows on its own: colour bars, or writing on one strong colour."""
    sparse = every_nth(small, 2)
    down = float((cv2.absdiff(sparse[1:], sparse[:-1]) > STEP).mean())
    across = float((cv2.absdiff(sparse[:, 1:], sparse[:, :-1]) > STEP).mean())
    if min(down, across) < 0.001 and max(down, across) > 0.01:
        return "colour bars"
    middle = np.median(sparse.reshape(-1, 3)[::5], axis=0)
    alike = cv2.inRange(sparse, middle - STEP, middle + STEP)
    if float(np.ptp(middle)) > FLOW_CHROMA and cv2.countNonZero(alike) > 0.8 * alike.size:
        return "one colour all over"
    return None
