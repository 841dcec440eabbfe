"""Where the reference screen lies in a picture, from the landmarks that were measured.

Vertically the bar's two ends and the distance of the panes give scale and offset by weighted least squares;
a scale that capture chains usually have is taken instead where it explains the landmarks as well.
Horizontally the bar gives the offset, and the stretch is the one of the profile's that fits the bar's width.
What would leave a part of the picture that is not plain outside of the screen is no placement: a scanner
draws nothing there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.profile import ScreenProfile
from firmware_app.journey import Picture
from firmware_app.screen.bar import BarEdges

USUAL_HEIGHTS = (480, 540, 576, 600, 720, 768, 800, 864, 900, 960, 1024, 1050, 1080, 1200, 1440, 2160)
"""Rows of common video formats: the whole screen is scaled to one of them, whatever is cropped afterwards."""
EDGE, DISTANCE = 1.2, 0.2
"""Pixels by which a measured end of the bar, and the panes' distance, may be wrong."""
SAME_SCALE = 0.0008
"""Relative difference of two scales that are one: rounding to whole pixels."""
CROPPED = 0.05
"""Share of the picture by which the screen may reach beyond it on one side."""
SMALLEST = 0.5
"""Share of the picture's height that the screen fills at least."""
WORST = 0.3
"""Misfit of the bar's width (as a logarithm) and of the margins together, beyond which nothing fits."""
PLAIN = 40
"""Levels between the darkest and the brightest pixel of a margin that is plain."""


@dataclass(frozen=True, slots=True)
class Landmarks:
    """What was measured in the picture, pixels.

    Attributes:
        bar: the bar's edges.
        apart_x, apart_y: from the elastogram's pane to the gray pane; None: not measured.
    """

    bar: BarEdges
    apart_x: float | None = None
    apart_y: float | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Picture pixel = offset + scale x reference pixel; `residual` is a landmark's largest miss, pixels."""

    scale_x: float
    scale_y: float
    offset_x: float
    offset_y: float
    residual: float


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of the reference screen against the picture: the bar's ends, and the panes' distance."""

    start: float
    end: float
    low: float
    high: float
    apart: float
    measured: float | None

    def offset(self, scale: float) -> float:
        return (self.low + self.high - scale * (self.start + self.end)) / 2

    def misses(self, scale: float, offset: float) -> tuple[float, float]:
        """Largest miss of the bar's ends, and of the panes' distance, pixels."""
        ends = max(abs(offset + scale * self.start - self.low), abs(offset + scale * self.end - self.high))
        return ends, abs(self.apart * scale - self.measured) if self.measured is not None else 0.0

    def explained(self, scale: float, offset: float) -> bool:
        ends, distance = self.misses(scale, offset)
        return ends <= EDGE and distance <= DISTANCE

    def fitted(self) -> float:
        """The scale by least squares, weighted by how well each landmark is measured."""
        length = self.end - self.start
        by_bar = (self.high - self.low) / length
        if self.measured is None or abs(self.apart) < length:
            return by_bar
        weight_bar, weight_panes = (length / EDGE) ** 2 / 2, (self.apart / DISTANCE) ** 2
        by_panes = self.measured / self.apart
        return (by_bar * weight_bar + by_panes * weight_panes) / (weight_bar + weight_panes)


def _vertical(axis: _Axis, height: int, reference: int) -> tuple[float, float]:
    """Scale and offset of the rows: the whole screen, a usual scale, or what fits best."""
    whole = height / reference
    if axis.explained(whole, 0.0):
        return whole, 0.0
    fitted = axis.fitted()
    usual = sorted((rows / reference for rows in USUAL_HEIGHTS), key=lambda scale: abs(scale - fitted))
    scale = usual[0] if axis.explained(usual[0], axis.offset(usual[0])) else fitted
    offset = axis.offset(scale)
    middle = (height - reference * scale) / 2
    return scale, middle if abs(offset - middle) <= EDGE and middle > 0 else offset


def _horizontal(scale: float, axis: _Axis, width: int, reference: int) -> tuple[float, float]:
    """Scale and offset of the columns at a given scale; the whole picture or its middle where that fits."""
    whole = width / reference
    if abs(whole / scale - 1) < SAME_SCALE and axis.explained(whole, 0.0):
        return whole, 0.0
    offset = axis.offset(scale)
    middle = (width - reference * scale) / 2
    return scale, middle if abs(offset - middle) <= EDGE and middle > 0 else offset


def _plain_outside(
    pixels: Picture, placed: Placement, bar: BarEdges, profile: ScreenProfile, slack: float
) -> bool:
    """Whether the picture is plain wherever the screen does not reach.

    Args:
        pixels: the picture, BGR.
        placed: where the screen would lie.
        bar: where the bar stands.
        profile: size of the screen.
        slack: relative error of the scale: the further from the bar, the less sure is the screen's border.
    """
    step = max(2, pixels.shape[0] // 270)
    left, top = placed.offset_x, placed.offset_y
    right = left + profile.reference_size[0] * placed.scale_x
    bottom = top + profile.reference_size[1] * placed.scale_y
    left -= 3 + slack * (bar.left - left)
    top -= 3 + slack * (bar.top - top)
    right += 3 + slack * (right - bar.right)
    bottom += 3 + slack * (bottom - bar.bottom)
    for strip in (
        pixels[::step, : max(int(left), 0) : step, 1],
        pixels[::step, max(int(right), 0) :: step, 1],
        pixels[: max(int(top), 0) : step, ::step, 1],
        pixels[max(int(bottom), 0) :: step, ::step, 1],
    ):
        if strip.size >= 60 and int(strip.max()) - int(strip.min()) > PLAIN:
            return False
    return True


def place(pixels: Picture, seen: Landmarks, profile: ScreenProfile) -> Placement | None:
    """The placement that explains the landmarks; None if none keeps the screen in the picture.

    Args:
        pixels: the picture, BGR.
        seen: what was measured in it.
        profile: where the landmarks stand on the reference screen.
    """
    height, width = pixels.shape[:2]
    x, y, w, h = profile.colour_bar.rect
    bar, panes = seen.bar, profile.panes
    apart_x, apart_y = panes.gray[0] - panes.elastogram[0], panes.gray[1] - panes.elastogram[1]
    rows = _Axis(y, y + h, bar.top, bar.bottom, apart_y, seen.apart_y)
    columns = _Axis(x, x + w, bar.left, bar.right, apart_x, seen.apart_x)
    scale_y, offset_y = _vertical(rows, height, profile.reference_size[1])
    sure = seen.apart_x is not None or seen.apart_y is not None
    slack = 0.002 if sure else 1.4 * EDGE / (bar.bottom - bar.top)
    best: tuple[float, Placement] | None = None
    for stretch in profile.stretches:
        scale_x, offset_x = _horizontal(scale_y * stretch, columns, width, profile.reference_size[0])
        misses = (*rows.misses(scale_y, offset_y), *columns.misses(scale_x, offset_x))
        placed = Placement(scale_x, scale_y, offset_x, offset_y, max(misses))
        even = _margins(placed, width, height, profile)
        if even is None:
            continue
        # The bar's width tells the stretches apart; of two that fit, the one with even margins is taken.
        misfit = abs(math.log((bar.right - bar.left) / (w * scale_x))) + even
        if (best is None or misfit < best[0]) and _plain_outside(pixels, placed, bar, profile, slack):
            best = misfit, placed
    return best[1] if best is not None and best[0] <= WORST else None


def _margins(placed: Placement, width: int, height: int, profile: ScreenProfile) -> float | None:
    """How uneven the margins at left and right are, 0-1; None if the screen reaches beyond the picture."""
    left, top = placed.offset_x, placed.offset_y
    right = left + profile.reference_size[0] * placed.scale_x
    bottom = top + profile.reference_size[1] * placed.scale_y
    beyond = max(-left / width, (right - width) / width, -top / height, (bottom - height) / height)
    if beyond > CROPPED or bottom - top < SMALLEST * height:
        return None
    return abs(left - (width - right)) / width
