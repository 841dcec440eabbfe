"""Every text that is printed on a screen, read once, and what it is.

The header's texts are looked at for one purpose: to tell the clock and the probe from the patient's name.
They stay in memory for as long as the proposal is made; places leave this module, words of the header do not.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass

from calibration.profile import ReadOutGrammar
from firmware_app.journey import Panes, Picture, ReadOut, Rect
from firmware_app.screen.bar import BarEdges
from firmware_app.screen.grammar import parse_bar_maximum, parse_opacity, parse_readout

_CLOCK = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}:\d{2}")
_OUTPUT_POWER = re.compile(r"\b(?:MI|TI[SBC]?)\s?\d", re.IGNORECASE)
_PROBE = re.compile(r"\S/|/\s")
_SCALE = re.compile(r"\W*[\d.,]+\W*")
"""A number alone, as a depth scale prints it: never the beginning of a line."""


@dataclass(frozen=True, slots=True)
class Caption:
    """One printed word or line, and where it stands in the picture."""

    text: str
    place: Rect


@dataclass(frozen=True, slots=True)
class BarCaption:
    """What is printed at the bar: its maximum and unit."""

    maximum: float
    unit: str
    place: Rect


@dataclass(frozen=True, slots=True)
class Captions:
    """The texts that a profile needs; None or empty: not found. Places in pixels of the picture.

    Attributes:
        bar: maximum and unit beside the bar.
        opacity: 0-1, and `opacity_place` where it stands.
        readout: the Q-box's values, and `readout_place` around all of them.
        banner: lines that may hold the patient's name and number, from top to bottom.
        header: every line that is printed above the panes, the clock and the probe among them.
        every: every text but single letters and bare numbers, annotations inside the panes too.
    """

    bar: BarCaption | None
    opacity: float | None
    opacity_place: Rect | None
    readout: ReadOut | None
    readout_place: Rect | None
    banner: tuple[Rect, ...]
    header: tuple[Rect, ...]
    every: tuple[Rect, ...]


def read_captions(pixels: Picture) -> list[Caption]:
    """Find and read all texts of a picture, from top to bottom (about a second)."""
    from rapidocr import EngineType, RapidOCR  # noqa: PLC0415 - takes a second to load

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Det.engine_type": EngineType.OPENVINO,
            "Cls.engine_type": EngineType.OPENVINO,
            "Rec.engine_type": EngineType.OPENVINO,
        }
    )
    result = engine(pixels, use_cls=False)
    if result.boxes is None or result.txts is None:
        return []
    captions = []
    for corners, text in zip(result.boxes, result.txts, strict=True):
        x0, y0 = (int(value) for value in corners.min(axis=0))
        x1, y1 = (int(value) for value in corners.max(axis=0))
        captions.append(Caption(str(text), Rect(x0, y0, max(x1 - x0, 1), max(y1 - y0, 1))))
    return sorted(captions, key=lambda caption: (caption.place.y, caption.place.x))


def enclosing(places: Iterable[Rect]) -> Rect:
    """The smallest rectangle around several."""
    corners = [(p.x, p.y, p.x + p.w, p.y + p.h) for p in places]
    x0, y0 = min(c[0] for c in corners), min(c[1] for c in corners)
    return Rect(x0, y0, max(c[2] for c in corners) - x0, max(c[3] for c in corners) - y0)


def _middle(place: Rect) -> tuple[float, float]:
    return place.x + place.w / 2, place.y + place.h / 2


def _rows(captions: Iterable[Caption]) -> list[Caption]:
    """Words that stand beside each other, joined to lines: a label and its value."""
    lines: list[Caption] = []
    for caption in sorted(captions, key=lambda c: (c.place.x, c.place.y)):
        for number, line in enumerate(lines):
            if _SCALE.fullmatch(line.text):
                continue
            same_row = abs(_middle(line.place)[1] - _middle(caption.place)[1]) < 0.4 * line.place.h
            gap = caption.place.x - line.place.x - line.place.w
            if same_row and -0.5 * line.place.h < gap < 4 * line.place.h:
                joined = enclosing((line.place, caption.place))
                lines[number] = Caption(f"{line.text} {caption.text}", joined)
                break
        else:
            lines.append(caption)
    return sorted(lines, key=lambda line: (line.place.y, line.place.x))


def _at_bar(captions: list[Caption], bar: BarEdges) -> BarCaption | None:
    """The number with a unit that stands nearest to the bar's upper end."""
    x, y = (bar.left + bar.right) / 2, bar.top
    reach = bar.bottom - bar.top
    best: tuple[float, BarCaption] | None = None
    for caption in captions:
        parsed = parse_bar_maximum([caption.text])
        at_x, at_y = _middle(caption.place)
        away = abs(at_x - x) + abs(at_y - y)
        if parsed is not None and away < reach and (best is None or away < best[0]):
            best = (away, BarCaption(parsed[0], parsed[1], caption.place))
    return best[1] if best else None


def _values(lines: list[Caption], grammar: ReadOutGrammar) -> tuple[ReadOut, Rect] | None:
    """The block of lines that together are a read-out."""
    for number, line in enumerate(lines):
        block = [line]
        for following in lines[number + 1 :]:
            last = block[-1].place
            below = following.place.y - last.y - last.h
            if abs(following.place.x - line.place.x) < 2 * last.h and below < 2 * last.h:
                block.append(following)
        readout = parse_readout([entry.text for entry in block], grammar)
        if readout is not None:
            place = enclosing(entry.place for entry in block)
            # A depth scale beside the labels may have been read with them; most lines begin at the labels.
            left = sorted(entry.place.x for entry in block)[len(block) // 2]
            return readout, Rect(left, place.y, place.x + place.w - left, place.h)
    return None


def _may_be_banner(text: str) -> bool:
    return len(text) >= 3 and not (_CLOCK.search(text) or _OUTPUT_POWER.search(text) or _PROBE.search(text))


def sort_captions(captions: list[Caption], bar: BarEdges, panes: Panes, grammar: ReadOutGrammar) -> Captions:
    """Say what each text is.

    Args:
        captions: every text of the picture.
        bar: the colour bar.
        panes: both panes; texts inside them are annotations.
        grammar: labels and units that a read-out may have.
    """
    outside = [c for c in captions if not _inside(c.place, panes)]
    lines = _rows(outside)
    top = min(panes.elastogram.y, panes.gray.y)
    header = [c for c in outside if c.place.y + c.place.h <= top]
    at_bar = _at_bar(outside, bar)
    if at_bar is not None:
        header = [c for c in header if c.place != at_bar.place]
    # Digits of a clock or of a number may look like an opacity: a percent sign decides, then the place.
    settings = [c for c in lines if parse_opacity([c.text]) is not None and not _CLOCK.search(c.text)]
    settings.sort(key=lambda c: ("%" not in c.text, c.place.y < top))
    opacity = settings[0] if settings else None
    values = _values([line for line in lines if line.place.y >= bar.top], grammar)
    return Captions(
        at_bar,
        parse_opacity([opacity.text]) if opacity else None,
        opacity.place if opacity else None,
        values[0] if values else None,
        values[1] if values else None,
        tuple(c.place for c in header if _may_be_banner(c.text)),
        tuple(c.place for c in header),
        tuple(c.place for c in captions if len(c.text) > 1 and not _SCALE.fullmatch(c.text)),
    )


def _inside(place: Rect, panes: Panes) -> bool:
    x, y = _middle(place)
    return any(
        pane.x <= x < pane.x + pane.w and pane.y <= y < pane.y + pane.h
        for pane in (panes.elastogram, panes.gray)
    )
