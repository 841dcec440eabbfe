"""`fibrostage inspect`: what the appliance sees in a picture, as JSON and a line; `annotation` draws it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.annotation import Timings
from firmware_app.errors import SourceError
from firmware_app.journey import (
    Circle,
    ColourBar,
    Frame,
    Panes,
    ReadOut,
    Rect,
    Roi,
    ScreenPlacement,
    ScreenReading,
    Square,
    Stiffness,
)
from firmware_app.screen import ScreenReader
from firmware_app.wording import NOTICE, WORDINGS

Json = dict[str, "str | int | float | bool | list[int] | list[list[float]] | list[Json | None] | Json | None"]


@dataclass(frozen=True, slots=True)
class Inspection:
    """One picture, everything that is seen in it, and how long that took."""

    frame: Frame
    reading: ScreenReading
    timings: Timings


def inspect_frame(frame: Frame, reader: ScreenReader) -> Inspection:
    """Read a picture as the appliance would: a first look, the next look, then the texts."""
    reader.warm_up()
    began = time.perf_counter()
    reading = reader.read(frame)
    first = time.perf_counter()
    reader.read(frame)
    tracked = time.perf_counter()
    reading = reader.read_text(frame, reading)
    text = time.perf_counter()
    timings = Timings(1e3 * (first - began), 1e3 * (tracked - first), 1e3 * (text - tracked))
    return Inspection(frame, reading, timings)


def load_picture(path: Path) -> Frame:
    """Read a picture file (PNG, JPEG, BMP, TIFF) as a frame.

    Raises:
        SourceError: the file is missing, is not a picture or is too large for one.
    """
    try:
        coded = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist: name a picture") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    try:
        pixels = _decoded(coded) if coded.size else None
    except cv2.error:  # more pixels than OpenCV allows, or than fit into the memory
        raise SourceError(f"{path} is too large or damaged: give a picture of one screen") from None
    if pixels is None:
        raise SourceError(f"{path} is not a picture: give a PNG, JPEG, BMP or TIFF file")
    return Frame(np.ascontiguousarray(pixels, dtype=np.uint8), number=0, pts_ns=0, captured_ns=0)


def _decoded(coded: npt.NDArray[np.uint8]) -> cv2.typing.MatLike | None:
    """The picture, or None. What a decoder prints itself is kept back where the caller says it better."""
    with TemporaryFile() as said:
        kept = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        if pixels is not None:
            said.seek(0)
            sys.stderr.write(said.read().decode(errors="replace"))
    return pixels


def as_json(inspection: Inspection) -> Json:
    """The reading with the keys of the contract, and more; what was not found is null."""
    reading = inspection.reading
    rejected = reading.rejected
    return {
        "frame": {"width": reading.width, "height": reading.height},
        "view": reading.view.value,
        "rejected": None
        if rejected is None
        else {"reason": rejected.reason.value, "detail": rejected.detail},
        "panes": _panes(reading.panes),
        "colour_bar": _bar(reading.colour_bar),
        "colour_box": None
        if reading.colour_box is None
        else [[round(float(x), 1), round(float(y), 1)] for x, y in reading.colour_box],
        "q_box": _circle(reading.q_box),
        "roi": _roi(reading.roi),
        "stiffness": _stiffness(reading.stiffness),
        "readout": _readout(reading.readout),
        "frozen": reading.frozen,
        "registration": _registration(reading.registration),
        "q_boxes": [_circle(circle) for circle in reading.q_boxes],
        "opacity": {"printed": reading.opacity, "estimated": _rounded(reading.opacity_estimated)},
        "timings_ms": {
            "first": round(inspection.timings.first_ms, 2),
            "tracked": round(inspection.timings.tracked_ms, 2),
            "text": round(inspection.timings.text_ms, 2),
        },
        "notice": NOTICE,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _registration(placement: ScreenPlacement | None) -> Json | None:
    if placement is None:
        return None
    return {
        "scale_x": round(placement.scale_x, 5),
        "scale_y": round(placement.scale_y, 5),
        "offset_x": round(placement.offset_x, 2),
        "offset_y": round(placement.offset_y, 2),
        "residual_px": round(placement.residual_px, 3),
        "black": round(placement.black, 1),
        "white": round(placement.white, 1),
        "drifted": placement.drifted,
    }


def _rect(rect: Rect) -> list[int]:
    return [rect.x, rect.y, rect.w, rect.h]


def _panes(panes: Panes | None) -> Json | None:
    return None if panes is None else {"elastogram": _rect(panes.elastogram), "gray": _rect(panes.gray)}


def _bar(bar: ColourBar | None) -> Json | None:
    return None if bar is None else {"rect": _rect(bar.rect), "max": bar.maximum, "unit": bar.unit}


def _circle(circle: Circle | None) -> Json | None:
    if circle is None:
        return None
    return {"x": round(circle.x, 2), "y": round(circle.y, 2), "r": round(circle.r, 2)}


def _square(square: Square) -> list[int]:
    return [square.x, square.y, square.side]


def _roi(roi: Roi | None) -> Json | None:
    return None if roi is None else {"elastogram": _square(roi.elastogram), "gray": _square(roi.gray)}


def _stiffness(stiffness: Stiffness | None) -> Json | None:
    if stiffness is None:
        return None
    return {
        "region": stiffness.region,
        "mean_kpa": round(stiffness.mean_kpa, 2),
        "median_kpa": round(stiffness.median_kpa, 2),
        "sd_kpa": round(stiffness.sd_kpa, 2),
        "min_kpa": round(stiffness.min_kpa, 2),
        "max_kpa": round(stiffness.max_kpa, 2),
        "filled_fraction": round(stiffness.filled_fraction, 4),
    }


def _readout(readout: ReadOut | None) -> Json | None:
    if readout is None:
        return None
    return {
        "unit": readout.unit,
        "mean_kpa": readout.mean_kpa,
        "min_kpa": readout.min_kpa,
        "max_kpa": readout.max_kpa,
        "sd_kpa": readout.sd_kpa,
        "diameter_mm": readout.diameter_mm,
        "depth_mm": readout.depth_mm,
        "stability_index": readout.stability_index,
    }


def verdict_of(reading: ScreenReading) -> str:
    """One line for people: what the appliance sees, and why it would refuse it."""
    seen = f"{reading.view.value}, {'frozen' if reading.frozen else 'live'}"
    if reading.stiffness is not None:
        seen += f", {reading.stiffness.mean_kpa:.1f} kPa in the {reading.stiffness.region.replace('_', '-')}"
    if reading.rejected is None:
        return f"accepted: {seen}"
    wording = WORDINGS[reading.rejected.reason]
    detail = f" ({reading.rejected.detail})" if reading.rejected.detail else ""
    return f"refused: {wording.text}{detail}: {wording.remedy}; {seen}"
