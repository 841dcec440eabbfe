"""Weights rounded one by one, each error made good by those not yet rounded.

Rounding every weight to the nearest step changes what a layer says, because its inputs rise and fall
together. Optimal brain quantisation (Frantar, Alistarh: OBC, NeurIPS 2022; GPTQ, ICLR 2023) walks through a
layer's inputs and spreads each input's rounding error over the inputs still to come, so that the mean squared
change of the layer's output over training crops is least. The moments here are about the mean: what the
rounding does to the mean is taken out of the bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from scipy.linalg import cholesky
from scipy.linalg.lapack import dpotri
from tqdm import tqdm

from firmware_app.inference.graph import INPUTS
from firmware_app.journey import Picture
from model_export.errors import ExportError
from model_export.graph_edit import Layer, Weight
from model_export.quantise import RoundedWeight, weight_scales
from model_export.ranges import LEVELS, open_session

PLACES = 64
"""Places of each map whose surroundings are looked at, spread evenly."""
DAMPING = 0.01
"""Added to the diagonal, in units of its mean: directions that were hardly seen keep plain rounding."""
BLOCK = 128
"""Inputs between two large updates."""


@dataclass(frozen=True, slots=True)
class Window:
    """What one output place of a layer sees of its input; a fully connected layer sees everything."""

    tensor: str
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean (d,) and covariance (d, d) of a layer's inputs, d = input channels times the kernel's places."""

    mean: Weight
    covariance: Weight


def windows_of(model: onnx.ModelProto, layers: Sequence[Layer]) -> dict[str, Window]:
    """What each layer sees, by the layer's name."""
    nodes = {node.name: node for node in model.graph.node}
    found = {}
    for layer in layers:
        settings = {item.name: tuple(item.ints) for item in nodes[layer.node].attribute}
        top, left = settings.get("pads", (0, 0, 0, 0))[:2]
        kernel, stride = settings.get("kernel_shape", (1, 1)), settings.get("strides", (1, 1))
        found[layer.name] = Window(layer.reads, (kernel[0], kernel[1]), (stride[0], stride[1]), (top, left))
    return found


def measure_moments(
    model: onnx.ModelProto,
    windows: Sequence[Window],
    gray: Picture,
    elastogram: Picture,
    *,
    progress: bool = False,
) -> dict[Window, Moments]:
    """Moments of what layers see over training crops, in the float32 graph.

    Args:
        model: the float32 graph of a bundle.
        windows: of the layers to be rounded; equal ones are measured once.
        gray: gray-scale crops, uint8 (n, 299, 299, 3).
        elastogram: the elastogram crops of the same acquisitions.
        progress: show a bar.
    """
    distinct = sorted(set(windows), key=lambda window: (window.tensor, window.kernel))
    tensors = sorted({window.tensor for window in distinct})
    session = open_session(model, tensors)
    rows: dict[Window, list[Weight]] = {window: [] for window in distinct}
    pairs = zip(gray, elastogram, strict=True)
    for pair in tqdm(pairs, total=len(gray), desc="INT8 moments", unit="picture", disable=not progress):
        inputs = {name: crop[np.newaxis] for name, crop in zip(INPUTS, pair, strict=True)}
        values = dict(zip(tensors, session.run(tensors, inputs), strict=True))
        for window in distinct:
            rows[window].append(look(values[window.tensor], window))
    return {window: _moments(np.concatenate(rows.pop(window))) for window in distinct}


def look(values: Weight, window: Window) -> Weight:
    """What a layer sees from places spread over a tensor.

    Args:
        values: maps (n, channels, height, width) or vectors (n, d).
        window: of the layer.

    Returns:
        One row per place, (places, d), in the order of the layer's weights.
    """
    if values.ndim == 2:
        return values
    (top, left), (down, right) = window.padding, window.stride
    padded = np.pad(values, ((0, 0), (0, 0), (top, top), (left, left)))
    seen = sliding_window_view(padded, window.kernel, axis=(2, 3))[:, :, ::down, ::right]
    height, width = seen.shape[2:4]
    places = np.unique(np.linspace(0, height * width - 1, PLACES).round().astype(int))
    chosen = seen[:, :, places // width, places % width]
    rows: Weight = chosen.transpose(0, 2, 1, 3, 4).reshape(len(values) * len(places), -1)
    return rows


def _moments(rows: Weight) -> Moments:
    mean = rows.mean(axis=0)
    rows -= mean
    return Moments(mean, np.asarray(rows.T @ rows / len(rows), dtype=np.float32))


def round_with_feedback(weight: Weight, scales: Weight, moments: Moments) -> npt.NDArray[np.int8]:
    """Weights in steps of their channel, each rounding error spread over the inputs still to come.

    Args:
        weight: (channels, ...), float32.
        scales: step of every channel, (channels,).
        moments: of the layer's inputs.

    Returns:
        Integers of the weight's shape.
    """
    columns = weight.reshape(len(weight), -1) / scales[:, np.newaxis]
    variances = moments.covariance.diagonal()
    # Inputs that vary most are rounded first: the others can still make up for them.
    order = np.argsort(-variances, kind="stable")
    feedback = _feedback(moments.covariance[np.ix_(order, order)])
    columns = columns[:, order].copy()
    rounded = np.zeros_like(columns)
    for start in range(0, columns.shape[1], BLOCK):
        end = min(start + BLOCK, columns.shape[1])
        errors = np.zeros_like(columns[:, start:end])
        for place in range(start, end):
            rounded[:, place] = np.clip(np.rint(columns[:, place]), -LEVELS, LEVELS)
            error = (columns[:, place] - rounded[:, place]) / feedback[place, place]
            columns[:, place:end] -= np.outer(error, feedback[place, place:end])
            errors[:, place - start] = error
        columns[:, end:] -= errors @ feedback[start:end, end:]
    restored = np.empty_like(rounded)
    restored[:, order] = rounded
    return np.asarray(restored.reshape(weight.shape), dtype=np.int8)


def _feedback(covariance: Weight) -> Weight:
    """Upper Cholesky factor of the inverse covariance."""
    damped = covariance.astype(np.float64)
    damped[np.diag_indices_from(damped)] += DAMPING * max(float(damped.diagonal().mean()), 1e-12)
    factor = cholesky(damped, lower=False, check_finite=False, overwrite_a=True)
    inverse, failed = dpotri(factor, lower=False)  # only the upper half is filled, and only it is read below
    if failed:
        raise ExportError("the moments of a layer cannot be inverted; take more training crops")
    return np.asarray(cholesky(inverse, lower=False, check_finite=False), dtype=np.float32)


def round_layer(weight: Weight, moments: Moments) -> RoundedWeight:
    """Integers, steps and shift of the mean output of one layer."""
    scales = weight_scales(weight)
    integers = round_with_feedback(weight, scales, moments)
    change = integers.reshape(len(weight), -1) * scales[:, np.newaxis] - weight.reshape(len(weight), -1)
    return RoundedWeight(integers, scales, np.asarray(change @ moments.mean, dtype=np.float32))
