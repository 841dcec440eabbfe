"""Pictures that a capture card may deliver and that are no ultrasound screen, or another maker's."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom.b_mode import tint
from calibration.phantom.geometry import SCREEN_HEIGHT, SCREEN_WIDTH
from calibration.phantom.negative_ultrasound import dialog, varied_pane
from calibration.phantom.properties import random_scene
from calibration.phantom.randomness import stream
from calibration.phantom.scene import draw_scene
from calibration.phantom.text import draw_text
from calibration.phantom.tissue import smooth_noise
from calibration.phantom.truth import Picture

_SIZE = (SCREEN_HEIGHT, SCREEN_WIDTH)


def _blank(colour: tuple[int, int, int]) -> Picture:
    return np.full((*_SIZE, 3), colour, dtype=np.uint8)


def jet(values: npt.ArrayLike) -> Picture:
    """Returns the colours of the common jet map (..., 3), BGR, for 0-1."""
    index = np.clip(np.asarray(values) * 255, 0, 255).astype(np.uint8)
    flat = cv2.applyColorMap(index.reshape(-1, 1), cv2.COLORMAP_JET)
    return np.asarray(flat, dtype=np.uint8).reshape(*index.shape, 3)


def report(seed: int) -> Picture:
    """Returns a report page: tables of values with kPa, sometimes a bar chart and a thumbnail."""
    rng = stream(seed, "report")
    dark = rng.random() < 0.4
    picture = _blank((24, 24, 24) if dark else (246, 246, 246))
    ink = (220, 220, 220) if dark else (20, 20, 20)
    picture[:70] = tuple(int(v) for v in rng.integers(20, 160, 3))
    draw_text(picture, "Report - Abdomen", 30, 46, size=30, weight="bold", colour=(240, 240, 240))
    y = 120
    for row in range(int(rng.integers(10, 26))):
        label = str(rng.choice(("Mean", "Min", "Max", "SD", "Diam", "Liver length", "CBD", "Portal vein V")))
        value = f"{rng.uniform(0.5, 40):.1f} {rng.choice(('kPa', 'm/s', 'mm', 'cm'))}"
        draw_text(picture, label, 60, y, size=22, colour=ink)
        draw_text(picture, value, 330, y, size=22, colour=ink)
        if row % 4 == 3:
            picture[y + 10, 50:640] = 128
        y += 36
    if rng.random() < 0.6:
        for i in range(8):
            top = 900 - int(rng.integers(30, 420))
            colour = tuple(int(v) for v in rng.integers(0, 255, 3))
            cv2.rectangle(picture, (760 + 75 * i, top), (810 + 75 * i, 900), colour, -1)
    if rng.random() < 0.5:
        screen, _ = draw_scene(random_scene(seed), seed)
        small = cv2.resize(screen, (480, 360), interpolation=cv2.INTER_AREA)
        picture[110:470, 900:1380] = small
    return picture


def menu_over_all(seed: int) -> Picture:
    """Returns a settings menu over the whole screen: tabs, lists, buttons."""
    rng = stream(seed, "menu")
    ground = int(rng.integers(20, 80))
    picture = _blank((ground + 8, ground + 2, ground))
    for i in range(7):
        x = 20 + 200 * i
        shade = ground + (70 if i == int(rng.integers(0, 7)) else 25)
        cv2.rectangle(picture, (x, 20), (x + 190, 70), (shade, shade, shade), -1)
        draw_text(picture, f"Setup {i + 1}", x + 18, 52, size=22, colour=(225, 225, 225))
    for column in range(3):
        for row in range(int(rng.integers(8, 18))):
            x, y = 40 + 470 * column, 110 + 50 * row
            cv2.rectangle(picture, (x, y), (x + 430, y + 40), (ground + 30,) * 3, 1)
            text = str(rng.choice(("Colour map", "Opacity 50 %", "Units kPa", "Language", "Q-Box", "Map 1")))
            draw_text(picture, text, x + 14, y + 28, size=20, colour=(205, 205, 205))
            if rng.random() < 0.3:
                cv2.rectangle(picture, (x + 380, y + 8), (x + 420, y + 32), (60, 160, 240), -1)
    if rng.random() < 0.4:  # a map to choose among others
        for i, name in enumerate((cv2.COLORMAP_JET, cv2.COLORMAP_HOT, cv2.COLORMAP_BONE)):
            ramp = cv2.applyColorMap(np.arange(220, dtype=np.uint8)[::-1, None].copy(), name)
            picture[800:1020, 1000 + 60 * i : 1018 + 60 * i] = ramp
    return picture


def desktop(seed: int) -> Picture:
    """Returns a computer's desktop with icons and windows."""
    rng = stream(seed, "desktop")
    corners = rng.integers(0, 200, (2, 2, 3)).astype(np.uint8)
    picture = np.asarray(cv2.resize(corners, (SCREEN_WIDTH, SCREEN_HEIGHT)), dtype=np.uint8)
    for i in range(int(rng.integers(3, 14))):
        x, y = 24 + 110 * (i // 8), 24 + 120 * (i % 8)
        cv2.rectangle(picture, (x, y), (x + 60, y + 60), tuple(int(v) for v in rng.integers(0, 255, 3)), -1)
        draw_text(picture, f"File {i}", x, y + 84, size=17, colour=(245, 245, 245))
    for _ in range(int(rng.integers(1, 4))):
        w, h = int(rng.integers(300, 900)), int(rng.integers(200, 700))
        x, y = int(rng.integers(0, SCREEN_WIDTH - w)), int(rng.integers(0, SCREEN_HEIGHT - h))
        dialog(picture, (x, y, w, h), rng)
    picture[1040:] = (60, 40, 30)
    draw_text(picture, "14:32", 1420, 1068, size=20, align="right", colour=(240, 240, 240))
    return picture


def other_scanner(seed: int) -> Picture:
    """Returns another maker's screen: other layout, and often a jet bar with a colour box in one pane."""
    rng = stream(seed, "maker")
    scene = random_scene(seed)
    picture = _blank((0, 0, 0))
    band = tuple(int(v) for v in rng.integers(10, 110, 3))
    height = int(rng.integers(40, 110))
    picture[:height] = band
    draw_text(picture, "Patient 0815", 40, height - 14, size=26, colour=(235, 235, 235))
    panes = 2 if rng.random() < 0.5 else 1
    left, top = int(rng.integers(60, 150)), height + int(rng.integers(20, 120))
    pane, gray = varied_pane(seed, scene, (620, 640) if panes == 2 else (860, 700))
    coloured = rng.random() < 0.75
    area, shape = pane.area, pane.area.inside.shape
    field = 0.35 + 0.16 * smooth_noise(rng, shape, (20.0, 24.0))
    for number in range(panes):
        x = left + number * (gray.shape[1] + 10)
        part = picture[top : top + gray.shape[0], x : x + gray.shape[1]]
        visible = gray[: part.shape[0], : part.shape[1]]
        part[:] = tint(visible) if rng.random() < 0.5 else visible[:, :, None]
        if coloured and number == 0:
            ground = part[area.y : area.y + shape[0], area.x : area.x + shape[1]]
            h, w = ground.shape[:2]
            mixed = (0.6 * jet(field)[:h, :w] + 0.4 * ground).astype(np.uint8)
            np.copyto(ground, mixed, where=area.inside[:h, :w, None])
            cv2.polylines(part, [np.rint(pane.outline).astype(np.int32)], True, (60, 230, 240), 2)
    if coloured:
        bar_width, bar_height = int(rng.integers(12, 40)), int(rng.integers(150, 520))
        x = int(rng.choice((12, 1360)))
        y = int(rng.integers(height + 10, 1060 - bar_height))
        ramp = jet(np.linspace(1, 0, bar_height))
        ramp = ramp[::-1] if rng.random() < 0.15 else ramp
        picture[y : y + bar_height, x : x + bar_width] = ramp[:, None]
        text = str(rng.choice(("kPa", "m/s", "50", "cm/s", "10.0 m/s", "SOFT")))
        draw_text(picture, text, x, y - 8, size=20, colour=(220, 220, 220))
    for i in range(int(rng.integers(4, 14))):
        draw_text(picture, f"Gn {rng.integers(0, 99)}", 1290, 500 + 30 * i, size=20, colour=(90, 220, 90))
    return picture


def no_signal(seed: int) -> Picture:
    """Returns black, one colour, colour bars, noise or a card's own picture."""
    rng = stream(seed, "signal")
    match int(rng.integers(0, 5)):
        case 0:
            return _blank((int(rng.integers(0, 20)),) * 3)
        case 1:
            picture = _blank(
                (int(rng.integers(120, 256)), int(rng.integers(0, 60)), int(rng.integers(0, 60)))
            )
            if rng.random() < 0.6:
                draw_text(picture, "NO SIGNAL", 720, 540, size=60, align="centre", colour=(240, 240, 240))
            return picture
        case 2:
            colours = [[255] * 3, [0, 255, 255], [255, 255, 0], [0, 255, 0], [255, 0, 255], [0, 0, 255],
                       [255, 0, 0], [0, 0, 0]]  # fmt: skip
            bars = np.array(colours, dtype=np.uint8)[None] // (1 if rng.random() < 0.5 else 2)
            bars = bars if rng.random() < 0.8 else bars.transpose(1, 0, 2)
            size = (SCREEN_WIDTH, SCREEN_HEIGHT)
            return np.asarray(cv2.resize(bars, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
        case 3:
            cell = int(rng.integers(1, 5))
            small = (SCREEN_HEIGHT // cell, SCREEN_WIDTH // cell, 3 if rng.random() < 0.5 else 1)
            noise = np.broadcast_to(rng.integers(0, 256, small, dtype=np.uint8), (*small[:2], 3))
            size = (SCREEN_WIDTH, SCREEN_HEIGHT)
            out = cv2.resize(np.ascontiguousarray(noise), size, interpolation=cv2.INTER_NEAREST)
            return np.asarray(out, dtype=np.uint8)
        case _:
            picture = _blank((30, 30, 30))
            centre = (int(rng.integers(300, 1100)), int(rng.integers(300, 800)))
            b, g, r = (int(v) for v in rng.integers(60, 255, 3))
            colour = (b, g, r)
            cv2.circle(picture, centre, int(rng.integers(60, 200)), colour, -1, cv2.LINE_AA)
            draw_text(picture, "HD CAPTURE", 720, 930, size=54, weight="bold", align="centre", colour=colour)
            draw_text(picture, "no input", 720, 990, size=30, align="centre", colour=(200, 200, 200))
            return picture


def video_player(seed: int) -> Picture:
    """Returns a player that shows an elastography screen small, turned by a few degrees or right angles."""
    rng = stream(seed, "player")
    picture = desktop(seed)
    screen, _ = draw_scene(random_scene(seed), seed)
    scale = float(rng.uniform(0.25, 0.55))
    width, height = int(scale * SCREEN_WIDTH), int(scale * SCREEN_HEIGHT)
    x = int(rng.integers(20, SCREEN_WIDTH - width - 20))
    y = int(rng.integers(40, SCREEN_HEIGHT - height - 70))
    angle = float(rng.choice((-1.0, 1.0)) * rng.uniform(2.0, 25.0))
    if rng.random() < 0.2:  # somebody held the camera upright, or upside down
        angle = float(rng.choice((-90.0, 90.0, 180.0)))
    matrix = cv2.getRotationMatrix2D((SCREEN_WIDTH / 2, SCREEN_HEIGHT / 2), angle, scale)
    matrix[:, 2] += np.array([x + width / 2 - SCREEN_WIDTH / 2, y + height / 2 - SCREEN_HEIGHT / 2])
    frame = picture[y - 30 : y + height + 30, x - 10 : x + width + 10]
    frame[:] = 12
    cover = cv2.warpAffine(np.full(_SIZE, 255, np.uint8), matrix, (SCREEN_WIDTH, SCREEN_HEIGHT))
    turned = cv2.warpAffine(screen, matrix, (SCREEN_WIDTH, SCREEN_HEIGHT), flags=cv2.INTER_AREA)
    picture[cover > 127] = turned[cover > 127]
    cv2.line(picture, (x, y + height + 15), (x + width, y + height + 15), (90, 90, 90), 4)
    return picture


def photograph(seed: int) -> Picture:
    """Returns a natural texture: coloured noise of all sizes, edges and shadows, as in a photograph."""
    rng = stream(seed, "photograph")
    small = (SCREEN_HEIGHT // 2, SCREEN_WIDTH // 2)
    light = np.zeros(small, dtype=np.float32)
    for sigma, weight in ((90.0, 1.0), (30.0, 0.5), (10.0, 0.3), (3.0, 0.15)):
        light += np.float32(weight) * smooth_noise(rng, small, (sigma, sigma))
    layers = []
    base = rng.uniform(70, 160) + rng.uniform(-35, 35, 3)
    gain = rng.uniform(20, 60) * rng.uniform(0.7, 1.2, 3)
    for channel in range(3):
        tone = smooth_noise(rng, small, (60.0, 60.0))
        layers.append(base[channel] + gain[channel] * light + 9 * tone)
    mixed = np.stack(layers, axis=-1)
    for _ in range(int(rng.integers(2, 9))):
        corners = rng.uniform(0, 1, (int(rng.integers(3, 7)), 2)) * [small[1], small[0]]
        mask = cv2.fillPoly(np.zeros(small, np.uint8), [corners.astype(np.int32)], 1)
        shade = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), float(rng.uniform(0.6, 12.0)))
        mixed += shade[:, :, None] * (rng.uniform(-60, 60) + rng.uniform(-15, 15, 3))
    grain = rng.normal(0.0, float(rng.uniform(1.0, 6.0)), (*small, 1))
    picture = np.clip(mixed + grain, 0, 255).astype(np.uint8)
    out = cv2.resize(picture, (SCREEN_WIDTH, SCREEN_HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.asarray(out, dtype=np.uint8)


def thermal_camera(seed: int) -> Picture:
    """Returns a thermal camera's picture with its jet bar at the right."""
    rng = stream(seed, "thermal")
    small = (SCREEN_HEIGHT // 4, SCREEN_WIDTH // 4)
    heat = 0.4 + 0.12 * smooth_noise(rng, small, (40.0, 40.0)) + 0.03 * smooth_noise(rng, small, (3.0, 3.0))
    for _ in range(int(rng.integers(1, 4))):
        centre = (int(rng.integers(0, small[1])), int(rng.integers(0, small[0])))
        axes = (int(rng.integers(20, 90)), int(rng.integers(20, 90)))
        body = cv2.ellipse(
            np.zeros(small, np.float32), centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1
        )
        heat += np.float32(rng.uniform(0.15, 0.5)) * cv2.GaussianBlur(body, (0, 0), 6.0)
    whole = cv2.resize(heat, (SCREEN_WIDTH, SCREEN_HEIGHT), interpolation=cv2.INTER_CUBIC)
    picture = jet(np.clip(whole, 0, 1))
    height, width = int(rng.integers(200, 800)), int(rng.integers(14, 40))
    x, y = int(rng.integers(1340, 1400)), int(rng.integers(60, 1060 - height))
    if rng.random() < 0.6:
        cv2.rectangle(picture, (x - 12, y - 40), (1439, y + height + 14), (0, 0, 0), -1)
    picture[y : y + height, x : x + width] = jet(np.linspace(1, 0, height))[:, None]
    draw_text(
        picture, f"{rng.uniform(30, 40):.1f} C", 1436, y - 10, size=22, align="right", colour=(255,) * 3
    )
    return picture
