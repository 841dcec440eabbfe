"""The GPU through pycuda: one context and one stream, owned by the thread that opens them.

`Driver` lists the little of `pycuda.driver` that is used (documented at documen.tician.de/pycuda), so that
the logic around it can be tried without a GPU. Only `tensorrt_engine` imports pycuda and hands it in.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import numpy as np
import numpy.typing as npt

from firmware_app.errors import EngineError, GpuError, GpuLostError, GpuOutOfMemoryError, NoGpuError

Scalar = TypeVar("Scalar", bound=np.generic)


class CudaStream(Protocol):
    """A queue of work on the GPU."""

    @property
    def handle(self) -> int:
        """Its address for other libraries."""
        ...

    def synchronize(self) -> None:
        """Wait until the work is done; raises what went wrong in it."""
        ...


class DeviceMemory(Protocol):
    """Memory of the GPU."""

    def __int__(self) -> int: ...
    def free(self) -> None:
        """Give it back."""
        ...


class HostMemory(Protocol):
    """What a page-locked array rests on (its `base`)."""

    def free(self) -> None:
        """Give it back; the array must not be touched afterwards."""
        ...


class CudaContext(Protocol):
    """What a program owns on the GPU; current in the thread that made it."""

    def pop(self) -> None:
        """Take it from the thread."""
        ...

    def detach(self) -> None:
        """Give it back."""
        ...


class CudaDevice(Protocol):
    """One GPU."""

    def name(self) -> str:
        """As the driver calls it."""
        ...

    def compute_capability(self) -> tuple[int, int]:
        """Major and minor number."""
        ...

    def make_context(self) -> CudaContext:
        """Open a context and make it current in this thread."""
        ...


class Driver(Protocol):
    """The module `pycuda.driver`."""

    @property
    def Error(self) -> type[Exception]:  # noqa: N802 - pycuda's name
        """Root of pycuda's errors."""
        ...

    @property
    def MemoryError(self) -> type[Exception]:  # noqa: N802 - pycuda's name
        """Out of memory."""
        ...

    def init(self) -> None:
        """Start the driver."""
        ...

    def Device(self, number: int) -> CudaDevice:  # noqa: N802 - pycuda's name
        """A GPU by its number."""
        ...

    def Stream(self) -> CudaStream:  # noqa: N802 - pycuda's name
        """A new stream of the current context."""
        ...

    def mem_alloc(self, size_bytes: int, /) -> DeviceMemory:
        """Memory of the GPU."""
        ...

    def pagelocked_empty(self, shape: Sequence[int], dtype: type[Scalar]) -> npt.NDArray[Scalar]:
        """Memory of the host that does not move, so that the GPU copies without the processor."""
        ...

    def memcpy_htod_async(self, dest: DeviceMemory, src: npt.NDArray[np.generic], stream: CudaStream) -> None:
        """Queue a copy to the GPU."""
        ...

    def memcpy_dtoh_async(self, dest: npt.NDArray[np.generic], src: DeviceMemory, stream: CudaStream) -> None:
        """Queue a copy from the GPU."""
        ...


@dataclass(frozen=True, slots=True)
class Gpu:
    """What an engine is compiled for."""

    name: str
    compute_capability: tuple[int, int]


def first_gpu(driver: Driver) -> Gpu:
    """The first GPU of this machine.

    Raises:
        NoGpuError: there is none.
    """
    try:
        driver.init()
        device = driver.Device(0)
        return Gpu(device.name(), device.compute_capability())
    except driver.Error as error:
        raise NoGpuError(f"no NVIDIA GPU answers: {error}") from error


@dataclass(frozen=True, slots=True)
class Buffer:
    """One tensor twice: page-locked in the host's memory, and in the GPU's."""

    host: npt.NDArray[np.generic]
    device: DeviceMemory


class CudaSession:
    """A context, its stream and its buffers; everything happens in the thread that opened it."""

    def __init__(self, driver: Driver) -> None:
        """Open a context on the first GPU and make it this thread's.

        Raises:
            NoGpuError: there is no GPU.
            GpuError: the context cannot be opened.
        """
        self.gpu = first_gpu(driver)
        self._driver = driver
        self._thread = threading.get_ident()
        self._buffers: list[Buffer] = []
        self._context: CudaContext | None = None
        self._stream: CudaStream | None = None
        with self._translated("opening a context"):
            self._context = driver.Device(0).make_context()
        try:
            with self._translated("making a stream"):
                self._stream = driver.Stream()
        except GpuError:
            self.close()
            raise

    @property
    def stream(self) -> CudaStream:
        """The one stream.

        Raises:
            EngineError: the session is closed, or belongs to another thread.
        """
        self.check_thread()
        if self._stream is None:
            raise EngineError("the GPU's session is closed; open the engine anew")
        return self._stream

    def check_thread(self) -> None:
        """Refuse every thread but the owner: a CUDA context is current in one thread only.

        Raises:
            EngineError: another thread calls.
        """
        if threading.get_ident() != self._thread:
            raise EngineError("the GPU belongs to the thread that opened the engine; score and close there")

    def allocate(self, shape: Sequence[int], dtype: type[np.generic]) -> Buffer:
        """A tensor's two places.

        Raises:
            GpuOutOfMemoryError: either memory is full.
        """
        with self._translated(f"reserving memory for {tuple(shape)}"):
            host = self._driver.pagelocked_empty(tuple(shape), dtype)
            try:
                buffer = Buffer(host, self._driver.mem_alloc(host.nbytes))
            except self._driver.Error:
                _base_of(host).free()
                raise
        self._buffers.append(buffer)
        return buffer

    def upload(self, buffer: Buffer, count: int) -> None:
        """Queue the copy of the first `count` rows to the GPU."""
        with self._translated("copying to the GPU"):
            self._driver.memcpy_htod_async(buffer.device, buffer.host[:count], self.stream)

    def download(self, buffer: Buffer, count: int) -> None:
        """Queue the copy of the first `count` rows from the GPU."""
        with self._translated("copying from the GPU"):
            self._driver.memcpy_dtoh_async(buffer.host[:count], buffer.device, self.stream)

    def wait(self) -> None:
        """Wait for everything that is queued.

        Raises:
            GpuLostError: the work ended in a fault; the context is dead from then on.
        """
        with self._translated("running the engine"):
            self.stream.synchronize()

    def complain(self, call: str, cause: str) -> GpuError:
        """The error for what another library says went wrong on the GPU."""
        out_of_memory = any(words in cause.lower() for words in ("out of memory", "outofmemory"))
        return (GpuOutOfMemoryError if out_of_memory else GpuError)(self.gpu.name, call, cause)

    def close(self) -> None:
        """Give everything back, the youngest first; harmless when repeated, and on a dead GPU.

        The buffers must not be touched afterwards.

        Raises:
            EngineError: another thread calls.
        """
        self.check_thread()
        if self._context is None:
            return
        context, self._context = self._context, None
        if self._stream is not None:
            with contextlib.suppress(self._driver.Error):
                self._stream.synchronize()  # nothing may still read or write the buffers
        while self._buffers:
            buffer = self._buffers.pop()
            for memory in (buffer.device, _base_of(buffer.host)):
                with contextlib.suppress(self._driver.Error):
                    memory.free()
        self._stream = None
        for leave in (context.pop, context.detach):
            with contextlib.suppress(self._driver.Error):
                leave()

    @contextlib.contextmanager
    def _translated(self, call: str) -> Iterator[None]:
        try:
            yield
        except self._driver.MemoryError as error:
            raise GpuOutOfMemoryError(self.gpu.name, call, str(error)) from error
        except self._driver.Error as error:
            # Once work was queued, CUDA reports faults late and keeps reporting them: the context is dead.
            lost = call == "running the engine" or call.startswith("copying")
            raise (GpuLostError if lost else GpuError)(self.gpu.name, call, str(error)) from error


def _base_of(host: npt.NDArray[np.generic]) -> HostMemory:
    return cast("HostMemory", host.base)
