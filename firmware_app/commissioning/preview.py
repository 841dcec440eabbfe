"""The preview: the picture with numbered marks and a legend of the same numbers, without any identifier.

Only what the proposal rests on stays legible. The header and every other text are made unrecognisable.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw

from calibration.profile import Area
from firmware_app.commissioning.marks import Mark
from firmware_app.commissioning.proposal import Proposal
from firmware_app.journey import Picture, Rect
from firmware_app.overlay.canvas import font, wrapped
from firmware_app.wording import NOTICE

LEGEND_WIDTH = 620
"""Pixels beside a picture of 1080 rows."""
FOUND, LACKING, INK, PAPER, SOFT, AREA = (
    (70, 210, 110),
    (255, 120, 90),
    (235, 235, 235),
    (24, 26, 30),
    (160, 165, 172),
    (90, 150, 240),
)
MOSAIC = 28
"""Pixels per side of the squares that texts dissolve into, at 1080 rows."""


def draw_preview(proposal: Proposal) -> Picture:
    """Draw the preview of a proposal, BGR, 1080 rows high."""
    hidden = _without_identifiers(proposal)
    factor = 1080 / hidden.shape[0]
    resized = cv2.resize(
        hidden, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    )
    image = Image.new("RGB", (resized.shape[1] + LEGEND_WIDTH, 1080), PAPER)
    image.paste(Image.fromarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)), (0, 0))
    draw = ImageDraw.Draw(image)
    _draw_areas(draw, proposal, factor)
    _draw_box(draw, proposal, factor)
    for number, mark in enumerate(proposal.marks, start=1):
        if mark.place is not None:
            _draw_mark(draw, number, mark.place, factor, image.width - LEGEND_WIDTH)
    _draw_legend(draw, proposal.marks, image.width - LEGEND_WIDTH + 24)
    return np.asarray(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR), np.uint8)


def _without_identifiers(proposal: Proposal) -> Picture:
    """The picture with its header covered and every text dissolved that the proposal does not name."""
    pixels: Picture = proposal.pixels.copy()
    height, width = pixels.shape[:2]
    known = [
        mark.place for mark in proposal.marks if mark.place is not None and mark.setting != "banner.areas"
    ]
    shown = np.zeros((height, width), np.uint8)
    for place in known:
        shown[place.y : place.y + place.h, place.x : place.x + place.w] = 255
    size = max(8, round(MOSAIC * height / 1080))
    coarse = cv2.resize(pixels, (max(1, width // size), max(1, height // size)), interpolation=cv2.INTER_AREA)
    dissolved = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
    for place in proposal.captions.every:
        shown[max(0, place.y - 4) : place.y + place.h + 4, max(0, place.x - 4) : place.x + place.w + 4] = 0
    for place in _legible(proposal):
        shown[place.y : place.y + place.h, place.x : place.x + place.w] = 255
    pixels[shown == 0] = dissolved[shown == 0]
    _cover_header(pixels, proposal)
    return pixels


def _legible(proposal: Proposal) -> list[Rect]:
    """Texts that a reader of the preview has to see: numbers of the measurement."""
    captions = proposal.captions
    places = (captions.bar.place if captions.bar else None, captions.opacity_place, captions.readout_place)
    return [place for place in places if place is not None]


def _cover_header(pixels: Picture, proposal: Proposal) -> None:
    """Hatch every line of the header and every area of the profile's banner, in place."""
    places = [
        *proposal.captions.header,
        *(_in_picture(proposal, area) for area in proposal.profile.banner.areas),
    ]
    bar = proposal.captions.bar
    for place in places:
        if bar is not None and place == bar.place:
            continue
        x0, y0 = max(0, place.x - 6), max(0, place.y - 6)
        part = pixels[y0 : place.y + place.h + 6, x0 : place.x + place.w + 6]
        diagonal = np.add.outer(np.arange(part.shape[0]), np.arange(part.shape[1])) // 6 % 2
        part[:] = np.where(diagonal[:, :, None] > 0, 62, 40)


def _in_picture(proposal: Proposal, area: Area) -> Rect:
    """A reference area of the proposed profile in pixels of the picture."""
    height, width = proposal.pixels.shape[:2]
    reference_width, reference_height = proposal.profile.reference_size
    x, y, w, h = area
    across, down = width / reference_width, height / reference_height
    return Rect(round(x * across), round(y * down), round(w * across), round(h * down))


def _draw_areas(draw: ImageDraw.ImageDraw, proposal: Proposal, factor: float) -> None:
    """The areas that the profile gives to the reader, thin."""
    profile = proposal.profile
    areas = (
        profile.colour_bar.maximum_area,
        profile.blend.area,
        profile.freeze.snowflake_area,
        *profile.banner.areas,
        *profile.readout.areas,
    )
    for place in (_in_picture(proposal, area) for area in areas):
        x, y = place.x * factor, place.y * factor
        draw.rectangle((x, y, x + place.w * factor, y + place.h * factor), outline=AREA, width=1)


def _draw_box(draw: ImageDraw.ImageDraw, proposal: Proposal, factor: float) -> None:
    """The colour box in both panes."""
    box, panes = proposal.reading.colour_box, proposal.reading.panes
    if box is None or panes is None:
        return
    dx, dy = panes.gray.x - panes.elastogram.x, panes.gray.y - panes.elastogram.y
    for move in ((0, 0), (dx, dy)):
        points = [(float((x + move[0]) * factor), float((y + move[1]) * factor)) for x, y in box]
        draw.line([*points, points[0]], fill=FOUND, width=2, joint="curve")


def _draw_mark(draw: ImageDraw.ImageDraw, number: int, place: Rect, factor: float, width: int) -> None:
    x0, y0 = place.x * factor - 2, place.y * factor - 2
    x1, y1 = (place.x + place.w) * factor + 2, (place.y + place.h) * factor + 2
    draw.rectangle((x0, y0, x1, y1), outline=FOUND, width=2)
    # The number stands beside what it names, where there is room.
    middle = (min(max(x0 - 15, 14), width - 14), min(max(y0 + 13, 14), 1066))
    _draw_number(draw, number, middle, FOUND)


def _draw_number(
    draw: ImageDraw.ImageDraw, number: int, middle: tuple[float, float], colour: tuple[int, int, int]
) -> None:
    x, y = middle
    draw.ellipse((x - 13, y - 13, x + 13, y + 13), fill=colour, outline=PAPER, width=2)
    draw.text((x, y + 1), str(number), fill=PAPER, font=font(17, bold=True), anchor="mm")


def _draw_legend(draw: ImageDraw.ImageDraw, marks: tuple[Mark, ...], x: int) -> None:
    width = LEGEND_WIDTH - 48
    draw.text((x, 30), "Proposed screen profile", fill=INK, font=font(27, bold=True))
    lacking = sum(mark.place is None for mark in marks)
    summary = "everything was found" if not lacking else f"{lacking} of {len(marks)} not found: check by hand"
    draw.text((x, 68), summary, fill=LACKING if lacking else FOUND, font=font(20))
    y = 122
    for number, mark in enumerate(marks, start=1):
        colour = FOUND if mark.place is not None else LACKING
        _draw_number(draw, number, (x + 14, y + 12), colour)
        title = mark.title if mark.place is not None else f"{mark.title}: not found"
        draw.text((x + 42, y), title, fill=colour, font=font(19, bold=True))
        y += 26
        for line in wrapped(f"{mark.detail}  [{mark.setting}]", 16, width - 42):
            draw.text((x + 42, y), line, fill=INK if mark.place is not None else LACKING, font=font(16))
            y += 21
        y += 11
    for offset, line in enumerate(
        wrapped(
            f"Green: found. Blue: areas of the profile. Header and other texts are made illegible. {NOTICE}",
            15,
            width,
        )
    ):
        draw.text((x, 1010 + 20 * offset), line, fill=SOFT, font=font(15))
