"""`fibrostage inspect`: what the appliance sees in one picture, as JSON and drawn into it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from firmware_app.errors import SourceError
from firmware_app.journey import (
    Circle,
    ColourBar,
    Frame,
    Panes,
    Picture,
    ReadOut,
    Rect,
    Roi,
    ScreenReading,
    Square,
    Stiffness,
)
from firmware_app.wording import NOTICE, WORDINGS

Json = dict[str, "str | int | float | bool | list[int] | list[list[float]] | Json | None"]

_SEEN = (80, 220, 80)
_REFUSED = (60, 60, 240)
_ROI = (40, 40, 230)
_RING = (255, 200, 60)


def load_picture(path: Path) -> Frame:
    """Read a picture file (PNG, JPEG, BMP, TIFF) as a frame.

    Raises:
        SourceError: the file is missing or is not a picture.
    """
    try:
        coded = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist: name a picture") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    pixels = cv2.imdecode(coded, cv2.IMREAD_COLOR) if coded.size else None
    if pixels is None:
        raise SourceError(f"{path} is not a picture: give a PNG, JPEG, BMP or TIFF file")
    return Frame(np.ascontiguousarray(pixels, dtype=np.uint8), number=0, pts_ns=0, captured_ns=0)


def as_json(reading: ScreenReading) -> Json:
    """The reading with the keys of the contract; what was not found is null."""
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
        "notice": NOTICE,
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
    }


def annotate(frame: Frame, reading: ScreenReading) -> Picture:
    """Draw everything that was found into a copy of the picture, and the verdict along its lower edge."""
    drawn = frame.pixels.copy()
    if reading.panes is not None:
        _box(drawn, reading.panes.elastogram, "elastogram")
        _box(drawn, reading.panes.gray, "gray scale")
    if reading.colour_bar is not None:
        bar = reading.colour_bar
        text = "bar" if bar.maximum is None else f"{bar.maximum:g} {bar.unit}"
        _box(drawn, bar.rect, text)
    if reading.colour_box is not None:
        cv2.polylines(drawn, [np.rint(reading.colour_box).astype(np.int32)], True, _SEEN, 2, cv2.LINE_AA)
    if reading.q_box is not None:
        centre = (round(reading.q_box.x), round(reading.q_box.y))
        cv2.circle(drawn, centre, round(reading.q_box.r), _RING, 2, cv2.LINE_AA)
    if reading.roi is not None:
        for square in (reading.roi.elastogram, reading.roi.gray):
            corner = (square.x + square.side - 1, square.y + square.side - 1)
            cv2.rectangle(drawn, (square.x, square.y), corner, _ROI, 2)
    return _with_verdict(drawn, reading)


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


def _box(drawn: Picture, rect: Rect, label: str) -> None:
    cv2.rectangle(drawn, (rect.x, rect.y), (rect.x + rect.w - 1, rect.y + rect.h - 1), _SEEN, 1)
    cv2.putText(
        drawn, label, (rect.x + 2, rect.y + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _SEEN, 1, cv2.LINE_AA
    )


def _with_verdict(drawn: Picture, reading: ScreenReading) -> Picture:
    """Add a strip with the verdict below the picture, so that it covers nothing."""
    strip = np.zeros((52, drawn.shape[1], 3), np.uint8)
    colour = _SEEN if reading.rejected is None else _REFUSED
    for line, text, tone in ((20, verdict_of(reading), colour), (42, NOTICE, (200, 200, 200))):
        cv2.putText(strip, text, (8, line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, tone, 1, cv2.LINE_AA)
    return np.vstack([drawn, strip])
