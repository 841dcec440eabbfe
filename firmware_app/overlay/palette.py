"""The colours of the overlay, told apart by people with any colour vision (Okabe & Ito 2008).

None of them carries a meaning alone: what is refused has a word, what is provisional a hollow mark.
"""

from __future__ import annotations

from firmware_app.overlay.canvas import Colour
from firmware_app.wording import Severity

PANEL: Colour = (13, 16, 21, 228)
RIM: Colour = (58, 63, 72, 230)
HAIRLINE: Colour = (255, 255, 255, 40)
TRACK: Colour = (255, 255, 255, 36)
TEXT: Colour = (238, 240, 243, 255)
SOFT: Colour = (171, 178, 189, 255)
BLUE: Colour = (86, 180, 233, 255)
ORANGE: Colour = (230, 159, 0, 255)
RED: Colour = (240, 100, 60, 255)
YELLOW: Colour = (240, 228, 66, 255)
"""Of the outlines: bright on every colour of the map but its own yellow, and edged with black."""
PURPLE: Colour = (204, 121, 167, 255)
"""Of the class-activation map: no colour of the stiffness map."""
EDGE: Colour = (0, 0, 0, 190)

SEVERITIES = {Severity.QUIET: SOFT, Severity.NOTICE: ORANGE, Severity.ALARM: RED}


def bgra(colour: Colour) -> Colour:
    """In the order of GStreamer's patches."""
    red, green, blue, alpha = colour
    return blue, green, red, alpha
