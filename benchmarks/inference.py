"""Times GM, EM and GM+EM: the appliance's engine, beside every runtime that one could pick instead.

In one run, in turns, so that other work on the machine meets all of them alike: torch eager (float32, and
bfloat16 by autocast), torch.compile, ONNX Runtime (float32, INT8) and OpenVINO (float32, bfloat16, INT8), for
one acquisition and for two at once; how it scales with threads; how long it takes from the file to the first
answer; what the preview of the live picture costs; and what this machine can do at most, as products of
matrices. The appliance's engine resizes and checks in this time, the others do not.

The INT8 graph is the demonstration bundle's. The float32 network has the trained parameters that are given,
or random ones of the same shape; the time does not depend on them.

    python -m benchmarks.inference [--rounds 20] [--threads 2] [--parameters network.safetensors]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
from tqdm import tqdm

from benchmarks.record import Run, keep, parser
from benchmarks.runtimes.ceiling import KINDS, NoSuchProductError, matrix_gops, network_gops, numpy_gops
from benchmarks.runtimes.networks import (
    BFLOAT16,
    COMPILED,
    EAGER,
    LIBRARIES,
    Contender,
    contenders,
    float32_graph,
    pictures,
    ready_from_cache_ms,
    torch_is_there,
)
from calibration.profile import load_profile
from firmware_app.exam.state import Exam
from firmware_app.examination import Examiner
from firmware_app.inference.bundle import Bundle, load_bundle
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.journey import Crops, Frame, Roi, ScreenReading, Square, View
from firmware_app.model import DEMONSTRATION_BUNDLE
from firmware_app.preview import NOTHING, previewed
from firmware_app.processor import sums_int8_exactly
from firmware_app.screen import ScreenReader

ONE, TWO = "one acquisition", "two acquisitions at once"
WARM_UP = 2
Times = dict[str, list[float]]


def in_turns(steps: dict[str, Callable[[], object]], rounds: int) -> Times:
    """Milliseconds of every step, one after the other, again and again; one round alone has no warm-up."""
    times: Times = {name: [] for name in steps}
    warm_up = WARM_UP if rounds > 1 else 0
    turns = tqdm(range(rounds + warm_up), desc="turns", unit="turn", disable=not sys.stderr.isatty())
    for turn in turns:
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if turn >= warm_up:
                times[name].append((time.perf_counter() - began) * 1e3)
    return times


def compare(run: Run, name: str, ours: str, times: Times) -> None:
    """Ours, and everybody else beside it."""
    run.measure(name, times[ours], "ms")
    for other, values in times.items():
        if other != ours:
            run.compare(name, other, values)


def score_one(run: Run, bundle: Bundle, found: list[Contender], options: argparse.Namespace) -> float:
    """One acquisition, and how long each takes to be ready for it; the median of the appliance's engine."""
    gray, elastogram = pictures(bundle, 1)
    steps: dict[str, Callable[[], object]] = {c.name: partial(c.score, (gray, elastogram)) for c in found}
    crops = Crops(elastogram=elastogram[0], gray=gray[0])
    began = time.perf_counter()
    with closing(OpenVinoEngine(bundle.graph_path, bundle.manifest.graph.precision, options.threads)) as ours:
        ours.score(crops)
        ready_ms = (time.perf_counter() - began) * 1e3
        compare(
            run, ONE, ours.name, in_turns({ours.name: partial(ours.score, crops), **steps}, options.rounds)
        )
        run.note(f"ours is {ours.name}")
        measure_preview(run, ours, options.rounds)
    run.measure("from the file to the first answer", [ready_ms], "ms")
    for one in found:
        run.compare("from the file to the first answer", one.name, [one.ready_s * 1e3])
    with tempfile.TemporaryDirectory() as folder:
        cached_ms = ready_from_cache_ms(bundle, options.threads, Path(folder))
    run.compare("from the file to the first answer", "the same with OpenVINO's cache", [cached_ms])
    return run.measures[ONE].p50


def measure_preview(run: Run, engine: OpenVinoEngine, rounds: int) -> None:
    """Milliseconds of inference in a second of live picture, by the appliance's own pacing."""
    reader = ScreenReader(load_profile("aixplorer"))
    examiner = Examiner(reader, engine, 40.0, uuid4, previews=True)
    rng = np.random.default_rng(1)
    frame = Frame(rng.integers(0, 256, (1080, 1440, 3), np.uint8), 0, 0, 0)
    live = ScreenReading(1440, 1080, View.SWE_DUAL, roi=Roi(Square(600, 200, 150), Square(600, 700, 150)))
    shares, took = [], []
    for _ in range(rounds):
        began_ns = time.monotonic_ns()
        due_ns = previewed(NOTHING, examiner, frame, live, Exam()).due_ns
        took.append((time.monotonic_ns() - began_ns) / 1e6)
        shares.append(1e9 * took[-1] / (due_ns - began_ns))
    run.measure("preview: inference in a second of live picture", shares, "ms")
    run.measure("preview: how long a frame waits for it", took, "ms")


def score_by_threads(run: Run, bundle: Bundle, options: argparse.Namespace) -> None:
    """One acquisition by the appliance's engine, on one processor core and on two."""
    gray, elastogram = pictures(bundle, 1)
    crops = Crops(elastogram=elastogram[0], gray=gray[0])
    graph, precision = bundle.graph_path, bundle.manifest.graph.precision
    with (
        closing(OpenVinoEngine(graph, precision, 1)) as one,
        closing(OpenVinoEngine(graph, precision, 2)) as two,
    ):
        steps = {"one": partial(one.score, crops), "two": partial(two.score, crops)}
        times = in_turns(dict(steps), options.rounds)
    run.measure("one acquisition on two threads", times["two"], "ms")
    run.compare("one acquisition on two threads", "on one thread", times["one"])


def measure_ceilings(run: Run, bundle: Bundle, ours_ms: float, options: argparse.Namespace) -> None:
    """What matrices can be multiplied at, and how much of it an acquisition gets."""
    needed = network_gops(bundle.graph_path)
    run.measure("additions and multiplications of an acquisition", [needed], "GOP")
    for kind, name in KINDS.items():
        measure = f"products of matrices, {name}"
        if kind == "bf16" and not BFLOAT16.is_there:
            run.note(f"{measure}: {BFLOAT16.reason}")
            continue
        try:
            gops = matrix_gops(kind, options.threads, options.rounds)
        except NoSuchProductError as error:
            run.note(f"{measure}: {error}")
            continue
        run.measure(measure, gops, "GOP/s", better="more")
        if kind == "f32":
            run.compare(measure, "numpy, all cores", numpy_gops(options.rounds))
        best = run.measures[measure].max
        if kind == "f32" or (kind == "int8" and sums_int8_exactly()):
            share = 100 * needed / (ours_ms / 1e3) / best
            run.measure(f"an acquisition's share of the {name} ceiling", [share], "%", better="more")


def main() -> int:
    """Measure and keep."""
    made = parser(__doc__)
    made.add_argument("--rounds", type=int, default=20)
    made.add_argument("--threads", type=int, default=2, help="of every runtime")
    made.add_argument("--parameters", type=Path, help="trained network.safetensors of a work folder")
    made.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    options = made.parse_args()
    if options.smoke:
        options.rounds, options.compile = 1, False
    run, bundle = Run(), load_bundle(DEMONSTRATION_BUNDLE)
    with tempfile.TemporaryDirectory() as folder:
        exact = float32_graph(Path(folder), options.parameters)
        for name, batch in ((ONE, 1), (TWO, 2)):
            others = exact if batch == 1 or not options.smoke else None
            found = contenders(bundle, others, options, pictures(bundle, batch))
            if batch == 1:
                ours_ms = score_one(run, bundle, found, options)
            else:
                inputs = pictures(bundle, batch)
                times = in_turns({c.name: partial(c.score, inputs) for c in found}, options.rounds)
                compare(run, name, found[0].name, times)
            missing(run, name, options, batch)
    score_by_threads(run, bundle, options)
    measure_ceilings(run, bundle, ours_ms, options)
    run.budget("inference_ms", ours_ms)
    if EAGER in run.ratios.get(ONE, {}):
        run.budget("inference_over_torch_eager", run.ratios[ONE][EAGER])
    return keep("inference", run, options)


def missing(run: Run, measure: str, options: argparse.Namespace, batch: int) -> None:
    """Say what could not be measured here, and why."""
    if not torch_is_there():
        run.absent(measure, "torch, ONNX Runtime", "the extra `train` is not installed")
        return
    if not BFLOAT16.is_there:
        for library in LIBRARIES:
            run.absent(measure, f"{library} bfloat16", BFLOAT16.reason)
    if batch == 1:
        run.absent(measure, COMPILED, "it compiles for minutes, for every number anew: see two at once")
    elif not options.compile:
        run.absent(measure, COMPILED, "left out: it compiles for minutes")


if __name__ == "__main__":
    sys.exit(main())
