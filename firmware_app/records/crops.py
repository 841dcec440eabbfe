"""Crops as lossless pictures, and back: what comes out is what was scored, bit for bit."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from firmware_app.errors import EvidenceError
from firmware_app.journey import Picture

LONGEST_SIDE = 4096
"""No screen gives a larger crop; what claims to be larger is not unpacked."""
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
_COMPRESSION = [cv2.IMWRITE_PNG_COMPRESSION, 3]
"""Speckle hardly shrinks further with more effort."""


def png_of(crop: Picture) -> bytes:
    """An RGB crop as PNG."""
    return cv2.imencode(".png", cv2.cvtColor(crop, cv2.COLOR_RGB2BGR), _COMPRESSION)[1].tobytes()


def crop_of(png: bytes, where: str) -> Picture:
    """An RGB crop from its PNG.

    Raises:
        EvidenceError: it is no square picture of three channels, or too large.
    """
    # A file of a few bytes can claim any size: it is looked at before memory is given for it.
    width, height = struct.unpack(">II", png[16:24]) if png.startswith(_PNG) and len(png) > 24 else (0, 0)
    if not 0 < width == height <= LONGEST_SIDE:
        raise EvidenceError(f"{where} is no crop: a square PNG of at most {LONGEST_SIDE} pixels is")
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None or picture.dtype != np.uint8 or picture.shape != (height, width, 3):
        raise EvidenceError(f"{where} is no crop: an 8-bit RGB picture is")
    return np.ascontiguousarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)
