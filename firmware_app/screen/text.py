"""Printed text: lines are located on the dark surround, recognition alone is left to RapidOCR.

RapidOCR's wheel carries its models, so nothing is fetched. It is loaded when the first text is read, and
runs on the engine that the networks run on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, lru_cache

import cv2
import numpy as np

from firmware_app.journey import Picture, Rect
from firmware_app.screen.agreement import Gray

Recogniser = Callable[[Picture], str]
"""One line of text (height, width, 3) to what it says."""

LINE_HEIGHT = 48
"""Pixels of a line as the recogniser was trained; smaller ones are enlarged to it."""
BRIGHT = 70
"""Gray levels above the surround's median from which a pixel is text."""
WORD_GAP = 90
"""Reference pixels between two words, or a label and its value, of one line."""
TALLEST = 38
"""Reference pixels of the tallest line."""
JOINED = 28
"""Reference pixels from which a line may be two that a descender joins."""
GAP_SHARE = 0.2
"""Share of the fullest row's ink that such a descender leaves between two lines."""
MOST_LINES = 40
"""An area with more is no read-out."""
LINES_REMEMBERED = 64
"""Lines whose text is kept beside their pixels, 50 kB each; a screen has about twenty, in two looks each."""


LOOKS = (4.0, 6.0, 2.5)
"""Reference pixels kept around a line, and so the scale at which it is read.

Two looks that agree are believed: what one loses (a point, a last digit), another keeps. With margins above
6, or a cubic enlargement, more is lost.
"""

Row = tuple[Rect, ...]
"""Words of one row from left to right, in pixels of the picture."""


@cache
def recogniser() -> Recogniser:
    """Load the recogniser, once per process; of RapidOCR's three networks this one alone."""
    # Takes a second, and only a freeze needs it.
    from rapidocr import EngineType  # noqa: PLC0415 - see above
    from rapidocr.ch_ppocr_rec import TextRecInput, TextRecognizer  # noqa: PLC0415 - see above
    from rapidocr.main import DEFAULT_CFG_PATH, root_dir  # noqa: PLC0415 - see above
    from rapidocr.utils.parse_parameters import ParseParams  # noqa: PLC0415 - see above

    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    settings = ParseParams.load(DEFAULT_CFG_PATH)
    settings.Rec.engine_type = EngineType.OPENVINO
    settings.Rec.engine_cfg = {**settings.EngineConfig.openvino, "inference_num_threads": 1}
    settings.Rec.model_root_dir = root_dir / "models"
    settings.Rec.font_path = None
    engine = TextRecognizer(settings.Rec)

    def recognise(line: Picture) -> str:
        texts = engine(TextRecInput(img=line)).txts
        return str(texts[0]) if texts else ""

    return remembered(recognise, LINES_REMEMBERED)


def remembered(recognise: Recogniser, most: int) -> Recogniser:
    """The same recogniser, which reads the very same pixels once: most of a screen's lines never change.

    Args:
        recognise: a function of the pixels alone.
        most: so many lines are kept, those that were asked for last.
    """

    @lru_cache(most)
    def read(shape: tuple[int, ...], pixels: bytes) -> str:
        return recognise(np.frombuffer(pixels, np.uint8).reshape(shape))

    return lambda line: read(line.shape, line.tobytes())


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
    found = (Rect(int(x), int(y), int(w), int(h)) for x, y, w, h, _ in stats[1:count])
    lines = [line for rect in found if rect.w >= 0.8 * rect.h for line in _split(bright, rect, scale)]
    return sorted(lines, key=lambda line: (line.y, line.x))[:MOST_LINES]


def _split(bright: Gray, rect: Rect, scale: float) -> list[Rect]:
    """One line, two that a descender joins, or none: by height."""
    if not 8 * scale <= rect.h <= 2 * TALLEST * scale:
        return []
    if rect.h <= JOINED * scale:
        return [rect]
    ink = np.count_nonzero(bright[rect.y : rect.y + rect.h, rect.x : rect.x + rect.w], axis=1)
    third = rect.h // 3
    cut = third + int(np.argmin(ink[third : rect.h - third]))
    if ink[cut] > GAP_SHARE * ink.max():
        return [rect] if rect.h <= TALLEST * scale else []
    return [
        Rect(rect.x, rect.y, rect.w, cut),
        Rect(rect.x, rect.y + cut, rect.w, rect.h - cut),
    ]


def locate_rows(pixels: Picture, area: Rect, scale: float) -> list[Row]:
    """Rows of text from top to bottom: lines beside each other are one; in the picture's pixels."""
    part = pixels[area.y : area.y + area.h, area.x : area.x + area.w]
    rows: list[list[Rect]] = []
    for line in locate_lines(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY), scale):
        word = Rect(line.x + area.x, line.y + area.y, line.w, line.h)
        beside = next((row for row in rows if _beside(row[0], word)), None)
        if beside is None:
            rows.append([word])
        else:
            beside.append(word)
    return [tuple(sorted(row, key=lambda word: word.x)) for row in rows]


def _beside(first: Rect, second: Rect) -> bool:
    common = min(first.y + first.h, second.y + second.h) - max(first.y, second.y)
    return common > 0.5 * min(first.h, second.h)


def read_row(pixels: Picture, row: Row, scale: float, margin: float = LOOKS[0]) -> str:
    """Read the words of a row."""
    return " ".join(_read_word(pixels, word, scale, margin) for word in row)


def _read_word(pixels: Picture, word: Rect, scale: float, margin: float) -> str:
    kept = max(1, round(margin * scale))
    x0, y0 = max(0, word.x - kept), max(0, word.y - kept)
    cut = pixels[y0 : word.y + word.h + kept, x0 : word.x + word.w + kept]
    width = max(8, round(cut.shape[1] * LINE_HEIGHT / cut.shape[0]))
    return recogniser()(cv2.resize(cut, (width, LINE_HEIGHT), interpolation=cv2.INTER_LINEAR))
