"""One scene's screen: panes, blend at any opacity, outlines, rings, read-out blocks, snowflake, free text."""

from __future__ import annotations

import cv2
import numpy as np

from calibration.colour_map import supersonic_table
from calibration.phantom.b_mode import tint
from calibration.phantom.furniture import ORANGE
from calibration.phantom.geometry import Pixels
from calibration.phantom.language import WORDS
from calibration.phantom.layout import LAYOUTS, Layout, Rect
from calibration.phantom.pane import Pane, Probe
from calibration.phantom.properties import Scene
from calibration.phantom.randomness import stream
from calibration.phantom.scene_furniture import focus_mark, scene_furniture
from calibration.phantom.scene_map import SPEED_PER_ROOT_KPA, SceneMap
from calibration.phantom.screen import OUTLINE, RING, fixed_point, snowflake
from calibration.phantom.text import draw_text, text_size
from calibration.phantom.tissue import Plane, as_plane
from calibration.phantom.truth import Picture, ReadOutTruth

Notes = tuple[tuple[float, float, float, float], ...]
NOTE_INK = (250, 244, 232)


def share_of_bar(stiffness_kpa: Plane, scene: Scene) -> Plane:
    """Returns where values lie on the bar, 0-1; a bar of speeds is linear in the speed."""
    if scene.unit == "m/s":
        return as_plane(np.sqrt(stiffness_kpa) * np.float32(SPEED_PER_ROOT_KPA / scene.maximum))
    return as_plane(stiffness_kpa / np.float32(scene.maximum))


def blend(upper: Picture, scene_map: SceneMap, scene: Scene, table: Picture | None = None) -> None:
    """Lays the colours over the pane at the scene's opacity, in place.

    Args:
        upper: the pane.
        scene_map: what is laid over it.
        scene: opacity and range.
        table: 256 colours from soft to stiff (256, 3), BGR; None: the scanner's stiffness map.
    """
    elastogram = scene_map.elastogram
    area = elastogram.area
    h, w = area.inside.shape
    index = np.rint(np.clip(share_of_bar(elastogram.stiffness_kpa, scene), 0, 1) * 255).astype(np.uint8)
    colours = (supersonic_table(256) if table is None else table)[index].astype(np.float32)
    ground = upper[area.y : area.y + h, area.x : area.x + w]
    height, width = ground.shape[:2]
    a = np.float32(scene.opacity)
    mixed = a * colours[:height, :width] + (1 - a) * ground + np.float32(0.5)
    np.copyto(ground, mixed.astype(np.uint8), where=elastogram.filled[:height, :width, None])


def draw_outline(pane_picture: Picture, outline: Pixels, probe: Probe, strength: float) -> None:
    """Draws the colour box's outline: gray for the convex probe, orange for the linear one; in place.

    Args:
        pane_picture: the pane.
        outline: pane pixels (n, 2).
        probe: which kind of box.
        strength: 0-1; on the real screen the line lets some of the picture through.
    """
    colour = OUTLINE if probe == "convex" else ORANGE
    over = pane_picture.copy()
    cv2.polylines(over, [fixed_point(outline)], True, colour, 1, cv2.LINE_AA, shift=4)
    cv2.addWeighted(over, strength, pane_picture, 1 - strength, 0.0, dst=pane_picture)


def mark(pane_picture: Picture, scene: Scene, pane: Pane, scene_map: SceneMap, strength: float) -> None:
    """Draws the colour box's outline and the rings of the Q-boxes, in place."""
    draw_outline(pane_picture, pane.outline, scene.probe, strength)
    for measured in scene_map.measured:
        box = measured.q_box
        centre = (round(box.x * 16), round(box.y * 16))
        cv2.circle(pane_picture, centre, round(box.r * 16), RING, 2, cv2.LINE_AA, shift=4)


def read_outs(picture: Picture, layout: Layout, printed: tuple[ReadOutTruth | None, ...]) -> None:
    """Prints one block per Q-box: below one another, or side by side where the layout says so."""
    shown = [text for text in printed if text is not None]
    if not shown:
        return
    step, size = {1: (29, 23), 2: (26, 22), 3: (21, 19)}[len(shown)]
    if layout.read_out_across:
        step, size = 24, 20
    x, y = layout.read_out
    if len(shown) == 3 and not layout.read_out_across:
        y -= 24
    indent = max(text_size(label, size=size)[0] for label, _ in shown[0].lines) + 22
    for number, text in enumerate(shown):
        title = "Q-Box\N{TRADE MARK SIGN}" + (f" {number + 1}" if len(shown) > 1 else "")
        draw_text(picture, title, x, y, size=size + 1, weight="bold", colour=(205, 205, 205))
        for i, (label, value) in enumerate(text.lines):
            at = y + round(1.1 * step) + step * i
            draw_text(picture, label, x + 6, at, size=size, colour=(190, 190, 190))
            draw_text(picture, value, x + 6 + indent, at, size=size, colour=(205, 205, 205))
        if layout.read_out_across:
            x += 340
        else:
            y += step * (len(text.lines) + 1) + round(0.9 * step)


def _crosses(rect: Rect, circles: list[tuple[float, float, float]]) -> bool:
    """Whether a rectangle touches a circle (x, y, r) or its near surroundings."""
    x, y, w, h = rect
    for cx, cy, r in circles:
        dx, dy = max(x - cx, 0.0, cx - x - w), max(y - cy, 0.0, cy - y - h)
        if np.hypot(dx, dy) < r + 6:
            return True
    return False


def annotate(picture: Picture, scene: Scene, layout: Layout, scene_map: SceneMap, seed: int) -> Notes:
    """Writes a free text across the image, also over the box, but not where anything is measured.

    Returns:
        Its bounding rectangle.
    """
    rng = stream(seed, "note")
    text, size = str(rng.choice(WORDS[scene.language].notes)), int(rng.integers(24, 37))
    width, height = text_size(text, size=size, weight="note")
    circles: list[tuple[float, float, float]] = [
        (m.q_box.x + pane[0], m.q_box.y + pane[1], m.q_box.r)
        for m in scene_map.measured
        for pane in (layout.elastogram, layout.gray)
    ]
    circles.append((*layout.snowflake, 14.0))
    for _ in range(60):
        px, py, pw, ph = layout.elastogram if rng.random() < 0.5 else layout.gray
        x = int(rng.integers(max(px - width // 3, 4), px + pw - width // 2))
        y = int(rng.integers(py + height + 2, py + ph))
        rect = (x - 2, y - height - 2, width + 4, height + 12)
        if not _crosses(rect, circles):
            draw_text(picture, text, x, y, size=size, weight="note", colour=NOTE_INK)
            return (tuple(float(v) for v in rect),)  # type: ignore[return-value] # four of them
    return ()


def compose_scene(  # noqa: PLR0913 - a screen has this many independent parts
    scene: Scene,
    pane: Pane,
    scene_map: SceneMap,
    printed: tuple[ReadOutTruth | None, ...],
    seed: int,
    *,
    colours: Picture | None = None,
) -> tuple[Picture, Notes]:
    """Returns the screen (1080, 1440, 3), BGR, and the rectangles of free texts over the image."""
    layout = LAYOUTS[scene.layout]
    picture = scene_furniture(scene, layout, pane, seed)
    if colours is not None:
        x, y, width, height = layout.bar
        picture[y : y + height, x : x + width] = cv2.resize(colours[::-1, None], (width, height))
    tinted = tint(pane.gray)
    strength = float(stream(seed, "outline").uniform(0.7, 1.0))
    for number, (x, y, width, height) in enumerate((layout.elastogram, layout.gray)):
        part = picture[y : y + height, x : x + width]
        part[:] = tinted
        if number == 0:
            blend(part, scene_map, scene, colours)
        mark(part, scene, pane, scene_map, strength)
        focus_mark(picture, (x, y, width, height), stream(seed, "focus"))
    if scene.frozen:
        snowflake(picture, *layout.snowflake, 13.0, thickness=2)
    read_outs(picture, layout, printed)
    notes = annotate(picture, scene, layout, scene_map, seed) if scene.annotated else ()
    return picture, notes
