"""The runner around a GPU: what goes in comes out, in order, in one thread, and every failure has a name.

There is no GPU here: `fake_gpu` stands in behind the interfaces of pycuda and of TensorRT's runtime, and runs
the graph in OpenVINO. What the real ones do is tested by `test_tensorrt_gpu.py` on a Jetson.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the small graph is made with onnx, of the extra `train`")

from firmware_app.errors import EngineError, GpuLostError, GpuOutOfMemoryError, NoGpuError
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.inference.tensorrt_engine import TensorRtEngine
from firmware_app.journey import Crops, ImageScores
from tests.firmware_app.fake_gpu import FakeGpu, FakeTensorRt
from tests.firmware_app.small_graph import write_graph


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small graph in float32."""
    return write_graph(tmp_path_factory.mktemp("graph") / "graph.onnx", "fp32")


@pytest.fixture
def gpu() -> FakeGpu:
    """A GPU with room enough."""
    return FakeGpu()


@pytest.fixture
def tensorrt(gpu: FakeGpu) -> FakeTensorRt:
    """TensorRT on that GPU."""
    return FakeTensorRt(gpu)


@pytest.fixture
def engine(graph: Path, gpu: FakeGpu, tensorrt: FakeTensorRt) -> Iterator[TensorRtEngine]:
    """The small graph's engine."""
    opened = TensorRtEngine(tensorrt.as_library(), graph.read_bytes(), "fp32", gpu.as_driver())
    yield opened
    opened.close()


def crops(seed: int, side: int = 299) -> Crops:
    """Two pictures of noise."""
    rng = np.random.default_rng(seed)
    return Crops(*(rng.integers(0, 256, (side, side, 3), np.uint8) for _ in range(2)))


def rows(scores: ImageScores) -> np.ndarray:
    """Log-odds (method, threshold)."""
    return np.array([scores.gm, scores.em, scores.gm_em])


def test_runner_gives_what_openvino_gives(engine: TensorRtEngine, graph: Path) -> None:
    """Alone or two at a time, of any size, one after the other: the same log-odds, none mixed up."""
    openvino = OpenVinoEngine(graph, "fp32", threads=1)
    pictures = [crops(seed, side) for seed, side in ((1, 299), (2, 120), (3, 411))]
    expected = [rows(openvino.score(pair)) for pair in pictures]
    openvino.close()
    assert np.ptp([row.ravel() for row in expected], axis=0).min() > 0.01
    for pair, wanted in zip(pictures, expected, strict=True):
        np.testing.assert_allclose(rows(engine.score(pair)), wanted, atol=1e-4)
    for first, second in ((0, 1), (2, 0), (1, 1)):
        found = engine.score_batch([pictures[first], pictures[second]])
        np.testing.assert_allclose(rows(found[0]), expected[first], atol=1e-4)
        np.testing.assert_allclose(rows(found[1]), expected[second], atol=1e-4)
    np.testing.assert_allclose(rows(engine.score(pictures[0])), expected[0], atol=1e-4)


def test_answers_stay_when_the_buffers_are_used_again(engine: TensorRtEngine) -> None:
    """An answer is not a window into memory that the next acquisition overwrites."""
    first = engine.score(crops(1))
    kept = rows(first).copy()
    engine.score(crops(2))
    assert (rows(first) == kept).all()


def test_name_tells_runtime_gpu_and_precision(engine: TensorRtEngine) -> None:
    """The name is what every screen and message shows."""
    assert engine.name == "TensorRT 10.3 Orin FP32"


@pytest.mark.parametrize("size", [0, 3])
def test_batch_that_the_engine_was_not_built_for_is_a_programming_error(
    engine: TensorRtEngine, size: int
) -> None:
    """One or two acquisitions, no other number."""
    with pytest.raises(ValueError, match="1 to 2"):
        engine.score_batch([crops(1)] * size)


def test_everything_is_given_back_in_order(engine: TensorRtEngine, gpu: FakeGpu) -> None:
    """Closing waits for the stream, frees both kinds of memory, and only then leaves the context; once."""
    engine.score(crops(1))
    gpu.calls.clear()
    engine.close()
    engine.close()
    order = list(dict.fromkeys(gpu.calls))
    assert order == ["synchronize", "free", "unpin", "pop", "detach"]
    assert gpu.calls.count("detach") == 1
    assert (gpu.memory, gpu.pinned) == ({}, 0)
    with pytest.raises(EngineError, match="closed"):
        engine.score(crops(1))


def test_only_the_thread_that_opened_it_may_use_it(engine: TensorRtEngine) -> None:
    """A CUDA context is current in one thread; another one is told so instead of crashing."""
    caught: list[Exception] = []

    def use() -> None:
        for call in (lambda: engine.score(crops(1)), engine.close):
            with pytest.raises(EngineError) as refused:
                call()
            caught.append(refused.value)

    thread = threading.Thread(target=use, name="other")
    thread.start()
    thread.join(10)
    assert [str(error) for error in caught] == [str(caught[0])] * 2
    assert "belongs to the thread" in str(caught[0])
    assert np.isfinite(rows(engine.score(crops(1)))).all()


@pytest.mark.parametrize("room_bytes", [0, 700_000])
def test_gpu_without_memory_says_so_and_gives_everything_back(graph: Path, room_bytes: int) -> None:
    """Out of memory is an error of its own, and nothing stays behind, whenever it comes."""
    gpu = FakeGpu(room_bytes)
    with pytest.raises(GpuOutOfMemoryError, match=r"Orin: reserving memory .* out of memory") as caught:
        TensorRtEngine(FakeTensorRt(gpu).as_library(), graph.read_bytes(), "fp32", gpu.as_driver())
    assert caught.value.device == "Orin"
    assert (gpu.memory, gpu.pinned) == ({}, 0)
    assert gpu.calls[-2:] == ["pop", "detach"]


def test_lost_gpu_says_so_and_can_still_be_closed(engine: TensorRtEngine, gpu: FakeGpu) -> None:
    """A fault on the GPU is an error of its own; closing then neither fails nor hangs."""
    gpu.lost = True
    with pytest.raises(GpuLostError, match=r"Orin: running the engine: .*illegal memory access"):
        engine.score(crops(1))
    engine.close()
    assert gpu.calls[-2:] == ["pop", "detach"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("CUDA error: out of memory", GpuOutOfMemoryError),
        ("The engine plan file is of another version", EngineError),
    ],
)
def test_engine_that_cannot_be_loaded_is_refused_in_words(
    graph: Path, gpu: FakeGpu, tensorrt: FakeTensorRt, said: str, kind: type[EngineError]
) -> None:
    """TensorRT's bare "no" comes with what it said, and the GPU is given back."""
    tensorrt.refuses = said
    with pytest.raises(kind, match=said):
        TensorRtEngine(tensorrt.as_library(), graph.read_bytes(), "fp32", gpu.as_driver())
    assert gpu.calls[-2:] == ["pop", "detach"]


def test_engine_that_does_not_start_says_so(engine: TensorRtEngine, tensorrt: FakeTensorRt) -> None:
    """A refused start is an error with TensorRT's own words."""
    tensorrt.starts, tensorrt.refuses = False, "address is not set"
    with pytest.raises(EngineError, match="starting the engine: address is not set"):
        engine.score(crops(1))


def test_answer_that_is_no_number_is_refused(engine: TensorRtEngine, tensorrt: FakeTensorRt) -> None:
    """Rubbish of a GPU never becomes a result."""
    tensorrt.outcome = float("nan")
    with pytest.raises(EngineError, match="finite"):
        engine.score(crops(1))


def test_machine_without_a_gpu_says_so(graph: Path, gpu: FakeGpu, tensorrt: FakeTensorRt) -> None:
    """No GPU is an error of its own."""
    gpu.absent = True
    with pytest.raises(NoGpuError, match="no CUDA-capable device"):
        TensorRtEngine(tensorrt.as_library(), graph.read_bytes(), "fp32", gpu.as_driver())
