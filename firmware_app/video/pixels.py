"""From a mapped buffer to a BGR picture, from the capture chain's levels to the scanner's; what is hidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from firmware_app.journey import Picture, Rect


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

    @property
    def size_bytes(self) -> int:
        """Bytes up to the end of the last plane's last row."""
        if self.format == "BGRx":
            return self.offsets[0] + self.strides[0] * (self.height - 1) + 4 * self.width
        rows, columns = self.height // 2, self.width // 2
        return max(
            self.offsets[0] + self.strides[0] * (self.height - 1) + self.width,
            *(self.offsets[plane] + self.strides[plane] * (rows - 1) + columns for plane in (1, 2)),
        )


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


_LUMA_BYTES = {"I420": (0, 1), "NV12": (0, 1), "YUY2": (0, 2), "UYVY": (1, 2)}
"""Where a pixel's luma lies in the first plane: the first byte, and bytes from pixel to pixel."""
_BLUE_FIRST = {"BGRx": True, "BGRA": True, "RGBx": False, "RGBA": False}


@dataclass(frozen=True, slots=True, eq=False)
class BufferLuma:
    """The luma of a picture in a mapped buffer; good for as long as it is mapped.

    Attributes:
        data: the buffer's bytes.
        layout: any of the formats into which the overlay is blended.
    """

    data: npt.NDArray[np.uint8]
    layout: Layout

    def at(self, points: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Luma (BT.601, 16-235) at whole pixels inside the picture, points (..., 2) to levels (...)."""
        rows = self.layout.offsets[0] + points[..., 1] * self.layout.strides[0]
        if self.layout.format in _LUMA_BYTES:
            first, step = _LUMA_BYTES[self.layout.format]
            return np.asarray(self.data[rows + first + points[..., 0] * step], np.float32)
        order = (0, 1, 2) if _BLUE_FIRST[self.layout.format] else (2, 1, 0)
        pixels = rows + 4 * points[..., 0]
        return luma_of(np.stack([self.data[pixels + channel] for channel in order], axis=-1))


def luma_of(bgr: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Luma (BT.601, 16-235) of BGR colours (..., 3)."""
    return np.asarray(bgr.astype(np.float32) @ _LUMA_WEIGHTS + np.float32(16.0), np.float32)


_LUMA_WEIGHTS = np.array([0.0980, 0.5041, 0.2570], np.float32)
UNTOUCHED = Levels()
"""A picture that came as the scanner sent it."""


def to_bgr(data: memoryview, layout: Layout) -> Picture:
    """Convert a buffer to a contiguous BGR picture (height, width, 3); nothing of the buffer is kept."""
    width, height = layout.width, layout.height
    if layout.format == "BGRx":
        rows = _plane(data, layout, 0, 4 * width, height).reshape(height, width, 4)
        return np.asarray(cv2.cvtColor(rows, cv2.COLOR_BGRA2BGR), np.uint8)
    return np.asarray(cv2.cvtColor(_packed(data, layout), cv2.COLOR_YUV2BGR_I420), np.uint8)


def hatched(picture: Picture, areas: Sequence[Rect]) -> Picture:
    """A copy in which nothing of these areas can be read."""
    shown: Picture = picture.copy()
    for area in areas:
        x0, y0 = max(area.x, 0), max(area.y, 0)
        part = shown[y0 : max(area.y + area.h, 0), x0 : max(area.x + area.w, 0)]
        stripes = np.add.outer(np.arange(part.shape[0]), np.arange(part.shape[1])) // 6 % 2
        part[:] = np.where(stripes[:, :, None] > 0, 70, 44)
    return shown


def _packed(data: memoryview, layout: Layout) -> npt.NDArray[np.uint8]:
    """The planes of an I420 picture, one behind the other (height * 1.5, width); a view where they lie so."""
    width, height, first = layout.width, layout.height, layout.offsets[0]
    size = width * height
    lies_so = (first, first + size, first + size * 5 // 4), (width, width // 2, width // 2)
    if (layout.offsets[:3], layout.strides[:3]) == lies_so:
        return np.frombuffer(data, np.uint8, size * 3 // 2, first).reshape(height * 3 // 2, width)
    planes = (
        _plane(data, layout, 0, width, height),
        _plane(data, layout, 1, width // 2, height // 2),
        _plane(data, layout, 2, width // 2, height // 2),
    )
    return np.concatenate([plane.ravel() for plane in planes]).reshape(height * 3 // 2, width)


def _plane(data: memoryview, layout: Layout, index: int, row_bytes: int, rows: int) -> npt.NDArray[np.uint8]:
    """A view of one plane (rows, row_bytes) without its padding."""
    offset, stride = layout.offsets[index], layout.strides[index]
    flat = np.frombuffer(data, np.uint8, count=stride * (rows - 1) + row_bytes, offset=offset)
    return np.lib.stride_tricks.as_strided(flat, (rows, row_bytes), (stride, 1), writeable=False)
