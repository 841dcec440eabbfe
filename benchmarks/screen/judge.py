"""One reading against the truth of the drawn screen, in pixels of the native 1440x1080 screen."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from calibration.phantom.truth import FrameTruth, Placement, ReadOutTruth
from firmware_app.journey import Circle, Polygon, ReadOut, ScreenReading, View

Row = dict[str, "str | int | float | bool | None"]
"""What was measured on one picture."""


def placement_of(native: FrameTruth, truth: FrameTruth) -> Placement:
    """Where a chain put the native screen's pixels."""
    assert native.panes is not None
    assert truth.panes is not None
    (x, y, w, h), (left, top, wide, tall) = native.panes.elastogram, truth.panes.elastogram
    return Placement(wide / w, tall / h, left - x * wide / w, top - y * tall / h)


def to_native(points: npt.ArrayLike, place: Placement) -> Polygon:
    """Points of the picture in pixels of the native screen."""
    xy = np.asarray(points, np.float64)
    return (xy + 0.5 - (place.dx, place.dy)) / (place.sx, place.sy) - 0.5


def overlap(first: Polygon, second: Polygon) -> float:
    """Intersection over union of two polygons."""
    masks = []
    for polygon in (first, second):
        mask = np.zeros((1080, 1440), np.uint8)
        cv2.fillPoly(mask, [np.rint(polygon * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
        masks.append(mask > 0)
    return float((masks[0] & masks[1]).sum() / max((masks[0] | masks[1]).sum(), 1))


def _even_odd(polygon: Polygon, x: Polygon, y: Polygon) -> npt.NDArray[np.bool_]:
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if ay != by:
            between = (y < max(ay, by)) & (y >= min(ay, by))
            inside ^= between & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return inside


def largest_square_by_search(
    polygon: Polygon, circle: tuple[float, float, float] | None, stretch: float = 1.0
) -> int:
    """Side of the largest square of whole pixels inside a polygon around a circle; 0 if there is none.

    The obvious way: mark every pixel whose centre lies inside (even-odd rule), then try all squares of a side
    at once with sums over the table. In a stretched picture a square is `round(side * stretch)` pixels wide,
    a circle `stretch` times as wide as high.
    """
    x0, y0 = np.floor(polygon.min(axis=0)).astype(int) - 1
    x1, y1 = np.ceil(polygon.max(axis=0)).astype(int) + 1
    x, y = np.meshgrid(np.arange(x0, x1 + 1), np.arange(y0, y1 + 1))
    inside = np.zeros(x.shape, bool)
    for nudge_x, nudge_y in ((-1e-7, -1e-7), (-1e-7, 1e-7), (1e-7, -1e-7), (1e-7, 1e-7)):
        inside |= _even_odd(polygon, x + nudge_x, y + nudge_y)  # what lies on the outline counts as inside
    table = np.pad(inside.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    left = right = top = bottom = None
    if circle is not None:
        across = circle[2] * stretch
        left, right = math.floor(circle[0] - across) - x0, math.ceil(circle[0] + across) - x0
        top, bottom = math.floor(circle[1] - circle[2]) - y0, math.ceil(circle[1] + circle[2]) - y0
    for side in range(inside.shape[0], 0, -1):
        wide = round(side * stretch)
        if not 0 < wide <= inside.shape[1]:
            continue
        sums = table[side:, wide:] - table[:-side, wide:] - table[side:, :-wide] + table[:-side, :-wide]
        rows, columns = np.nonzero(sums == side * wide)
        if left is not None and right is not None and top is not None and bottom is not None:
            holds = (columns <= left) & (columns + wide > right) & (rows <= top) & (rows + side > bottom)
            rows = rows[holds]
        if rows.size:
            return side
    return 0


def printed_exactly(readout: ReadOut | None, true: ReadOutTruth) -> bool:
    """Whether unit, mean, minimum, maximum, SD and diameter are those that are printed."""
    if readout is None or readout.unit != true.unit:
        return False
    pairs = (
        (readout.mean_kpa, true.mean_kpa),
        (readout.min_kpa, true.min_kpa),
        (readout.max_kpa, true.max_kpa),
        (readout.sd_kpa, true.sd_kpa),
        (readout.diameter_mm, true.diameter_mm),
    )
    return all(found is not None and abs(found - value) < 5e-3 for found, value in pairs)


def _q_box(row: Row, found: Circle, native: FrameTruth, place: Placement) -> int:
    """Largest error of centre and radius, pixels of 1440; which Q-box it is."""
    centre = to_native([(found.x, found.y)], place)[0]
    circles = [box.circle for box in native.q_boxes]
    nearest = int(np.argmin([math.hypot(centre[0] - c.x, centre[1] - c.y) for c in circles]))
    true = circles[nearest]
    errors = (centre[0] - true.x, centre[1] - true.y, found.r / place.sy - true.r)
    row["q_error"] = max(abs(float(error)) for error in errors)
    return nearest


def _roi(row: Row, reading: ScreenReading, native: FrameTruth, place: Placement) -> None:
    """The region of interest against the search, on the box as it was found and as it truly is."""
    roi, box, found = reading.roi, reading.colour_box, reading.q_box
    if roi is None or box is None:
        return
    square, stretch = roi.elastogram, roi.elastogram.stretch
    ring = None if found is None else (found.x, found.y, found.r)
    row["roi_solver"] = abs(square.side - largest_square_by_search(box, ring, stretch)) / place.sy
    right, bottom = square.x + square.width - 1, square.y + square.side - 1
    edge = [(x, y) for x in np.linspace(square.x, right, 9) for y in np.linspace(square.y, bottom, 9)]
    own = box.astype(np.float32).reshape(-1, 1, 2)
    row["roi_inside"] = min(cv2.pointPolygonTest(own, (float(x), float(y)), True) for x, y in edge) > -0.51
    polygon = np.asarray(native.colour_box, np.float64)
    truly = polygon.astype(np.float32).reshape(-1, 1, 2)
    points = to_native(edge, place)
    row["roi_over"] = max(
        0.0, -min(cv2.pointPolygonTest(truly, (float(x), float(y)), True) for x, y in points)
    )
    which = row.get("which")
    if found is None or isinstance(which, int):
        circle = None
        if isinstance(which, int):
            true = native.q_boxes[which].circle
            circle = (true.x, true.y, true.r)
        best = largest_square_by_search(polygon, circle)
        if best > 0:  # else the true Q-box reaches a fraction of a pixel beyond the true box
            row["roi_truth"] = abs(square.side / place.sy - best)


def judge(reading: ScreenReading, native: FrameTruth, truth: FrameTruth, row: Row) -> None:
    """Add what was measured on one elastography screen to its row."""
    rejected = reading.rejected
    row |= {
        "view": reading.view.value,
        "reason": rejected.reason.value if rejected else None,
        "detail": rejected.detail if rejected else None,
        "q_true": len(native.q_boxes),
        "q_found": len(reading.q_boxes),
    }
    if reading.view is not View.SWE_DUAL or reading.colour_box is None or native.colour_box is None:
        return
    place = placement_of(native, truth)
    row["iou"] = overlap(to_native(reading.colour_box, place), np.asarray(native.colour_box))
    row["frozen_right"] = reading.frozen == native.frozen
    if reading.q_box is not None and native.q_boxes:
        row["which"] = _q_box(row, reading.q_box, native, place)
    _roi(row, reading, native, place)
    if not row["text"]:
        return
    bar = reading.colour_bar
    row["range_right"] = bar is not None and bar.maximum == native.bar_max and bar.unit == native.unit
    row["opacity_right"] = reading.opacity == native.opacity
    if native.readout is not None:  # of several Q-boxes the first is printed first
        row["printed_right"] = printed_exactly(reading.readout, native.readout)
        if not row["printed_right"]:
            row["printed"], row["read"] = str(native.readout.lines), str(reading.readout)
    which = row.get("which")
    if isinstance(which, int):
        box = native.q_boxes[which]
        stiffness = reading.stiffness
        if stiffness is not None and stiffness.region == "q_box" and row["range_right"]:
            row["mean_error"] = stiffness.mean_kpa - box.mean_kpa
