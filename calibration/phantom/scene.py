"""A scene: any elastography screen that a SuperSonic scanner may show, by its properties.

`draw_acquisition` draws the one kind of screen that the virtual cohort needs, and never changes. A `Scene`
has all the variety that the screen reading must cope with; it is drawn for tests and commissioning alone.
"""

from __future__ import annotations

import numpy as np

from calibration.phantom.layout import LAYOUTS
from calibration.phantom.pane import Pane, draw_pane, place_q_boxes
from calibration.phantom.properties import Scene, random_scene
from calibration.phantom.randomness import stream
from calibration.phantom.scene_map import MapWish, Measured, SceneMap, draw_scene_map
from calibration.phantom.scene_print import bar_ticks, range_kpa, read_out_truth
from calibration.phantom.scene_screen import compose_scene
from calibration.phantom.truth import CircleTruth, FrameTruth, PanesTruth, Picture, QBoxTruth, ReadOutTruth

Rect = tuple[float, float, float, float]
__all__ = ["Scene", "draw_scene", "random_scene"]


def _diameters(rng: np.random.Generator, scene: Scene) -> tuple[float, ...]:
    """Returns the wanted diameters of the Q-boxes, mm."""
    if scene.q_boxes == 1 and scene.probe == "convex" and rng.random() < 0.6:
        return (20.0,)
    low, high = (3.0, 9.0) if scene.probe == "linear" else (8.0, 14.0 if scene.q_boxes > 1 else 20.0)
    return tuple(round(float(v), 1) for v in rng.uniform(low, high, scene.q_boxes))


def draw_scene(scene: Scene, seed: int, colours: Picture | None = None) -> tuple[Picture, FrameTruth]:
    """Draws a screen.

    Args:
        scene: its properties.
        seed: everything else follows from it: anatomy, box, Q-boxes, map, names, clock.
        colours: another map than the scanner's stiffness map, soft to stiff (256, 3), BGR.

    Returns:
        BGR picture (1080, 1440, 3), uint8, and what is on it. `stage` is 0 and `lsm_kpa` is the first Q-box's
        mean: a scene has no patient.
    """
    layout = LAYOUTS[scene.layout]
    pane = draw_pane(seed, scene.probe, layout.elastogram[2:], at_edge=scene.at_edge)
    rng = stream(seed, "q_boxes")
    q_boxes = place_q_boxes(rng, pane, _diameters(rng, scene)) if scene.q_boxes else ()
    scene_map = draw_scene_map(
        stream(seed, "map"),
        pane,
        q_boxes,
        MapWish(scene.holes, scene.level, range_kpa(scene.maximum, scene.unit)),
    )
    printed = tuple(read_out_truth(m, scene, seed, n) for n, m in enumerate(scene_map.measured))
    picture, notes = compose_scene(scene, pane, scene_map, printed, seed, colours=colours)
    return picture, _truth(scene, pane, scene_map, printed, notes)


def _truth(
    scene: Scene,
    pane: Pane,
    scene_map: SceneMap,
    printed: tuple[ReadOutTruth | None, ...],
    notes: tuple[Rect, ...],
) -> FrameTruth:
    layout = LAYOUTS[scene.layout]
    left, top = layout.elastogram[:2]

    def circle(measured: Measured) -> CircleTruth:
        box = measured.q_box
        return CircleTruth(box.x + left, box.y + top, box.r)

    q_boxes = tuple(
        QBoxTruth(circle(m), m.mean_kpa, text) for m, text in zip(scene_map.measured, printed, strict=True)
    )
    first = q_boxes[0] if q_boxes else None
    return FrameTruth(
        stage=0,
        lsm_kpa=first.mean_kpa if first else scene_map.mean_kpa,
        view="swe_dual",
        frozen=scene.frozen,
        colour_box=tuple((float(x) + left, float(y) + top) for x, y in pane.outline),
        q_box=first.circle if first else None,
        q_box_mean_kpa=first.mean_kpa if first else None,
        bar_max_kpa=range_kpa(scene.maximum, scene.unit),
        colour_bar=layout.bar,
        filled_fraction=scene_map.elastogram.filled_fraction,
        panes=PanesTruth(layout.elastogram, layout.gray),
        readout=first.readout if first else None,
        q_boxes=q_boxes,
        unit=scene.unit,
        bar_max=scene.maximum,
        bar_ticks=bar_ticks(scene.maximum, scene.unit),
        opacity=scene.opacity,
        annotations=notes,
        layout=scene.layout,
        probe=scene.probe,
        language=scene.language,
        snowflake=layout.snowflake if scene.frozen else None,
    )
