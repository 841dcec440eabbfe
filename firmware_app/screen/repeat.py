"""Whether a frame shows the very same panes as one that was read: a 60 Hz signal repeats each picture.

A B-mode of 12 to 30 pictures a second reaches the appliance in two to five equal frames. What was read in the
panes then holds as it is, and holds still: nothing jitters on a picture that does not change.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from firmware_app.journey import Picture, Rect, ScreenReading
from firmware_app.screen.printed import Printed
from firmware_app.screen.tracking import Anchor

SPARSE = 32
"""Of so many rows one is looked at first: a picture that moves differs there at once."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a frame showed, and what was read of it.

    Attributes:
        pixels: of the frame, kept and not copied: nobody writes into them.
        anchor: where the screen stood.
        printed: the texts that counted, `opacity` as estimated with them.
        reading: what came of it.
    """

    pixels: Picture
    anchor: Anchor
    printed: Printed | None
    opacity: float | None
    reading: ScreenReading

    def holds(self, pixels: Picture, anchor: Anchor, printed: Printed | None, opacity: float | None) -> bool:
        """Whether a frame shows the same in every pixel of both panes, to be read in the same way."""
        if anchor is not self.anchor or printed is not self.printed or opacity != self.opacity:
            return False
        panes = (anchor.panes.elastogram, anchor.panes.gray)
        pairs = [(_part(self.pixels, pane), _part(pixels, pane)) for pane in panes]
        return all(np.array_equal(old[::SPARSE], new[::SPARSE]) for old, new in pairs) and all(
            cv2.norm(old, new, cv2.NORM_INF) == 0.0 for old, new in pairs
        )


def _part(pixels: Picture, pane: Rect) -> Picture:
    return pixels[pane.y : pane.y + pane.h, pane.x : pane.x + pane.w]
