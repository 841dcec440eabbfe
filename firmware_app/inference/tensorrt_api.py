"""The little of NVIDIA's Python API that is used here, with types; the same in TensorRT 10.3, 11 and RTX 1.7.

NVIDIA's stubs cannot be read by mypy (the wheel `tensorrt-stubs` 10.13 has syntax errors), so the used part
stands here as protocols under NVIDIA's names; a test compares them with the stubs and with the real module.
"""
# ruff: noqa: D102 - NVIDIA's guide describes these methods

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Named(Protocol):
    """A member of one of NVIDIA's enumerations."""

    @property
    def name(self) -> str: ...
    def __int__(self) -> int: ...


class Tensor(Protocol):
    """An input or output of a network."""

    @property
    def name(self) -> str: ...


class NetworkDefinition(Protocol):
    """A parsed graph."""

    @property
    def num_inputs(self) -> int: ...
    @property
    def num_outputs(self) -> int: ...
    def get_input(self, index: int) -> Tensor: ...
    def get_output(self, index: int) -> Tensor: ...


class ParserError(Protocol):
    """Why a graph was refused."""

    def desc(self) -> str: ...
    def node_name(self) -> str: ...
    def node_operator(self) -> str: ...


class OnnxParser(Protocol):
    """Reads an ONNX graph into a network."""

    @property
    def num_errors(self) -> int: ...
    def parse_from_file(self, path: str) -> bool: ...
    def get_error(self, index: int) -> ParserError: ...


class OptimizationProfile(Protocol):
    """The batch sizes that an engine is built for."""

    def set_shape(
        self,
        name: str,
        min: Sequence[int],  # noqa: A002 - NVIDIA's
        opt: Sequence[int],
        max: Sequence[int],  # noqa: A002 - NVIDIA's
    ) -> None: ...


class HostMemory(Protocol):
    """Bytes that belong to the library."""

    @property
    def nbytes(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...


class TimingCache(Protocol):
    """How fast the kernels tried so far were on this GPU."""

    def serialize(self) -> HostMemory: ...


class ProgressMonitor(Protocol):
    """Is told how far a build is; phases lie within phases."""

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None: ...
    def step_complete(self, phase_name: str, step: int) -> bool: ...
    def phase_finish(self, phase_name: str) -> None: ...


class BuilderConfig(Protocol):
    """How to build."""

    progress_monitor: ProgressMonitor
    num_compute_capabilities: int
    """TensorRT-RTX only."""

    def add_optimization_profile(self, profile: OptimizationProfile) -> int: ...
    def set_memory_pool_limit(self, pool: Named, pool_size: int) -> None: ...
    def create_timing_cache(self, serialized_timing_cache: bytes) -> TimingCache | None: ...
    def set_timing_cache(self, cache: TimingCache, ignore_mismatch: bool) -> bool: ...  # noqa: FBT001 - NVIDIA's
    def get_timing_cache(self) -> TimingCache | None: ...
    def set_compute_capability(self, compute_capability: Named, index: int) -> bool:
        """TensorRT-RTX only."""
        ...


class Builder(Protocol):
    """Builds engines."""

    def create_network(self, flags: int) -> NetworkDefinition: ...
    def create_builder_config(self) -> BuilderConfig: ...
    def create_optimization_profile(self) -> OptimizationProfile: ...
    def build_serialized_network(
        self, network: NetworkDefinition, config: BuilderConfig
    ) -> HostMemory | None: ...


class ExecutionContext(Protocol):
    """Runs an engine."""

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool: ...
    def set_tensor_address(self, name: str, memory: int) -> bool: ...
    def execute_async_v3(self, stream_handle: int) -> bool: ...


class CudaEngine(Protocol):
    """A loaded engine."""

    @property
    def num_io_tensors(self) -> int: ...
    def get_tensor_name(self, index: int) -> str: ...
    def get_tensor_shape(self, name: str) -> Sequence[int]: ...
    def get_tensor_dtype(self, name: str) -> Named: ...
    def create_execution_context(self) -> ExecutionContext | None: ...


class Runtime(Protocol):
    """Loads engines."""

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> CudaEngine | None: ...
