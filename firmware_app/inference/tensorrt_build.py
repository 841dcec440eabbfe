"""From a bundle's graph to a TensorRT engine: the same few lines for TensorRT 10.3, 11 and RTX."""

from __future__ import annotations

import re
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from firmware_app.errors import BundleError, EngineBuildError
from firmware_app.inference.graph import INPUT_SIDE, INPUTS, LOGITS
from firmware_app.inference.tensorrt_api import (
    Builder,
    BuilderConfig,
    NetworkDefinition,
    OnnxParser,
    OptimizationProfile,
)
from firmware_app.inference.tensorrt_library import Capability, TensorRt

LARGEST_BATCH = 2
"""An engine takes one or two acquisitions at a time; one is what it is tuned for."""
WORKSPACE_BYTES = 1 << 30
"""Scratch memory that a kernel may use: an eighth of the smallest Jetson Orin that is sold with 8 GB."""
RECIPE = 1
"""Counts the changes of what is asked of the builder; engines of another recipe are built anew."""


@dataclass(frozen=True, slots=True)
class BuiltEngine:
    """An engine as bytes, what the next build can learn from this one (None: nothing), and its time."""

    engine: bytes
    timing_cache: bytes | None
    elapsed_s: float


def build_engine(
    library: TensorRt,
    graph: Path,
    *,
    target: Capability | None = None,
    timing_cache: bytes = b"",
    progress: bool = False,
) -> BuiltEngine:
    """Build an engine.

    Args:
        library: what builds.
        graph: the ONNX graph of a bundle.
        target: compute capability of another GPU; None: the GPU of this machine.
        timing_cache: of an earlier build by this library on this GPU.
        progress: show a bar.

    Raises:
        BundleError: the graph is not one that TensorRT takes; one sentence names the node.
        TargetError: the library cannot build for this target.
        EngineBuildError: TensorRT failed.
    """
    began = time.monotonic()
    library.complaints()  # what was said about something else
    builder = library.builder()
    config = builder.create_builder_config()
    if target is not None:
        library.aim_at(config, target)
    network = _parsed(library, builder, graph)
    library.limit_workspace(config, WORKSPACE_BYTES)
    config.add_optimization_profile(_profile(builder))
    keeps_timings = library.flavour == "TensorRT"  # RTX tries no kernels before it runs
    if keeps_timings:
        # NVIDIA answers None to a damaged cache; then the build begins without one.
        cache = config.create_timing_cache(timing_cache) or config.create_timing_cache(b"")
        if cache is not None:
            config.set_timing_cache(cache, False)
    with closing(BuildBar(graph.parent.name, shown=progress)) as bar:
        library.watch(config, bar)
        plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineBuildError(f"{library.name} cannot build {graph}: {library.complaints() or 'no reason'}")
    timings = _timings(config) if keeps_timings else None
    return BuiltEngine(bytes(plan), timings, time.monotonic() - began)


def _parsed(library: TensorRt, builder: Builder, graph: Path) -> NetworkDefinition:
    network = library.network(builder)
    parser = library.parser(network)
    if not graph.is_file():
        raise BundleError(f"{graph} is missing; give the folder of a bundle")
    if not parser.parse_from_file(str(graph)):
        raise BundleError(f"{library.name} does not take {graph}: {_first_complaint(library, parser)}")
    inputs = {network.get_input(index).name for index in range(network.num_inputs)}
    outputs = {network.get_output(index).name for index in range(network.num_outputs)}
    missing = [name for name in INPUTS if name not in inputs] + [n for n in LOGITS if n not in outputs]
    if missing:
        raise BundleError(f"{graph} lacks {', '.join(missing)}; it is not the graph of a bundle")
    return network


def _first_complaint(library: TensorRt, parser: OnnxParser) -> str:
    """One sentence from the parser's first error: which node, and what is wrong with it."""
    if parser.num_errors == 0:
        return f"{library.complaints() or 'it is not an ONNX graph'}; export it anew"
    error = parser.get_error(0)
    cause = " ".join(error.desc().split())
    node = f"{error.node_operator()} {error.node_name()}".strip()
    if "shiftIsAllZeros" in cause or "zero point" in cause.lower():
        return (
            f"{node} has a zero point other than 0, and TensorRT takes symmetric ranges only; "
            "quantise it anew with `fibrostage-export quantise`"
        )
    # "Assertion failed: condition: sentence" and "Invalid Node - name sentence" both end in what matters.
    cause = re.sub(r"^Assertion failed: [^:]*: |^Invalid Node - \S+ ", "", cause).split(" [checkMacros", 1)[0]
    cause = re.sub(r"\.? In \w+ at \S+:\d+", "", cause)  # the place in NVIDIA's source
    return f"{node or 'the file'}: {cause.rstrip('.')}; export it anew with `fibrostage-export export`"


def _profile(builder: Builder) -> OptimizationProfile:
    profile = builder.create_optimization_profile()
    smallest, largest = ((batch, INPUT_SIDE, INPUT_SIDE, 3) for batch in (1, LARGEST_BATCH))
    for name in INPUTS:
        profile.set_shape(name, smallest, smallest, largest)
    return profile


def _timings(config: BuilderConfig) -> bytes | None:
    cache = config.get_timing_cache()
    return None if cache is None else bytes(cache.serialize())


class BuildBar:
    """A bar that counts the builder's steps; phases lie within phases and may run side by side."""

    def __init__(self, name: str, *, shown: bool) -> None:
        """Show a bar for a build, or none."""
        self._bar = tqdm(desc=f"TensorRT {name}", total=0, unit="step", disable=not shown, mininterval=0.5)
        self._left: dict[str, int] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Take the bar off the screen's edge."""
        self._bar.close()

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:  # noqa: ARG002 - NVIDIA's
        """A phase of so many steps begins."""
        with self._lock:
            self._left[phase_name] = num_steps
            self._bar.total = (self._bar.total or 0) + num_steps
            self._bar.set_postfix_str(phase_name, refresh=False)
            self._bar.refresh()

    def step_complete(self, phase_name: str, step: int) -> bool:  # noqa: ARG002 - NVIDIA's
        """One step is done; the answer lets the build go on."""
        with self._lock:
            if self._left.get(phase_name, 0) > 0:
                self._left[phase_name] -= 1
                self._bar.update()
        return True

    def phase_finish(self, phase_name: str) -> None:
        """The phase is over, also where its last steps were not reported."""
        with self._lock:
            self._bar.update(self._left.pop(phase_name, 0))
