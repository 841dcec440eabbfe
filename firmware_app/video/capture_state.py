"""What the video is doing, as one closed list; the sentences about it stand in `wording`."""

from __future__ import annotations

from enum import Enum


class CaptureState(str, Enum):
    """State of the video, typed by what somebody would do about it. How each is told: docs/capture.md.

    Attributes:
        STARTING: nothing was seen or missed yet.
        LIVE: pictures arrive, and nothing is wrong with them.
        NO_DEVICE: the card, encoder or virtual scanner is not there, or cannot be opened.
        NO_CABLE: the device says that nothing is connected to it.
        NO_SIGNAL: the device is there, and no picture of the scanner comes through it.
        UNSUPPORTED_TIMING: a picture comes in a size, rate or format that cannot be used.
        FROZEN_SOURCE: the device repeats an old picture.
        BAD_COLOURS: the scanner's screen is there, in wrong colours.
        ENDED: a recorded video is over.
    """

    STARTING = "starting"
    LIVE = "live"
    NO_DEVICE = "no_device"
    NO_CABLE = "no_cable"
    NO_SIGNAL = "no_signal"
    UNSUPPORTED_TIMING = "unsupported_timing"
    FROZEN_SOURCE = "frozen_source"
    BAD_COLOURS = "bad_colours"
    ENDED = "ended"
