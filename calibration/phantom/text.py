"""Text as the scanner prints it: Liberation Sans, which has Arial's widths (DejaVu Sans where absent)."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture = npt.NDArray[np.uint8]
_FONTS = {
    "regular": ("LiberationSans-Regular.ttf", "DejaVuSans.ttf"),
    "bold": ("LiberationSans-Bold.ttf", "DejaVuSans-Bold.ttf"),
    "note": ("LiberationMono-BoldItalic.ttf", "DejaVuSansMono-BoldOblique.ttf", "DejaVuSans-Bold.ttf"),
}


@lru_cache(maxsize=64)
def _font(weight: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS[weight]:
        try:
            return ImageFont.truetype(name, size)
        except OSError:  # noqa: PERF203 - at most two fonts, and the result is kept
            continue
    return ImageFont.load_default(size)


@lru_cache(maxsize=1024)
def _stamp(text: str, weight: str, size: int) -> tuple[npt.NDArray[np.float32], int, int]:
    """Returns the ink (h, w, 1) of 0-1, and its offset from the anchor at the left of the base line."""
    font = _font(weight, size)
    x0, y0, x1, y1 = (int(np.floor(v)) for v in font.getbbox(text, anchor="ls"))
    width, height = max(x1 - x0 + 2, 1), max(y1 - y0 + 2, 1)
    image = Image.new("L", (width, height))
    ImageDraw.Draw(image).text((-x0, -y0), text, fill=255, font=font, anchor="ls")
    return np.asarray(np.asarray(image) / 255, dtype=np.float32)[:, :, None], x0, y0


def draw_text(  # noqa: PLR0913 - a text has this many properties
    picture: Picture,
    text: str,
    x: int,
    y: int,
    *,
    size: int = 21,
    weight: str = "regular",
    colour: tuple[int, int, int] = (168, 168, 168),
    align: str = "left",
) -> None:
    """Writes `text` into the BGR picture with its base line at `y`.

    Args:
        picture: changed in place.
        text: one line.
        x: the text's left end, centre or right end, by `align`.
        y: its base line.
        size: font size in pixels.
        weight: "regular", "bold" or "note" (the free annotation: fixed width, bold italic).
        colour: BGR.
        align: "left", "centre" or "right".
    """
    ink, dx, dy = _stamp(text, weight, size)
    height, width = ink.shape[:2]
    left = x + dx - {"left": 0, "centre": width // 2, "right": width - 2}[align]
    top = y + dy
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + width, picture.shape[1]), min(top + height, picture.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = ink[y0 - top : y1 - top, x0 - left : x1 - left]
    ground = picture[y0:y1, x0:x1]
    picture[y0:y1, x0:x1] = (ground + part * (np.asarray(colour, dtype=np.float32) - ground) + 0.5).astype(
        np.uint8
    )


def text_size(text: str, *, size: int, weight: str = "regular") -> tuple[int, int]:
    """Returns width and height of a text's ink in pixels."""
    ink = _stamp(text, weight, size)[0]
    return ink.shape[1], ink.shape[0]
