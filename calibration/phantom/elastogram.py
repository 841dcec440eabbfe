"""The stiffness map inside the colour box: a smooth field, and where it is filled.

The recipe stands in CLINICAL section 5. The mean over the Q-box is exactly the acquisition's stiffness; how
uneven the field is follows the elastogram's latent; the holes follow only the quality of the measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom.geometry import (
    BAR_MAX_KPA,
    PROBE_RADIUS_MM,
    Q_BOX_DIAMETER_MM,
    ColourBox,
    QBox,
    Sector,
)
from calibration.phantom.tissue import Plane, as_plane, smooth_noise

Mask = npt.NDArray[np.bool_]
FIELD_MM = 0.5
"""Spacing of the grid on which the field is made."""
FIELD_SD_LOW, FIELD_SD_HIGH = 0.06, 0.18


@dataclass(frozen=True, slots=True)
class BoxArea:
    """The colour box in pane pixels.

    Attributes:
        x, y: upper left corner of the bounding rectangle.
        inside: pixels of the box (h, w).
        depth, across: position inside the box, 0-1 from top to base and from left to right (h, w).
    """

    x: int
    y: int
    inside: Mask
    depth: Plane
    across: Plane


@dataclass(frozen=True, slots=True)
class Elastogram:
    """A stiffness map: `stiffness_kpa` and `filled` of shape (h, w), placed at the area's corner."""

    area: BoxArea
    stiffness_kpa: Plane
    filled: Mask

    @property
    def filled_fraction(self) -> float:
        """Filled share of the colour box, 0-1."""
        return float(self.filled.sum() / self.area.inside.sum())


@dataclass(frozen=True, slots=True)
class QBoxValues:
    """What the scanner measures in the Q-box, kPa."""

    mean_kpa: float
    min_kpa: float
    max_kpa: float
    sd_kpa: float


def box_area(box: ColourBox, sector: Sector) -> BoxArea:
    """Returns which pane pixels lie inside the colour box."""
    outline = box.outline(sector)
    x0, y0 = np.floor(outline.min(axis=0)).astype(int)
    x1, y1 = np.ceil(outline.max(axis=0)).astype(int) + 1
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float64)
    dx, dy = x - sector.centre_x, y - sector.centre_y
    depth = (np.hypot(dx, dy) / sector.px_per_mm - box.inner_mm) / (box.outer_mm - box.inner_mm)
    across = (np.arctan2(dx, dy) - box.left) / (box.right - box.left)
    inside = (depth >= 0) & (depth <= 1) & (across >= 0) & (across <= 1)
    return BoxArea(int(x0), int(y0), inside, depth.astype(np.float32), across.astype(np.float32))


def place_q_box(rng: np.random.Generator, box: ColourBox, sector: Sector) -> QBox:
    """Returns a Q-box somewhere near the middle of the colour box, wholly inside it."""
    radius_mm = Q_BOX_DIAMETER_MM / 2
    margin = radius_mm + 1.0
    depth = float(rng.uniform(box.inner_mm + margin, max(box.outer_mm - margin - 1.0, box.inner_mm + margin)))
    room = max((box.right - box.left) / 2 - margin / depth - 0.01, 0.0)
    angle = (box.left + box.right) / 2 + float(rng.uniform(-room, room)) * 0.8
    x, y = sector.to_pixels(depth, angle)
    return QBox(float(x), float(y), radius_mm * sector.px_per_mm, depth - PROBE_RADIUS_MM)


def distance_to(q_box: QBox, area: BoxArea) -> Plane:
    """Returns each pixel's distance from the circle's centre (h, w)."""
    h, w = area.inside.shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    return as_plane(np.hypot(x + (area.x - q_box.x), y + (area.y - q_box.y)))


def q_box_mask(q_box: QBox, area: BoxArea) -> Mask:
    """Returns the pixels (h, w) whose centres lie in the circle."""
    return np.asarray(distance_to(q_box, area) <= q_box.r)


def field_sd(em_latent: float) -> float:
    """Returns the standard deviation of the log field: 0.06 at latent -2 and below, 0.18 at 5 and above."""
    share = float(np.clip((em_latent + 2.0) / 7.0, 0.0, 1.0))
    return FIELD_SD_LOW * float((FIELD_SD_HIGH / FIELD_SD_LOW) ** share)


def log_field(rng: np.random.Generator, area: BoxArea, em_latent: float, px_per_mm: float) -> Plane:
    """Returns the logarithm of the relative stiffness in the bounding rectangle (h, w)."""
    h, w = area.inside.shape
    shape = (int(h / px_per_mm / FIELD_MM) + 2, int(w / px_per_mm / FIELD_MM) + 2)
    share = np.clip((em_latent + 2.0) / 7.0, 0.0, 1.0)
    sigma = (2.6 - 0.7 * share) / FIELD_MM  # 4-6 mm full width at half maximum
    smooth = smooth_noise(rng, shape, (sigma, sigma))
    fine = smooth_noise(rng, shape, (1.0 / FIELD_MM, 1.0 / FIELD_MM))
    field = (0.93 * smooth + 0.37 * fine) * np.float32(field_sd(em_latent))
    field = cv2.resize(field, (w, h), interpolation=cv2.INTER_CUBIC)
    deep = cv2.resize(smooth_noise(rng, shape, (4.0, 4.0)), (w, h), interpolation=cv2.INTER_CUBIC)
    field += deep * np.float32(0.03) * np.clip(area.depth, 0.0, 1.0)
    strips = rng.normal(0.0, 0.015, 3)
    field += np.interp(area.across, [0.30, 0.36, 0.63, 0.69], strips[[0, 1, 1, 2]]).astype(np.float32)
    for seam in (0.333, 0.667):
        field += np.float32(rng.normal(0.0, 0.02)) * np.exp(
            -(((area.across - seam) / np.float32(0.012)) ** 2)
        )
    hot = np.float32(max(rng.normal(0.12, 0.15), 0.0))
    field += hot * np.exp(-((area.depth / np.float32(0.07)) ** 2))
    return as_plane(field)


def unfilled(
    rng: np.random.Generator, area: BoxArea, fraction: float, keep: Plane | None, px_per_mm: float
) -> Mask:
    """Returns ragged holes that take `fraction` of the box: at its lower corners first.

    Args:
        rng: source of randomness.
        area: the colour box.
        fraction: unfilled share, 0-1.
        keep: distance from a circle that must stay filled, in pixels outside it; None: holes anywhere.
        px_per_mm: scale.
    """
    h, w = area.inside.shape
    shape = (int(h / px_per_mm) + 2, int(w / px_per_mm) + 2)
    blobs = cv2.resize(smooth_noise(rng, shape, (2.5, 2.5)), (w, h), interpolation=cv2.INTER_CUBIC)
    ragged = cv2.resize(
        rng.standard_normal((h // 3 + 1, w // 3 + 1), dtype=np.float32),
        (w, h),
        interpolation=cv2.INTER_LINEAR,
    )
    side = np.abs(area.across - 0.5) * 2
    score = 2.5 * area.depth**2 * (0.3 + side**2) + 1.2 * side**8 + 0.9 * blobs + 0.15 * ragged
    if keep is not None:
        score = np.where(keep > 0, score - 3.0 * np.exp(-keep / np.float32(3 * px_per_mm)), -1e6)
    inside = score[area.inside]
    wanted = round(fraction * inside.size)
    if wanted == 0:
        return np.zeros((h, w), dtype=bool)
    threshold = np.partition(inside, inside.size - wanted)[inside.size - wanted]
    return np.asarray((score >= threshold) & area.inside)


def scale_to_mean(field: Plane, where: Mask, mean_kpa: float, maximum_kpa: float = BAR_MAX_KPA) -> Plane:
    """Returns exp(field), scaled so that its mean over `where`, clipped at the bar's end, is `mean_kpa`."""
    relative = np.exp(field)
    scale = mean_kpa / float(relative[where].mean())
    for _ in range(12):
        reached = float(np.minimum(relative[where] * scale, maximum_kpa).mean())
        scale *= mean_kpa / reached
    return as_plane(np.minimum(relative * np.float32(scale), np.float32(maximum_kpa)))


def draw_elastogram(  # noqa: PLR0913 - the recipe has this many independent parts
    rng: np.random.Generator,
    area: BoxArea,
    q_box: QBox,
    *,
    stiffness_kpa: float,
    em_latent: float,
    filled_fraction: float,
    keep_q_box: bool,
    px_per_mm: float,
) -> Elastogram:
    """Draws a stiffness map.

    Args:
        rng: this picture's generator.
        area: the colour box in pane pixels.
        q_box: where the mean is taken.
        stiffness_kpa: mean over the Q-box, kPa.
        em_latent: the patient's elastogram latent.
        filled_fraction: share of the box that is filled, 0-1.
        keep_q_box: holes stay clear of the Q-box.
        px_per_mm: scale.
    """
    distance = distance_to(q_box, area)
    field = log_field(rng, area, em_latent, px_per_mm)
    keep = distance - np.float32(q_box.r + 0.8 * px_per_mm) if keep_q_box else None
    holes = unfilled(rng, area, 1.0 - filled_fraction, keep, px_per_mm)
    filled = area.inside & ~holes
    circle = distance <= q_box.r
    measured = circle & filled
    stiffness = scale_to_mean(field, measured if measured.any() else circle, stiffness_kpa)
    rim = cv2.GaussianBlur(holes.astype(np.float32), (0, 0), 0.35 * px_per_mm)
    if keep is not None:
        rim = np.where(keep > 0, rim, 0.0)
    stiffness *= 1.0 - np.clip(1.6 * rim, 0.0, 1.0)  # the map falls to dark blue at the edge of a hole
    return Elastogram(area, stiffness.astype(np.float32), filled)


def measure(elastogram: Elastogram, q_box: QBox) -> QBoxValues:
    """Returns the statistics over the filled part of the Q-box; zeros where nothing is filled."""
    values = elastogram.stiffness_kpa[q_box_mask(q_box, elastogram.area) & elastogram.filled].astype(
        np.float64
    )
    if values.size == 0:
        return QBoxValues(0.0, 0.0, 0.0, 0.0)
    return QBoxValues(float(values.mean()), float(values.min()), float(values.max()), float(values.std()))
