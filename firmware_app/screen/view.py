"""The decision whether a screen with the stiffness bar is the dual SWE view, or which evidence is missing."""

from __future__ import annotations

import cv2
import numpy as np

from firmware_app.journey import Panes, Picture, Rejected
from firmware_app.screen.agreement import NOISE, UNLIKE
from firmware_app.screen.bar import chroma_half
from firmware_app.screen.elastogram import Elastogram
from firmware_app.screen.panes import COLOUR_CHROMA, SAME_PLANE, PanePair
from firmware_app.video.pixels import Levels
from firmware_app.wording import Reason

COVERED, IN_SIGHT = 0.004, 0.1
"""Share of a pane that a window covers at least, and that must agree beside it to call it covered."""
COMPACT = 0.5
"""Share of all that differs that lies in large patches under a window; two planes differ everywhere."""
COLOUR_BELOW = 0.25
"""Share of the map's pixels that may carry colour in the gray pane as well: the outline's, coded coarsely."""
LEAST_COLOURED = 0.08
"""Share of the box that is coloured; with less, the map is still awaited."""

SMALLEST_HOLE, HOLE_MARGIN = 0.08, 3.0
"""Share of the box without colour that has to show the gray pane's tissue, and pixels off the colour."""


def panes_refused(pair: PanePair, levels: Levels, elsewhere: tuple[int, int] | None) -> Rejected | None:
    """Why two panes do not show one plane, coloured in the upper and plain in the lower; None if they do.

    Args:
        pair: both panes.
        levels: what the capture chain made of black and white.
        elsewhere: where the gray pane was seen instead of where the profile has it.
    """
    agreement = pair.agreement
    if elsewhere is not None and agreement.correlation < SAME_PLANE:
        place = f"the gray pane stands {elsewhere[0]}, {elsewhere[1]} pixels from the elastogram's"
        return Rejected(Reason.OTHER_LAYOUT, place)
    if agreement.patches >= COVERED:
        window = agreement.patches >= COMPACT * agreement.differing and agreement.agreeing >= IN_SIGHT
        reason = Reason.SCREEN_COVERED if window else Reason.PANES_DIFFER
        return Rejected(reason, f"other things on {100 * agreement.patches:.0f} % of the two panes")
    if agreement.correlation < SAME_PLANE:
        return Rejected(Reason.PANES_DIFFER, f"correlation {agreement.correlation:.2f} outside the colour")
    share = _coloured_below(pair, COLOUR_CHROMA * levels.gain)
    if share > COLOUR_BELOW:
        return Rejected(Reason.PANES_DIFFER, f"colour in both panes, {100 * share:.0f} % of the map")
    return None


def _coloured_below(pair: PanePair, threshold: float) -> float:
    """Share of the map's pixels that carry colour in the gray pane as well."""
    x, y, w, h = cv2.boundingRect(pair.coloured_half)
    if w == 0:
        return 0.0
    strength = chroma_half(pair.bottom[2 * y : 2 * (y + h), 2 * x : 2 * (x + w)])
    below = cv2.threshold(strength, threshold, 255, cv2.THRESH_BINARY)[1]
    coloured = pair.coloured_half[y : y + h, x : x + w]
    return cv2.countNonZero(cv2.bitwise_and(below, coloured)) / cv2.countNonZero(coloured)


def box_refused(
    pixels: Picture, panes: Panes, seen: Elastogram, levels: Levels, scale: float
) -> Rejected | None:
    """Why an outlined box is not one of an elastogram, or is not all in sight; None if it is.

    Args:
        pixels: the picture, BGR.
        panes: where both panes stand in it.
        seen: the box.
        levels: what the capture chain made of black and white.
        scale: picture pixels per reference pixel.
    """
    if seen.filled_fraction < LEAST_COLOURED:
        return Rejected(Reason.NO_COLOUR_BOX, f"box {100 * seen.filled_fraction:.0f} % coloured")
    if seen.filled_fraction > 1.0 - SMALLEST_HOLE:
        return None
    size = 2 * round(HOLE_MARGIN * scale) + 1
    hole = cv2.erode(
        cv2.bitwise_and(seen.inside, cv2.bitwise_not(seen.filled)), np.ones((size, size), np.uint8)
    )
    if cv2.countNonZero(hole) < SMALLEST_HOLE * cv2.countNonZero(seen.inside):
        return None
    window, dx, dy = seen.window, panes.gray.x - panes.elastogram.x, panes.gray.y - panes.elastogram.y
    upper, lower = (
        cv2.blur(pixels[y : y + window.h, x : x + window.w, 1], (3, 3)).astype(np.float32)
        for x, y in ((window.x, window.y), (window.x + dx, window.y + dy))
    )
    apart = cv2.mean(cv2.multiply(upper - lower, upper - lower), hole)[0]
    power = float(cv2.meanStdDev(lower, mask=hole)[1][0, 0]) ** 2
    if apart <= UNLIKE * power + (NOISE * levels.gain) ** 2:
        return None
    return Rejected(Reason.SCREEN_COVERED, "something else than tissue where the box has no colour")
