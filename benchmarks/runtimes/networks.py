"""The same network in every runtime that one could pick, each ready to score a batch of acquisitions."""

from __future__ import annotations

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
from firmware_app.journey import Picture

if TYPE_CHECKING:
    import torch

    from model_export.network import FibrosisNetwork

Inputs = tuple[Picture, Picture]
"""Gray-scale and elastogram crops, uint8 (n, 299, 299, 3)."""


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
