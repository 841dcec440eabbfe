"""Wrong colours: the scanner's bar stands where it should, in what a broken capture chain makes of it.

A screen whose colours are wrong looks like another screen, since the bar with the scanner's map is not found.
So the colours are sampled where the bar stood last, or where the profile has it, and compared with what each
known fault makes of the map: planes or channels exchanged, colour lost, a tint, levels crushed. Only a match
with one of them counts; whatever else stands there is another screen. A look costs less than a millisecond
and is taken four times a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from calibration.profile import ScreenProfile
from firmware_app.journey import Picture
from firmware_app.screen.bar import (
    GAINS,
    LIFTED,
    RAMP_STEPS,
    BarEdges,
    FloatArray,
    Ramp,
    drawn_maps,
    map_levels,
    sample_ramp,
)

CHECK_NS = 250_000_000
"""Between two looks."""
_FAINTEST = 0.25
"""Share of the map's contrast below which nothing can be told from noise."""
_STEEPEST = 3.0
_TINT = 20.0
"""Levels by which the channels' black may differ: a codec leaves less."""
_TINT_GAIN = 0.25
"""Relative difference of the channels' gains that is a tint."""
_MISFIT = 4.0
"""Levels, root mean square, that may be left: coded screens leave up to 3, a map turned around 5."""
_PLAIN = 4.0
"""Levels of contrast; with less nothing stands there."""
_LEVELS = {True: "levels crushed", False: "levels clipped"}
_INNER = slice(RAMP_STEPS // 32, -RAMP_STEPS // 32)
"""The ends of the bar are mixed with what lies beyond them."""


@dataclass(frozen=True, slots=True)
class ColourWatch:
    """What the last look saw; `checked_ns` None: there was none."""

    checked_ns: int | None = None
    fault: str | None = None


def watch_colours(
    state: ColourWatch, pixels: Picture, now_ns: int, bar: BarEdges | None, profile: ScreenProfile
) -> ColourWatch:
    """Look at the colours, if it is time.

    Args:
        state: what the last look saw.
        pixels: BGR picture.
        now_ns: time stamp of the frame.
        bar: where the scanner's bar stood last in pictures of this size; None: it was not seen.
        profile: where it should stand.
    """
    if state.checked_ns is not None and 0 <= now_ns - state.checked_ns < CHECK_NS:
        return state
    return ColourWatch(now_ns, colour_fault(pixels, bar, profile))


def colour_fault(pixels: Picture, bar: BarEdges | None, profile: ScreenProfile) -> str | None:
    """What a capture chain did to the colours, in a few words; None: nothing, or another screen is shown."""
    for edges in _places(pixels, bar, profile):
        ramp = sample_ramp(pixels, edges)
        if map_levels(ramp) is not None:
            return None
        fault = fault_of(ramp)
        if fault is not None:
            return fault
    return None


def _places(pixels: Picture, bar: BarEdges | None, profile: ScreenProfile) -> Iterator[BarEdges]:
    """Where the bar may stand: where it stood, and where each way to deliver the whole screen puts it."""
    if bar is not None:
        yield bar
    height, width = pixels.shape[:2]
    reference_width, reference_height = profile.reference_size
    x, y, w, h = profile.colour_bar.rect
    for stretch in profile.stretches:
        scale = min(width / (reference_width * stretch), height / reference_height)
        across = scale * stretch
        left, top = (width - across * reference_width) / 2, (height - scale * reference_height) / 2
        edges = BarEdges(left + across * x, top + scale * y, left + across * (x + w), top + scale * (y + h))
        if edges.right - edges.left >= 4 and edges.right < width and edges.bottom < height:
            yield edges


def fault_of(ramp: Ramp) -> str | None:
    """Which fault makes these colours of the map, (RAMP_STEPS, 3) BGR; None: none that is known."""
    seen = ramp[_INNER].astype(np.float64)
    if float(seen.std()) < _PLAIN:
        return None
    names, drawn = _faulty_maps()
    gains, blacks, misfits = _fits(np.broadcast_to(seen.ravel(), drawn.shape), drawn)
    fits = (misfits <= _MISFIT * np.minimum(gains, 1.0)) & (gains >= _FAINTEST) & (gains <= _STEEPEST)
    fits[0] &= not (GAINS[0] <= gains[0] <= GAINS[1] and abs(blacks[0]) <= LIFTED)
    if not fits.any():
        return _tint(seen)
    which = int(np.flatnonzero(fits)[0])
    return names[which] if which else _LEVELS[bool(gains[0] < 1)]


@cache
def _faulty_maps() -> tuple[tuple[str, ...], FloatArray]:
    """The names of the faults, and the map's inner colours as each draws it, BGR, (faults, 3 x steps)."""
    own = drawn_maps()[0]
    luma = own @ np.array([0.114, 0.587, 0.299])
    blue, red = (own[:, 0] - luma) * 0.564, (own[:, 2] - luma) * 0.713
    none = np.zeros_like(luma)
    limited = 219.0 / 255.0
    faults = [
        ("", own),
        ("no colour", _from_planes(luma, none, none)),
        ("colour planes exchanged", _from_planes(luma, red, blue)),
        ("colour planes exchanged", _from_planes(16.0 + limited * luma, limited * red, limited * blue)),
        ("one colour plane lost", _from_planes(luma, none, red)),
        ("one colour plane lost", _from_planes(luma, blue, none)),
        ("green: colour planes lost", _from_planes(luma, none - 128, none - 128)),
        ("pink: colour planes lost", _from_planes(luma, none + 127, none + 127)),
        ("negative", 255.0 - own),
    ]
    orders = ((2, 1, 0), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1))
    faults += [("colour channels exchanged", own[:, order]) for order in orders]
    return tuple(name for name, _ in faults), np.stack([drawn[_INNER].ravel() for _, drawn in faults])


def _from_planes(luma: FloatArray, blue: FloatArray, red: FloatArray) -> FloatArray:
    """BGR of luma and the two colour differences (BT.601, full range), clipped as a decoder does."""
    channels = (luma + 1.772 * blue, luma - 0.344 * blue - 0.714 * red, luma + 1.402 * red)
    return np.clip(np.stack(channels, axis=1), 0.0, 255.0)


def _fits(seen: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Gain, black level and what is left (root mean square), row by row, by least squares.

    What is clipped says nothing about the levels, as long as a twentieth is not.
    """
    free = (seen > 3.0) & (seen < 252.0) & (drawn > 0.0) & (drawn < 255.0)
    free |= (free.sum(axis=1) < seen.shape[1] // 20)[:, None]
    count = free.sum(axis=1)
    mean_x, mean_y = (drawn * free).sum(axis=1) / count, (seen * free).sum(axis=1) / count
    x, y = (drawn - mean_x[:, None]) * free, (seen - mean_y[:, None]) * free
    gains = (x * y).sum(axis=1) / np.maximum((x * x).sum(axis=1), 1e-6)
    blacks = mean_y - gains * mean_x
    missed = np.clip(blacks[:, None] + gains[:, None] * drawn, 0.0, 255.0) - seen
    return gains, blacks, np.sqrt((missed * missed).mean(axis=1))


def _tint(seen: FloatArray) -> str | None:
    """Whether each channel is the map's own, at levels of its own."""
    own = np.ascontiguousarray(drawn_maps()[0][_INNER].T)
    gains, blacks, misfits = _fits(np.ascontiguousarray(seen.T), own)
    there = (gains >= _FAINTEST) & (gains <= _STEEPEST) & (misfits <= _MISFIT * np.minimum(gains, 1.0))
    if int(there.sum()) == 2 and int((np.ptp(seen, axis=0) < _PLAIN).sum()) == 1:
        return "one colour channel lost"
    if not there.all():
        return None
    apart = max(float(np.ptp(blacks)), float(np.ptp(blacks + 255.0 * gains)))
    return "tinted" if float(np.ptp(gains)) > _TINT_GAIN or apart > _TINT else None
