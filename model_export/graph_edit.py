"""Reading and rebuilding an ONNX graph: its layers by name, its constants, and a copy with other nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

LAYER_OPERATORS = ("Conv", "Gemm")
"""Everything that has weights."""
Weight = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution or fully connected layer: its node, its name, the tensor it reads, its parameters."""

    node: str
    name: str
    reads: str
    weight: str
    bias: str | None


def layers_of(model: onnx.ModelProto) -> list[Layer]:
    """Every layer with weights, in the order of the graph, named as in the network ("stem.7.branch1x1")."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        Layer(
            node=node.name,
            name=node.input[1].removeprefix("network.").removesuffix(".weight").removesuffix(".conv"),
            reads=node.input[0],
            weight=node.input[1],
            bias=node.input[2] if len(node.input) > 2 else None,
        )
        for node in model.graph.node
        if node.op_type in LAYER_OPERATORS and node.input[1] in constants
    ]


def constants_of(model: onnx.ModelProto) -> dict[str, Weight]:
    """Every constant of a graph by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def rebuild(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], added: Mapping[str, onnx.TensorProto]
) -> onnx.ModelProto:
    """A copy of a graph with other nodes, constants added or replaced, and none that nobody reads."""
    used = {name for node in nodes for name in node.input} - set(added)
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    graph = helper.make_graph(
        nodes, model.graph.name, model.graph.input, model.graph.output, [*kept, *added.values()]
    )
    copy: onnx.ModelProto = helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    copy.producer_name, copy.producer_version = model.producer_name, model.producer_version
    return copy


def save_checked(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph that keeps to the standard and whose every shape can be inferred."""
    onnx.save(model, str(path))
    # The full check infers all shapes, strictly.
    onnx.checker.check_model(str(path), full_check=True)
