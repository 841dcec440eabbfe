"""Where each scanner family puts what on its native 1440x1080 screen.

`AIXPLORER` is measured on the real screen in the reference material. Of `MACH30` only the colour bar's place
is measured (the same facts as for the Aixplorer); everything else of it is an assumption: a plausible newer,
flat layout with other panes, which must be commissioned on a real MACH 30 before it is relied upon. `CUSTOM`
is no scanner's: panes side by side and a bar elsewhere, for commissioning a layout that nobody has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from calibration.phantom import geometry

LayoutName = Literal["aixplorer", "mach30", "custom"]
Colour = tuple[int, int, int]
Rect = tuple[int, int, int, int]
"""x, y, width, height in native pixels."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One family's screen.

    Attributes:
        name: of the family.
        elastogram, gray: the two panes, of one size.
        bar, gray_bar: the colour bar, and the narrow bar of the gray map.
        header_height: height of the header's panel.
        menu_y: upper edge of the menu row.
        column: upper left corner of the settings (base line of the first).
        column_step: distance of its lines.
        text_size: of the settings.
        read_out: base line and left end of the Q-box's title.
        read_out_across: the blocks of several Q-boxes stand beside each other, not below.
        counter: base line and left end of the cine counter.
        panel, ink: colours (BGR) of header and text.
        flat: newer look: title-case blocks with thin rules, no maker's stroke.
    """

    name: LayoutName
    elastogram: Rect
    gray: Rect
    bar: Rect
    gray_bar: Rect
    header_height: int
    menu_y: int
    column: tuple[int, int]
    column_step: int
    text_size: int
    read_out: tuple[int, int]
    read_out_across: bool
    counter: tuple[int, int]
    panel: Colour
    ink: Colour
    flat: bool

    @property
    def snowflake(self) -> tuple[int, int]:
        """Centre of the sign of a frozen picture: top right of the gray pane."""
        x, y, width, _ = self.gray
        return x + width - 17, y + 35


_PANE = (geometry.PANE_WIDTH, geometry.PANE_HEIGHT)
_BAR = (geometry.BAR_X, geometry.BAR_Y, geometry.BAR_WIDTH, geometry.BAR_HEIGHT)
_GRAY_BAR = (geometry.GREY_BAR_X, geometry.BAR_Y, geometry.GREY_BAR_WIDTH, geometry.BAR_HEIGHT)

AIXPLORER = Layout(
    name="aixplorer",
    elastogram=(geometry.PANE_X, geometry.ELASTOGRAM_Y, *_PANE),
    gray=(geometry.PANE_X, geometry.GRAY_Y, *_PANE),
    bar=_BAR,
    gray_bar=_GRAY_BAR,
    header_height=90,
    menu_y=1053,
    column=(11, 129),
    column_step=22,
    text_size=23,
    read_out=(1166, 452),
    read_out_across=False,
    counter=(11, 1028),
    panel=(18, 18, 18),
    ink=(184, 184, 184),
    flat=False,
)

# Only the bar is measured. Panes, header, settings, read-out and counter are assumptions to be commissioned.
MACH30 = Layout(
    name="mach30",
    elastogram=(262, 118, 860, 452),
    gray=(262, 580, 860, 452),
    bar=_BAR,
    gray_bar=_GRAY_BAR,
    header_height=72,
    menu_y=1044,
    column=(14, 150),
    column_step=25,
    text_size=21,
    read_out=(1200, 470),
    read_out_across=False,
    counter=(14, 1026),
    panel=(38, 34, 32),
    ink=(206, 202, 198),
    flat=True,
)

CUSTOM = Layout(
    name="custom",
    elastogram=(24, 200, 640, 460),
    gray=(692, 200, 640, 460),
    bar=(1392, 420, 16, 240),
    gray_bar=(1374, 420, 8, 240),
    header_height=72,
    menu_y=1056,
    column=(24, 104),
    column_step=20,
    text_size=18,
    read_out=(300, 760),
    read_out_across=True,
    counter=(24, 1040),
    panel=(46, 40, 36),
    ink=(214, 214, 214),
    flat=True,
)

LAYOUTS: dict[LayoutName, Layout] = {layout.name: layout for layout in (AIXPLORER, MACH30, CUSTOM)}
