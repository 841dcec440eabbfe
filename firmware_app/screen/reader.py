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
    Roi,
    ScreenReading,
    Stiffness,
    View,
)
from firmware_app.screen.banner import banner_digest, steady_place
from firmware_app.screen.bar import BarEdges
from firmware_app.screen.colours import ColourWatch, watch_colours
from firmware_app.screen.elastogram import Earlier, Elastogram, read_elastogram
from firmware_app.screen.freeze import has_snowflake
from firmware_app.screen.layout import LayoutWatch, fit_of, watch_layout
from firmware_app.screen.measure import Meter, believed_opacity, estimate_opacity, measure
from firmware_app.screen.other import classify, unreadable
from firmware_app.screen.panes import SAME_PLANE, cut_panes
from firmware_app.screen.printed import Printed, read_printed, still_printed
from firmware_app.screen.refusal import refusal
from firmware_app.screen.registration import Registration, Unplaced
from firmware_app.screen.repeat import Shown
from firmware_app.screen.text import recogniser
from firmware_app.screen.tracking import Anchor, doubted, follow
from firmware_app.screen.view import box_refused, panes_refused
from firmware_app.stiffness import ColourScale, colour_scale
from firmware_app.wording import Reason


@dataclass(frozen=True, slots=True)
class _Track:
    """What is kept from frame to frame.

    Attributes:
        anchor: where the screen stands.
        scale: its bar, inverted.
        printed: what was last printed, `opacity` as estimated with it.
        last: where box and Q-box stood.
        shown: the last frame that was read anew.
    """

    anchor: Anchor
    scale: ColourScale
    printed: Printed | None = None
    opacity: float | None = None
    last: Earlier | None = None
    shown: Shown | None = None

    @property
    def registration(self) -> Registration:
        """Scale, offset, stretch and levels of the screen."""
        return self.anchor.registration

    @property
    def panes(self) -> Panes:
        """Both panes in whole pixels."""
        return self.anchor.panes

    @property
    def meter(self) -> Meter:
        """What a stiffness is measured with."""
        return Meter(self.panes, self.scale, self.registration.scale_y)


class ScreenReader:
    """Reads the screens of one profile. Not thread-safe: one reader for one stream."""

    def __init__(self, profile: ScreenProfile) -> None:
        self.profile = profile
        self._track: _Track | None = None
        self._layout = LayoutWatch()
        self._colours = ColourWatch()
        self._banner_place: Registration | None = None

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
        track = self._tracked(pixels, frame.pts_ns)
        bar = self._bar_in(pixels)
        self._colours = watch_colours(self._colours, pixels, frame.pts_ns, bar, self.profile)
        if self._colours.fault is not None:
            return _discoloured(pixels, self._colours.fault)
        if not isinstance(track, _Track):
            return self._watched(self._without_screen(pixels, track), frame.pts_ns)
        if track.printed is not None and not still_printed(track.printed, pixels):
            self._track = track = replace(track, printed=None, opacity=None)
        return self._watched(self._read_or_repeated(pixels, track), frame.pts_ns)

    def read_text(self, frame: Frame, reading: ScreenReading) -> ScreenReading:
        """Add the bar's maximum and unit, the opacity and the Q-box's printed values (OCR).

        Args:
            frame: the frame that was read.
            reading: what `read` said of it; returned as it is unless it shows an SWE view.
        """
        if reading.view is not View.SWE_DUAL:
            return reading
        track = self._tracked(frame.pixels, frame.pts_ns)
        if not isinstance(track, _Track):
            return reading
        printed = read_printed(frame.pixels, track.registration, self.profile)
        self._track = track = replace(track, printed=printed)
        return self._with_screen(frame.pixels, track, text_was_read=True)

    def square(self, frame: Frame) -> Roi | None:
        """The square that `read_text` will give for this frame, whatever it reads; nothing is remembered."""
        kept = self._track, self._banner_place
        track = self._tracked(frame.pixels, frame.pts_ns)
        roi = None
        if isinstance(track, _Track):
            roi = self._with_screen(frame.pixels, track, text_was_read=False).roi
        self._track, self._banner_place = kept
        return roi

    def inspect(self, frame: Frame) -> ScreenReading:
        """Everything that is seen in one frame, text included."""
        return self.read_text(frame, self.read(frame))

    def _tracked(self, pixels: Picture, now_ns: int) -> _Track | Unplaced | None:
        """The track of this frame, also kept; where no screen stands, the last one is kept all the same."""
        last = self._track
        anchor = follow(last.anchor if last else None, pixels, now_ns, self.profile)
        if not isinstance(anchor, Anchor):
            return anchor
        if last is None or anchor.registration.ramp is not last.registration.ramp:
            bar = anchor.registration.bar
            self._track = _Track(anchor, colour_scale(anchor.registration.ramp, bar.bottom - bar.top))
        elif anchor is not last.anchor:
            self._track = replace(last, anchor=anchor)
        return self._track

    def _bar_in(self, pixels: Picture) -> BarEdges | None:
        """Where the bar stood last, if it was in a picture of this size."""
        if self._track is None:
            return None
        registration = self._track.registration
        same = (registration.height, registration.width) == pixels.shape[:2]
        return registration.bar if same else None

    def _read_or_repeated(self, pixels: Picture, track: _Track) -> ScreenReading:
        """The reading; as it was where both panes show the very same as the last frame's."""
        shown = track.shown
        if shown is None or not shown.holds(pixels, track.anchor, track.printed, track.opacity):
            reading = self._with_screen(pixels, track, text_was_read=False)
            shown = Shown(pixels, track.anchor, track.printed, track.opacity, reading)
            self._track = replace(self._track or track, shown=shown)
            return reading
        self._banner_place = steady_place(self._banner_place, track.registration)
        banner = banner_digest(pixels, self._banner_place, self.profile)
        frozen = shown.reading.view is View.SWE_DUAL and self._frozen(pixels, track)
        return replace(shown.reading, banner=banner, frozen=frozen)

    def _frozen(self, pixels: Picture, track: _Track) -> bool:
        registration = track.registration
        area = registration.rect(self.profile.freeze.snowflake_area)
        return has_snowflake(pixels, area, track.panes, registration.scale_y)

    def _watched(self, reading: ScreenReading, now_ns: int) -> ScreenReading:
        """The reading with the alarm, if the layout has contradicted the profile for too long."""
        self._layout = watch_layout(self._layout, now_ns, fit_of(reading))
        if not self._layout.drifted:
            return reading
        placed = replace(reading.registration, drifted=True) if reading.registration else None
        rejected = reading.rejected
        if rejected is not None and rejected.reason is Reason.OTHER_LAYOUT:
            rejected = Rejected(Reason.LAYOUT_DRIFT, rejected.detail)
        return replace(reading, registration=placed, rejected=rejected)

    def _without_screen(self, pixels: Picture, unplaced: Unplaced | None) -> ScreenReading:
        height, width = pixels.shape[:2]
        if unplaced is not None:
            bar = f"the stiffness bar stands at x {unplaced.bar.left:.0f}, y {unplaced.bar.top:.0f}"
            return ScreenReading(width, height, View.OTHER, Rejected(Reason.OTHER_LAYOUT, bar))
        view, refused = classify(pixels)
        place = self._banner_place
        banner = None
        if place is not None and (place.width, place.height) == (width, height) and view is View.B_MODE:
            banner = banner_digest(pixels, place, self.profile)
        return ScreenReading(width, height, view, refused, banner=banner)

    def _with_screen(self, pixels: Picture, track: _Track, *, text_was_read: bool) -> ScreenReading:
        registration, profile = track.registration, self.profile
        pair = cut_panes(pixels, track.panes, registration.levels, registration.scale_y)
        if pair.correlation < SAME_PLANE and track.anchor.exact:
            self._track = track = replace(track, anchor=doubted(track.anchor))
        printed = track.printed
        self._banner_place = steady_place(self._banner_place, registration)
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
            banner=banner_digest(pixels, self._banner_place, profile),
            registration=registration.published(),
        )
        refused = panes_refused(pair, registration.levels, track.anchor.elsewhere)
        if refused is not None:
            return replace(reading, rejected=refused)
        seen = read_elastogram(pair, registration, profile, track.last)
        refused = (
            seen
            if isinstance(seen, Rejected)
            else box_refused(pixels, track.panes, seen, registration.levels, registration.scale_y)
        )
        if isinstance(seen, Rejected) or refused is not None:
            return replace(reading, rejected=refused)
        if text_was_read:
            track = replace(track, opacity=estimate_opacity(pixels, seen, track.meter))
        # A ring that a frame does not show may be under the cursor: its place stays the first guess.
        q_boxes = seen.q_boxes or (track.last.q_boxes if track.last else ())
        self._track = replace(track, last=Earlier(seen.shape, q_boxes))
        complete = replace(
            reading,
            view=View.SWE_DUAL,
            colour_box=seen.polygon,
            q_box=seen.q_box,
            q_boxes=seen.q_boxes,
            roi=seen.roi,
            stiffness=_stiffness(pixels, seen, track, profile.blend.opacity),
            readout=printed.readout if printed else None,
            opacity=printed.opacity if printed else None,
            opacity_estimated=track.opacity,
            frozen=self._frozen(pixels, track),
        )
        refused = refusal(
            complete,
            seen.filled_fraction,
            profile,
            text_was_read=text_was_read,
            readout_shown=printed is not None and printed.readout_shown,
        )
        return replace(complete, rejected=refused)


def _discoloured(pixels: Picture, fault: str) -> ScreenReading:
    height, width = pixels.shape[:2]
    rejected = Rejected(Reason.UNREADABLE_PICTURE, "wrong colours")
    return ScreenReading(width, height, View.OTHER, rejected, colours=fault)


def _bar_rect(registration: Registration) -> Rect:
    bar = registration.bar
    x, y = round(bar.left), round(bar.top)
    return Rect(x, y, max(round(bar.right) - x, 1), max(round(bar.bottom) - y, 1))


def _stiffness(pixels: Picture, seen: Elastogram, track: _Track, usual_opacity: float) -> Stiffness | None:
    """Statistics of the stiffness; None while the range is unknown."""
    printed = track.printed
    if printed is None or printed.maximum is None or printed.unit is None:
        return None
    opacity = believed_opacity(printed.opacity, track.opacity, usual_opacity)
    return measure(pixels, seen, track.meter, (printed.maximum, printed.unit), opacity)
