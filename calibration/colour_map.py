"""The SuperSonic stiffness colour map as a short table of knots.

The knots are a least-squares piecewise-linear fit to the 110 colours of `colormap.mat` in oseynnes/swepy
(MIT licence, O. Seynnes 2023). That table was read off a compressed picture and carries noise of its own:
the fit differs from it by 1.6/255 on average and by 7/255 at most away from its two frayed ends.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

SUPERSONIC_KNOTS: tuple[tuple[int, int, int, int], ...] = (
    (0, 2, 0, 151),
    (2, 0, 3, 161),
    (5, 0, 4, 188),
    (12, 3, 0, 250),
    (15, 1, 15, 250),
    (21, 0, 98, 255),
    (27, 1, 153, 255),
    (30, 9, 169, 255),
    (37, 2, 227, 252),
    (42, 3, 253, 240),
    (46, 58, 254, 228),
    (48, 84, 254, 202),
    (49, 104, 254, 195),
    (51, 115, 251, 178),
    (52, 138, 254, 184),
    (59, 190, 254, 121),
    (63, 216, 255, 73),
    (65, 229, 251, 25),
    (68, 249, 255, 4),
    (71, 253, 239, 0),
    (87, 255, 119, 5),
    (88, 254, 100, 0),
    (96, 254, 0, 4),
    (107, 163, 2, 4),
    (109, 145, 4, 3),
)
"""Position on 0 (soft) to 109 (stiff), then red, green and blue, 0-255."""


@lru_cache(maxsize=8)
def supersonic_table(n: int = 256) -> npt.NDArray[np.uint8]:
    """Returns the map as `n` BGR colours, soft to stiff, shape (n, 3), uint8; read-only."""
    knots = np.asarray(SUPERSONIC_KNOTS, dtype=np.float64)
    positions = np.linspace(0.0, knots[-1, 0], n)
    channels = [np.interp(positions, knots[:, 0], knots[:, c]) for c in (3, 2, 1)]
    table = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    table.flags.writeable = False
    return table
