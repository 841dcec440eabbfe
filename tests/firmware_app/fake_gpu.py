"""A GPU that cannot exist here: `pycuda.driver` and TensorRT's runtime, as far as the product uses them.

The fake runs the real graph in OpenVINO, but only through addresses, copies and a stream, as a GPU would:
work is queued, and nothing is done before the stream is waited for. What was called is kept in `calls`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import openvino

from firmware_app.inference.cuda import Driver
from firmware_app.inference.graph import INPUTS, OUTPUTS
from firmware_app.inference.tensorrt_library import TensorRt

Work = Callable[[], None]


class CudaError(Exception):
    """As `pycuda.driver.Error`."""


class CudaMemoryError(CudaError):
    """As `pycuda.driver.MemoryError`."""


class FakeMemory:
    """Memory of the fake GPU."""

    def __init__(self, gpu: FakeGpu, size_bytes: int) -> None:
        self.gpu, self.address = gpu, next(gpu.addresses)
        gpu.memory[self.address] = np.full(size_bytes, 0xAB, np.uint8)
        gpu.note("allocate")

    def __int__(self) -> int:
        return self.address

    def free(self) -> None:
        """Give it back, once."""
        del self.gpu.memory[self.address]
        self.gpu.note("free")


class FakePinned:
    """What a page-locked array rests on."""

    def __init__(self, gpu: FakeGpu, shape: Sequence[int], dtype: type[np.generic]) -> None:
        self.gpu = gpu
        self.values = np.zeros(tuple(shape), dtype)
        gpu.pinned += 1

    @property
    def __array_interface__(self) -> dict[str, object]:
        return dict(self.values.__array_interface__)

    def free(self) -> None:
        """Give it back, once."""
        self.gpu.pinned -= 1
        self.gpu.note("unpin")


class FakeContext:
    """Current in the thread from `make_context` to `pop`."""

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu = gpu
        gpu.note("make context")

    def pop(self) -> None:
        """Leave the thread."""
        self.gpu.note("pop")

    def detach(self) -> None:
        """Give it back."""
        self.gpu.note("detach")


class FakeStream:
    """Does what is queued when it is waited for."""

    handle = 4242

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu, self.queued = gpu, list[Work]()
        gpu.stream = self

    def synchronize(self) -> None:
        """Do it all; from a fault on, every call ends in the fault."""
        self.gpu.note("synchronize")
        queued, self.queued = self.queued, []
        for work in queued:
            work()
        if self.gpu.lost:
            raise CudaError("cuStreamSynchronize failed: an illegal memory access was encountered")


class FakeGpu:
    """The module `pycuda.driver` with one GPU.

    Attributes:
        room_bytes: what can be allocated.
        lost: whether the next wait finds the context dead.
        absent: whether there is no GPU at all.
    """

    Error = CudaError
    MemoryError = CudaMemoryError

    def __init__(self, room_bytes: int = 1 << 30) -> None:
        self.room_bytes, self.lost, self.absent = room_bytes, False, False
        self.memory: dict[int, npt.NDArray[np.uint8]] = {}
        self.pinned = 0
        self.addresses = itertools.count(0x7F0000000000, 1 << 24)
        self.calls: list[str] = []
        self.stream: FakeStream | None = None

    def as_driver(self) -> Driver:
        """With the types of the real one."""
        return cast("Driver", self)

    def note(self, call: str) -> None:
        """Keep a call."""
        self.calls.append(call)

    def init(self) -> None:
        """Start the driver."""
        if self.absent:
            raise CudaError("cuInit failed: no CUDA-capable device is detected")

    def Device(self, number: int) -> FakeGpu:  # noqa: N802 - pycuda's name
        """The one GPU."""
        assert number == 0
        return self

    def name(self) -> str:
        """As a Jetson's driver calls it."""
        return "Orin"

    def compute_capability(self) -> tuple[int, int]:
        """Of a Jetson Orin."""
        return 8, 7

    def make_context(self) -> FakeContext:
        """Open a context."""
        return FakeContext(self)

    def Stream(self) -> FakeStream:  # noqa: N802 - pycuda's name
        """A new stream."""
        return FakeStream(self)

    def mem_alloc(self, size_bytes: int) -> FakeMemory:
        """Memory, as long as there is room."""
        self.room_bytes -= size_bytes
        if self.room_bytes < 0:
            raise CudaMemoryError("cuMemAlloc failed: out of memory")
        return FakeMemory(self, size_bytes)

    def pagelocked_empty(self, shape: Sequence[int], dtype: type[np.generic]) -> npt.NDArray[np.generic]:
        """An array whose base can be freed, as pycuda's."""
        return np.asarray(FakePinned(self, shape, dtype))

    def memcpy_htod_async(self, dest: FakeMemory, src: npt.NDArray[np.generic], stream: FakeStream) -> None:
        """Queue a copy to the GPU."""
        assert src.flags.c_contiguous
        stream.queued.append(
            lambda: self.memory[dest.address][: src.nbytes].__setitem__(
                slice(None), np.frombuffer(src.tobytes(), np.uint8)
            )
        )

    def memcpy_dtoh_async(self, dest: npt.NDArray[np.generic], src: FakeMemory, stream: FakeStream) -> None:
        """Queue a copy from the GPU."""

        def copy() -> None:
            raw = self.memory[src.address][: dest.nbytes].tobytes()
            dest[...] = np.frombuffer(raw, dest.dtype).reshape(dest.shape)

        stream.queued.append(copy)


class _Kind:
    def __init__(self, name: str) -> None:
        self.name = name


class FakeTensorRt:
    """TensorRT's library, runtime, engine and context in one; the plan is the ONNX graph itself.

    Attributes:
        refuses: what it says when asked to load an engine; empty: it loads.
        outcome: replaces every answer; None: the graph's own.
    """

    name, flavour, version = "TensorRT 10.3", "TensorRT", "10.3.0"

    def __init__(self, gpu: FakeGpu) -> None:
        self.gpu, self.refuses, self.outcome = gpu, "", None
        self.starts = True
        self.tensors: dict[str, openvino.Output] = {}
        self.addresses: dict[str, int] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}

    outcome: float | None

    def as_library(self) -> TensorRt:
        """With the types of the real one."""
        return cast("TensorRt", self)

    def complaints(self) -> str:
        """What went wrong."""
        return self.refuses

    def runtime(self) -> FakeTensorRt:
        """What loads engines."""
        return self

    def deserialize_cuda_engine(self, plan: bytes) -> FakeTensorRt | None:
        """Load an engine."""
        if self.refuses:
            return None
        self.model = openvino.Core().read_model(plan)
        self.compiled = openvino.Core().compile_model(self.model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        ports = (*self.compiled.inputs, *self.compiled.outputs)
        self.tensors = {name: port for port in ports for name in port.names if name in INPUTS + OUTPUTS}
        return self

    def create_execution_context(self) -> FakeTensorRt:
        """What runs the engine."""
        return self

    @property
    def num_io_tensors(self) -> int:
        """Inputs and outputs."""
        return len(self.tensors)

    def get_tensor_name(self, index: int) -> str:
        """In the engine's order."""
        return list(self.tensors)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        """With -1 for the batch."""
        return tuple(
            -1 if size.is_dynamic else size.get_length() for size in self.tensors[name].partial_shape
        )

    def get_tensor_dtype(self, name: str) -> _Kind:
        """Under NVIDIA's name."""
        return _Kind("UINT8" if self.tensors[name].element_type == openvino.Type.u8 else "FLOAT")

    def set_tensor_address(self, name: str, address: int) -> bool:
        """Where the tensor lies."""
        self.addresses[name] = address
        return True

    def set_input_shape(self, name: str, shape: Sequence[int]) -> bool:
        """The batch; as TensorRT, no larger than the profile's."""
        self.shapes[name] = tuple(shape)
        return 1 <= shape[0] <= 2

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Queue the engine's run."""
        assert self.gpu.stream is not None
        assert stream_handle == self.gpu.stream.handle
        if not self.starts:
            return False
        self.gpu.stream.queued.append(self._run)
        return True

    def _run(self) -> None:
        inputs = {}
        for name, shape in self.shapes.items():
            raw = self.gpu.memory[self.addresses[name]][: int(np.prod(shape))]
            inputs[name] = raw.reshape(shape)
        answers = self.compiled(inputs)
        for name in OUTPUTS:
            if name not in self.tensors:
                continue
            values = answers[name]
            told = values if self.outcome is None else np.full_like(values, self.outcome)
            raw = np.frombuffer(told.tobytes(), np.uint8)
            self.gpu.memory[self.addresses[name]][: raw.size] = raw
