"""The graphs of a trained network in every precision, and what they say; kept in the work folder.

The float32 graph must say what the network says, over the golden crops and every test patient, before
anything is made of it. The INT8 graph's calibration is fitted anew: rounding shifts its log-odds a
little, and an affine fit to the float32 log-odds of held-out patients takes the shift out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

import model_export
from calibration.whole_file import whole_file
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.journey import Picture
from model_export import agree, work
from model_export.agree import EngineScores, GraphPrecision, ImageLogits
from model_export.calibrate import align
from model_export.cohort import ACQUISITIONS, Cohort, Split
from model_export.export import export_onnx
from model_export.graph_edit import save_checked
from model_export.graph_tail import METHODS, apply_to_graph
from model_export.half import to_half
from model_export.int8 import Int8Choices, Int8Parts, build_int8, measure_parts
from model_export.trained import TrainedRun

RANGE_PICTURES = 96
"""Training acquisitions that set the ranges and the rounding of INT8."""
SOURCES = ("export", "graph_edit", "graph_tail", "half", "quantise", "ranges", "rounding", "int8", "graphs")
"""Modules that decide what the graphs look like."""


@dataclass(frozen=True, slots=True)
class Exported:
    """The float32 graph, the folder that keeps all graphs of a run, and how far it is from the network."""

    run: TrainedRun
    folder: Path
    exact: Path
    export_difference: float
    golden_torch: ImageLogits


def export_exact(run: TrainedRun) -> Exported:
    """Export the float32 graph and compare it with the network.

    Raises:
        GateError: it says something else than the network.
    """
    source = work.source_key(*(Path(model_export.__file__).parent / f"{name}.py" for name in SOURCES))
    folder = work.stage_folder(run.work, "graphs", work.key_of(run.network, source))
    exact = folder / "fp32.onnx"
    test = run.patients("test")
    golden_crops = golden_of(test)
    network = run.load_network()
    if not work.is_done(folder):
        export_onnx(network, exact)
        by_network = agree.score_network_cohort(network, test)
        by_graph = _scores(exact, "fp32", test, "test").logits
        work.mark_done(folder, {"largest_export_difference": agree.check_export(by_network, by_graph)})
    golden = agree.score_network(network, *golden_crops)
    agree.check_export(golden, agree.score_graph(exact, *golden_crops))
    difference = float(work.summary_of(folder)["largest_export_difference"])
    return Exported(run, folder, exact, difference, golden)


def golden_of(test: Cohort) -> tuple[Picture, Picture]:
    """The first acquisition of the first test patient of every stage."""
    _, first = np.unique(test.stage, return_index=True)
    return np.ascontiguousarray(test.gray[first, 0]), np.ascontiguousarray(test.elastogram[first, 0])


def range_crops(run: TrainedRun, pictures: int = RANGE_PICTURES) -> tuple[Picture, Picture]:
    """Acquisitions of training patients, spread evenly over the cohort, which is sorted by stage."""
    drawn, patients = run.patients("train"), run.fitted()
    places = np.unique(np.linspace(0, patients.size - 1, pictures).round().astype(int))
    chosen, acquisition = patients[places], np.arange(places.size) % ACQUISITIONS
    return drawn.gray[chosen, acquisition], drawn.elastogram[chosen, acquisition]


def make_graph(exported: Exported, precision: GraphPrecision, choices: Int8Choices) -> Path:
    """The graph in a precision, made unless it is there.

    Args:
        exported: the float32 graph.
        precision: wanted.
        choices: how INT8 is to be made.
    """
    if precision == "fp32":
        return exported.exact
    name = precision if precision == "fp16" else f"int8-{choices.key()}"
    path = exported.folder / f"{name}.onnx"
    if path.is_file():
        return path
    model = onnx.load(str(exported.exact))
    with whole_file(path) as unfinished:
        if precision == "fp16":
            save_checked(to_half(model), unfinished)
        else:
            quantised = build_int8(model, parts_of(exported), choices)
            save_checked(quantised, unfinished)
            save_checked(_aligned(exported, quantised, unfinished), unfinished)
    return path


def parts_of(exported: Exported) -> Int8Parts:
    """Ranges and rounded weights of a run, measured unless they are there."""
    path = exported.folder / "int8_parts.safetensors"
    if not path.is_file():
        measure_parts(onnx.load(str(exported.exact)), *range_crops(exported.run)).save(path)
    return Int8Parts.load(path)


def _aligned(exported: Exported, quantised: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """The INT8 graph with its calibration fitted to the float32 log-odds of the held-out patients."""
    exact = held_out_logits(exported, exported.exact, "fp32").mean(axis=1)
    found = held_out_logits(exported, path, "int8").mean(axis=1)
    apply_to_graph(
        quantised,
        {method: align(found[:, k], exact[:, k]) for k, method in enumerate(METHODS)},
    )
    return quantised


def held_out_logits(exported: Exported, graph: Path, precision: GraphPrecision) -> ImageLogits:
    """Log-odds of the held-out training patients in the appliance's engine; float32's are kept."""
    kept = exported.folder / "held_out_fp32.npy"
    if precision == "fp32" and kept.is_file():
        logits: ImageLogits = np.load(kept, allow_pickle=False)
        return logits
    drawn, chosen = exported.run.patients("train"), exported.run.held_out()
    engine = OpenVinoEngine(graph, precision)
    few = Cohort(
        stage=drawn.stage[chosen],
        lsm_kpa=drawn.lsm_kpa[chosen],
        gray=drawn.gray[chosen],
        elastogram=drawn.elastogram[chosen],
        latents=None if drawn.latents is None else drawn.latents[chosen],
    )
    logits = agree.score_cohort(engine, few, f"{precision} held out").logits
    engine.close()
    if precision == "fp32":
        np.save(kept, logits)
    return logits


def score_split(exported: Exported, graph: Path, precision: GraphPrecision, split: Split) -> EngineScores:
    """What a graph says about a whole split in the appliance's engine; asked once and kept."""
    return _scores(graph, precision, exported.run.patients(split), split)


def _scores(graph: Path, precision: GraphPrecision, patients: Cohort, split: Split) -> EngineScores:
    path = graph.with_name(f"{graph.stem}_{split}.npz")
    if not path.is_file():
        engine = OpenVinoEngine(graph, precision)
        scores = agree.score_cohort(engine, patients, f"{precision} scores {split}")
        engine.close()
        with whole_file(path) as unfinished:
            np.savez(unfinished, logits=scores.logits, gm=scores.gm_features, em=scores.em_features)
    with np.load(path, allow_pickle=False) as arrays:
        return EngineScores(arrays["logits"], arrays["gm"], arrays["em"])
