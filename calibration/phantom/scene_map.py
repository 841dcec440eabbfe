"""The stiffness map of a scene: any range, any number of Q-boxes, holes on purpose, and stray specks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.phantom.elastogram import (
    BoxArea,
    Elastogram,
    Mask,
    QBoxValues,
    distance_to,
    log_field,
    q_box_mask,
    scale_to_mean,
    unfilled,
)
from calibration.phantom.geometry import QBox
from calibration.phantom.pane import Pane
from calibration.phantom.properties import Holes
from calibration.phantom.tissue import Plane, as_plane, smooth_noise

_UNFILLED = {"none": (0.0, 0.004), "corner": (0.012, 0.045), "large": (0.07, 0.5)}
SPEED_PER_ROOT_KPA = float(np.sqrt(1 / 3))
"""c = sqrt(E / 3): m/s for kPa, at 1000 kg/m3."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the scanner measures in one Q-box.

    Attributes:
        q_box: in pane pixels.
        kpa: statistics of the filled part, kPa.
        m_s: the same of the speeds, m/s.
        diameter_mm: of the circle.
    """

    q_box: QBox
    diameter_mm: float
    kpa: QBoxValues
    m_s: QBoxValues

    @property
    def mean_kpa(self) -> float:
        """Mean over the filled part of the Q-box, kPa."""
        return self.kpa.mean_kpa


@dataclass(frozen=True, slots=True)
class SceneMap:
    """The map and what is measured in it; `mean_kpa` is that of the whole filled box."""

    elastogram: Elastogram
    measured: tuple[Measured, ...]
    mean_kpa: float


def _muscle_field(rng: np.random.Generator, area: BoxArea, px_per_mm: float) -> Plane:
    """Returns what makes muscle uneven: blobs of 2-5 mm, higher than wide, with a few hot ones; logarithm."""
    height, width = area.inside.shape
    small = (height // 4 + 2, width // 4 + 2)
    tall, wide = (float(v) * px_per_mm / 4 for v in (rng.uniform(0.9, 1.8), rng.uniform(0.6, 1.2)))
    blobs = smooth_noise(rng, small, (tall, wide))
    hot = np.clip(smooth_noise(rng, small, (tall / 2, wide / 2)) - np.float32(1.7), 0.0, 1.2)
    field = np.float32(rng.uniform(0.1, 0.4)) * blobs + np.float32(rng.uniform(0.0, 0.7)) * hot
    return as_plane(cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC))


def _specks(rng: np.random.Generator, stiffness: Plane, clear: Mask, maximum_kpa: float) -> None:
    """Sets small blocks to next to nothing or to the range's end, as real maps have; in place.

    Args:
        rng: source of randomness.
        stiffness: the map (h, w), kPa.
        clear: where specks may stand (h, w).
        maximum_kpa: upper end of the bar.
    """
    h, w = stiffness.shape
    for _ in range(int(rng.integers(0, 24))):
        size = int(rng.integers(3, 7))
        y, x = int(rng.integers(0, max(h - size, 1))), int(rng.integers(0, max(w - size, 1)))
        y = h - 1 - int(rng.integers(0, 14)) if rng.random() < 0.4 else y  # most stand at the base
        share = 0.02 if rng.random() < 0.8 else float(rng.uniform(0.75, 0.98))
        part = stiffness[y : y + size, x : x + size]
        np.copyto(part, np.float32(share * maximum_kpa), where=clear[y : y + size, x : x + size])


def _values(values: Plane) -> QBoxValues:
    if values.size == 0:
        return QBoxValues(0.0, 0.0, 0.0, 0.0)
    v = values.astype(np.float64)
    return QBoxValues(float(v.mean()), float(v.min()), float(v.max()), float(v.std()))


def _distance(area: BoxArea, q_boxes: tuple[QBox, ...]) -> Plane | None:
    """Returns each pixel's distance from the nearest circle's line, negative inside; None without circles."""
    if not q_boxes:
        return None
    gaps = [distance_to(box, area) - np.float32(box.r) for box in q_boxes]
    return np.asarray(np.min(gaps, axis=0), dtype=np.float32)


@dataclass(frozen=True, slots=True)
class MapWish:
    """What the map is to be.

    Attributes:
        holes: how much is unfilled.
        level: mean over the first Q-box (without one: over the box) as a share of the range.
        maximum_kpa: upper end of the bar.
    """

    holes: Holes
    level: float
    maximum_kpa: float


def draw_scene_map(
    rng: np.random.Generator, pane: Pane, q_boxes: tuple[QBox, ...], wish: MapWish
) -> SceneMap:
    """Draws the map.

    Args:
        rng: source of randomness.
        pane: the plane with its colour box.
        q_boxes: the circles; holes stay clear of them.
        wish: holes, level and range.
    """
    area, scale = pane.area, pane.px_per_mm
    field = log_field(rng, area, float(rng.uniform(-2.0, 5.0)), scale)
    if pane.centre_y is None:
        field += _muscle_field(rng, area, scale)
    gap = _distance(area, q_boxes)
    keep = None if gap is None else gap - np.float32(0.8 * scale)
    hole = unfilled(rng, area, float(rng.uniform(*_UNFILLED[wish.holes])), keep, scale)
    filled = area.inside & ~hole
    where = filled if not q_boxes else q_box_mask(q_boxes[0], area) & filled
    stiffness = scale_to_mean(field, where, wish.level * wish.maximum_kpa, wish.maximum_kpa)
    rim = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 0.35 * scale)
    clear = area.inside.copy()
    if keep is not None:
        rim = np.where(keep > 0, rim, 0.0)
        clear &= keep > 0
    stiffness *= 1.0 - np.clip(1.6 * rim, 0.0, 1.0)  # the map falls to dark blue at the edge of a hole
    _specks(rng, stiffness, clear, wish.maximum_kpa)
    measured = []
    for box in q_boxes:
        kpa = stiffness[q_box_mask(box, area) & filled]
        speed = np.sqrt(kpa) * np.float32(SPEED_PER_ROOT_KPA)
        measured.append(Measured(box, 2 * box.r / scale, _values(kpa), _values(speed)))
    whole = float(stiffness[filled].mean()) if filled.any() else 0.0
    return SceneMap(Elastogram(area, stiffness, filled), tuple(measured), whole)
