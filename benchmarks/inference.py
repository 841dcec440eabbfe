"""Times GM, EM and GM+EM of one acquisition: the appliance's engine, beside what one would pick instead.

The same two crops go through the demonstration bundle in the appliance's OpenVINO engine (INT8, resizing and
checks included), the same graph in ONNX Runtime, and the same network in torch eager float32 (random weights:
the time does not depend on them). The three take turns in one run, so other work on the machine meets
all of them alike. Run: `python benchmarks/inference.py [--rounds 40] [--threads 2] [--json]`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import firmware_app
from firmware_app.inference import load_bundle, open_engine
from firmware_app.inference.openvino_engine import INPUTS, OUTPUTS
from firmware_app.journey import Crops

DEMO = Path(firmware_app.__file__).parent / "bundles" / "demo"
OURS = "OpenVINO INT8, the appliance's engine"
ONNX_RUNTIME = "ONNX Runtime INT8"
TORCH = "torch eager float32"
Step = Callable[[], object]


def onnx_runtime(graph: Path, crops: Crops, threads: int) -> Step:
    """One acquisition in ONNX Runtime."""
    import onnxruntime  # noqa: PLC0415 - of the extra `train`, may be absent

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    inputs = dict(zip(INPUTS, (crops.gray[np.newaxis], crops.elastogram[np.newaxis]), strict=True))
    return lambda: session.run(list(OUTPUTS), inputs)


def torch_eager(crops: Crops, threads: int) -> Step:
    """One acquisition in torch, float32."""
    import torch  # noqa: PLC0415 - of the extra `train`, may be absent

    from model_export.network import FibrosisNetwork, normalise  # noqa: PLC0415 - imports torch
    from model_export.weights import random_trunk  # noqa: PLC0415 - imports torch

    torch.set_num_threads(threads)
    network = FibrosisNetwork(random_trunk(1)).eval()
    gray, elastogram = (torch.from_numpy(crop[np.newaxis].copy()) for crop in (crops.gray, crops.elastogram))

    def score() -> object:
        with torch.inference_mode():
            return network(normalise(gray), normalise(elastogram))

    return score


def measure(steps: dict[str, Step], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of every step, in turns, after three rounds to warm up."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 3):
        for name, step in steps.items():
            began = time.perf_counter()
            step()
            if turn >= 3:
                times[name].append((time.perf_counter() - began) * 1e3)
    return times


def main() -> None:
    """Print median, p95 and the ratio to the appliance's engine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    bundle = load_bundle(DEMO)
    with np.load(DEMO / "golden.npz", allow_pickle=False) as golden:
        crops = Crops(elastogram=golden["elastogram"][-1], gray=golden["gray"][-1])
    engine = open_engine(bundle, options.threads)
    steps: dict[str, Step] = {OURS: lambda: engine.score(crops)}
    if importlib.util.find_spec("onnxruntime"):
        steps[ONNX_RUNTIME] = onnx_runtime(bundle.graph_path, crops, options.threads)
    if importlib.util.find_spec("torch"):
        steps[TORCH] = torch_eager(crops, options.threads)
    times = measure(steps, options.rounds)
    engine.close()
    ours = float(np.median(times[OURS]))
    rows = {
        name: {
            "median_ms": float(np.median(values)),
            "p95_ms": float(np.quantile(values, 0.95)),
            "ratio": float(np.median(values)) / ours,
        }
        for name, values in times.items()
    }
    if options.json:
        print(json.dumps({"rounds": options.rounds, "threads": options.threads, "inference": rows}))
        return
    for name, row in rows.items():
        print(f"{name:40s} {row['median_ms']:7.1f} ms  p95 {row['p95_ms']:7.1f} ms  x{row['ratio']:.2f}")


if __name__ == "__main__":
    main()
