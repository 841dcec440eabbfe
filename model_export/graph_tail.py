"""The end of the graph, from raw scores to calibrated log-odds, probabilities and maps; without torch.

Each method's raw score s (n, 1) becomes log-odds factor * s - offsets, (n, 3), offsets in ascending order, so
the three can never contradict one another. Factor and offsets are initialisers with names of their own: a
calibration is written into them, before or after the graph was quantised, in the study or at a site.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from firmware_app.inference.bundle import NetworkMethod
from firmware_app.inference.graph import ACTIVATIONS, LOGITS, PROBABILITIES
from model_export.calibrate import Calibration
from model_export.errors import WrongInputError

METHODS: tuple[NetworkMethod, ...] = ("GM", "EM", "GM+EM")
"""In the order of `LOGITS` and `PROBABILITIES`."""
SCORES = ("score_gm", "score_em", "score_gm_em")
"""Raw scores (n, 1), inside the graph only."""
MAPS = ("map_gm", "map_em")
"""Class-activation maps of the raw scores, (n, 8, 8), inside the graph only."""

MAP_LAYERS = ("gm_map", "em_map")
"""Names of the layers that make the maps."""


@dataclass(frozen=True, slots=True)
class Tail:
    """What the end of a graph makes of one method's raw score: log-odds factor * score - offsets."""

    factor: float
    offsets: tuple[float, float, float]


def add_tails(graph: onnx.GraphProto, tails: dict[NetworkMethod, Tail]) -> None:
    """Append the nodes behind the raw scores and the maps, in place; outputs are not touched."""
    for which, (method, score) in enumerate(zip(METHODS, SCORES, strict=True)):
        factor, offsets = _names(method)
        graph.initializer.append(_constant(factor, [tails[method].factor]))
        graph.initializer.append(_constant(offsets, tails[method].offsets))
        scaled, logits = f"{score}_scaled", LOGITS[which]
        graph.node.append(helper.make_node("Mul", [score, factor], [scaled], name=scaled))
        graph.node.append(helper.make_node("Sub", [scaled, offsets], [logits], name=logits))
        probabilities = PROBABILITIES[which]
        graph.node.append(helper.make_node("Sigmoid", [logits], [probabilities], name=probabilities))
        if which < len(MAPS):
            activation = ACTIVATIONS[which]
            graph.node.append(helper.make_node("Mul", [MAPS[which], factor], [activation], name=activation))


def read_tails(model: onnx.ModelProto) -> dict[NetworkMethod, Tail]:
    """Factor and offsets of every method, as they stand in a graph.

    Raises:
        WrongInputError: the graph was made by other software, or before its end held the calibration.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    tails: dict[NetworkMethod, Tail] = {}
    for method in METHODS:
        try:
            factor, offsets = (constants[name] for name in _names(method))
        except KeyError as error:
            raise WrongInputError(
                f"the bundle's graph holds no {error.args[0]}; export it anew with this software"
            ) from error
        first, second, third = (float(value) for value in offsets)
        tails[method] = Tail(float(factor[0]), (first, second, third))
    return tails


def apply_to_graph(model: onnx.ModelProto, calibrations: dict[NetworkMethod, Calibration]) -> None:
    """Write calibrations of a graph's own log-odds into its end, in place.

    Args:
        model: a bundle's graph of any precision.
        calibrations: what is to be made of the log-odds that it gives now; other methods stay as they are.
    """
    tails = read_tails(model)
    wanted: dict[str, onnx.TensorProto] = {}
    for method, calibration in calibrations.items():
        tail = tails[method]
        factor, offsets = _names(method)
        moved = [
            calibration.factor * old - offset
            for old, offset in zip(tail.offsets, calibration.offsets, strict=True)
        ]
        wanted[factor] = _constant(factor, [calibration.factor * tail.factor])
        # Rounding to float32 must not turn two equal offsets round.
        wanted[offsets] = _constant(offsets, np.maximum.accumulate(moved))
    for tensor in model.graph.initializer:
        if tensor.name in wanted:
            tensor.CopyFrom(wanted[tensor.name])


def _names(method: NetworkMethod) -> tuple[str, str]:
    stem = f"calibration_{method.lower().replace('+', '_')}"
    return f"{stem}_factor", f"{stem}_offsets"


def _constant(name: str, values: object) -> onnx.TensorProto:
    tensor: onnx.TensorProto = numpy_helper.from_array(np.asarray(values, dtype=np.float32), name)
    return tensor
