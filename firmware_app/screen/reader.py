"""Reads frames: registration is tracked, everything else follows from the frame alone.

`read` is the fast path of every frame. `read_text` adds what is printed, when a freeze begins. Both return
the whole `ScreenReading`, and in it the one reason why this frame makes no acquisition.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from calibration.profile import ScreenProfile
from firmware_app.journey import (
    ColourBar,
    Frame,
    Panes,
    Picture,
    Rect,
    Rejected,
    ScreenReading,
    Stiffness,
    View,
)
from firmware_app.screen.banner import banner_digest
from firmware_app.screen.elastogram import Earlier, Elastogram, disc, read_elastogram
from firmware_app.screen.freeze import has_snowflake
from firmware_app.screen.other import classify, unreadable
from firmware_app.screen.panes import cut_panes, locate_panes
from firmware_app.screen.printed import Printed, read_printed, still_printed
from firmware_app.screen.refusal import refusal
from firmware_app.screen.registration import Registration, holds, register
from firmware_app.screen.text import recogniser
from firmware_app.stiffness import ColourScale, colour_scale, decode, in_kpa, statistics


@dataclass(frozen=True, slots=True)
class _Track:
    """What is kept from frame to frame: where screen, box and Q-box stood, and what was last printed."""

    registration: Registration
    panes: Panes
    scale: ColourScale
    printed: Printed | None = None
    last: Earlier | None = None


class ScreenReader:
    """Reads the screens of one profile. Not thread-safe: one reader for one stream."""

    def __init__(self, profile: ScreenProfile) -> None:
        self.profile = profile
        self._track: _Track | None = None

    def warm_up(self) -> None:
        """Load the recogniser of texts, so that the first freeze does not wait for it."""
        recogniser()(np.zeros((32, 96, 3), np.uint8))

    def read(self, frame: Frame) -> ScreenReading:
        """See everything but text; what was read before counts as long as its pixels have not changed."""
        pixels = frame.pixels
        refused = unreadable(pixels)
        if refused is not None:
            height, width = (*pixels.shape, 0, 0)[:2]
            return ScreenReading(width, height, View.OTHER, refused)
        track = self._tracked(pixels)
        if track is None:
            return self._without_bar(pixels)
        if track.printed is not None and not still_printed(track.printed, pixels):
            self._track = track = replace(track, printed=None)
        return self._with_bar(pixels, track, text_was_read=False)

    def read_text(self, frame: Frame, reading: ScreenReading) -> ScreenReading:
        """Add the bar's maximum and unit, the opacity and the Q-box's printed values (OCR).

        Args:
            frame: the frame that was read.
            reading: what `read` said of it; returned as it is unless it shows an SWE view.
        """
        if reading.view is not View.SWE_DUAL:
            return reading
        track = self._tracked(frame.pixels)
        if track is None:
            return reading
        printed = read_printed(frame.pixels, track.registration, self.profile)
        self._track = track = replace(track, printed=printed)
        return self._with_bar(frame.pixels, track, text_was_read=True)

    def inspect(self, frame: Frame) -> ScreenReading:
        """Everything that is seen in one frame, text included."""
        return self.read_text(frame, self.read(frame))

    def _tracked(self, pixels: Picture) -> _Track | None:
        """The track if it still holds, else a new one; the old one is kept where no bar stands."""
        if self._track is not None and holds(self._track.registration, pixels):
            return self._track
        registration = register(pixels, self.profile)
        if registration is None:
            return None
        panes = locate_panes(pixels, registration, self.profile)
        self._track = _Track(registration, panes, colour_scale(registration.ramp))
        return self._track

    def _without_bar(self, pixels: Picture) -> ScreenReading:
        height, width = pixels.shape[:2]
        view, refused = classify(pixels)
        last = self._track.registration if self._track is not None else None
        banner = None
        if last is not None and (last.width, last.height) == (width, height) and view is View.B_MODE:
            banner = banner_digest(pixels, last, self.profile)
        return ScreenReading(width, height, view, refused, banner=banner)

    def _with_bar(self, pixels: Picture, track: _Track, *, text_was_read: bool) -> ScreenReading:
        registration, profile = track.registration, self.profile
        pair = cut_panes(pixels, track.panes)
        printed = track.printed
        reading = ScreenReading(
            registration.width,
            registration.height,
            View.OTHER,
            panes=track.panes,
            colour_bar=ColourBar(
                _bar_rect(registration),
                printed.maximum if printed else None,
                printed.unit if printed else None,
            ),
            banner=banner_digest(pixels, registration, profile),
        )
        seen = read_elastogram(pair, registration, profile, track.last)
        if isinstance(seen, Rejected):
            return replace(reading, rejected=seen)
        # A ring that a frame does not show may be under the cursor: its place stays the first guess.
        q_box = seen.q_box or (track.last.q_box if track.last else None)
        self._track = replace(track, last=Earlier(seen.shape, q_box))
        area = registration.rect(profile.freeze.snowflake_area)
        complete = replace(
            reading,
            view=View.SWE_DUAL,
            colour_box=seen.polygon,
            q_box=seen.q_box,
            roi=seen.roi,
            stiffness=_stiffness(pixels, seen, track, profile.blend.opacity),
            readout=printed.readout if printed else None,
            opacity=printed.opacity if printed else None,
            frozen=has_snowflake(pixels, area, track.panes, registration.scale_y),
        )
        refused = refusal(complete, seen.filled_fraction, profile, text_was_read=text_was_read)
        return replace(complete, rejected=refused)


def _bar_rect(registration: Registration) -> Rect:
    bar = registration.bar
    x, y = round(bar.left), round(bar.top)
    return Rect(x, y, max(round(bar.right) - x, 1), max(round(bar.bottom) - y, 1))


def _stiffness(pixels: Picture, seen: Elastogram, track: _Track, usual_opacity: float) -> Stiffness | None:
    """Statistics in the Q-box, or without one in the region of interest; None while the range is unknown."""
    printed = track.printed
    if printed is None or printed.maximum is None or printed.unit is None or seen.roi is None:
        return None
    window, panes = seen.window, track.panes
    if seen.q_box is not None:
        region, chosen = "q_box", disc(window, seen.q_box, 0.0) & (seen.inside > 0)
    else:
        region, chosen = "roi", np.zeros(seen.inside.shape, bool)
        square = seen.roi.elastogram
        x, y = square.x - window.x, square.y - window.y
        chosen[y : y + square.side, x : x + square.width] = True
        chosen &= seen.inside > 0
    with_colour = chosen & (seen.filled > 0)
    x, y = window.x + panes.gray.x - panes.elastogram.x, window.y + panes.gray.y - panes.elastogram.y
    top = pixels[window.y : window.y + window.h, window.x : window.x + window.w][with_colour]
    gray = pixels[y : y + window.h, x : x + window.w][with_colour]
    share = decode(top, gray, track.scale, printed.opacity or usual_opacity)
    field = in_kpa(share, printed.maximum, printed.unit)
    unfilled = int(chosen.sum()) - len(top)
    return statistics(field, region, unfilled, seen.filled_fraction)
