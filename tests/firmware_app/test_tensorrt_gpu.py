"""On a GPU with TensorRT (`make test-gpu` on a Jetson): compile, run, agree with OpenVINO on golden crops."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import firmware_app
from firmware_app.errors import EngineError
from firmware_app.inference import Bundle, choose_engine, load_bundle
from firmware_app.inference.cuda import CudaSession
from firmware_app.inference.golden import read_golden
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.inference.tensorrt_cache import EngineCache
from firmware_app.inference.tensorrt_compile import Compiled, compile_bundle
from firmware_app.inference.tensorrt_engine import TensorRtEngine, cuda_driver
from firmware_app.inference.tensorrt_library import load_tensorrt
from firmware_app.journey import Crops, ImageScores

pytestmark = pytest.mark.gpu

DEMO = Path(firmware_app.__file__).parent / "bundles" / "demo"
TOLERANCE = 0.02
"""Of a probability between runtimes: INT8 kernels differ in how they round, as those of processors do."""


@dataclass(frozen=True, slots=True)
class OnGpu:
    """The demonstration bundle's engine, compiled here, with the folder that it was put into."""

    bundle: Bundle
    compiled: Compiled
    folder: Path


@pytest.fixture(scope="module")
def on_gpu(tmp_path_factory: pytest.TempPathFactory) -> OnGpu:
    """Compiled once for all tests; takes minutes on a Jetson."""
    folder, bundle = tmp_path_factory.mktemp("engines"), load_bundle(DEMO)
    compiled = compile_bundle(load_tensorrt(), bundle, EngineCache(folder), None, progress=True)
    return OnGpu(bundle, compiled, folder)


@pytest.fixture
def engine(on_gpu: OnGpu) -> Iterator[TensorRtEngine]:
    """The engine, loaded by this thread."""
    plan = EngineCache(on_gpu.folder).load(on_gpu.compiled.record.key)
    assert plan is not None
    opened = TensorRtEngine(load_tensorrt(), plan, on_gpu.bundle.manifest.graph.precision, cuda_driver())
    yield opened
    opened.close()


def golden() -> list[Crops]:
    """The demonstration bundle's golden crops."""
    return list(read_golden(load_bundle(DEMO)).crops())


def chances(scores: ImageScores) -> np.ndarray:
    """Probabilities (method, threshold)."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.array([scores.gm, scores.em, scores.gm_em]))))


@pytest.mark.timeout(1800)
def test_engine_agrees_with_openvino_on_the_golden_crops(on_gpu: OnGpu, engine: TensorRtEngine) -> None:
    """Every golden crop, alone: the probabilities that OpenVINO gives here, and gave when they were made."""
    graph = on_gpu.bundle.manifest.graph
    reference = OpenVinoEngine(on_gpu.bundle.graph_path, graph.precision)
    recorded = read_golden(on_gpu.bundle).logits_engine
    for pair, logits in zip(golden(), recorded, strict=True):
        found = chances(engine.score(pair))
        np.testing.assert_allclose(found, chances(reference.score(pair)), atol=TOLERANCE)
        np.testing.assert_allclose(found, 1.0 / (1.0 + np.exp(-logits)), atol=TOLERANCE)
    reference.close()


@pytest.mark.timeout(1800)
def test_batch_of_two_gives_what_one_at_a_time_gives(engine: TensorRtEngine) -> None:
    """Acquisitions in one pass are not mixed up."""
    pairs = golden()
    together = engine.score_batch([pairs[0], pairs[-1]])
    for found, pair in zip(together, (pairs[0], pairs[-1]), strict=True):
        np.testing.assert_allclose(chances(found), chances(engine.score(pair)), atol=TOLERANCE)


@pytest.mark.timeout(1800)
def test_same_crops_give_the_same_answer(engine: TensorRtEngine) -> None:
    """The engine keeps nothing from one acquisition to the next."""
    pairs = golden()
    before = engine.score(pairs[0])
    engine.score(pairs[-1])
    assert engine.score(pairs[0]) == before


@pytest.mark.timeout(1800)
def test_appliance_chooses_the_engine_and_its_shadow_agrees(on_gpu: OnGpu) -> None:
    """With the engine in the cache, TensorRT is chosen; OpenVINO beside it finds no stage flip."""
    choice = choose_engine(on_gpu.bundle, 0, on_gpu.folder, shadow=True)
    assert choice.engine.name.startswith(load_tensorrt().name)
    for pair in golden():
        choice.engine.score(pair)
    choice.engine.close()  # waits for the acquisition in hand
    found = choice.engine.disagreement
    assert found is not None
    assert found.failure is None
    assert (found.compared > 0, found.stage_flips) == (True, 0)
    assert found.largest_difference <= TOLERANCE


@pytest.mark.timeout(1800)
def test_engine_opens_and_closes_again_and_again_in_any_thread(on_gpu: OnGpu) -> None:
    """Contexts are given back whole: the tenth opening is like the first, also in a thread of its own."""
    plan = EngineCache(on_gpu.folder).load(on_gpu.compiled.record.key)
    assert plan is not None
    said: list[ImageScores | EngineError] = []

    def use() -> None:
        opened = TensorRtEngine(load_tensorrt(), plan, "int8", cuda_driver())
        said.append(opened.score(golden()[0]))
        opened.close()

    for _ in range(5):
        use()
        thread = threading.Thread(target=use, name="inference")
        thread.start()
        thread.join(120)
    assert len(said) == 10
    assert all(one == said[0] for one in said)


@pytest.mark.timeout(1800)
def test_memory_of_the_gpu_that_cannot_be_had_is_a_named_error() -> None:
    """Asking for more than any GPU has ends in our own error, and the session can be closed."""
    session = CudaSession(cuda_driver())
    with pytest.raises(EngineError, match="reserving memory"):
        session.allocate((1 << 20, 1 << 20), np.uint8)
    session.close()
