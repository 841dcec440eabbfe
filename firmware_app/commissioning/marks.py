"""What was looked for and where it was found: the numbers of the preview and of the document."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_app.commissioning.captions import Captions
from firmware_app.commissioning.layout import FoundBar
from firmware_app.journey import Panes, Rect, ScreenReading
from firmware_app.screen.bar import BarEdges


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that was looked for.

    Attributes:
        title: what it is.
        detail: what was found, with its numbers; or why it is needed and what to do.
        place: where it stands in the picture; None if it was not found.
        setting: the profile's entry that rests on it, as "table.name".
    """

    title: str
    detail: str
    place: Rect | None
    setting: str


def rect_of(edges: BarEdges) -> Rect:
    """The bar's edges in whole pixels."""
    x, y = round(edges.left), round(edges.top)
    return Rect(x, y, round(edges.right) - x, round(edges.bottom) - y)


def marks_of(
    bar: FoundBar, panes: Panes, captions: Captions, snowflake: Rect | None, reading: ScreenReading
) -> tuple[Mark, ...]:
    """Everything that was looked for, in the order of the preview's numbers."""
    edges, upper, lower = bar.edges, panes.elastogram, panes.gray
    across = "beside" if abs(lower.x - upper.x) > abs(lower.y - upper.y) else "above or below"
    marks = [
        Mark(
            "Colour bar",
            f"{edges.bottom - edges.top:.0f} pixels high, "
            f"its colours {bar.map_error:.1f} of 255 from the SuperSonic map",
            rect_of(edges),
            "colour_bar.rect",
        ),
        Mark("Elastogram", f"{upper.w} x {upper.h} pixels", upper, "panes.elastogram"),
        Mark(
            "Gray-scale pane",
            f"the same plane, {across}: {lower.x - upper.x:+d}, {lower.y - upper.y:+d} pixels away",
            lower,
            "panes.gray",
        ),
        *_marks_of_reading(reading),
        *_marks_of_captions(captions),
        Mark(
            "Snowflake",
            "the picture is frozen"
            if snowflake
            else "no sign of a frozen picture: freeze and commission again, or correct its place",
            snowflake,
            "freeze.snowflake_area",
        ),
    ]
    return tuple(marks)


def _marks_of_reading(reading: ScreenReading) -> tuple[Mark, ...]:
    box, ring = reading.colour_box, reading.q_box
    place = None
    detail = "no outlined box in both panes: wait for a full map, then commission again"
    if box is not None:
        low, high = box.min(axis=0), box.max(axis=0)
        place = Rect(
            round(float(low[0])),
            round(float(low[1])),
            round(float(high[0] - low[0])),
            round(float(high[1] - low[1])),
        )
        detail = ("a rectangle" if len(box) == 4 else "a sector") + ", outlined in both panes"
    circle = None
    circle_detail = "no ring in the box: place a Q-box, freeze and commission again"
    if ring is not None:
        wide = ring.r * ring.stretch
        circle = Rect(round(ring.x - wide), round(ring.y - ring.r), round(2 * wide), round(2 * ring.r))
        circle_detail = f"radius {ring.r:.1f} pixels"
    return (
        Mark("Colour box", detail, place, "panes.elastogram"),
        Mark("Q-box", circle_detail, circle, "q_box.radius"),
    )


def _marks_of_captions(captions: Captions) -> tuple[Mark, ...]:
    bar, readout = captions.bar, captions.readout
    first = captions.banner[0] if captions.banner else None
    count = len(captions.banner)
    return (
        Mark(
            "Bar's maximum",
            f"{bar.maximum:g} {bar.unit}"
            if bar
            else "no number with kPa or m/s near the bar: correct the area",
            bar.place if bar else None,
            "colour_bar.maximum_area",
        ),
        Mark(
            "Opacity",
            f"{100 * captions.opacity:.0f} %"
            if captions.opacity
            else "not printed, or not in the form O 50 %: 50 % is assumed; enter the scanner's own setting",
            captions.opacity_place,
            "blend.area",
        ),
        Mark(
            "Read-out",
            f"mean {readout.mean_kpa:.1f} kPa ({readout.unit})"
            if readout and readout.mean_kpa is not None
            else "no printed mean: place a Q-box, freeze and commission again",
            captions.readout_place,
            "readout.areas",
        ),
        Mark(
            "Patient's banner",
            f"{count} line{'s' if count != 1 else ''} of the header that may name the patient: "
            "keep name and number, never the clock"
            if first
            else "no header above the panes: enter where name and number stand",
            first,
            "banner.areas",
        ),
    )
