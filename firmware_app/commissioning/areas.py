"""From places in the picture to the areas of a profile, in reference pixels."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from calibration.profile import Area, ScreenProfile
from firmware_app.commissioning.captions import Captions
from firmware_app.commissioning.layout import FoundBar
from firmware_app.journey import Panes, Picture, Rect
from firmware_app.screen.bar import BarEdges

REFERENCE_HEIGHT = 1080
"""Rows of the reference screen; the reader's sizes of text and ring are meant for it."""
TICKS = 10.0
"""Reference pixels beside a pane in which its depth scale may have ticks."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """From picture pixels to reference pixels."""

    x: float
    y: float
    width: int

    def area(self, place: Rect, left: float = 0, top: float = 0, right: float = 0, bottom: float = 0) -> Area:
        """A place of the picture, grown by margins in picture pixels, cut to the reference screen."""
        x0 = min(max(round((place.x - left) * self.x), 0), self.width - 2)
        y0 = min(max(round((place.y - top) * self.y), 0), REFERENCE_HEIGHT - 2)
        x1 = min(max(round((place.x + place.w + right) * self.x), x0 + 1), self.width)
        y1 = min(max(round((place.y + place.h + bottom) * self.y), y0 + 1), REFERENCE_HEIGHT)
        return x0, y0, x1 - x0, y1 - y0


def profile_id_of(scanner: str) -> str:
    """An identifier for a site's profile of a scanner."""
    slug = re.sub(r"[^a-z0-9]+", "-", scanner.lower()).strip("-") or "scanner"
    return f"{slug[:60]}-site-1"


def profile_of(  # noqa: PLR0913, PLR0917 - everything that was found
    base: ScreenProfile,
    scanner: str,
    pixels: Picture,
    stretch: float,
    bar: FoundBar,
    panes: Panes,
    captions: Captions,
    snowflake: Rect | None,
) -> ScreenProfile:
    """A profile from what was found; what was not found gets its likeliest place.

    Args:
        base: a profile whose grammar and limits are taken over.
        scanner: its name, for people.
        pixels: the picture.
        stretch: horizontal over vertical scale of the picture.
        bar: the colour bar, in pixels of the picture, as everything below.
        panes: both panes.
        captions: every text.
        snowflake: the sign of a frozen picture; None if it was not found.
    """
    height, width = pixels.shape[:2]
    reference_width = round(width * REFERENCE_HEIGHT / height / stretch)
    scale = _Scale(reference_width / width, REFERENCE_HEIGHT / height, reference_width)
    pane = scale.area(panes.elastogram)
    gray_x, gray_y, *_ = scale.area(panes.gray)
    pane_width = min(pane[2], reference_width - gray_x)
    pane_height = min(pane[3], REFERENCE_HEIGHT - gray_y)
    gray = (gray_x, gray_y, pane_width, pane_height)
    data = base.model_dump()
    data["profile_id"], data["scanner"] = profile_id_of(scanner), scanner
    data["reference_size"] = (reference_width, REFERENCE_HEIGHT)
    data["stretches"] = (stretch,)
    data["panes"] |= {"elastogram": (pane[0], pane[1], pane_width, pane_height), "gray": gray}
    data["colour_bar"] |= {
        "rect": _bar_area(bar.edges, scale),
        "maximum_area": _maximum_area(bar.edges, captions, panes, scale),
    }
    low, high = base.q_box.radius
    data["q_box"] |= {"radius": (low, min(high, max(pane_width, pane_height)))}
    data["blend"] |= {
        "opacity": captions.opacity or base.blend.opacity,
        "area": _opacity_area(captions, panes, pixels, scale),
    }
    data["freeze"] |= {"snowflake_area": _snowflake_area(snowflake, gray, scale)}
    data["banner"] |= {"areas": _banner_areas(captions, panes, pixels, scale)}
    data["readout"] |= {"areas": _readout_areas(captions, panes, bar.edges, pixels, scale)}
    data["overlay"] |= {"areas": ()}  # the base's free areas are those of another screen
    return ScreenProfile.model_validate(data)


def _bar_area(edges: BarEdges, scale: _Scale) -> Area:
    # Blurred edges belong to the bar: the numbers beside it are read right up to it.
    x0, x1 = math.floor(edges.left * scale.x), math.ceil(edges.right * scale.x + 0.5)
    y0, y1 = round(edges.top * scale.y), round(edges.bottom * scale.y)
    return x0, y0, min(x1, scale.width) - x0, min(y1, REFERENCE_HEIGHT) - y0


def _maximum_area(edges: BarEdges, captions: Captions, panes: Panes, scale: _Scale) -> Area:
    tall = edges.bottom - edges.top
    if captions.bar is None:  # above the bar, as wide as a number with its unit
        place = Rect(round(edges.left), max(0, round(edges.top - 0.16 * tall)), 1, round(0.15 * tall))
        return scale.area(place, left=0.45 * tall, right=0.45 * tall)
    place = captions.bar.place
    # The bar itself must stay out: its bright end would be taken for a letter.
    below = 0.35 * place.h
    if place.y + place.h / 2 < edges.top:
        below = min(below, edges.top - 3 - place.y - place.h)
    # A pane and the ticks at its edge must stay out as well.
    ends = [p.x + p.w for p in (panes.elastogram, panes.gray) if p.x + p.w <= place.x]
    left = min(0.6 * place.w, place.x - max(ends, default=-place.w) - TICKS / scale.x)
    return scale.area(place, left=left, right=0.6 * place.w, top=0.35 * place.h, bottom=below)


def _opacity_area(captions: Captions, panes: Panes, pixels: Picture, scale: _Scale) -> Area:
    place = captions.opacity_place
    if place is not None:
        return scale.area(place, left=0.5 * place.w, right=place.w, top=1.5 * place.h, bottom=1.5 * place.h)
    left = min(panes.elastogram.x, panes.gray.x)
    if left > 0.08 * pixels.shape[1]:  # the settings' column
        return scale.area(Rect(0, pixels.shape[0] // 4, left, pixels.shape[0] // 4))
    return scale.area(Rect(0, pixels.shape[0] * 3 // 4, pixels.shape[1] // 3, pixels.shape[0] // 5))


def _snowflake_area(snowflake: Rect | None, gray: Area, scale: _Scale) -> Area:
    x, y, w, h = gray
    wide, tall = min(66, w), min(76, h)
    if snowflake is None:
        return x + w - wide, y, wide, tall
    # A sector is narrower than its pane: the sign may stand beside what was taken for the pane.
    left = round((snowflake.x + snowflake.w / 2) * scale.x) - wide // 2
    top = round((snowflake.y + snowflake.h / 2) * scale.y) - tall // 2
    left = min(max(left, 0), scale.width - wide)
    top = min(max(top, 0), REFERENCE_HEIGHT - tall)
    return left, top, wide, tall


def _banner_areas(captions: Captions, panes: Panes, pixels: Picture, scale: _Scale) -> tuple[Area, ...]:
    """Each line of the header that may name the patient, as far as its neighbours leave room."""
    width = pixels.shape[1]
    areas = []
    for place in captions.banner:
        row = [p for p in captions.header if p != place and p.y < place.y + place.h and place.y < p.y + p.h]
        left = max([p.x + p.w for p in row if p.x < place.x], default=0)
        right = min([p.x for p in row if p.x > place.x], default=width)
        reach = max(1.5 * place.w, 12 * place.h)
        x0, x1 = max(left + 4, place.x - reach), min(right - 4, place.x + place.w + reach)
        areas.append(
            scale.area(
                Rect(round(x0), place.y, max(round(x1 - x0), 8), place.h),
                top=0.2 * place.h,
                bottom=0.2 * place.h,
            )
        )
    if areas:
        return tuple(areas)
    top = max(min(panes.elastogram.y, panes.gray.y), 8)
    return (scale.area(Rect(width // 4, 0, width // 2, top)),)


def _readout_areas(
    captions: Captions, panes: Panes, edges: BarEdges, pixels: Picture, scale: _Scale
) -> tuple[Area, ...]:
    height, width = pixels.shape[:2]
    place = captions.readout_place
    if place is not None:
        line = place.h / 6
        # Labels stand flush left; further left there may be a depth scale.
        return (scale.area(place, left=0.06 * place.w, right=0.4 * place.w, top=2 * line, bottom=3 * line),)
    left = min(panes.elastogram.x, panes.gray.x)
    right = max(panes.elastogram.x + panes.elastogram.w, panes.gray.x + panes.gray.w)
    bottom = max(panes.elastogram.y + panes.elastogram.h, panes.gray.y + panes.gray.h)
    under = round(edges.bottom) + 8 if edges.left >= right else min(panes.elastogram.y, panes.gray.y)
    free = (
        Rect(right, under, width - right, height - under),
        Rect(0, height // 2, left, height // 2),
        Rect(0, bottom, width, height - bottom),
    )
    return tuple(scale.area(p) for p in free if p.w > 0.1 * width and p.h > 0.1 * height) or (
        scale.area(Rect(0, 0, width, height)),
    )
