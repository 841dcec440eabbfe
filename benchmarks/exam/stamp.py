"""The moment at which the scanner put a frame out, in squares of black and white at the frame's lower edge.

So whoever has drawn on a frame, in whatever colours, can tell how old it is. Bright squares are ones, the
highest bit stands at the left; the unit is 0.1 ms of the monotonic clock, which all processes share.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BITS, SIDE = 40, 8
"""Squares, and their side in pixels: 40 of them last for years."""
UNIT_NS = 100_000
DARK, BRIGHT, BETWEEN = 16, 235, 126
_WEIGHTS = 1 << np.arange(BITS - 1, -1, -1, dtype=np.int64)
Bytes = npt.NDArray[np.uint8]


def write(luma: Bytes, now_ns: int) -> None:
    """Write into a luma plane (height, width) when its frame was put out."""
    ones = (now_ns // UNIT_NS & _WEIGHTS) != 0
    row = np.where(ones, BRIGHT, DARK).astype(np.uint8).repeat(SIDE)
    luma[-SIDE:, : BITS * SIDE] = row


def read(row: Bytes) -> int:
    """When a frame was put out, monotonic ns.

    Args:
        row: luma or any colour (n,) of a line through the middle of the squares, `ROW` from the bottom.
    """
    ones = row[SIDE // 2 : BITS * SIDE : SIDE] > BETWEEN
    return int(_WEIGHTS[ones].sum()) * UNIT_NS


ROW = SIDE // 2
"""Lines from the bottom to the middle of the squares."""
