"""The engine for any CPU: OpenVINO runs the bundle's graph, Q/DQ nodes and all, as it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino

from firmware_app.errors import BundleError, EngineError
from firmware_app.inference.answer import scores_of
from firmware_app.inference.graph import INPUT_SIDE, INPUTS, LOGITS, OUTPUTS
from firmware_app.inference.prepare import prepare
from firmware_app.journey import Crops, ImageScores, Picture
from firmware_app.processor import sums_int8_exactly

_INPUT_SHAPE = (1, INPUT_SIDE, INPUT_SIDE, 3)


class OpenVinoEngine:
    """Runs one acquisition per call with the lowest latency that the given threads allow."""

    def __init__(self, graph: Path, precision: str, threads: int = 0) -> None:
        """Compile the graph for batches of one; the first answer takes no longer than any other.

        Args:
            graph: ONNX file with the inputs and outputs of a bundle.
            precision: of the graph's arithmetic, for the engine's name.
            threads: processor threads that inference may use; 0 leaves the choice to OpenVINO.

        Raises:
            BundleError: the graph cannot be read or does not have the inputs and outputs of a bundle.
            EngineError: OpenVINO failed.
        """
        core = openvino.Core()
        settings = settings_of(precision, threads)
        model = _read(core, graph)
        try:
            # A fixed shape lets OpenVINO plan its memory once; batches are of one acquisition anyway.
            model.reshape(dict.fromkeys(INPUTS, openvino.PartialShape(_INPUT_SHAPE)))
            self._request = core.compile_model(model, "CPU", settings).create_infer_request()
        except RuntimeError as error:
            raise EngineError(f"{graph}: OpenVINO cannot compile the graph: {error}") from error
        self._outputs = tuple(name for port in model.outputs for name in port.names if name in OUTPUTS)
        version = ".".join(openvino.get_version().split("-")[0].split(".")[:2])
        self._name = f"OpenVINO {version} CPU {precision.upper()}{'' if _is_exact(precision) else ' in FP32'}"
        self._closed = False

    @property
    def name(self) -> str:
        """Runtime, its version, the processor and the precision."""
        return self._name

    def score(self, crops: Crops) -> ImageScores:
        """Log-odds of one acquisition from its two crops of any size.

        Raises:
            EngineError: OpenVINO failed, the engine is closed, or an answer is not finite.
        """
        if self._closed:
            raise EngineError("the OpenVINO engine is closed; open it anew")
        inputs = {"gray": _batch(crops.gray), "elastogram": _batch(crops.elastogram)}
        try:
            answer = self._request.infer(inputs)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO failed: {error}") from error
        return scores_of({name: answer[name] for name in self._outputs})

    def close(self) -> None:
        """Release the compiled graph; the engine cannot be used afterwards."""
        if not self._closed:
            self._closed = True
            del self._request


def settings_of(precision: str, threads: int) -> dict[str, str | int]:
    """How OpenVINO compiles: for one acquisition at a time, with the same answers on every processor."""
    settings: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
    # Without this, processors with bfloat16 would round what is not INT8, and others would not.
    settings["INFERENCE_PRECISION_HINT"] = "f32"
    if not _is_exact(precision):
        # INT8 weights and ranges as they stand, multiplied in float32 (ADR 24).
        settings["LP_TRANSFORMS_MODE"] = "NO"
    if threads > 0:
        settings["INFERENCE_NUM_THREADS"] = threads
    return settings


def _is_exact(precision: str) -> bool:
    """Whether OpenVINO's own kernels give the graph's answers here."""
    return precision.lower() != "int8" or sums_int8_exactly()


def _read(core: openvino.Core, graph: Path) -> openvino.Model:
    try:
        model = core.read_model(graph)
    except RuntimeError as error:
        raise BundleError(f"{graph} is not an ONNX graph that OpenVINO can read; export it anew") from error
    found = {name for port in (*model.inputs, *model.outputs) for name in port.names}
    missing = [name for name in INPUTS + LOGITS if name not in found]
    if missing:
        raise BundleError(f"{graph} lacks {', '.join(missing)}; it is not the graph of a bundle")
    return model


def _batch(crop: Picture) -> Picture:
    return prepare(crop)[np.newaxis]
