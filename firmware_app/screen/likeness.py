"""When two frozen pictures are the same picture, although a video codec stood between them.

A likeness is both panes in small: enough to tell a picture from the next one of a live scan, too little for
noise, a moved Q-box or a cursor to count. It never leaves the appliance.
"""

from __future__ import annotations

import cv2
import numpy as np

from firmware_app.journey import Frame, Panes, Rect

Likeness = bytes
"""Gray thumbnails of the elastogram's and of the gray pane, `SIZE` each, one after the other."""

SIZE = (48, 32)
LEVEL = 6
"""Gray levels by which a thumbnail's pixel changes when the picture does; compression turns it by two."""
STILL_SHARE = 0.02
"""Share of the pixels that changes when a live scan moves; a cursor covers less."""
REPEATED_SHARE = 0.05
"""Share that changes from one stored picture to another; a moved ring of 20 mm covers 0.03."""


def likeness_of(frame: Frame, panes: Panes) -> Likeness:
    """Both panes of a frame in small."""
    return _thumbnail(frame, panes.elastogram) + _thumbnail(frame, panes.gray)


def _thumbnail(frame: Frame, pane: Rect) -> bytes:
    part = frame.pixels[pane.y : pane.y + pane.h, pane.x : pane.x + pane.w]
    # Four samples per cell instead of all pixels: enough to see a scan move, in a tenth of the time.
    width, height = SIZE
    coarse = cv2.resize(part, (width * 4, height * 4), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(cv2.cvtColor(coarse, cv2.COLOR_BGR2GRAY), SIZE, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8).tobytes()


def is_still(first: Likeness, second: Likeness) -> bool:
    """Whether nothing moved in either pane."""
    return _changed_share(first, second) < STILL_SHARE


def same_picture(first: Likeness, second: Likeness) -> bool:
    """Whether both panes show the same picture, wherever the Q-box was placed in it."""
    return _changed_share(first, second) < REPEATED_SHARE


def same_plane(first: Likeness, second: Likeness, share: float) -> bool:
    """Whether less than `share` of the gray pane changed; the other pane changes with every moved Q-box."""
    half = len(first) // 2
    return _changed_share(first[half:], second[half:]) < share


def _changed_share(first: Likeness, second: Likeness) -> float:
    if len(first) != len(second):
        return 1.0
    apart = cv2.absdiff(np.frombuffer(first, np.uint8), np.frombuffer(second, np.uint8))
    return cv2.countNonZero(cv2.threshold(apart, LEVEL, 1, cv2.THRESH_BINARY)[1]) / max(len(first), 1)
