"""How fast this machine multiplies matrices: what no network can exceed, and what one of them needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import openvino
from openvino import opset13

SIDE = 1536
"""Of the square matrices: larger than the caches of one core, a tenth of a second at most."""
Kind = Literal["f32", "bf16", "int8"]
KINDS: dict[Kind, str] = {"f32": "float32", "bf16": "bfloat16", "int8": "INT8"}


class NoSuchProductError(Exception):
    """This machine multiplies in another type than the one that was asked for."""


def matrix_gops(kind: Kind, threads: int, rounds: int) -> list[float]:
    """Billions of operations per second of a matrix product in OpenVINO (oneDNN), of each round.

    Args:
        kind: type of both factors; INT8 by the same quantisation nodes that the bundle's graph has.
        threads: processor threads.
        rounds: how often it is tried.

    Raises:
        NoSuchProductError: OpenVINO does not multiply in this type here.
    """
    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "bf16" if kind == "bf16" else "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = core.compile_model(_product(kind), "CPU", settings)
    if kind == "int8":
        _check_is_int8(compiled)
    request = compiled.create_infer_request()
    values = np.random.default_rng(1).uniform(-1, 1, (SIDE, SIDE)).astype(np.float32)
    return _gops(lambda: request.infer([values]), rounds)


def numpy_gops(rounds: int) -> list[float]:
    """Billions of operations per second of numpy's float32 product on all cores, of each round."""
    left, right = np.random.default_rng(1).uniform(-1, 1, (2, SIDE, SIDE)).astype(np.float32)
    return _gops(lambda: left @ right, rounds)


def network_gops(graph: Path) -> float:
    """Billions of operations of one acquisition: the additions and multiplications of its convolutions."""
    model = openvino.Core().read_model(graph)
    model.reshape({port: openvino.PartialShape([1, 299, 299, 3]) for port in model.inputs})
    total = 0
    for operation in model.get_ops():
        if operation.get_type_name() == "Convolution":
            places = int(np.prod(list(operation.get_output_shape(0))))
            total += 2 * places * int(np.prod(list(operation.get_input_shape(1))[1:]))
    return total / 1e9


def _product(kind: Kind) -> openvino.Model:
    rng = np.random.default_rng(2)
    left = opset13.parameter([SIDE, SIDE], np.float32)
    if kind == "int8":
        low, high = (opset13.constant(np.float32(value)) for value in (-1.0, 127 / 128))
        factor = opset13.fake_quantize(left, low, high, low, high, 256)
        integers = rng.integers(-127, 128, (SIDE, SIDE)).astype(np.int8)
        right = opset13.multiply(
            opset13.convert(opset13.constant(integers), "f32"), opset13.constant(np.float32(1 / 127))
        )
    else:
        factor = left
        right = opset13.constant(rng.uniform(-1, 1, (SIDE, SIDE)).astype(np.float32))
    return openvino.Model([opset13.matmul(factor, right, False, True)], [left], "product")


def _check_is_int8(compiled: openvino.CompiledModel) -> None:
    """The ceiling would be one of another type if OpenVINO had not taken the INT8 path."""
    kinds = [
        str(operation.get_rt_info()["runtimePrecision"].value)
        for operation in compiled.get_runtime_model().get_ops()
        if str(operation.get_rt_info()["layerType"].value) in {"FullyConnected", "MatMul"}
    ]
    if not kinds or not all("8" in kind for kind in kinds):
        raise NoSuchProductError(f"OpenVINO multiplies in {', '.join(kinds)} here")


def _gops(step: Callable[[], object], rounds: int) -> list[float]:
    step()  # memory is given once
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        times.append(time.perf_counter() - began)
    return [2 * SIDE**3 / took_s / 1e9 for took_s in times]
