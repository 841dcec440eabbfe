"""Type and shapes for the overlay: a small canvas on Pillow, measured in units of a 1080-line screen.

Text is FreeType's; shapes are drawn four times as large and averaged down, so that their edges are smooth.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from firmware_app.errors import ConfigError
from firmware_app.wording import Language

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha, 0-255; alpha is straight."""

_FOLDERS = (
    Path("/usr/share/fonts/truetype/dejavu"),  # Debian, Ubuntu, JetPack
    Path("/usr/share/fonts/truetype/wqy"),
    Path("/usr/share/fonts/dejavu-sans-fonts"),  # Fedora
    Path("/usr/share/fonts/wqy-microhei-fonts"),
    Path("/usr/share/fonts/TTF"),  # Arch
    Path("/usr/share/fonts/wenquanyi/wqy-microhei"),
)
_LATIN, _LATIN_BOLD, _CHINESE = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "wqy-microhei.ttc"
_PACKAGES = {_LATIN: "fonts-dejavu-core", _LATIN_BOLD: "fonts-dejavu-core", _CHINESE: "fonts-wqy-microhei"}
_SMOOTH = 4
_SMALLEST_PX = 9
"""Letters below this height cannot be read on any screen."""


@lru_cache(maxsize=64)
def font(size_px: int, *, bold: bool = False, language: Language = "en") -> ImageFont.FreeTypeFont:
    """DejaVu Sans of a size, which holds the sign U+2265; for Chinese WenQuanYi Micro Hei, in one weight.

    Raises:
        ConfigError: the font is not installed.
    """
    latin = _LATIN_BOLD if bold else _LATIN
    name = _CHINESE if language == "zh" else latin
    for folder in _FOLDERS:
        if (folder / name).is_file():
            return ImageFont.truetype(str(folder / name), size_px)
    raise ConfigError(f"The overlay's font {name} is missing: install the package {_PACKAGES[name]}.")


@lru_cache(maxsize=64)
def _rounded(width: int, height: int, radius: int) -> Image.Image:
    large = Image.new("L", (width * _SMOOTH, height * _SMOOTH))
    box = (0, 0, width * _SMOOTH - 1, height * _SMOOTH - 1)
    ImageDraw.Draw(large).rounded_rectangle(box, radius * _SMOOTH, fill=255)
    return large.reduce(_SMOOTH)


def wrapped(text: str, size_px: int, width: float, *, bold: bool = False) -> list[str]:
    """A text broken between words into lines no wider than `width` pixels."""
    return broken(text, font(size_px, bold=bold).getlength, width)


_WORDS = re.compile(r"[^\s\u3000-\u9fff\uff00-\uffef]+|[\u4e00-\u9fff][\u3000-\u303f\uff00-\uffef]*")
"""What must not be broken: a run of letters but Chinese ones, or a Chinese one with the marks behind it."""


def broken(text: str, measure: Callable[[str], float], width: float) -> list[str]:
    """A text broken into lines no wider than `width`, in the unit of `measure`.

    Between words; in Chinese between letters, but never in front of a comma or a full stop.
    """
    lines: list[str] = []
    end = 0
    for found in _WORDS.finditer(text):
        longer = f"{lines[-1]}{text[end : found.end()]}" if lines else found.group()
        end = found.end()
        if lines and measure(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(found.group())
    return lines


@dataclass(frozen=True, slots=True)
class Style:
    """How a line of text looks; `size` in units of a 1080-line screen."""

    size: float
    colour: Colour
    bold: bool = False


class Canvas:
    """An RGBA picture to draw on; positions and sizes are in units of a 1080-line screen."""

    def __init__(self, width: float, height: float, unit: float, language: Language = "en") -> None:
        """Make a transparent canvas; `unit` is pixels per unit."""
        self.unit = unit
        self.width = width
        self.language: Language = language
        self._image = Image.new("RGBA", (self._px(width), self._px(height)))
        self._draw = ImageDraw.Draw(self._image)

    def _px(self, length: float) -> int:
        return max(1, round(length * self.unit))

    def _font(self, style: Style) -> ImageFont.FreeTypeFont:
        size = max(_SMALLEST_PX, self._px(style.size))
        return font(size, bold=style.bold, language=self.language)

    def _stroke(self, style: Style) -> float:
        """Chinese has one weight; bold letters get a thin line around them."""
        return style.size * self.unit / 50 if style.bold and self.language == "zh" else 0

    def measure(self, text: str, style: Style) -> float:
        """Width of a line of text."""
        return self._font(style).getlength(text) / self.unit

    def text(self, x: float, baseline: float, text: str, style: Style, anchor: str = "ls") -> None:
        """Write a line on a baseline; `anchor` "ls" is flush left, "ms" centred, "rs" flush right."""
        self._draw.text(
            (x * self.unit, baseline * self.unit),
            text,
            fill=style.colour,
            font=self._font(style),
            anchor=anchor,
            stroke_width=self._stroke(style),
        )

    def wrap(self, text: str, style: Style, width: float) -> list[str]:
        """Break a text into lines no wider than `width`, between words."""
        return broken(text, lambda line: self.measure(line, style), width)

    def fitting(self, text: str, style: Style, width: float) -> Style:
        """The style, made smaller where the text would be wider than `width`."""
        wide = self.measure(text, style)
        return style if wide <= width else Style(style.size * width / wide, style.colour, bold=style.bold)

    def rounded(  # noqa: PLR0913, PLR0917 - a box is four numbers, and its look two more
        self, x: float, y: float, width: float, height: float, radius: float, colour: Colour
    ) -> None:
        """Lay a filled box with round corners over what is there."""
        size = self._px(width), self._px(height)
        mask = _rounded(*size, min(self._px(radius), min(size) // 2))
        layer = Image.new("RGBA", size, colour)
        layer.putalpha(mask.point([value * colour[3] // 255 for value in range(256)]))
        self._image.alpha_composite(layer, (round(x * self.unit), round(y * self.unit)))

    def on_panel(self, height: float, radius: float, panel: Colour, rim: Colour) -> Canvas:
        """What is drawn, cut at `height` and laid on a panel with round corners and a thin rim."""
        result = Canvas(self.width, height, self.unit, self.language)
        result.rounded(0, 0, self.width, height, radius, rim)
        one = 1 / self.unit
        result.hole(one, one, self.width - 2 * one, height - 2 * one, radius - one, panel)
        size = result._image.size
        result._image.alpha_composite(self._image.crop((0, 0, *size)))
        return result

    def hole(  # noqa: PLR0913, PLR0917 - as `rounded`
        self, x: float, y: float, width: float, height: float, radius: float, colour: Colour
    ) -> None:
        """Replace a box with round corners by a colour, whatever is there."""
        size = self._px(width), self._px(height)
        mask = _rounded(*size, min(self._px(radius), min(size) // 2))
        self._image.paste(Image.new("RGBA", size, colour), (round(x * self.unit), round(y * self.unit)), mask)

    def pixels(self) -> npt.NDArray[np.uint8]:
        """The picture as BGRA (height, width, 4), straight alpha, contiguous."""
        return np.ascontiguousarray(np.asarray(self._image)[:, :, [2, 1, 0, 3]])
