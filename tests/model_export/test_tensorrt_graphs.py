"""NVIDIA's real parser and builder take what our exporter writes: the whole network, in FP16 and in INT8."""
# ruff: noqa: E402 - the imports come after the checks that the extras are there

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

_WHY = "training needs the extra `train`, which is not installed"
pytest.importorskip("torch", reason=_WHY)
pytest.importorskip("onnx", reason=_WHY)
pytest.importorskip(
    "tensorrt_rtx_libs", reason="TensorRT-RTX has no wheel for this processor; see test_tensorrt_gpu.py"
)

import onnx

from firmware_app.inference.tensorrt_build import build_engine
from firmware_app.inference.tensorrt_library import load_tensorrt
from model_export.export import export_onnx
from model_export.graph_edit import layers_of, save_checked
from model_export.half import to_half
from model_export.int8 import load_choices
from model_export.network import FibrosisNetwork
from model_export.quantise import Precision, quantise
from model_export.weights import random_trunk

pytestmark = pytest.mark.timeout(240)

AMPERE = (8, 6)
SMALLEST_ENGINE = {"fp16": 55_000_000, "int8": 33_000_000}
"""Bytes: the weights alone are more; an engine below that has lost some of them."""


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported network with random weights."""
    path = tmp_path_factory.mktemp("graphs") / "float32.onnx"
    export_onnx(FibrosisNetwork(random_trunk(9)).eval(), path)
    return path


def test_fp16_network_is_built(exact: Path, tmp_path: Path) -> None:
    """The network in float16, heads and normalisation in float32."""
    save_checked(to_half(onnx.load(str(exact))), tmp_path / "fp16.onnx")
    built = build_engine(load_tensorrt(), tmp_path / "fp16.onnx", target=AMPERE)
    assert len(built.engine) > SMALLEST_ENGINE["fp16"]


def test_int8_network_is_built(exact: Path, tmp_path: Path) -> None:
    """Every layer in the precision that the product ships it in; the ranges do not matter here."""
    model, choices = onnx.load(str(exact)), load_choices()
    kinds = {layer.name: choices.precision_of(layer.name) for layer in layers_of(model)}
    counts = Counter(kinds.values())
    assert counts[Precision.INT8] > 25
    assert counts[Precision.INT8] + counts[Precision.WEIGHTS] > 90
    ranges: dict[str, float] = defaultdict(lambda: 4.0)
    save_checked(quantise(model, ranges, kinds, {}), tmp_path / "int8.onnx")
    built = build_engine(load_tensorrt(), tmp_path / "int8.onnx", target=AMPERE)
    assert len(built.engine) > SMALLEST_ENGINE["int8"]
