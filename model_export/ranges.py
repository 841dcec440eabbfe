"""How far the activations reach: histograms over training crops, and four ways to read a range from one.

INT8 has 127 steps from zero to the end of a tensor's range. A wide range makes coarse steps, a narrow one
cuts off peaks. `min_max` cuts nothing; `percentile` cuts the largest 0.01 %; `entropy` keeps the distribution
(Migacz, 8-bit inference with TensorRT, 2017); `mean_square` makes the mean squared error least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from tqdm import tqdm

from firmware_app.inference.graph import INPUTS
from firmware_app.journey import Picture

RangeMethod = Literal["min_max", "percentile", "entropy", "mean_square"]
RANGE_METHODS: tuple[RangeMethod, ...] = get_args(RangeMethod)
LEVELS = 127
"""Steps of symmetric INT8 to either side of zero."""
BINS = 2048
PERCENTILE = 99.99
CANDIDATES = 100
"""Ranges that `mean_square` and `entropy` try, evenly spaced up to the largest value."""
SMALLEST_RANGE = 1e-6
"""A tensor that is zero everywhere still needs a scale."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Absolute values of one tensor: the largest, and how many fall into each of 2048 bins of one width."""

    largest: float
    width: float
    counts: npt.NDArray[np.int64]

    @property
    def centres(self) -> npt.NDArray[np.float64]:
        """Middle of every bin."""
        return np.asarray((np.arange(BINS) + 0.5) * self.width, dtype=np.float64)


def measure(
    model: onnx.ModelProto,
    tensors: Sequence[str],
    gray: Picture,
    elastogram: Picture,
    *,
    progress: bool = False,
) -> dict[str, Histogram]:
    """Histograms of a float32 graph's tensors over crops.

    Args:
        model: the float32 graph of a bundle.
        tensors: names of tensors inside it.
        gray: gray-scale crops, uint8 (n, 299, 299, 3), from training patients.
        elastogram: the elastogram crops of the same acquisitions.
        progress: show a bar.
    """
    session = open_session(model, tensors)
    found: dict[str, Histogram] = {}
    pairs = zip(gray, elastogram, strict=True)
    for pair in tqdm(pairs, total=len(gray), desc="INT8 ranges", unit="picture", disable=not progress):
        inputs = {name: crop[np.newaxis] for name, crop in zip(INPUTS, pair, strict=True)}
        for name, values in zip(tensors, session.run(list(tensors), inputs), strict=True):
            found[name] = _add(found.get(name), np.abs(values).ravel())
    return found


def open_session(model: onnx.ModelProto, outputs: Sequence[str]) -> onnxruntime.InferenceSession:
    """ONNX Runtime over a graph that gives these tensors as well."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    declared = {value.name for value in shown.graph.output}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs if name not in declared)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(shown.SerializeToString(), options, ["CPUExecutionProvider"])


def range_of(histogram: Histogram, method: RangeMethod) -> float:
    """The largest absolute value that INT8 is to hold."""
    if histogram.largest <= SMALLEST_RANGE:
        return SMALLEST_RANGE
    if method == "min_max":
        return histogram.largest
    if method == "percentile":
        shares = np.cumsum(histogram.counts) / histogram.counts.sum()
        cut = int(np.searchsorted(shares, PERCENTILE / 100)) + 1
        return min(cut * histogram.width, histogram.largest)
    candidates = histogram.largest * np.arange(1, CANDIDATES + 1) / CANDIDATES
    loss = _squared_error if method == "mean_square" else _divergence
    return float(candidates[int(np.argmin([loss(histogram, end) for end in candidates]))])


def _squared_error(histogram: Histogram, end: float) -> float:
    values, step = histogram.centres, end / LEVELS
    rounded = np.minimum(np.round(values / step), LEVELS) * step
    return float((histogram.counts * (values - rounded) ** 2).sum())


def _divergence(histogram: Histogram, end: float) -> float:
    """Kullback-Leibler divergence of the rounded distribution from the one cut off at `end`."""
    kept = max(round(end / histogram.width), LEVELS + 1)
    if kept > BINS:
        return float("inf")
    whole = histogram.counts[:kept].astype(np.float64)
    # Zero is exact in INT8 and most of what a ReLU leaves; it tells nothing of the range.
    whole[0] = 0.0
    level = np.arange(kept) * (LEVELS + 1) // kept
    sums = np.bincount(level, weights=whole, minlength=LEVELS + 1)
    filled = np.bincount(level, weights=whole > 0, minlength=LEVELS + 1)
    rounded = np.where(whole > 0, sums[level] / np.maximum(filled[level], 1), 0.0)
    reference = whole.copy()
    reference[-1] += histogram.counts[kept:].sum()
    used = (reference > 0) & (rounded > 0)
    if not used.any():
        return float("inf")
    p, q = reference[used] / reference.sum(), rounded[used] / rounded.sum()
    return float((p * np.log(p / q)).sum())


def _add(old: Histogram | None, values: npt.NDArray[np.float32]) -> Histogram:
    """A histogram with more values; the bins double in width as often as needed."""
    largest = float(values.max())
    counts = np.zeros(BINS, dtype=np.int64) if old is None else old.counts
    width = max(largest, SMALLEST_RANGE) * (1 + 1e-6) / BINS if old is None else old.width
    while largest >= width * BINS:
        pairs = counts.reshape(-1, 2).sum(axis=1)
        counts = np.concatenate([pairs, np.zeros_like(pairs)])
        width *= 2
    which = np.minimum((values * np.float32(1 / width)).astype(np.int32), BINS - 1)
    return Histogram(
        largest=max(largest, 0.0 if old is None else old.largest),
        width=width,
        counts=counts + np.bincount(which, minlength=BINS),
    )
