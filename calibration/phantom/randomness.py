"""Random streams by name: changing what one part draws leaves every other part's draws untouched."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, *parts: str | int) -> np.random.Generator:
    """Returns the generator of the named part, e.g. `stream(7, "speckle", 2)`; independent between names.

    Args:
        seed: any whole number not below zero.
        parts: what the numbers are for; names are hashed, whole numbers are taken as they are.
    """
    words = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return np.random.default_rng(np.random.SeedSequence([seed, *words]))


def derived_seed(seed: int, *parts: str | int) -> int:
    """Returns a seed for a thing inside another, e.g. the second patient of a session."""
    return int(stream(seed, *parts).integers(0, 2**31 - 1))
