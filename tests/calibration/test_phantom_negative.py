from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
import pytest

from calibration.phantom.negative import Negative, draw_negative
from calibration.phantom.truth import Picture

SEEDS = (1, 2)


@pytest.fixture(scope="module")
def drawn() -> dict[Negative, list[Picture]]:
    """Every kind of negative, for two seeds."""
    return {kind: [draw_negative(kind, seed) for seed in SEEDS] for kind in Negative}


def thumbnail(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """Returns the picture at 36x27 pixels."""
    return np.asarray(cv2.resize(picture, (36, 27), interpolation=cv2.INTER_AREA), dtype=np.int64)


def test_there_are_many_kinds(drawn: dict[Negative, list[Picture]]) -> None:
    """At least sixteen kinds, each a native screen."""
    assert len(drawn) >= 16
    for pictures in drawn.values():
        assert all(p.shape == (1080, 1440, 3) and p.dtype == np.uint8 for p in pictures)


def test_every_kind_is_distinct(drawn: dict[Negative, list[Picture]]) -> None:
    """No two kinds look the same for one seed, nor two seeds within a kind."""
    small = {kind: [thumbnail(picture) for picture in pictures] for kind, pictures in drawn.items()}
    for one, other in combinations(Negative, 2):
        for a, b in zip(small[one], small[other], strict=True):
            assert np.abs(a - b).max() > 12, (one, other)
    for kind, (first, second) in drawn.items():
        assert not np.array_equal(first, second), kind


@pytest.mark.parametrize("kind", [Negative.STRAIN, Negative.COVERED, Negative.OTHER_SCANNER])
def test_the_same_seed_draws_the_same_negative(kind: Negative) -> None:
    """A negative follows from kind and seed."""
    assert np.array_equal(draw_negative(kind, 6), draw_negative(kind, 6))


@pytest.mark.parametrize("kind", list(Negative), ids=lambda kind: kind.value)
def test_every_seed_gives_another_picture(kind: Negative) -> None:
    """Within a kind, pictures differ from seed to seed; but black is black."""
    seen = {draw_negative(kind, seed)[::16, ::16].tobytes() for seed in range(100, 103)}
    assert len(seen) >= 2
