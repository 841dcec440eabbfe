"""Names what a picture without the stiffness bar shows: no signal, Doppler, B-mode, or another screen."""

from __future__ import annotations

import cv2
import numpy as np

from firmware_app.journey import Picture, Rejected, View
from firmware_app.screen.bar import chroma, every_nth
from firmware_app.wording import Reason

SMALLEST_SIDE = 120
"""Pixels; below it no text and no ring of a scanner's screen can be told."""
FLOW_CHROMA = 70


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
    colourful = chroma(small)
    gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    strong = colourful > FLOW_CHROMA
    share = float(strong.mean())
    tinted = float((colourful > 40).mean())
    echoes = float(((gray > 24) & (gray < 236) & (colourful < 40)).mean())
    if share > 0.004 and tinted < 0.35 and echoes > 0.05:
        hue = cv2.cvtColor(small[strong][None], cv2.COLOR_BGR2HSV)[0, :, 0]
        flow = float(((hue <= 35) | (hue >= 165) | ((hue >= 85) & (hue <= 130))).mean())
        if flow > 0.85:
            return View.OTHER, Rejected(Reason.DOPPLER, f"{100 * share:.1f} % of the picture in flow colours")
    if tinted < 0.02 and echoes > 0.06:
        return View.B_MODE, Rejected(Reason.B_MODE, "no stiffness bar")
    return View.OTHER, Rejected(Reason.OTHER_SCREEN, "no stiffness bar")
