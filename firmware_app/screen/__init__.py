"""What the scanner shows: every frame read, or refused by name.

In the order of reading:

- `reader`        `ScreenReader`: read it first
- `registration`  scale, offset and stretch of the picture; `bar` the colour bar that gives them
- `panes`         both panes, laid over each other; `other` names what shows no stiffness bar
- `elastogram`    the evidence of an SWE view; `colour_box` the box, `outline` its line, `q_box` the ring
- `freeze`        the snowflake
- `printed`       texts; `text` finds and recognises them, `grammar` says what they mean
- `refusal`       why an SWE frame makes no acquisition
- `banner`        whether the patient changed
- `watch`         freezes and their moments, over time
"""

from firmware_app.screen.reader import ScreenReader

__all__ = ["ScreenReader"]
