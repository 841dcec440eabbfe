"""A figure as files and as part of a page: PNG and SVG in the project's style, the same bytes every time."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Canvas

from firmware_app.wording import NOTICE

JPEG_QUALITY = 88
"""Of photographs in a page, 0-100; the lossless PNG lies beside it."""
_STYLE = Path(__file__).parent / "templates" / "figures.mplstyle"


@dataclass(frozen=True, slots=True)
class FigureFile:
    """A drawn figure: its name without suffix, its words, and the picture as a data address for a page."""

    name: str
    title: str
    caption: str
    alt: str
    address: str


@dataclass(frozen=True, slots=True)
class Words:
    """What a figure is called.

    Attributes:
        name: of its files, without suffix.
        title: in bold under it.
        caption: after the title.
        alt: the figure in words, for those who do not see it; empty: its title and the three thresholds.
    """

    name: str
    title: str
    caption: str
    alt: str = ""


def save_figure(
    draw: Callable[[], Canvas], folder: Path, words: Words, *, photographs: bool = False
) -> FigureFile:
    """Draw in the project's style, with the notice below, and write PNG and SVG without dates.

    Args:
        draw: gives the canvas; called with the style in force.
        folder: where both files go.
        words: what the figure is called.
        photographs: pages get a JPEG, a seventh of the size then, instead of the SVG.

    Raises:
        OSError: the folder cannot be written.
    """
    with mpl.rc_context(fname=_STYLE):
        canvas = draw()
        canvas.supxlabel(NOTICE, fontsize=7, color="#666666")
        canvas.draw_without_rendering()
        canvas.set_layout_engine("none")  # laid out once, for both files
        canvas.savefig(folder / f"{words.name}.png", metadata={"Software": None})
        canvas.savefig(folder / f"{words.name}.svg", metadata={"Date": None, "Creator": None})
        picture, kind = (folder / f"{words.name}.svg").read_bytes(), "svg+xml"
        if photographs:
            file = io.BytesIO()
            canvas.savefig(file, format="jpeg", pil_kwargs={"quality": JPEG_QUALITY})
            picture, kind = file.getvalue(), "jpeg"
    encoded = base64.b64encode(picture).decode()
    alt = words.alt or f"{words.title} for the thresholds S4, at least S3 and at least S2"
    # As an image of its own: the ids of two drawings on one page cannot meet.
    return FigureFile(words.name, words.title, words.caption, alt, f"data:image/{kind};base64,{encoded}")
