"""What stands around the panes of a scene: header, settings, bars, depth scales, menu; in any layout."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from calibration.colour_map import supersonic_table
from calibration.phantom.acquisition import draw_banner
from calibration.phantom.furniture import ORANGE, swirl
from calibration.phantom.geometry import SCREEN_HEIGHT, SCREEN_WIDTH
from calibration.phantom.language import WORDS
from calibration.phantom.layout import Layout, Rect
from calibration.phantom.pane import Pane
from calibration.phantom.properties import Scene
from calibration.phantom.randomness import stream
from calibration.phantom.scene_print import maximum_text, tick_texts
from calibration.phantom.text import draw_text
from calibration.phantom.truth import Picture

Mode = Literal["swe", "b_mode", "doppler", "power", "strain"]
SETTINGS_INK = (200, 200, 200)
"""Measured on the real screen."""
_PROBES = {
    ("aixplorer", "convex"): ("SC6-1", "XC6-1"),
    ("aixplorer", "linear"): ("SL15-4", "SL10-2"),
    ("mach30", "convex"): ("C6-1X", "C9-2X"),
    ("mach30", "linear"): ("L10-2", "L18-5"),
    ("custom", "convex"): ("SC6-1",),
    ("custom", "linear"): ("SL10-2",),
}


def header(picture: Picture, scene: Scene, layout: Layout, rng: np.random.Generator) -> None:
    """Draws site, patient, clock, indices and the preset."""
    words, banner = WORDS[scene.language], draw_banner(rng)
    picture[: layout.header_height] = layout.panel
    if layout.flat:
        picture[layout.header_height - 2 : layout.header_height] = (96, 78, 60)
    else:
        swirl(picture, 17, 8, 74, (250, 210, 150))
    preset = words.liver if scene.probe == "convex" else words.muscle
    application = words.abdomen if scene.probe == "convex" else "MSK"
    probe = str(rng.choice(_PROBES[scene.layout, scene.probe]))
    day, month, year = (int(rng.integers(*span)) for span in ((1, 29), (1, 13), (2019, 2027)))
    hour, minute, second = (int(rng.integers(*span)) for span in ((7, 19), (0, 60), (0, 60)))
    clock = f"{day:02}/{month:02}/{year} {hour:02}:{minute:02}:{second:02}"
    indices = f"MI {rng.uniform(0.9, 1.6):.1f}  TIs  {rng.uniform(0.4, 1.5):.1f}"
    low = layout.header_height
    size = 20 if layout.flat else 24
    for text, x, share, align in (
        (banner.site, 24 if layout.flat else 94, 0.27, "left"),
        (banner.name, 766, 0.27, "centre"),
        (f"ID: {banner.identifier}", 766, 0.93, "centre"),
        (clock, 1437, 0.27, "right"),
        (indices, 1437, 0.6, "right"),
        (f"{probe} / {application} / {preset}", 1437, 0.93, "right"),
    ):
        weight = "regular" if layout.flat else "bold"
        y = max(round(low * share), 20) if not layout.flat else max(round(low * share) - 3, 19)
        draw_text(picture, text, x, y, align=align, size=size, weight=weight, colour=layout.ink)


def _mode_lines(scene: Scene, mode: Mode, rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """Returns title and lines of the second block of settings; of B-mode both are empty."""
    opacity = f"S {rng.integers(1, 9)}/O {round(100 * scene.opacity)} %"
    gain = f"G {rng.integers(60, 97)} %"
    rate = f"{rng.choice(('Std', 'Pen', 'Res'))}/{rng.uniform(0.7, 2.4):.1f} Hz"
    flow = ("Gen/Med", f"PRF {rng.uniform(0.7, 3.0):.1f} kHz", "F 60 Hz", gain)
    match mode:
        case "swe":
            return "SWE\N{TRADE MARK SIGN}", (rate, "M 1/Med", opacity, gain)
        case "doppler":
            return "CFI", flow
        case "power":
            return "CPI", flow
        case "strain":
            return "ELASTO", (rate, "M 2/Med", opacity, "P 3")
        case "b_mode":
            return "", ()


def settings(
    picture: Picture, scene: Scene, layout: Layout, rng: np.random.Generator, mode: Mode = "swe"
) -> None:
    """Draws the settings' blocks; in elastography the opacity is among them."""
    words = WORDS[scene.language]
    x, y = layout.column
    size, step = layout.text_size, layout.column_step
    image = (
        "Gen/Med",
        f"M {rng.integers(3, 12)}/{rng.choice((60, 65, 68, 72))} dB/{words.low}",
        "T 1540 m/s",
        "SC/SR 3",
        f"G {rng.integers(38, 64)} %",
        f"Fr. {rng.integers(9, 24)} Hz",
    )
    title, map_lines = _mode_lines(scene, mode, rng)
    colour = SETTINGS_INK if not layout.flat else layout.ink
    if layout.name == "custom":  # all in rows below the header
        for i, text in enumerate((" ".join(image), "  ".join((title, *map_lines)))):
            draw_text(picture, text, x, y + 30 * i, size=size, colour=colour)
        return
    draw_text(picture, "B", x, y, weight="bold", size=size, colour=colour)
    for i, text in enumerate(image):
        draw_text(picture, text, x + 10, y + (i + 1) * step, size=size, colour=colour)
    second = y + 9 * step
    draw_text(picture, title, x, second - 1, weight="bold", size=size, colour=colour)
    for i, text in enumerate(map_lines):
        draw_text(picture, text, x + 10, second + (i + 1) * step, size=size, colour=colour)
    zoom = f"Z {10 * int(rng.integers(9, 15))}  %"
    draw_text(picture, zoom, x, second + 7 * step + 1, weight="bold", size=size, colour=colour)
    if layout.flat:
        for rule in (y - step - 8, second - step - 8):
            picture[rule, x : x + 214] = (86, 80, 76)


def gray_bar(picture: Picture, layout: Layout) -> None:
    """Draws the narrow bar of the gray map."""
    gx, gy, gray_width, gray_height = layout.gray_bar
    ramp = np.linspace(255, 0, gray_height)[:, None]
    gray = np.clip(ramp * np.array([[1.0, 0.97, 0.97]]), 0, 255).astype(np.uint8)
    picture[gy : gy + gray_height, gx : gx + gray_width] = gray[:, None]


def bars(picture: Picture, scene: Scene, layout: Layout) -> None:
    """Draws the gray bar, the colour bar, its range above it and four ticks at its right."""
    gray_bar(picture, layout)
    x, y, width, height = layout.bar
    # A row shows the value at its centre: (row + 0.5) / height of the range.
    picture[y : y + height, x : x + width] = supersonic_table(2 * height + 1)[1::2][::-1][:, None]
    ink = SETTINGS_INK if not layout.flat else layout.ink
    draw_text(picture, maximum_text(scene), 1437, y - 12, size=22, align="right", colour=ink)
    for share, text in zip((0.2, 0.4, 0.6, 0.8), tick_texts(scene), strict=True):
        at = y + round((1 - share) * height) + 7
        draw_text(picture, text, x + width + 4, at, size=20 if len(text) < 4 else 17, colour=ink)


def depth_scale(picture: Picture, layout: Layout, pane: Pane, rect: Rect, *, comma: bool = False) -> None:
    """Draws ticks every half centimetre at the right and upper edges, numbers every centimetre."""
    x, y, width, height = rect
    step = pane.px_per_mm * 5
    ink = SETTINGS_INK if not layout.flat else layout.ink
    for i in range(int(pane.depth_mm / 5) + 1):
        at = round(y + pane.skin_y + i * step)
        if at > y + height - 2:
            break
        picture[at : at + 2, x + width : x + width + (9 if i % 2 == 0 else 3)] = 120
        if i % 2 == 0:
            text = f"{i / 2:.1f}".replace(".", "," if comma else ".")
            if layout.name == "custom" or at > y + height - 10:
                continue  # no room between panes that stand side by side, nor above the next pane's zero
            draw_text(picture, text, x + width + 18, at + 8, size=21, colour=ink)
    for i in range(int(width / 2 / step) + 1):
        for at in {round(x + width / 2 + i * step), round(x + width / 2 - i * step)}:
            picture[y - (7 if i % 2 == 0 else 3) : y, at : at + 2] = 110


def focus_mark(picture: Picture, rect: Rect, rng: np.random.Generator) -> None:
    """Draws the focal zone at the pane's right edge: an upright line with a short arm at its top."""
    x, y, width, height = rect
    top = y + int(rng.integers(height // 5, height // 2))
    tall = int(rng.integers(50, 100))
    at = x + width - 13
    picture[top : top + tall, at : at + 2] = (190, 190, 190)
    picture[top : top + 2, at - 18 : at + 10] = (190, 190, 190)


def menu(picture: Picture, scene: Scene, layout: Layout) -> None:
    """Draws the row of soft keys at the bottom."""
    words, y = WORDS[scene.language], layout.menu_y
    picture[y:] = layout.panel
    grey = (176, 176, 176)
    if layout.flat:
        for i, text in enumerate((words.pan, words.box_position, words.box_size)):
            colour = ORANGE if i == 1 else grey
            draw_text(picture, text, 420 + 220 * i, min(y + 20, 1074), size=19, colour=colour)
        return
    draw_text(picture, words.pan, 504, y + 18, size=23, weight="bold", colour=grey)
    draw_text(picture, words.box_position, 604, y + 15, size=23, weight="bold", colour=ORANGE)
    draw_text(picture, words.box_size, 604, y + 30, size=23, weight="bold", colour=(150, 150, 150))
    cv2.rectangle(picture, (786, y + 3), (811, y + 26), (150, 150, 150), 2, cv2.LINE_AA)
    arrow = np.array([[794, 7], [794, 21], [797, 18], [800, 24], [803, 22], [800, 17], [804, 17]])
    arrow[:, 1] += y
    cv2.fillPoly(picture, [arrow.astype(np.int32)], (200, 200, 200), cv2.LINE_AA)


def counter(picture: Picture, scene: Scene, layout: Layout, rng: np.random.Generator) -> None:
    """Draws the cine counter and its slider; empty while live."""
    x, y = layout.counter
    cv2.rectangle(picture, (x, y - 28), (x + 99, y - 16), (34, 34, 34), 1)
    if not scene.frozen:
        return
    count = int(rng.integers(60, 200))
    shown = int(rng.integers(count - 12, count + 1))
    at = x + round(96 * shown / count)
    picture[y - 27 : y - 16, at : at + 3] = 110
    text = f"{WORDS[scene.language].frame}: {shown}/{count}"
    draw_text(picture, text, x, y, size=21 if not layout.flat else 17, colour=(84, 84, 84))


def scene_furniture(scene: Scene, layout: Layout, pane: Pane, seed: int) -> Picture:
    """Returns everything around the panes, on black (1080, 1440, 3), BGR."""
    rng = stream(seed, "furniture")
    picture = np.zeros((SCREEN_HEIGHT, SCREEN_WIDTH, 3), dtype=np.uint8)
    if layout.flat:
        picture[:] = (16, 14, 13)
    header(picture, scene, layout, rng)
    settings(picture, scene, layout, rng)
    bars(picture, scene, layout)
    menu(picture, scene, layout)
    for rect in (layout.elastogram, layout.gray):
        depth_scale(picture, layout, pane, rect, comma=scene.comma)
        if not layout.flat:
            swirl(picture, rect[0] + 7, rect[1] - 24, 21, (190, 190, 190))
    counter(picture, scene, layout, rng)
    return picture
