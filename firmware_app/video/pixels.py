"""From a mapped video buffer to a BGR picture, and from the capture chain's levels back to the scanner's."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Picture


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture lies in a buffer.

    Attributes:
        format: "I420" (BT.601, 16-235, even width and height) or "BGRx".
        width, height: of the picture, pixels.
        offsets, strides: of each plane, bytes; hardware pads its rows.
    """

    format: str
    width: int
    height: int
    offsets: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Levels:
    """What the capture chain made of the scanner's levels 0 and 255.

    A limited range (16-235) that is taken for a full one gives black 16 and white 235; an untouched picture 0
    and 255. All three channels share them.
    """

    black: float = 0.0
    white: float = 255.0

    @property
    def gain(self) -> float:
        """Level differences of the picture over the scanner's: thresholds are multiplied by it."""
        return (self.white - self.black) / 255.0


UNTOUCHED = Levels()
"""A picture that came as the scanner sent it."""


def full_range(pixels: npt.NDArray[np.uint8], levels: Levels) -> npt.NDArray[np.float32]:
    """Undo the levels: the scanner's own 0-255, unrounded and not clipped; any shape."""
    restored: npt.NDArray[np.float32] = pixels.astype(np.float32)
    if levels != UNTOUCHED:
        restored -= np.float32(levels.black)
        restored *= np.float32(1.0 / levels.gain)
    return restored


def to_bgr(data: memoryview, layout: Layout) -> Picture:
    """Convert a buffer to a contiguous BGR picture (height, width, 3); nothing of the buffer is kept."""
    width, height = layout.width, layout.height
    if layout.format == "BGRx":
        rows = _plane(data, layout, 0, 4 * width, height).reshape(height, width, 4)
        return np.asarray(cv2.cvtColor(rows, cv2.COLOR_BGRA2BGR), np.uint8)
    planes = (
        _plane(data, layout, 0, width, height),
        _plane(data, layout, 1, width // 2, height // 2),
        _plane(data, layout, 2, width // 2, height // 2),
    )
    packed = np.concatenate([plane.ravel() for plane in planes]).reshape(height * 3 // 2, width)
    return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), np.uint8)


def _plane(data: memoryview, layout: Layout, index: int, row_bytes: int, rows: int) -> npt.NDArray[np.uint8]:
    """A view of one plane (rows, row_bytes) without its padding."""
    offset, stride = layout.offsets[index], layout.strides[index]
    flat = np.frombuffer(data, np.uint8, count=stride * (rows - 1) + row_bytes, offset=offset)
    return np.lib.stride_tricks.as_strided(flat, (rows, row_bytes), (stride, 1), writeable=False)
