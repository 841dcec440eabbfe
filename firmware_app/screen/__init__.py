"""What the scanner shows: every frame read, or refused by name.

In the order of reading:

- `reader`        `ScreenReader`: read it first
- `registration`  scale, offset, stretch and levels of the picture: `bar` the colour bar and its map,
                  `placement` what its edges and the panes' distance say, `tracking` from frame to frame
- `layout`        whether the scanner's layout changed, decided over time
- `panes`         both panes, laid over each other; `agreement` whether they show one plane
- `view`          which evidence of the dual view is missing; `other` names what shows no stiffness bar
- `elastogram`    the evidence of an SWE view; `colour_box` the box from its colour, `search` from its lines
                  alone, `outline` the line itself, `q_box` the rings
- `measure`       the opacity as the picture tells it, and the stiffness in the Q-box
- `repeat`        the same panes once more: what was read holds
- `freeze`        the snowflake
- `printed`       texts; `text` finds and recognises them, `grammar` says what they mean
- `refusal`       why an SWE frame makes no acquisition
- `banner`        whether the patient changed
- `watch`         freezes and their moments, over time; `likeness` tells whether two pictures are the same
"""

from firmware_app.screen.reader import ScreenReader

__all__ = ["ScreenReader"]
