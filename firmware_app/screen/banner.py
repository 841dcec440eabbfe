"""The patient banner: only whether it changed. No name is read, stored or written anywhere.

The banner's areas are cut into blocks a letter wide. Each block becomes `BITS` signs of random projections
whose weights are drawn anew by each process and never leave it: alike pictures give alike signs, and nothing
can be read back from them.
"""

from __future__ import annotations

import secrets

import cv2
import numpy as np
import numpy.typing as npt

from calibration.profile import ScreenProfile
from firmware_app.journey import Picture
from firmware_app.screen.bar import every_nth
from firmware_app.screen.registration import Registration

BannerDigest = bytes
"""`BITS` signs for each block of the banner, in the order of the profile's areas."""

BITS = 64
ROWS = 8
COLUMNS = 4
CELL = 4
"""Reference pixels across a cell; a block is `COLUMNS` cells wide."""
NOISE = 24.0
"""Gray levels above the banner's ground that are no text."""
CHANGED_BITS = 8
"""Signs that differ when a block shows something else; strong compression turns up to five."""
CHANGED_BLOCKS = 2
"""Blocks that show something else when the patient changed: two letters or digits."""

_SALT = np.random.default_rng(secrets.randbits(128))
_WEIGHTS = _SALT.standard_normal((ROWS * COLUMNS, BITS)).astype(np.float32)
# A threshold apart from zero, of random sign, keeps the signs of an empty block from following noise.
_THRESHOLDS = (_SALT.choice([-1.0, 1.0], BITS) * _SALT.uniform(40.0, 120.0, BITS)).astype(np.float32)


def banner_digest(pixels: Picture, registration: Registration, profile: ScreenProfile) -> BannerDigest:
    """Digest of the banner; comparable only within this process."""
    signs: list[npt.NDArray[np.bool_]] = []
    for area in profile.banner.areas:
        rect = registration.rect(area)
        part = pixels[rect.y : rect.y + rect.h, rect.x : rect.x + rect.w]
        part = cv2.cvtColor(every_nth(part, 2) if rect.h > 24 else part, cv2.COLOR_BGR2GRAY)
        blocks = max(1, area[2] // (CELL * COLUMNS))
        cells = cv2.resize(part, (blocks * COLUMNS, ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
        text = np.clip(cells - np.median(cells) - NOISE, 0.0, 160.0)
        vectors = text.reshape(ROWS, blocks, COLUMNS).transpose(1, 0, 2).reshape(blocks, -1)
        # Without its mean, a block tells one letter from another, not only a letter from none.
        vectors = vectors - vectors.mean(axis=1, keepdims=True)
        signs.append((vectors @ _WEIGHTS > _THRESHOLDS).ravel())
    return np.packbits(np.concatenate(signs)).tobytes()


def differs(first: BannerDigest, second: BannerDigest) -> bool:
    """Whether two digests show different banners; compression noise and a passing cursor do not."""
    if len(first) != len(second):
        return True
    changed = np.frombuffer(first, np.uint8) ^ np.frombuffer(second, np.uint8)
    per_block = np.unpackbits(changed).reshape(-1, BITS).sum(axis=1)
    return int((per_block >= CHANGED_BITS).sum()) >= CHANGED_BLOCKS
