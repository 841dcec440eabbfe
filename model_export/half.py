"""The FP16 graph: the networks in float16, the pictures' normalisation and the heads in float32.

Types are written into the graph (TensorRT builds it strongly typed): a cast to float16 before the first
convolution, casts to float32 behind the last blocks. Weights of the heads are stored in float16 too and
restored before use; standardised features, scores and calibration stay in float32, where a step of float16
would be seen in the log-odds.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_export.graph_edit import Layer, Weight, constants_of, layers_of, rebuild
from model_export.graph_tail import MAP_LAYERS

LARGEST_HEAD_WEIGHT_IN_FLOAT = 1 << 16
"""Numbers in a head's weight up to which it stays in float32: storing it in float16 would save nothing."""


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """The float32 graph of a bundle in float16; inputs and outputs keep their types."""
    constants = constants_of(model)
    layers = {layer.node: layer for layer in layers_of(model)}
    start = next(iter(layers.values())).reads
    half_start = f"{start}_half"
    nodes: list[onnx.NodeProto] = []
    added: dict[str, onnx.TensorProto] = {}
    halves: set[str] = set()
    for old in model.graph.node:
        node = onnx.NodeProto()
        node.CopyFrom(old)
        layer = layers.get(node.name)
        node.input[:] = [half_start if name == start else name for name in node.input]
        inside = any(name in halves for name in node.input)
        if inside and (node.op_type == "ReduceMean" or (layer and layer.name in MAP_LAYERS)):
            nodes += _restore(node, {name for other in nodes for name in other.output})
        elif inside:
            halves.update(node.output)
            _halve_constants(node, constants, added)
        elif layer is not None and constants[layer.weight].size > LARGEST_HEAD_WEIGHT_IN_FLOAT:
            nodes.append(store_half(layer, constants[layer.weight], node, added))
        nodes.append(node)
        if start in node.output:
            nodes.append(_cast(start, half_start, TensorProto.FLOAT16))
            halves.add(half_start)
    return rebuild(model, nodes, added)


def store_half(
    layer: Layer, weight: Weight, reader: onnx.NodeProto, added: dict[str, onnx.TensorProto]
) -> onnx.NodeProto:
    """Store a weight in float16; returns the node that makes float32 of it for its reader."""
    stored, restored = f"{layer.weight}_stored", f"{layer.weight}_restored"
    added[stored] = numpy_helper.from_array(weight.astype(np.float16), stored)
    reader.input[1] = restored
    return _cast(stored, restored, TensorProto.FLOAT)


def _halve_constants(
    node: onnx.NodeProto, constants: Mapping[str, Weight], added: dict[str, onnx.TensorProto]
) -> None:
    """Let a node read its float32 constants in float16; shapes and axes stay as they are."""
    for position, name in enumerate(node.input):
        if name in constants and constants[name].dtype == np.float32:
            node.input[position] = f"{name}_half"
            added[node.input[position]] = numpy_helper.from_array(
                constants[name].astype(np.float16), node.input[position]
            )


def _restore(node: onnx.NodeProto, known: set[str]) -> list[onnx.NodeProto]:
    """Let a node read its first input in float32; returns the cast if it is not there yet."""
    half, whole = node.input[0], f"{node.input[0]}_whole"
    node.input[0] = whole
    return [] if whole in known else [_cast(half, whole, TensorProto.FLOAT)]


def _cast(source: str, target: str, kind: int) -> onnx.NodeProto:
    cast: onnx.NodeProto = helper.make_node("Cast", [source], [target], name=target, to=kind)
    return cast
