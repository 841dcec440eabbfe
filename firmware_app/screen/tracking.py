"""Follows the screen from frame to frame: the registration is kept while it holds, and made exact once.

The bar alone places the screen to a few pixels. The first frame whose panes show one plane makes it exact;
until then, and whenever the panes stop agreeing, another try is made every `RETRY_NS`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from calibration.profile import ScreenProfile
from firmware_app.journey import Panes, Picture
from firmware_app.screen.panes import (
    SAME_PLANE,
    cut_panes,
    locate_panes,
    measured_distance,
    nominal_panes,
    pane_elsewhere,
)
from firmware_app.screen.registration import Registration, Unplaced, holds, refined, register

RETRY_NS = 500_000_000
"""Time between two tries to lay the panes over each other; a try costs about as much as reading a frame."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the screen stands.

    Attributes:
        registration: of the whole screen.
        panes: in whole pixels.
        exact: whether the panes were seen to show one plane, so that their distance made it exact.
        tried_ns: time stamp of the last try.
        elsewhere: distance at which the gray pane was seen instead of where the profile has it, pixels.
    """

    registration: Registration
    panes: Panes
    exact: bool
    tried_ns: int
    elsewhere: tuple[int, int] | None = None


def follow(
    anchor: Anchor | None, pixels: Picture, now_ns: int, profile: ScreenProfile
) -> Anchor | Unplaced | None:
    """The anchor of this frame: the last one, one made exact, or a new one.

    Returns:
        None where no bar with the scanner's map stands; `Unplaced` where one stands that does not fit.
    """
    if anchor is not None and holds(anchor.registration, pixels):
        due = not anchor.exact and not 0 <= now_ns - anchor.tried_ns < RETRY_NS
        return _lay_over(anchor, pixels, now_ns, profile) if due else anchor
    registration = register(pixels, profile)
    if not isinstance(registration, Registration):
        return registration
    first = Anchor(registration, nominal_panes(registration, profile), exact=False, tried_ns=now_ns)
    return _lay_over(first, pixels, now_ns, profile)


def doubted(anchor: Anchor) -> Anchor:
    """The same anchor, to be tried again: its panes do not agree in this frame."""
    return replace(anchor, exact=False)


def _lay_over(anchor: Anchor, pixels: Picture, now_ns: int, profile: ScreenProfile) -> Anchor:
    registration = anchor.registration
    panes = locate_panes(pixels, registration, profile)
    if cut_panes(pixels, panes, registration.levels, registration.scale_y).correlation < SAME_PLANE:
        nominal = nominal_panes(registration, profile)
        return replace(anchor, tried_ns=now_ns, elsewhere=pane_elsewhere(pixels, nominal))
    exact = refined(registration, pixels, measured_distance(pixels, panes), profile)
    return Anchor(exact, locate_panes(pixels, exact, profile), exact=True, tried_ns=now_ns)
