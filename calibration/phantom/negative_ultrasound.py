"""Ultrasound screens that are no elastography of this scanner, or not enough of it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from calibration.colour_map import supersonic_table
from calibration.phantom.b_mode import Gray, tint
from calibration.phantom.furniture import ORANGE, velocity_colour
from calibration.phantom.geometry import SCREEN_HEIGHT, SCREEN_WIDTH
from calibration.phantom.layout import LAYOUTS, Layout, Rect
from calibration.phantom.pane import Pane, Probe, draw_pane
from calibration.phantom.properties import Scene, random_scene
from calibration.phantom.randomness import stream
from calibration.phantom.scene import draw_scene
from calibration.phantom.scene_furniture import (
    Mode,
    counter,
    depth_scale,
    gray_bar,
    header,
    menu,
    scene_furniture,
    settings,
)
from calibration.phantom.scene_screen import draw_outline
from calibration.phantom.screen import OUTLINE, fixed_point, snowflake
from calibration.phantom.text import draw_text
from calibration.phantom.tissue import Plane, smooth_noise
from calibration.phantom.truth import Picture

SINGLE: Rect = (232, 142, 920, 891)
"""The large pane of screens with one picture."""
FIRST_BUCKET = 1_500_000_000
"""Seeds from here on draw them, so that no scene of a small seed shows the same plane."""
BUCKETS = 8
"""Planes of the negatives, of each probe and size of pane: drawn once each, then mirrored and regraded."""


@lru_cache(maxsize=10 * BUCKETS)
def _bucket(seed: int, probe: Probe, size: tuple[int, int]) -> Pane:
    return draw_pane(seed, probe, size, at_edge=False)


def varied_pane(seed: int, scene: Scene, size: tuple[int, int]) -> tuple[Pane, Gray]:
    """Returns one of a few planes, and its picture mirrored or not, at some gain and contrast."""
    number = int(stream(seed, "bucket").integers(0, BUCKETS))
    pane = _bucket(FIRST_BUCKET + number, scene.probe, size)
    rng = stream(seed, "varied")
    gray = pane.gray[:, ::-1] if rng.random() < 0.5 else pane.gray
    levels = np.arange(256, dtype=np.float64)
    curve = np.where(levels > 0, levels ** float(rng.uniform(0.9, 1.1)) + float(rng.uniform(-12, 18)), 0.0)
    table = np.clip(curve, 0, 255).astype(np.uint8)
    return pane, np.asarray(cv2.LUT(np.ascontiguousarray(gray), table), dtype=np.uint8)


def scanner_around(scene: Scene, layout: Layout, seed: int, mode: Mode) -> Picture:
    """Returns header, settings and menu of a mode on black, without any pane or colour bar."""
    rng = stream(seed, "furniture")
    picture = np.zeros((SCREEN_HEIGHT, SCREEN_WIDTH, 3), dtype=np.uint8)
    if layout.flat:
        picture[:] = (16, 14, 13)
    header(picture, scene, layout, rng)
    settings(picture, scene, layout, rng, mode)
    gray_bar(picture, layout)
    menu(picture, scene, layout)
    counter(picture, scene, layout, rng)
    return picture


def _single(seed: int, mode: Mode) -> tuple[Picture, Picture, Pane, Layout]:
    """Returns a screen with one large pane: the whole, the pane's part of it, the plane, the layout."""
    scene = random_scene(seed)
    layout = LAYOUTS[scene.layout]
    x, y, width, height = SINGLE
    pane, gray = varied_pane(seed, scene, (width, height))
    picture = scanner_around(scene, layout, seed, mode)
    part = picture[y : y + height, x : x + width]
    part[:] = tint(gray)
    depth_scale(picture, layout, pane, SINGLE)
    if scene.frozen:
        snowflake(picture, x + width - 22, y + 36, 14.0)
    return picture, part, pane, layout


def cut(picture: Picture, rect: Rect) -> Picture:
    """Returns the part of the picture in a rectangle; drawing on it draws on the picture."""
    x, y, width, height = rect
    return picture[y : y + height, x : x + width]


def _dual(seed: int, mode: Mode) -> tuple[Picture, Pane, Layout]:
    """Returns a screen with the same plane in both panes: the whole, the plane, the layout."""
    scene = random_scene(seed)
    layout = LAYOUTS[scene.layout]
    picture = scanner_around(scene, layout, seed, mode)
    pane, gray = varied_pane(seed, scene, layout.elastogram[2:])
    for rect in (layout.elastogram, layout.gray):
        cut(picture, rect)[:] = tint(gray)
        depth_scale(picture, layout, pane, rect)
    return picture, pane, layout


def b_mode_single(seed: int) -> Picture:
    """Returns plain B-mode in one large pane."""
    return _single(seed, "b_mode")[0]


def b_mode_dual(seed: int) -> Picture:
    """Returns two panes of plain B-mode, of one plane or of two, without a bar."""
    scene = random_scene(seed)
    layout = LAYOUTS[scene.layout]
    picture = scanner_around(scene, layout, seed, "b_mode")
    same = stream(seed, "dual").random() < 0.5
    for number, rect in enumerate((layout.elastogram, layout.gray)):
        x, y, width, height = rect
        pane, gray = varied_pane(seed if same or number == 0 else seed + 1, scene, (width, height))
        picture[y : y + height, x : x + width] = tint(gray)
        depth_scale(picture, layout, pane, rect)
    return picture


def _velocity(rng: np.random.Generator, shape: tuple[int, int], *, power: bool) -> Plane:
    """Returns flow of -1..1 (or 0..1) in a few vessels, 0 elsewhere."""
    field = np.zeros(shape, dtype=np.float32)
    height, width = shape
    for _ in range(int(rng.integers(2, 6))):
        start = np.array([rng.uniform(0.25, 0.75) * width, rng.uniform(0.25, 0.75) * height])
        heading, points = rng.uniform(0, 2 * np.pi), [start]
        for _ in range(24):
            heading += rng.normal(0, 0.22)
            points.append(points[-1] + 26 * np.array([np.cos(heading), np.sin(heading)]))
        course = np.rint(np.array(points)).astype(np.int32)
        sign = 1.0 if power or rng.random() < 0.5 else -1.0
        peak, thickness = float(rng.uniform(0.4, 1.0)), float(rng.uniform(8, 60))
        for share in np.linspace(1.0, 0.2, 6):
            value = float(sign * peak * (1.05 - share**2))
            cv2.polylines(field, [course], False, value, max(int(thickness * share), 1))
    noise = smooth_noise(rng, shape, (2.0, 2.0))
    return np.asarray(np.where(noise > -1.6, field, 0.0), dtype=np.float32)


def power_colour(power: npt.NDArray[np.float64]) -> Picture:
    """Returns power-Doppler colours (..., 3), BGR, of 0..1: dark red over orange to yellow."""
    red = np.clip(80 + 300 * power, 0, 255)
    green = np.clip(330 * (power - 0.35), 0, 235)
    return np.asarray(np.rint(np.stack([0 * red + 20 * power, green, red], axis=-1)), dtype=np.uint8)


def _lay_flow(part: Picture, pane: Pane, seed: int, *, power: bool) -> None:
    """Draws the flow inside the pane's box, in place."""
    area = pane.area
    height, width = area.inside.shape
    ground = part[area.y : area.y + height, area.x : area.x + width]
    rows, columns = ground.shape[:2]
    velocity = _velocity(stream(seed, "flow"), (height, width), power=power)[:rows, :columns]
    shown = (velocity != 0) & area.inside[:rows, :columns]
    values = velocity[shown].astype(np.float64)
    ground[shown] = power_colour(values) if power else velocity_colour(values)


def _velocity_bar(picture: Picture, layout: Layout, rng: np.random.Generator, *, power: bool) -> None:
    """Draws the bar of velocities or of power where the stiffness bar stands, in place."""
    x, y, width, height = layout.bar
    ramp = np.linspace(1.0, 0.0 if power else -1.0, height)
    colours = power_colour(ramp) if power else velocity_colour(ramp)
    picture[y : y + height, x : x + width] = colours[:, None]
    if power:
        return
    scale = f"{rng.uniform(3, 60):.1f}"
    for text, at in ((f"+{scale}", y - 12), (f"-{scale}", y + height + 24), ("cm/s", y + height + 48)):
        draw_text(picture, text, 1437, at, size=20, align="right", colour=layout.ink)


def doppler(seed: int, *, power: bool) -> Picture:
    """Returns colour or power Doppler: box, flow and its own bar; in one large pane, or over plain B-mode.

    The dual form has an outline in both panes and equal B-mode outside it, as elastography has.
    """
    mode: Mode = "power" if power else "doppler"
    rng = stream(seed, "doppler")
    if rng.random() < 0.6:
        picture, part, pane, layout = _single(seed, mode)
        parts = [part]
    else:
        picture, pane, layout = _dual(seed, mode)
        parts = [cut(picture, layout.elastogram), cut(picture, layout.gray)]
    _lay_flow(parts[0], pane, seed, power=power)
    colour = (200, 200, 200) if rng.random() < 0.5 else OUTLINE
    for part in parts:
        cv2.polylines(part, [fixed_point(pane.outline)], True, colour, 1, cv2.LINE_AA, shift=4)
    _velocity_bar(picture, layout, rng, power=power)
    return picture


def strain_colour(value: npt.NDArray[np.float64]) -> Picture:
    """Returns strain colours (..., 3), BGR, of 0 (hard, blue) over green to 1 (soft, red)."""
    v = np.clip(value, 0, 1)
    red, blue = np.clip(2 * v - 0.9, 0, 1), np.clip(1.1 - 2 * v, 0, 1)
    green = np.clip(1.25 - 2.2 * np.abs(v - 0.5), 0, 1)
    return np.asarray(np.rint(255 * np.stack([blue, green, red], axis=-1)), dtype=np.uint8)


def strain(seed: int) -> Picture:
    """Returns strain elastography: two equal panes, a box in red, green and blue, its own bar."""
    rng = stream(seed, "strain")
    picture, pane, layout = _dual(seed, "strain")
    area = pane.area
    h, w = area.inside.shape
    field = 0.5 + 0.2 * smooth_noise(rng, (h, w), (22.0, 30.0)) + 0.05 * smooth_noise(rng, (h, w), (5.0, 5.0))
    share = float(rng.uniform(0.35, 0.7))
    upper = cut(picture, layout.elastogram)
    ground = upper[area.y : area.y + h, area.x : area.x + w]
    rows, columns = ground.shape[:2]
    colours = strain_colour(field.astype(np.float64))[:rows, :columns]
    mixed = (share * colours + (1 - share) * ground).astype(np.uint8)
    np.copyto(ground, mixed, where=area.inside[:rows, :columns, None])
    outline = ORANGE if rng.random() < 0.5 else OUTLINE
    for part in (upper, cut(picture, layout.gray)):
        cv2.polylines(part, [fixed_point(pane.outline)], True, outline, 1, cv2.LINE_AA, shift=4)
    bx, by, bar_width, bar_height = layout.bar
    order = np.linspace(1.0, 0.0, bar_height)
    order = order[::-1] if rng.random() < 0.5 else order
    picture[by : by + bar_height, bx : bx + bar_width] = strain_colour(order)[:, None]
    draw_text(picture, "Soft", 1437, by - 10, size=20, align="right", colour=layout.ink)
    draw_text(picture, "Hard", 1437, by + bar_height + 24, size=20, align="right", colour=layout.ink)
    return picture


def _other_maps() -> tuple[Picture, ...]:
    """Returns maps of 256 colours (256, 3), BGR, that are not the stiffness map: turned round, or others."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    named = (
        cv2.COLORMAP_HOT,
        cv2.COLORMAP_VIRIDIS,
        cv2.COLORMAP_BONE,
        cv2.COLORMAP_SUMMER,
        cv2.COLORMAP_COOL,
    )
    maps = [np.asarray(cv2.applyColorMap(ramp, name), dtype=np.uint8)[:, 0] for name in named]
    return (supersonic_table(256)[::-1], *maps)


def other_map(seed: int) -> Picture:
    """Returns an elastography screen whose map and bar have other colours, as the settings allow."""
    maps = _other_maps()
    return draw_scene(random_scene(seed), seed, maps[seed % len(maps)])[0]


def other_plane(seed: int) -> Picture:
    """Returns an elastography screen whose lower pane shows another plane, with the box's outline."""
    scene = random_scene(seed)
    layout = LAYOUTS[scene.layout]
    picture, truth = draw_scene(replace(scene, annotated=False), seed)
    x, y, width, height = layout.gray
    _, gray = varied_pane(seed + 1, scene, (width, height))
    part = picture[y : y + height, x : x + width]
    part[:] = tint(gray)
    outline = np.array(truth.colour_box) - np.array(layout.elastogram[:2])
    draw_outline(part, outline, scene.probe, 0.9)
    return picture


def top_pane_alone(seed: int) -> Picture:
    """Returns an elastography screen without its lower pane: black, or the elastogram once more."""
    scene = replace(random_scene(seed), annotated=False)
    layout = LAYOUTS[scene.layout]
    picture, _ = draw_scene(scene, seed)
    x, y, width, height = layout.gray
    if stream(seed, "twice").random() < 0.3:
        ex, ey, _, _ = layout.elastogram
        picture[y : y + height, x : x + width] = picture[ey : ey + height, ex : ex + width]
    else:
        picture[y - 8 : y + height, x - 8 : x + width + 100] = picture[layout.menu_y - 4, 4]
    return picture


def awaiting_map(seed: int) -> Picture:
    """Returns the screen just after elastography was switched on: panes, bar and no colour yet."""
    scene = random_scene(seed)
    layout = LAYOUTS[scene.layout]
    width, height = layout.elastogram[2:]
    pane, gray = varied_pane(seed, scene, (width, height))
    picture = scene_furniture(scene, layout, pane, seed)
    boxed = stream(seed, "boxed").random() < 0.7
    for x, y, _, _ in (layout.elastogram, layout.gray):
        part = picture[y : y + height, x : x + width]
        part[:] = tint(gray)
        if boxed:
            draw_outline(part, pane.outline, scene.probe, 0.9)
    return picture


def dialog(picture: Picture, rect: Rect, rng: np.random.Generator) -> None:
    """Draws a dialog box over part of the screen, in place."""
    x, y, width, height = rect
    face = int(rng.integers(30, 236))
    ink = (235, 235, 235) if face < 130 else (30, 30, 30)
    cv2.rectangle(picture, (x, y), (x + width, y + height), (face, face, face), -1)
    cv2.rectangle(picture, (x, y), (x + width, y + min(28, height)), (140, 100, 60), -1)
    title = str(rng.choice(("Save picture?", "Patient", "Print", "Network", "Battery", "Export to USB")))
    draw_text(picture, title, x + 10, y + 21, size=18, weight="bold", colour=(240, 240, 240))
    for i in range(max((height - 60) // 30, 0)):
        text = str(rng.choice(("Preset: Liver", "Disk 81 %", "DICOM store", "Probe SC6-1", "Cancel", "OK")))
        draw_text(picture, text, x + 16, y + 58 + 30 * i, size=18, colour=ink)


def covered(seed: int) -> Picture:
    """Returns an elastography screen with a dialog over the bar, over most of the box, or the lower pane."""
    scene = random_scene(seed)
    layout, rng = LAYOUTS[scene.layout], stream(seed, "dialog")
    picture, truth = draw_scene(scene, seed)
    xs, ys = np.array(truth.colour_box).T
    where = int(rng.integers(0, 3))
    if where == 0:
        bx, by, bw, bh = layout.bar
        grow = int(rng.integers(10, 200))
        top = by - int(rng.integers(0, 40)) + (bh // 2 if rng.random() < 0.3 else 0)
        dialog(picture, (bx - grow, top, min(bw + grow + 20, 1438 - bx + grow), bh + 30), rng)
    elif where == 1:
        left, top = int(xs.min()) - 12, int(ys.min()) - 12
        width, height = int(np.ptp(xs)) + 24, int(np.ptp(ys)) + 24
        share = float(rng.uniform(0.45, 1.0))
        shift = 0 if rng.random() < 0.5 else int((1 - share) * width)
        dialog(picture, (left + shift, top, int(share * width), height), rng)
    else:
        x, y, width, height = layout.gray
        share = float(rng.uniform(0.7, 1.0))
        dialog(picture, (x, y + int((1 - share) * height * rng.random()), width, int(share * height)), rng)
    return picture
