"""Which ranges, and which layers in higher precision: measured on training patients, never on test patients.

Every candidate graph runs in the appliance's engine over pictures of held-out training patients and is
compared with float32. First the four ways to read a range; then, with the best, every group of layers once
with its activations left in float32. Groups that lower the error by a stated share stay there, until the
time of an inference reaches its budget.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import onnx
from pydantic import JsonValue
from tqdm import tqdm

from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.journey import Crops, Picture
from model_export import graphs
from model_export.agree import ImageLogits
from model_export.calibrate import align
from model_export.graph_edit import save_checked
from model_export.graph_tail import METHODS
from model_export.graphs import Exported
from model_export.int8 import STEM_CONVOLUTIONS, Int8Choices, Int8Parts, build_int8
from model_export.patient_scores import sigmoid
from model_export.ranges import RANGE_METHODS

GROUPS = (
    *(f"stem.{layer}" for layer in (1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14)),
    *(f"{modality}_top.blocks.{block}" for block in range(3) for modality in ("gm", "em")),
    "fusion_head",
)
"""Layers that are tried together: the stem's convolutions one by one, then block by block."""
NEEDED_GAIN = 0.05
"""Share of the error that a group must take away to be left in float32."""
IMAGES = 2
"""Acquisitions of each held-out patient that are looked at."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate over the pictures of held-out training patients, after its calibration was aligned.

    Attributes:
        name: what was tried.
        mean_probability_difference: from float32, over pictures, methods and thresholds.
        log_odds_deviation: root mean square difference of the log-odds of GM, EM, GM+EM.
        latency_ms: median of an inference in this run; the machine may be busy.
        megabytes: size of the graph.
    """

    name: str
    mean_probability_difference: float
    log_odds_deviation: tuple[float, float, float]
    latency_ms: float
    megabytes: float


@dataclass(frozen=True, slots=True)
class Scan:
    """Every trial and the choices that follow from them."""

    ranges: tuple[Trial, ...]
    groups: tuple[Trial, ...]
    chosen: Trial
    choices: Int8Choices

    def as_json(self) -> dict[str, JsonValue]:
        """For the program's answer."""
        return {
            "ranges": [{**asdict(trial)} for trial in self.ranges],
            "groups": [{**asdict(trial)} for trial in self.groups],
            "chosen": {**asdict(self.chosen)},
            "choices": self.choices.model_dump(mode="json"),
        }


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all trials share."""

    model: onnx.ModelProto
    parts: Int8Parts
    gray: Picture
    elastogram: Picture
    exact: ImageLogits

    def try_out(self, name: str, choices: Int8Choices) -> Trial:
        """Build, run and compare one candidate."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "int8.onnx"
            save_checked(build_int8(self.model, self.parts, choices), path)
            megabytes = path.stat().st_size / 1e6
            engine = OpenVinoEngine(path, "int8")
            found, times = [], []
            for gray, elastogram in zip(self.gray, self.elastogram, strict=True):
                began = perf_counter()
                scores = engine.score(Crops(elastogram, gray))
                times.append(perf_counter() - began)
                found.append([scores.gm, scores.em, scores.gm_em])
            engine.close()
        logits = np.array(found)
        for k in range(len(METHODS)):
            logits[:, k] = align(logits[:, k], self.exact[:, k]).apply(logits[:, k])
        gaps = logits - self.exact
        gm, em, gm_em = (float(value) for value in np.sqrt((gaps**2).mean(axis=(0, 2))))
        return Trial(
            name=name,
            mean_probability_difference=float(np.abs(sigmoid(logits) - sigmoid(self.exact)).mean()),
            log_odds_deviation=(gm, em, gm_em),
            latency_ms=float(np.median(times) * 1000),
            megabytes=megabytes,
        )


def scan(exported: Exported, latency_budget_ms: float, patients: int) -> Scan:
    """Compare ranges and groups.

    Args:
        exported: the float32 graph of a training.
        latency_budget_ms: no further group stays in float32 once an inference takes longer.
        patients: held-out patients that are looked at, at most.
    """
    bench = _bench(exported, patients)
    start = Int8Choices(
        range_method="mean_square", float32=STEM_CONVOLUTIONS, int8_weights=(), feedback=True, provenance=""
    )
    with tqdm(total=len(RANGE_METHODS) + len(GROUPS) + 1, desc="INT8 choices", unit="graph") as bar:
        ranges = []
        for method in RANGE_METHODS:
            ranges.append(bench.try_out(method, start.model_copy(update={"range_method": method})))
            bar.update()
        best = min(ranges, key=lambda trial: trial.mean_probability_difference)
        base = start.model_copy(update={"range_method": best.name})
        groups = []
        for group in GROUPS:
            groups.append(bench.try_out(group, _without(base, group)))
            bar.update()
        choices = choose(base, best, groups, latency_budget_ms, len(bench.gray))
        chosen = bench.try_out("chosen", choices)
        bar.update()
    return Scan(tuple(ranges), tuple(groups), chosen, choices)


def _bench(exported: Exported, patients: int) -> _Bench:
    drawn, held_out = exported.run.patients("train"), exported.run.held_out()
    places = np.unique(np.linspace(0, held_out.size - 1, patients).round().astype(int))
    exact = graphs.held_out_logits(exported, exported.exact, "fp32")[places, :IMAGES]
    return _Bench(
        model=onnx.load(str(exported.exact)),
        parts=graphs.parts_of(exported),
        gray=np.concatenate(list(drawn.gray[held_out[places], :IMAGES])),
        elastogram=np.concatenate(list(drawn.elastogram[held_out[places], :IMAGES])),
        exact=exact.reshape(-1, *exact.shape[2:]),
    )


def _without(base: Int8Choices, group: str) -> Int8Choices:
    """The same with a group's activations in float32, or all of it where it was in float32 already."""
    if group in base.float32:
        return base.model_copy(update={"float32": tuple(name for name in base.float32 if name != group)})
    return base.model_copy(update={"int8_weights": (*base.int8_weights, group)})


def choose(
    base: Int8Choices, best: Trial, groups: list[Trial], budget_ms: float, pictures: int
) -> Int8Choices:
    """Leave in float32 what pays, the most helpful group first, until the time is used up.

    Args:
        base: the choices that every group was tried on.
        best: the trial of these choices.
        groups: one trial for each group: of the stem's float32 convolutions in INT8, of all others with their
            activations in float32.
        budget_ms: of one inference.
        pictures: how many every trial has seen, for the provenance.
    """
    before = best.mean_probability_difference
    float32, weights_only, spent_ms = list(base.float32), [], 0.0
    for trial in sorted(groups, key=lambda trial: trial.mean_probability_difference):
        gain = 1.0 - trial.mean_probability_difference / before
        if trial.name in float32:
            if -gain < NEEDED_GAIN:
                float32.remove(trial.name)
            continue
        cost_ms = max(trial.latency_ms - best.latency_ms, 0.0)
        if gain >= NEEDED_GAIN and best.latency_ms + spent_ms + cost_ms <= budget_ms:
            weights_only.append(trial.name)
            spent_ms += cost_ms
    return base.model_copy(
        update={
            "float32": tuple(float32),
            "int8_weights": tuple(sorted(weights_only)),
            "provenance": (
                f"fibrostage-calibrate int8: {pictures} pictures of held-out training patients, mean |dp| "
                f"{before:.4f} with {base.range_method} ranges before groups were left in float32"
            ),
        }
    )
