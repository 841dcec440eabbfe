"""Times GM, EM and GM+EM: the appliance's engine, beside every runtime that one could pick instead.

In one run, in turns, so that other work on the machine meets all of them alike: torch eager (float32, and
bfloat16 by autocast), torch.compile, ONNX Runtime (float32, INT8) and OpenVINO (float32, bfloat16, INT8), for
one acquisition and for two at once; the appliance's own engine, resizing and checks included; how it scales
with threads; how long it takes to be ready; and what this machine can do at most, as products of matrices.

    python -m benchmarks.inference [--rounds 20] [--threads 2] [--parameters network.safetensors]

The INT8 graph is the demonstration bundle's. The float32 network has the trained parameters that are given,
or random ones of the same shape; the time does not depend on them. Writes benchmarks/results/inference.json.
The exit code is 1 if a budget is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tqdm import tqdm

import firmware_app
from benchmarks.runtimes.ceiling import matrix_gops, network_gops, numpy_gops
from benchmarks.runtimes.networks import (
    Contender,
    Inputs,
    load_network,
    onnx_runtime_contender,
    openvino_contender,
    pictures,
    torch_contender,
    torch_is_there,
)
from firmware_app.inference.bundle import Bundle, load_bundle
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.journey import Crops

DEMO = Path(firmware_app.__file__).parent / "bundles" / "demo"
RESULT = Path(__file__).parent / "results" / "inference.json"
ENGINE = "the appliance's engine"
EAGER = "torch eager float32"
LIMIT_MS, LEAST_SPEED_UP = 60.0, 2.0
"""Budgets of the design: GM+EM in INT8 on the processor, and against torch eager in the same run."""
WARM_UP = 2
Row = dict[str, float]


def contenders(
    bundle: Bundle, exact: Path | None, options: argparse.Namespace, first: Inputs
) -> list[Contender]:
    """Every runtime that is installed, for batches of this size."""
    graph, threads = bundle.graph_path, options.threads
    found = [openvino_contender(graph, f"OpenVINO {bundle.manifest.graph.precision}", "f32", threads, first)]
    if exact is None:
        return found
    network = load_network(options.parameters)
    return [
        torch_contender(network, EAGER, threads, first, half=False, compiled=False),
        torch_contender(network, "torch eager bfloat16", threads, first, half=True, compiled=False),
        *(
            [torch_contender(network, "torch.compile float32", threads, first, half=False, compiled=True)]
            if options.compile and len(first[0]) == 2  # it is compiled anew for every size, for minutes
            else []
        ),
        onnx_runtime_contender(exact, "ONNX Runtime float32", threads, first),
        onnx_runtime_contender(graph, f"ONNX Runtime {bundle.manifest.graph.precision}", threads, first),
        openvino_contender(exact, "OpenVINO float32", "f32", threads, first),
        openvino_contender(exact, "OpenVINO bfloat16", "bf16", threads, first),
        *found,
    ]


def measure(steps: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every step, in turns."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in tqdm(range(rounds + WARM_UP), desc="turns", unit="turn", disable=not sys.stderr.isatty()):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if turn >= WARM_UP:
                times[name].append((time.perf_counter() - began) * 1e3)
    return times


def compare(bundle: Bundle, exact: Path | None, options: argparse.Namespace, batch: int) -> dict[str, Row]:
    """All runtimes at one batch size; for single acquisitions the appliance's engine, too."""
    inputs = pictures(bundle, batch)
    found = contenders(bundle, exact, options, inputs)
    steps: dict[str, Callable[[], object]] = {one.name: partial(one.score, inputs) for one in found}
    ready = {one.name: one.ready_s for one in found}
    engine = None
    if batch == 1:
        began = time.perf_counter()
        engine = OpenVinoEngine(bundle.graph_path, bundle.manifest.graph.precision, options.threads)
        ready[ENGINE] = time.perf_counter() - began
        crops = Crops(elastogram=inputs[1][0], gray=inputs[0][0])
        steps[ENGINE] = partial(engine.score, crops)
    times = measure(steps, options.rounds)
    if engine is not None:
        engine.close()
    return {name: _row(values, batch, ready[name]) for name, values in times.items()}


def _row(times_ms: list[float], batch: int, ready_s: float) -> Row:
    median = float(np.median(times_ms))
    return {
        "median_ms": median,
        "p95_ms": float(np.quantile(times_ms, 0.95)),
        "acquisitions_per_s": 1e3 * batch / median,
        "ready_s": ready_s,
    }


def scaling(bundle: Bundle, options: argparse.Namespace) -> dict[str, float]:
    """Median milliseconds of one acquisition by the bundle's graph in OpenVINO, by threads."""
    inputs = pictures(bundle, 1)
    counts = sorted({1, 2, options.threads, os.cpu_count() or 1})
    steps: dict[str, Callable[[], object]] = {}
    for count in counts:
        one = openvino_contender(bundle.graph_path, str(count), "f32", count, inputs)
        steps[one.name] = partial(one.score, inputs)
    return {name: float(np.median(values)) for name, values in measure(steps, options.rounds).items()}


def report_of(bundle: Bundle, exact: Path | None, options: argparse.Namespace) -> dict[str, object]:
    """Everything that is written down."""
    ceiling = {
        "OpenVINO int8": matrix_gops("int8", options.threads, options.rounds),
        "OpenVINO bfloat16": matrix_gops("bf16", options.threads, options.rounds),
        "OpenVINO float32": matrix_gops("f32", options.threads, options.rounds),
        "numpy float32": numpy_gops(options.rounds),
    }
    single = compare(bundle, exact, options, 1)
    needs = network_gops(bundle.graph_path)
    share = needs / (single[ENGINE]["median_ms"] / 1e3) / ceiling["OpenVINO int8"]
    return {
        "benchmark": "inference",
        "command": " ".join(["python", "-m", "benchmarks.inference", *sys.argv[1:]]),
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": {n: version(n) for n in ("openvino", "numpy")} | _training_versions(),
        "threads": options.threads,
        "rounds": options.rounds,
        "bundle_id": bundle.manifest.bundle_id,
        "float32_parameters": "trained" if options.parameters else "random, of the same shape",
        "one_acquisition": single,
        "two_at_once": compare(bundle, exact, options, 2),
        "threads_ms": scaling(bundle, options),
        "ceiling_gops": ceiling,
        "network_gop": needs,
        "share_of_int8_ceiling": share,
        "load_average": list(os.getloadavg()),
    }


def _machine() -> dict[str, str | int]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {key.strip(): value.strip() for key, value in named.items()}
    wanted = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm")
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    return {
        "processor": facts.get("model name", platform.machine()),
        "cores": os.cpu_count() or 1,
        "instructions": " ".join(flag for flag in wanted if flag in flags),
    }


def _training_versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "onnxruntime")} if torch_is_there() else {}


def budgets(single: dict[str, Row]) -> list[tuple[str, float, float, bool]]:
    """Name, value, limit, and whether it is met."""
    ours = single[ENGINE]["median_ms"]
    rows = [("inference_ms", ours, LIMIT_MS, ours <= LIMIT_MS)]
    if EAGER in single:
        ratio = single[EAGER]["median_ms"] / ours
        rows.append(("times_faster_than_torch_eager", ratio, LEAST_SPEED_UP, ratio >= LEAST_SPEED_UP))
    return rows


def show(title: str, rows: dict[str, Row], baseline: str) -> None:
    """A table of one batch size, the fastest last."""
    base = rows[baseline]["median_ms"]
    print(f"{title:26s} {'median':>9s} {'p95':>9s} {'per s':>7s} {'ready':>8s}  against {baseline}")
    for name, row in sorted(rows.items(), key=lambda item: -item[1]["median_ms"]):
        ratio = f"x{base / row['median_ms']:.2f} as fast"
        times = f"{row['median_ms']:6.1f} ms {row['p95_ms']:6.1f} ms"
        print(f"  {name:24s} {times} {row['acquisitions_per_s']:7.1f} {row['ready_s']:6.1f} s  {ratio}")


def main() -> int:
    """Measure, write the result, print it; 1 if a budget is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--parameters", type=Path, help="trained network.safetensors of a work folder")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    parser.add_argument("--results", type=Path, default=RESULT.parent, help="folder of the result file")
    parser.add_argument("--smoke", action="store_true", help="some seconds; the numbers mean nothing")
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.compile = 1, False
    bundle = load_bundle(DEMO)
    with tempfile.TemporaryDirectory() as folder:
        report = report_of(bundle, _exact_graph(Path(folder), options.parameters), options)
    options.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps(report, indent=1)
    (options.results / RESULT.name).write_text(f"{text}\n", encoding="utf-8")
    single, pair, ceiling = report["one_acquisition"], report["two_at_once"], report["ceiling_gops"]
    assert isinstance(single, dict)
    assert isinstance(pair, dict)
    assert isinstance(ceiling, dict)
    show("one acquisition", single, EAGER if EAGER in single else ENGINE)
    show("two at once", pair, EAGER if EAGER in pair else next(iter(pair)))
    limits = ", ".join(f"{name} {gops:.0f}" for name, gops in ceiling.items())
    print(f"products of matrices, GOP/s: {limits}; an acquisition needs {report['network_gop']:.1f} GOP")
    print(f"share of the INT8 ceiling: {report['share_of_int8_ceiling']:.2f}")
    print(f"by threads, ms: {report['threads_ms']}")
    missed = 0
    for name, value, limit, met in budgets(single):
        print(f"budget {name} {value:.2f} {limit:g} {'met' if met else 'missed'}")
        missed += not met
    return 1 if missed and not options.smoke else 0


def _exact_graph(folder: Path, parameters: Path | None) -> Path | None:
    """The float32 graph, exported for this run; None without the extra `train`."""
    if not torch_is_there():
        return None
    from model_export.export import export_onnx  # noqa: PLC0415 - imports torch

    export_onnx(load_network(parameters), folder / "float32.onnx")
    return folder / "float32.onnx"


if __name__ == "__main__":
    sys.exit(main())
