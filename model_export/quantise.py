"""INT8 as explicit Q/DQ nodes with symmetric ranges: the one form that OpenVINO and TensorRT both take.

Weights are symmetric per output channel, activations symmetric per tensor, biases float32. Nodes stand only
on the inputs of convolutions and fully connected layers; everything else reads the float tensor, because
OpenVINO 2026.4 computes pooling and concatenation of rounded values wrongly (decision 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from model_export.graph_edit import Layer, Weight, constants_of, layers_of, rebuild
from model_export.half import store_half
from model_export.ranges import LEVELS, SMALLEST_RANGE


class Precision(str, Enum):
    """What a layer computes with."""

    INT8 = "int8"
    """Weights and activations in INT8."""
    WEIGHTS = "int8_weights"
    """Weights stored in INT8, arithmetic in float32."""
    HALF = "half_weights"
    """Weights stored in float16, arithmetic in float32."""
    FLOAT = "float32"


@dataclass(frozen=True, slots=True)
class RoundedWeight:
    """A weight in steps of its channel.

    Attributes:
        integers: int8, of the weight's shape.
        scales: step of every output channel, (channels,).
        shift: what rounding adds to the mean output of every channel; it is taken out of the bias.
    """

    integers: npt.NDArray[np.int8]
    scales: Weight
    shift: Weight


def quantise(
    model: onnx.ModelProto,
    ranges: Mapping[str, float],
    precisions: Mapping[str, Precision],
    rounded: Mapping[str, RoundedWeight],
) -> onnx.ModelProto:
    """The graph with its layers in the precisions asked for.

    Args:
        model: the float32 graph of a bundle.
        ranges: the largest absolute value of every tensor that an INT8 layer reads.
        precisions: by the layer's name.
        rounded: by the layer's name; a layer that is not in it is rounded to the nearest step.

    Returns:
        A new graph, checked by whoever writes it.
    """
    layers = {layer.node: layer for layer in layers_of(model)}
    constants = constants_of(model)
    nodes: list[onnx.NodeProto] = []
    added: dict[str, onnx.TensorProto] = {}
    for old in model.graph.node:
        node = onnx.NodeProto()
        node.CopyFrom(old)
        layer = layers.get(node.name)
        precision = precisions[layer.name] if layer else Precision.FLOAT
        if layer is not None and precision is Precision.HALF:
            nodes.append(store_half(layer, constants[layer.weight], node, added))
        elif layer is not None and precision is not Precision.FLOAT:
            weight = rounded.get(layer.name) or round_to_nearest(constants[layer.weight])
            nodes.append(_store_int8(layer, weight, node, added))
            if layer.bias is not None:
                _shift_bias(layer.bias, constants[layer.bias] - weight.shift, node, added)
        if layer is not None and precision is Precision.INT8:
            node.input[0] = f"{layer.reads}_dequantised"
            if f"{layer.reads}_scale" not in added:
                nodes += _round(layer.reads, ranges[layer.reads], added)
        nodes.append(node)
    return rebuild(model, nodes, added)


def weight_scales(weight: Weight) -> Weight:
    """Step of every output channel, (channels,)."""
    largest = np.abs(weight.reshape(len(weight), -1)).max(axis=1)
    return np.asarray(np.maximum(largest, SMALLEST_RANGE) / LEVELS, dtype=np.float32)


def round_to_nearest(weight: Weight) -> RoundedWeight:
    """Every weight to the nearest step of its channel."""
    scales = weight_scales(weight)
    steps = scales.reshape(-1, *[1] * (weight.ndim - 1))
    integers = np.clip(np.rint(weight / steps), -LEVELS, LEVELS).astype(np.int8)
    return RoundedWeight(integers, scales, np.zeros_like(scales))


def _store_int8(
    layer: Layer, weight: RoundedWeight, reader: onnx.NodeProto, added: dict[str, onnx.TensorProto]
) -> onnx.NodeProto:
    """Store a weight in INT8; returns the node that makes float32 of it."""
    inputs = [f"{layer.weight}_stored", f"{layer.weight}_scale", f"{layer.weight}_zero"]
    zeros = np.zeros(len(weight.scales), dtype=np.int8)
    for name, values in zip(inputs, (weight.integers, weight.scales, zeros), strict=True):
        added[name] = numpy_helper.from_array(values, name)
    reader.input[1] = f"{layer.weight}_restored"
    return helper.make_node(
        "DequantizeLinear", inputs, [reader.input[1]], name=f"{layer.weight}_restored", axis=0
    )


def _shift_bias(name: str, bias: Weight, reader: onnx.NodeProto, added: dict[str, onnx.TensorProto]) -> None:
    reader.input[2] = f"{name}_shifted"
    added[reader.input[2]] = numpy_helper.from_array(bias.astype(np.float32), reader.input[2])


def _round(tensor: str, largest: float, added: dict[str, onnx.TensorProto]) -> list[onnx.NodeProto]:
    """A tensor in steps of its range: `{tensor}_dequantised`."""
    scale, zero = f"{tensor}_scale", f"{tensor}_zero"
    added[scale] = numpy_helper.from_array(np.array(largest / LEVELS, dtype=np.float32), scale)
    added[zero] = numpy_helper.from_array(np.array(0, dtype=np.int8), zero)
    middle, end = f"{tensor}_quantised", f"{tensor}_dequantised"
    return [
        helper.make_node("QuantizeLinear", [tensor, scale, zero], [middle], name=middle),
        helper.make_node("DequantizeLinear", [middle, scale, zero], [end], name=end),
    ]
