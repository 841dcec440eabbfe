"""A bundle whose graph really runs: brightness instead of networks, with the real end behind it."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import onnx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from onnx import TensorProto, helper, numpy_helper

from firmware_app.inference.bundle import (
    THRESHOLDS,
    Affine,
    Bundle,
    Calibration,
    LsmConfidence,
    LsmCutoffs,
    OperatingPoint,
)
from firmware_app.inference.golden import Golden
from firmware_app.inference.graph import ACTIVATIONS, FEATURES, LOGITS, OUTPUTS
from firmware_app.inference.openvino_engine import OpenVinoEngine
from model_export.bundle_writer import BundleContent, write_bundle
from model_export.graph_tail import MAPS, METHODS, SCORES, Tail, add_tails

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
TAIL = Tail(1.0, (-1.0, 0.0, 1.0))
_SHAPES = {LOGITS[0].split("_")[0]: [3], "probabilities": [3], "activation": [8, 8], "features": [2048]}


def write_graph(path: Path) -> Path:
    """A graph with the inputs and outputs of a bundle; each score is a picture's brightness, -4 to 4."""
    nodes, constants = [], [numpy_helper.from_array(np.array([1, 2, 3], np.int64), "axes")]
    for value, name in ((1 / 31.875, "gain"), (4.0, "middle"), (0.5, "half")):
        constants.append(numpy_helper.from_array(np.array([value], np.float32), name))
    for name, sizes in (("map_size", [1, 8, 8]), ("features_size", [1, 2048])):
        constants.append(numpy_helper.from_array(np.array(sizes, np.int64), name))
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "one"))
    for picture, score, activation, features in zip(
        ("gray", "elastogram"), SCORES, MAPS, FEATURES, strict=False
    ):
        nodes += [
            helper.make_node("Cast", [picture], [f"{picture}_float"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", [f"{picture}_float", "axes"], [f"{picture}_mean"], keepdims=0),
            helper.make_node("Unsqueeze", [f"{picture}_mean", "one"], [f"{picture}_column"]),
            helper.make_node("Mul", [f"{picture}_column", "gain"], [f"{picture}_scaled"]),
            helper.make_node("Sub", [f"{picture}_scaled", "middle"], [score]),
            helper.make_node("Unsqueeze", [score, "one"], [f"{score}_high"]),
            helper.make_node("Expand", [f"{score}_high", "map_size"], [activation]),
            helper.make_node("Expand", [score, "features_size"], [features]),
        ]
    nodes += [
        helper.make_node("Add", [SCORES[0], SCORES[1]], ["both"]),
        helper.make_node("Mul", ["both", "half"], [SCORES[2]]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, ["batch", 299, 299, 3])
        for name in ("gray", "elastogram")
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *_SHAPES[name.split("_")[0]]])
        for name in OUTPUTS
    ]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    add_tails(graph, dict.fromkeys(METHODS, TAIL))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    assert len(ACTIVATIONS) == len(MAPS)
    return path


def tiny_content(graph: Path) -> BundleContent:
    """What goes into the tiny bundle."""
    gray, elastogram = (np.full((2, 299, 299, 3), tone, np.uint8) for tone in (90, 150))
    engine = OpenVinoEngine(graph, "fp32")
    golden = Golden(gray, elastogram, *[np.zeros((2, 3, 3), np.float32)] * 2)
    answers = np.array([(one.gm, one.em, one.gm_em) for one in map(engine.score, golden.crops())], np.float32)
    engine.close()
    point = OperatingPoint(cutoff=0.5, low=0.4, high=0.6, rule_out=0.3, rule_in=0.7)
    affine = dict.fromkeys(THRESHOLDS, Affine(scale=1.0, offset=0.0))
    weights = LsmConfidence(ln_cutoff_kpa=2.0, scale=0.3, intercept=-4.0, w_gm=4.0, w_lsm=4.0)
    return BundleContent(
        name="tiny",
        graph=graph,
        precision="fp32",
        calibration=Calibration(
            method="none", fitted_on="nobody", patients=0, parameters=dict.fromkeys(METHODS, affine)
        ),
        operating_points=dict.fromkeys(THRESHOLDS, point),
        gm_lsm=dict.fromkeys(THRESHOLDS, weights),
        lsm_cutoffs=LsmCutoffs(source="test", ge_s2=7.6, ge_s3=9.2, s4=10.4),
        training={"seed": 1},
        golden=dataclasses.replace(golden, logits_torch=answers, logits_engine=answers),
        metrics={"image_sd_log_odds": 0.5},
        card="# Card\n",
    )


def write_tiny_bundle(folder: Path, key: Ed25519PrivateKey | None = None) -> Bundle:
    """The tiny bundle, signed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    graph = write_graph(folder.parent / "tiny.onnx")
    bundle = write_bundle(folder, tiny_content(graph), NOW, key)
    graph.unlink()
    return bundle
