"""The proposed profile: tried on the very picture it comes from, with what is still to be checked."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from calibration.profile import ScreenProfile, load_profile
from firmware_app.commissioning.areas import profile_of
from firmware_app.commissioning.captions import Captions, read_captions, sort_captions
from firmware_app.commissioning.layout import Missing, find_bar, find_panes, without_frame
from firmware_app.commissioning.marks import Mark, marks_of, rect_of
from firmware_app.commissioning.surroundings import find_snowflake, grown, touch
from firmware_app.journey import Frame, Panes, Picture, Rect, ScreenReading, View
from firmware_app.screen import ScreenReader
from firmware_app.screen.other import SMALLEST_SIDE

STRETCHES = (1.0, 4 / 3, 0.9375)
"""Horizontal over vertical scale: as it should be, 4:3 stretched to 16:9, 4:3 stretched to 5:4."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A profile for an unknown layout.

    Attributes:
        profile: complete; what was not found has the likeliest value.
        marks: what it rests on, found or not.
        pixels: the picture it was made from, and `reading` what the reader sees in it with this profile.
        captions: places of the texts.
    """

    profile: ScreenProfile
    marks: tuple[Mark, ...]
    pixels: Picture
    reading: ScreenReading
    captions: Captions

    @property
    def missing(self) -> tuple[Mark, ...]:
        """What was not found and has to be checked by hand."""
        return tuple(mark for mark in self.marks if mark.place is None)


def propose(pixels: Picture, scanner: str) -> Proposal | Missing:
    """Propose a profile from one picture.

    Args:
        pixels: BGR picture of a whole elastography screen; a bright frame around it is cut off.
        scanner: its name, for people.

    Returns:
        The proposal, or what is missing without which there is none.
    """
    pixels = without_frame(pixels)
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        return Missing("no picture large enough to read", "give a picture of the whole screen")
    bar = find_bar(pixels)
    if isinstance(bar, Missing):
        return bar
    panes = find_panes(pixels, bar.edges)
    if isinstance(panes, Missing):
        return panes
    base = load_profile("aixplorer")
    texts = read_captions(pixels)
    captions = sort_captions(texts, bar.edges, panes, base.readout)
    snowflake = find_snowflake(pixels, panes, captions.every)
    obstacles = [text.place for text in texts if not _touches(text.place, panes)] + [rect_of(bar.edges)]
    if snowflake is not None and not _touches(snowflake, panes):
        obstacles.append(snowflake)
    larger = grown(panes, obstacles, (pixels.shape[1], pixels.shape[0]))
    attempts = [(larger, 1.0), *((panes, stretch) for stretch in STRETCHES)]
    best: tuple[int, Panes, ScreenProfile, ScreenReading] | None = None
    for areas, stretch in attempts:
        try:
            profile = profile_of(base, scanner, pixels, stretch, bar, areas, captions, snowflake)
        except ValidationError:  # what was found can be no screen
            continue
        reading = ScreenReader(profile).inspect(Frame(pixels, 0, 0, 0))
        score = (reading.view is View.SWE_DUAL) + (reading.q_box is not None)
        if best is None or score > best[0]:
            best = (score, areas, profile, reading)
        if score == 2:
            break
    if best is None:
        return Missing("panes that a profile can hold", "give a picture of the whole screen")
    _, panes, profile, reading = best
    return Proposal(profile, marks_of(bar, panes, captions, snowflake, reading), pixels, reading, captions)


def _touches(place: Rect, panes: Panes) -> bool:
    return any(touch(place, pane) for pane in (panes.elastogram, panes.gray))
