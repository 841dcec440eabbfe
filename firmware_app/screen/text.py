"""Printed text: lines are located on the dark surround, recognition alone is left to RapidOCR.

RapidOCR's wheel carries its models, so nothing is fetched. It is loaded when the first text is read, and
runs on the engine that the networks run on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from firmware_app.journey import Picture, Rect
from firmware_app.screen.panes import Gray

Recogniser = Callable[[Picture], str]
"""One line of text (height, width, 3) to what it says."""

LINE_HEIGHT = 48
"""Pixels of a line as the recogniser was trained; smaller ones are enlarged to it."""
BRIGHT = 70
"""Gray levels above the surround's median from which a pixel is text."""
WORD_GAP = 90
"""Reference pixels between two words, or a label and its value, of one line."""
MARGIN = 6
"""Reference pixels kept around a line. With less, or a sharper enlargement, decimal points get lost."""
MOST_LINES = 24


@cache
def recogniser() -> Recogniser:
    """Load the recogniser, once per process."""
    from rapidocr import EngineType, RapidOCR  # noqa: PLC0415 - takes a second, and only a freeze needs it

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Det.engine_type": EngineType.OPENVINO,
            "Cls.engine_type": EngineType.OPENVINO,
            "Rec.engine_type": EngineType.OPENVINO,
            "EngineConfig.openvino.inference_num_threads": 1,
        }
    )

    def recognise(line: Picture) -> str:
        result = engine(line, use_det=False, use_cls=False, use_rec=True)
        return result.txts[0] if result.txts else ""

    return recognise


def locate_lines(gray: Gray, scale: float) -> list[Rect]:
    """Lines of text in a dark area, from top to bottom.

    Args:
        gray: the area.
        scale: vertical picture pixels per reference pixel; letters are 8 to 34 reference pixels high.
    """
    level = min(float(np.median(gray)) + BRIGHT, 200.0)
    bright = cv2.threshold(gray, level, 255, cv2.THRESH_BINARY)[1]
    gap = max(3, round(WORD_GAP * scale))
    joined = cv2.morphologyEx(bright, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    joined = cv2.dilate(joined, np.ones((max(1, round(3 * scale)), 1), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    lines = [
        Rect(int(x), int(y), int(w), int(h))
        for x, y, w, h, _ in stats[1:count]
        if 8 * scale <= h <= 38 * scale and w >= 0.8 * h
    ]
    return sorted(lines, key=lambda line: (line.y, line.x))[:MOST_LINES]


def read_lines(pixels: Picture, area: Rect, scale: float) -> list[str]:
    """Read every line of text in an area of a picture."""
    part = pixels[area.y : area.y + area.h, area.x : area.x + area.w]
    lines = locate_lines(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), scale)
    return [_read_line(part, line, scale) for line in lines]


def _read_line(part: Picture, line: Rect, scale: float) -> str:
    margin = max(2, round(MARGIN * scale))
    x0, y0 = max(0, line.x - margin), max(0, line.y - margin)
    cut = part[y0 : line.y + line.h + margin, x0 : line.x + line.w + margin]
    factor = LINE_HEIGHT / cut.shape[0]
    width = max(8, round(cut.shape[1] * factor))
    enlarged = cv2.resize(cut, (width, LINE_HEIGHT), interpolation=cv2.INTER_LINEAR)
    return recogniser()(enlarged)
