"""Real pictures, none of which is a dual elastography screen of this scanner family."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from firmware_app.journey import Picture

SCREENS = Path(__file__).resolve().parents[3] / "shared" / "screens"


def real_pictures() -> Iterator[tuple[str, Picture]]:
    """Every real picture that is no elastography of this scanner family."""
    for path in sorted(SCREENS.glob("*.png")):
        picture = cv2.imread(str(path))
        if picture is not None and not path.name.startswith("aixplorer"):
            yield path.name, np.asarray(picture, np.uint8)
    sweep = cv2.VideoCapture(str(SCREENS / "liver_bmode_sweep.h264"))
    number = 0
    while True:
        more, picture = sweep.read()
        if not more:
            break
        yield f"liver_bmode_sweep {number}", np.asarray(picture, np.uint8)
        number += 1
    sweep.release()
    yield from _pydicom_pictures()


def _pydicom_pictures() -> Iterator[tuple[str, Picture]]:
    """Every frame of the ultrasound samples that come with pydicom itself."""
    if find_spec("pydicom") is None:
        return
    pydicom, pixels = import_module("pydicom"), import_module("pydicom.pixels")
    folder = Path(import_module("pydicom.data").__file__ or "").parent / "test_files"
    for path in sorted(folder.glob("*.dcm")):
        sample = pydicom.dcmread(path, force=True)
        if sample.get("Modality") != "US" or "PixelData" not in sample:
            continue
        array = sample.pixel_array
        if sample.PhotometricInterpretation == "PALETTE COLOR":
            wide = pixels.apply_color_lut(array, sample)
            array = (wide >> 8).astype(np.uint8) if wide.dtype == np.uint16 else wide
        frames = array[None] if array.ndim == 3 else array
        for number, frame in enumerate(frames):
            yield f"pydicom {path.name} {number}", np.ascontiguousarray(frame[..., ::-1], np.uint8)
