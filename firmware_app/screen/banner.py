"""The patient banner: only whether it changed. No name is read, stored or written anywhere.

The banner's areas are sampled on a grid of the reference screen, at the fraction of a pixel that the
registration gives, and cut into blocks about a letter wide. Each block becomes `NUMBERS` random projections
whose weights are drawn anew at each boot and never leave its memory. Two blocks are as far apart as their
projections are, so that one small letter stands out from what a codec does; but nothing can be looked up in a
digest, and it is kept in memory only: in that of the process, and on a RAM disk for the process that follows
it after a crash (`banner_memory`).
"""

from __future__ import annotations

import secrets
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from calibration.profile import Area, ScreenProfile
from firmware_app.journey import Picture
from firmware_app.screen.registration import Registration

BannerDigest = bytes
"""`NUMBERS` whole numbers for each block of the banner, in the order of the profile's areas."""

CELL = 2
"""Reference pixels across a cell of the grid: half the stroke of the thinnest letter."""
COLUMNS = 8
"""Cells across a block; it is as high as its area."""
NUMBERS = 48
"""Projections of a block; they tell squared distances to about 20 %."""
FINENESS = 0.5
"""Steps of a projection per gray level; rounding adds far less than a codec."""
CHANGED = 9_000.0
"""Squared gray levels, summed over a block's cells, by which its content changed: one small letter is 14,000
and more; H.264 and MJPEG of a still banner up to 4,000 at the scanner's own size. At half of it single frames
after a cut reach 13,000, by the salt: the watch therefore takes no change that does not stay."""

STEADY = 10.0
"""Reference pixels by which a registration may be made more exact without another place for the banner."""

SALT_BITS = 128
_Weights = npt.NDArray[np.float32]


def draw_salt() -> int:
    """A fresh salt."""
    return secrets.randbits(SALT_BITS)


class _Salted:
    """The salt of this process: drawn at the first use, unless it goes on with the one of its forerunner."""

    salt: int | None = None


def use_salt(salt: int) -> None:
    """Go on with the salt of the process before; digests made earlier are not comparable any more."""
    _Salted.salt = salt
    _weights.cache_clear()


def _salt() -> int:
    if _Salted.salt is None:
        _Salted.salt = draw_salt()
    return _Salted.salt


@cache
def _weights(rows: int) -> _Weights:
    """Salted weights of a block that is so many cells high, (rows x COLUMNS, NUMBERS)."""
    rng = np.random.default_rng([_salt(), rows])
    return (rng.standard_normal((rows * COLUMNS, NUMBERS)) * FINENESS).astype(np.float32)


def steady_place(last: Registration | None, now: Registration) -> Registration:
    """Where to look for the banner: the last place while the screen is the same; 0.15 pixels are a letter."""
    if last is None or (last.width, last.height) != (now.width, now.height):
        return now
    right, bottom = now.width / now.scale_x, now.height / now.scale_y
    apart = (
        last.offset_x - now.offset_x,
        last.offset_y - now.offset_y,
        last.offset_x - now.offset_x + right * (last.scale_x - now.scale_x),
        last.offset_y - now.offset_y + bottom * (last.scale_y - now.scale_y),
    )
    return last if max(abs(distance) for distance in apart) <= STEADY * now.scale_y else now


def banner_digest(pixels: Picture, registration: Registration, profile: ScreenProfile) -> BannerDigest:
    """Digest of the banner; comparable only within this process."""
    return b"".join(_area_digest(pixels, registration, area) for area in profile.banner.areas)


def _area_digest(pixels: Picture, registration: Registration, area: Area) -> bytes:
    cells = _cells(pixels, registration, area)
    rows, blocks = cells.shape[0], cells.shape[1] // COLUMNS
    vectors = cells.reshape(rows, blocks, COLUMNS).transpose(1, 0, 2).reshape(blocks, -1)
    projected = vectors.astype(np.float32) @ _weights(rows)
    return bytes(np.rint(projected).astype(np.int16).tobytes())


def _cells(pixels: Picture, registration: Registration, area: Area) -> npt.NDArray[np.uint8]:
    """The area in cells, gray; each is the mean of its pixels, wherever the picture's grid lies."""
    rect = registration.rect(area)
    part = cv2.cvtColor(pixels[rect.y : rect.y + rect.h, rect.x : rect.x + rect.w], cv2.COLOR_BGR2GRAY)
    x, y, w, h = area
    scale_x, scale_y = registration.scale_x, registration.scale_y
    first_x = registration.offset_x + (x + CELL / 2) * scale_x - 0.5 - rect.x
    first_y = registration.offset_y + (y + CELL / 2) * scale_y - 0.5 - rect.y
    steps = np.array([[CELL * scale_x, 0.0, first_x], [0.0, CELL * scale_y, first_y]])
    size = (max(w // (CELL * COLUMNS), 1) * COLUMNS, max(h // CELL, 1))
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(part, steps, size, flags=way, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def differs(first: BannerDigest, second: BannerDigest) -> bool:
    """Whether two digests show different banners; what a codec does to one banner does not count."""
    if len(first) != len(second):
        return True
    return bool(distance(first, second) > CHANGED)


def distance(first: BannerDigest, second: BannerDigest) -> float:
    """Squared gray levels by which the most changed block of two digests of one length differs."""
    apart = np.frombuffer(first, np.int16).astype(np.float32) - np.frombuffer(second, np.int16)
    return float((apart.reshape(-1, NUMBERS) ** 2).sum(axis=1).max()) / (FINENESS**2 * NUMBERS)
