"""The same network in every runtime that one could pick, each ready to score a batch of acquisitions."""

from __future__ import annotations

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import openvino

from firmware_app.inference.bundle import Bundle
from firmware_app.inference.golden import read_golden
from firmware_app.inference.graph import INPUTS, LOGITS
from firmware_app.inference.openvino_engine import settings_of
from firmware_app.journey import Picture
from firmware_app.processor import sums_int8_exactly

if TYPE_CHECKING:
    import torch

    from model_export.network import FibrosisNetwork

EAGER, COMPILED = "torch eager float32", "torch.compile float32"
LIBRARIES = ("torch eager", "OpenVINO")
"""Those that also compute in bfloat16."""
Inputs = tuple[Picture, Picture]
"""Gray-scale and elastogram crops, uint8 (n, 299, 299, 3)."""


@dataclass(frozen=True, slots=True)
class Capability:
    """Whether this processor has something, and what it says itself."""

    is_there: bool
    reason: str


def _bfloat16() -> Capability:
    told = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return Capability("BF16" in told, f"no instructions for bfloat16; OpenVINO names {', '.join(told)}")


BFLOAT16 = _bfloat16()
"""Libraries imitate it where it is not there, eight times slower than float32: that would compare nothing."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One runtime with its network.

    Attributes:
        name: runtime and precision.
        score: scores a batch; returns when the answer is there.
        ready_s: from the file or the parameters to the end of the first inference.
    """

    name: str
    score: Callable[[Inputs], object]
    ready_s: float


def contenders(
    bundle: Bundle, exact: Path | None, options: argparse.Namespace, first: Inputs
) -> list[Contender]:
    """Every runtime that is installed, for batches of this size; the bundle's own graph in OpenVINO first.

    Args:
        bundle: brings the INT8 graph.
        exact: the float32 graph; None: without the extra `train` there is none.
        options: `threads`, `parameters` and `compile`.
        first: a batch to begin with.
    """
    graph, threads, precision = bundle.graph_path, options.threads, bundle.manifest.graph.precision
    exactly = precision != "int8" or sums_int8_exactly()
    label = f"OpenVINO {precision}" + ("" if exactly else ", sums that overflow here")
    own = openvino_contender(graph, label, "f32", threads, first)
    if exact is None:
        return [own]
    network = load_network(options.parameters)
    found = [
        own,
        openvino_contender(exact, "OpenVINO float32", "f32", threads, first),
        onnx_runtime_contender(graph, f"ONNX Runtime {precision}", threads, first),
        onnx_runtime_contender(exact, "ONNX Runtime float32", threads, first),
        torch_contender(network, EAGER, threads, first, half=False, compiled=False),
    ]
    if BFLOAT16.is_there:
        found += [
            openvino_contender(exact, "OpenVINO bfloat16", "bf16", threads, first),
            torch_contender(network, "torch eager bfloat16", threads, first, half=True, compiled=False),
        ]
    if options.compile and len(first[0]) > 1:  # it is compiled anew for every size, for minutes
        found.append(torch_contender(network, COMPILED, threads, first, half=False, compiled=True))
    return found


def float32_graph(folder: Path, parameters: Path | None) -> Path | None:
    """The float32 graph, exported for this run; None without the extra `train`."""
    if not torch_is_there():
        return None
    from model_export.export import export_onnx  # noqa: PLC0415 - imports torch

    export_onnx(load_network(parameters), folder / "float32.onnx")
    return folder / "float32.onnx"


def openvino_contender(graph: Path, label: str, hint: str, threads: int, first: Inputs) -> Contender:
    """OpenVINO on a graph, its float parts computed in the type of `hint`, for batches of this size."""
    began = time.perf_counter()
    core = openvino.Core()
    model = core.read_model(graph)
    shape = openvino.PartialShape(list(first[0].shape))
    model.reshape(dict.fromkeys(INPUTS, shape))
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": hint,
        "INFERENCE_NUM_THREADS": threads,
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def score(inputs: Inputs) -> object:
        return request.infer(dict(zip(INPUTS, inputs, strict=True)))

    score(first)
    return Contender(label, score, time.perf_counter() - began)


def ready_from_cache_ms(bundle: Bundle, threads: int, folder: Path) -> float:
    """As the appliance's engine, compiled once before into OpenVINO's cache: until the first answer."""
    settings = settings_of(bundle.manifest.graph.precision, threads) | {"CACHE_DIR": str(folder)}
    inputs = pictures(bundle, 1)

    def start() -> None:
        core = openvino.Core()
        model = core.read_model(bundle.graph_path)
        model.reshape(dict.fromkeys(INPUTS, openvino.PartialShape(list(inputs[0].shape))))
        core.compile_model(model, "CPU", settings).create_infer_request().infer(
            dict(zip(INPUTS, inputs, strict=True))
        )

    start()
    began = time.perf_counter()
    start()
    return (time.perf_counter() - began) * 1e3


def onnx_runtime_contender(graph: Path, label: str, threads: int, first: Inputs) -> Contender:
    """ONNX Runtime on a graph."""
    import onnxruntime  # noqa: PLC0415 - of the extra `train`, may be absent

    began = time.perf_counter()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def score(inputs: Inputs) -> object:
        return session.run(list(LOGITS), dict(zip(INPUTS, inputs, strict=True)))

    score(first)
    return Contender(label, score, time.perf_counter() - began)


def torch_contender(  # noqa: PLR0913 - one argument for each way to run it
    network: FibrosisNetwork, label: str, threads: int, first: Inputs, *, half: bool, compiled: bool
) -> Contender:
    """Torch eager or compiled, in float32 or under bfloat16 autocast."""
    import torch  # noqa: PLC0415 - of the extra `train`, may be absent

    from model_export.network import normalise  # noqa: PLC0415 - imports torch

    began = time.perf_counter()
    torch.set_num_threads(threads)
    forward: Callable[..., object] = torch.compile(network, dynamic=False) if compiled else network

    def score(inputs: Inputs) -> object:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            return forward(*(normalise(torch.from_numpy(crops)) for crops in inputs))

    with _quiet():
        score(first)
    return Contender(label, score, time.perf_counter() - began)


def load_network(parameters: Path | None) -> FibrosisNetwork:
    """The trained network, or a random one of the same shape; batch norms folded as in the graph."""
    from safetensors.torch import load_model  # noqa: PLC0415 - of the extra `train`, may be absent

    from model_export.network import FibrosisNetwork, fold_batch_norm  # noqa: PLC0415 - imports torch
    from model_export.weights import random_trunk  # noqa: PLC0415 - imports torch

    network = FibrosisNetwork(random_trunk(1)).eval()
    if parameters is not None:
        load_model(network, str(parameters))
    folded: torch.nn.Module = fold_batch_norm(network)
    assert folded is network
    return network


def torch_is_there() -> bool:
    """Whether the extra `train` is installed."""
    return all(importlib.util.find_spec(name) for name in ("torch", "torchvision", "safetensors"))


def pictures(bundle: Bundle, batch: int) -> Inputs:
    """The last golden crops of a bundle as one batch."""
    golden = read_golden(bundle)
    return np.ascontiguousarray(golden.gray[-batch:]), np.ascontiguousarray(golden.elastogram[-batch:])


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the compiler's warnings about itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
