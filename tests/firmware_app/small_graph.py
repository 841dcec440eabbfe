"""A bundle's graph in small: the same inputs and outputs, a hundred weights, in every shipped precision."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from firmware_app.inference.bundle import THRESHOLDS, Bundle, Graph, Manifest, OperatingPoint, digest_of
from firmware_app.inference.graph import INPUTS, LOGITS

Precision = Literal["fp32", "fp16", "int8"]


def write_graph(path: Path, precision: Precision, *, zero_point: int = 0, seed: int = 5) -> Path:
    """Write the graph: a convolution and a fully connected layer per modality, both added for GM+EM.

    Args:
        path: the file to write.
        precision: of the arithmetic between the casts at both ends.
        zero_point: of the activations in INT8; TensorRT takes 0 only.
        seed: draws the weights.
    """
    rng = np.random.default_rng(seed)
    number = TensorProto.FLOAT16 if precision == "fp16" else TensorProto.FLOAT
    kind = np.float16 if precision == "fp16" else np.float32
    nodes: list[onnx.NodeProto] = []
    constants = [
        numpy_helper.from_array(np.array(1 / 127.5, kind), "gain"),
        numpy_helper.from_array(np.array(0.05, np.float32), "step"),
        numpy_helper.from_array(np.array(zero_point, np.int8), "zero"),
        numpy_helper.from_array(np.array(0, np.int8), "weight_zero"),
    ]
    for name, modality in zip(INPUTS, ("gm", "em"), strict=True):
        weight = rng.normal(0, 0.3, (4, 3, 16, 16)).astype(kind)
        head = rng.normal(0, 2, (4, 3)).astype(kind)
        constants += [numpy_helper.from_array(head, f"{modality}_head")]
        nodes += [
            helper.make_node("Cast", [name], [f"{modality}_number"], to=number),
            helper.make_node("Transpose", [f"{modality}_number"], [f"{modality}_planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Mul", [f"{modality}_planes", "gain"], [f"{modality}_input"]),
        ]
        reads, weighs = f"{modality}_input", f"{modality}_weight"
        if precision == "int8":
            rounded = np.clip(np.round(weight / 0.05), -127, 127).astype(np.int8)
            constants += [numpy_helper.from_array(rounded, f"{modality}_rounded")]
            nodes += [
                helper.make_node("QuantizeLinear", [reads, "step", "zero"], [f"{modality}_q"]),
                helper.make_node("DequantizeLinear", [f"{modality}_q", "step", "zero"], [f"{modality}_dq"]),
                helper.make_node(
                    "DequantizeLinear", [f"{modality}_rounded", "step", "weight_zero"], [weighs]
                ),
            ]
            reads = f"{modality}_dq"
        else:
            constants += [numpy_helper.from_array(weight, weighs)]
        nodes += [
            helper.make_node(
                "Conv", [reads, weighs], [f"{modality}_map"], kernel_shape=[16, 16], strides=[16, 16]
            ),
            helper.make_node("Relu", [f"{modality}_map"], [f"{modality}_positive"]),
            helper.make_node("GlobalAveragePool", [f"{modality}_positive"], [f"{modality}_pooled"]),
            helper.make_node("Flatten", [f"{modality}_pooled"], [f"{modality}_flat"]),
            helper.make_node("MatMul", [f"{modality}_flat", f"{modality}_head"], [f"{modality}_score"]),
        ]
    nodes += [helper.make_node("Add", ["gm_score", "em_score"], ["gm_em_score"])]
    nodes += [
        helper.make_node("Cast", [name.replace("logits_", "") + "_score"], [name], to=TensorProto.FLOAT)
        for name in LOGITS
    ]
    for node in nodes:
        node.name = f"{node.op_type}_{node.output[0]}"
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.UINT8, ["n", 299, 299, 3]) for name in INPUTS],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in LOGITS],
        [constant for constant in constants if any(constant.name in node.input for node in nodes)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
    return path


def small_bundle(folder: Path, precision: Precision, *, zero_point: int = 0, seed: int = 5) -> Bundle:
    """A bundle around the small graph, taken as checked, with as much of a manifest as engines need."""
    folder.mkdir(parents=True, exist_ok=True)
    path = write_graph(folder / "graph.onnx", precision, zero_point=zero_point, seed=seed)
    point = OperatingPoint(cutoff=0.5, low=0.4, high=0.6, rule_out=0.4, rule_in=0.6)
    manifest = Manifest.model_construct(
        bundle_id="small-1",
        graph=Graph(file=path.name, sha256=digest_of(path), precision=precision),
        operating_points=dict.fromkeys(THRESHOLDS, point),
    )
    return Bundle.model_construct(folder=folder, manifest=manifest)
