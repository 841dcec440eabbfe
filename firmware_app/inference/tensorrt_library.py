"""The only module that imports TensorRT: JetPack's (10.3), TensorRT 11, or TensorRT-RTX, whichever is there.

The three have one API; `TensorRt` is all of it that the product uses. TensorRT is tried first: it is what a
Jetson has. TensorRT-RTX builds engines without a GPU.
"""

from __future__ import annotations

import importlib
from collections import deque
from functools import lru_cache
from types import ModuleType
from typing import Literal

from firmware_app.errors import NoTensorRtError, TargetError
from firmware_app.inference.tensorrt_api import (
    Builder,
    BuilderConfig,
    Named,
    NetworkDefinition,
    OnnxParser,
    ProgressMonitor,
    Runtime,
)

Flavour = Literal["TensorRT", "TensorRT-RTX"]
Capability = tuple[int, int]
"""Compute capability of a GPU, (major, minor); a Jetson Orin has 8.7."""


class TensorRt:
    """The library at hand: makes NVIDIA's objects, and keeps what they complain about.

    Attributes:
        flavour: TensorRT, or TensorRT-RTX.
        version: its full version, e.g. "10.3.0".
    """

    def __init__(self, flavour: Flavour, module: ModuleType) -> None:
        """Wrap NVIDIA's module; one per process, for TensorRT knows only one logger."""
        self.flavour = flavour
        self.version = str(module.__version__)
        self._module = module
        self._complaints: deque[str] = deque(maxlen=20)
        self._logger = _logger(module, self._complaints)

    @property
    def name(self) -> str:
        """Flavour and short version, for people."""
        return f"{self.flavour} {'.'.join(self.version.split('.')[:2])}"

    def builder(self) -> Builder:
        """A builder of engines."""
        builder: Builder = self._module.Builder(self._logger)
        return builder

    def network(self, builder: Builder) -> NetworkDefinition:
        """An empty network whose types are those of the graph: nothing is rounded that the graph does not."""
        # TensorRT 11 knows no other kind; 10.x and RTX have to be told.
        strongly_typed = self._module.NetworkDefinitionCreationFlag.__members__.get("STRONGLY_TYPED")
        return builder.create_network(0 if strongly_typed is None else 1 << int(strongly_typed))

    def parser(self, network: NetworkDefinition) -> OnnxParser:
        """A parser that fills the network."""
        parser: OnnxParser = self._module.OnnxParser(network, self._logger)
        return parser

    def runtime(self) -> Runtime:
        """What loads engines."""
        runtime: Runtime = self._module.Runtime(self._logger)
        return runtime

    def limit_workspace(self, config: BuilderConfig, size_bytes: int) -> None:
        """Let no kernel need more scratch memory than this."""
        pool: Named = self._module.MemoryPoolType.WORKSPACE
        config.set_memory_pool_limit(pool, size_bytes)

    def aim_at(self, config: BuilderConfig, capability: Capability) -> None:
        """Build for GPUs of another compute capability than that of this machine.

        Raises:
            TargetError: the library builds only for its own GPU, or not for this one.
        """
        if self.flavour == "TensorRT":
            raise TargetError(
                f"{self.name} builds for the GPU that it runs on: run the command on that device "
                "without --compute-capability"
            )
        kinds: dict[str, Named] = self._module.ComputeCapability.__members__
        kind = kinds.get("SM{}{}".format(*capability))
        if kind is None:
            known = ", ".join(f"{name[2:-1]}.{name[-1]}" for name in kinds if name.startswith("SM"))
            raise TargetError(
                f"{self.name} does not build for compute capability {capability[0]}.{capability[1]}, only "
                f"for {known}; an engine for a Jetson (8.7) is built on the Jetson itself, with JetPack's "
                "TensorRT and without --compute-capability"
            )
        config.num_compute_capabilities = 1
        config.set_compute_capability(kind, 0)

    def watch(self, config: BuilderConfig, monitor: ProgressMonitor) -> None:
        """Let a build tell how far it is."""
        module = self._module

        class Monitor(module.IProgressMonitor):  # type: ignore[name-defined, misc]  # base known at run time
            """Hands everything on: NVIDIA takes only its own children."""

            def __init__(self) -> None:
                module.IProgressMonitor.__init__(self)

            def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
                monitor.phase_start(phase_name, parent_phase, num_steps)

            def step_complete(self, phase_name: str, step: int) -> bool:
                return monitor.step_complete(phase_name, step)

            def phase_finish(self, phase_name: str) -> None:
                monitor.phase_finish(phase_name)

        config.progress_monitor = Monitor()

    def complaints(self) -> str:
        """The errors since the last call, in one line; empty without any."""
        said = "; ".join(dict.fromkeys(self._complaints))
        self._complaints.clear()
        return said


@lru_cache(maxsize=1)
def load_tensorrt() -> TensorRt:
    """Import the library that is there.

    Raises:
        NoTensorRtError: none is there, or it cannot be loaded.
    """
    tensorrt = _import("tensorrt")
    if isinstance(tensorrt, ModuleType):
        return TensorRt("TensorRT", tensorrt)
    # The wheels find their shared objects only in this order.
    libraries = _import("tensorrt_rtx_libs", needed="__file__")
    rtx = _import("tensorrt_rtx_bindings") if isinstance(libraries, ModuleType) else libraries
    if isinstance(rtx, ModuleType):
        return TensorRt("TensorRT-RTX", rtx)
    raise NoTensorRtError(
        f"TensorRT is not at hand ({tensorrt}; {rtx}): on a Jetson it comes with JetPack; elsewhere "
        "pip install tensorrt_rtx_cu12_libs tensorrt_rtx_cu12_bindings"
    )


def _import(name: str, needed: str = "Builder") -> ModuleType | str:
    """The module, or one line that says why not; a folder with type stubs alone imports as an empty one."""
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError:
        return f"no {name}"
    except (ImportError, OSError, RuntimeError) as error:
        return f"{name} cannot be loaded: {error}"
    return module if hasattr(module, needed) else f"no {name}"


def _logger(module: ModuleType, complaints: deque[str]) -> object:
    class Logger(module.ILogger):  # type: ignore[name-defined, misc]  # base known at run time
        """Keeps errors instead of printing them; the rest is NVIDIA's own diary."""

        def __init__(self) -> None:
            module.ILogger.__init__(self)

        def log(self, severity: Named, message: str) -> None:
            if severity.name in {"INTERNAL_ERROR", "ERROR"}:
                complaints.append(" ".join(message.split()))

    return Logger()
