"""Runs a compiled engine on the GPU: page-locked buffers, one stream, asynchronous copies."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import cast

import numpy as np

from firmware_app.errors import EngineError, NoGpuError
from firmware_app.inference.answer import scores_of
from firmware_app.inference.cuda import Buffer, CudaSession, Driver
from firmware_app.inference.graph import INPUT_SIDE, INPUTS, LOGITS, OUTPUTS
from firmware_app.inference.prepare import prepare
from firmware_app.inference.tensorrt_api import CudaEngine, ExecutionContext, Runtime
from firmware_app.inference.tensorrt_build import LARGEST_BATCH
from firmware_app.inference.tensorrt_library import TensorRt
from firmware_app.journey import Crops, ImageScores

_NUMBERS: dict[str, type[np.generic]] = {"UINT8": np.uint8, "FLOAT": np.float32, "HALF": np.float16}
"""NVIDIA's names of the types that a bundle's graph may have at its ends."""


def cuda_driver() -> Driver:
    """The module `pycuda.driver`.

    Raises:
        NoGpuError: pycuda is not installed, or there is no driver beneath it.
    """
    try:
        return cast("Driver", importlib.import_module("pycuda.driver"))
    except ModuleNotFoundError as error:
        raise NoGpuError("no GPU can be reached: pycuda is not installed (`make setup-jetson`)") from error
    except (ImportError, OSError) as error:
        raise NoGpuError(f"no GPU can be reached: pycuda cannot be loaded: {error}") from error


class TensorRtEngine:
    """Runs one or two acquisitions per call. Opened, used and closed by one thread."""

    def __init__(self, library: TensorRt, plan: bytes, precision: str, driver: Driver) -> None:
        """Load an engine and run it once, so that the first acquisition does not pay for it.

        Args:
            library: what compiled the engine, in the same version.
            plan: the engine's bytes.
            precision: of the graph's arithmetic, for the engine's name.
            driver: `pycuda.driver`.

        Raises:
            NoGpuError: there is no GPU.
            GpuOutOfMemoryError: the GPU's memory is full.
            EngineError: the engine cannot be loaded.
        """
        self._library = library
        self._session = CudaSession(driver)
        self._name = f"{library.name} {self._session.gpu.name} {precision.upper()}"
        self._parts: tuple[Runtime, CudaEngine, ExecutionContext] | None = None
        self._buffers: dict[str, Buffer] = {}
        try:
            self._parts = self._load(plan)
            self._bind(*self._parts[1:])
            blank = np.zeros((INPUT_SIDE, INPUT_SIDE, 3), dtype=np.uint8)
            self.score(Crops(elastogram=blank, gray=blank))
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """Runtime, its version, the GPU and the precision."""
        return self._name

    def score(self, crops: Crops) -> ImageScores:
        """Log-odds of one acquisition from its two crops of any size.

        Raises:
            GpuLostError: the GPU failed; the engine is of no use any more.
            EngineError: TensorRT failed, the engine is closed, or an answer is not finite.
        """
        return self.score_batch([crops])[0]

    def score_batch(self, batch: Sequence[Crops]) -> list[ImageScores]:
        """Log-odds of up to `LARGEST_BATCH` acquisitions in one pass.

        Raises:
            GpuLostError: the GPU failed; the engine is of no use any more.
            EngineError: TensorRT failed, the engine is closed, or an answer is not finite.
        """
        if not 1 <= len(batch) <= LARGEST_BATCH:
            raise ValueError(f"a batch has 1 to {LARGEST_BATCH} acquisitions, not {len(batch)}")
        if self._parts is None:
            raise EngineError("the TensorRT engine is closed; open it anew")
        session, (_, _, context) = self._session, self._parts
        stream = session.stream
        for name in INPUTS:
            host = self._buffers[name].host
            for row, crops in enumerate(batch):
                host[row] = prepare(crops.gray if name == "gray" else crops.elastogram)
            if not context.set_input_shape(name, (len(batch), INPUT_SIDE, INPUT_SIDE, 3)):
                raise session.complain("setting the batch", self._library.complaints())
            session.upload(self._buffers[name], len(batch))
        if not context.execute_async_v3(stream.handle):
            raise session.complain("starting the engine", self._library.complaints())
        answers = [name for name in self._buffers if name in OUTPUTS]
        for name in answers:
            session.download(self._buffers[name], len(batch))
        session.wait()
        # The buffers are written again by the next call, so the answers are copied out of them.
        hosts = {name: self._buffers[name].host.astype(np.float32) for name in answers}
        return [scores_of({n: h[row : row + 1] for n, h in hosts.items()}) for row in range(len(batch))]

    def close(self) -> None:
        """Release the engine, then the GPU; harmless when repeated.

        Raises:
            EngineError: another thread calls than the one that opened the engine.
        """
        self._session.check_thread()
        # TensorRT's objects free GPU memory when they go, so they go before the context, inner ones first.
        if self._parts is not None:
            runtime, engine, context = self._parts
            self._parts = None
            del context
            del engine
            del runtime
        self._buffers.clear()
        self._session.close()

    def _load(self, plan: bytes) -> tuple[Runtime, CudaEngine, ExecutionContext]:
        self._library.complaints()  # what was said about something else
        runtime = self._library.runtime()
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise self._session.complain("loading the engine", self._library.complaints())
        context = engine.create_execution_context()
        if context is None:
            raise self._session.complain("preparing the engine", self._library.complaints())
        return runtime, engine, context

    def _bind(self, engine: CudaEngine, context: ExecutionContext) -> None:
        """Make a buffer for every input and output, and tell TensorRT its address."""
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        missing = [name for name in INPUTS + LOGITS if name not in names]
        if missing:
            raise EngineError(f"the engine lacks {', '.join(missing)}; compile the bundle again")
        for name in names:
            kind = engine.get_tensor_dtype(name).name
            if kind not in _NUMBERS:
                raise EngineError(
                    f"{name} of the engine is {kind}; a bundle's graph has {', '.join(_NUMBERS)}"
                )
            shape = (LARGEST_BATCH, *tuple(engine.get_tensor_shape(name))[1:])
            self._buffers[name] = self._session.allocate(shape, _NUMBERS[kind])
            if not context.set_tensor_address(name, int(self._buffers[name].device)):
                raise self._session.complain(f"binding {name}", self._library.complaints())
