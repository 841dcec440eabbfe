"""Which runtime is chosen and why; what takes over when a GPU fails; what the shadow counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the small graphs are made with onnx, of the extra `train`")

from firmware_app.appliance import Step
from firmware_app.assembly import with_runtime
from firmware_app.errors import EngineError, GpuLostError
from firmware_app.exam.state import Exam
from firmware_app.inference import tensorrt_engine, tensorrt_library
from firmware_app.inference.bundle import Bundle
from firmware_app.inference.cuda import Gpu
from firmware_app.inference.engine import ChosenEngine, choose_engine
from firmware_app.inference.openvino_engine import OpenVinoEngine
from firmware_app.inference.shadow import Disagreement, Shadow
from firmware_app.inference.tensorrt_cache import EngineCache, EngineRecord
from firmware_app.inference.tensorrt_compile import key_of
from firmware_app.inference.tensorrt_library import TensorRt
from firmware_app.journey import Crops, ImageScores
from firmware_app.overlay.presentation import overlay_of
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.stream_events import StreamEnded
from firmware_app.ward.publication import status_message
from tests.firmware_app import exam_examples
from tests.firmware_app.fake_gpu import FakeGpu, FakeTensorRt
from tests.firmware_app.small_graph import small_bundle

ORIN = Gpu("Orin", (8, 7))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle around the small graph."""
    return small_bundle(tmp_path / "bundle", "fp32")


def crops(seed: int) -> Crops:
    """Two pictures of noise."""
    rng = np.random.default_rng(seed)
    return Crops(*(rng.integers(0, 256, (299, 299, 3), np.uint8) for _ in range(2)))


def openvino(bundle: Bundle) -> OpenVinoEngine:
    """The bundle's graph on one thread."""
    return OpenVinoEngine(bundle.graph_path, "fp32", threads=1)


class Failing:
    """Hands on to an engine until it shall fail; closing it is noted."""

    name = "TensorRT 10.3 Orin FP32"

    def __init__(self, engine: OpenVinoEngine) -> None:
        self.engine, self.fails, self.closed = engine, False, 0

    def score(self, pair: Crops) -> ImageScores:
        """As the engine, or a lost GPU."""
        if self.fails:
            raise GpuLostError("Orin", "running the engine", "an illegal memory access was encountered")
        return self.engine.score(pair)

    def close(self) -> None:
        """Note it."""
        self.closed += 1
        self.engine.close()


def put_engine(bundle: Bundle, folder: Path, library: TensorRt, gpu: Gpu) -> Path:
    """A compiled engine for a fake GPU: the graph itself."""
    cache, plan = EngineCache(folder), bundle.graph_path.read_bytes()
    cache.prepare()
    record = EngineRecord(
        key=key_of(library, bundle, gpu),
        engine_sha256=EngineCache.digest(plan),
        size_bytes=len(plan),
        built=exam_examples.BIRTH,
        build_s=1.0,
        software="test",
    )
    return cache.store(plan, record)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> FakeGpu:
    """A machine with a GPU and TensorRT, both fake."""
    fake = FakeGpu()
    monkeypatch.setattr(tensorrt_engine, "cuda_driver", fake.as_driver)
    library = FakeTensorRt(fake).as_library()
    monkeypatch.setattr(tensorrt_library, "load_tensorrt", lambda: library)
    return fake


def test_without_a_compiled_engine_openvino_runs_and_says_why(bundle: Bundle, tmp_path: Path) -> None:
    """No engine in the cache: OpenVINO, and the sentence names the folder."""
    choice = choose_engine(bundle, 1, tmp_path / "engines", shadow=True)
    assert choice.engine.name.startswith("OpenVINO")
    assert str(tmp_path / "engines") in choice.reason
    assert "no shadow" in choice.reason
    assert choice.engine.reason == choice.reason
    assert (choice.engine.degraded, choice.engine.disagreement) == (False, None)
    choice.engine.close()


def test_engine_without_a_gpu_is_left_alone(bundle: Bundle, tmp_path: Path) -> None:
    """An engine on a machine without pycuda: OpenVINO, and the sentence says what is missing."""
    library = FakeTensorRt(FakeGpu()).as_library()
    put_engine(bundle, tmp_path, library, ORIN)
    choice = choose_engine(bundle, 1, tmp_path)
    assert choice.engine.name.startswith("OpenVINO")
    assert "no GPU can be reached" in choice.reason
    choice.engine.close()


def test_compiled_engine_of_this_gpu_is_chosen(bundle: Bundle, tmp_path: Path, gpu: FakeGpu) -> None:
    """An engine for this graph, library and GPU: TensorRT, and its answers are the graph's."""
    put_engine(bundle, tmp_path, tensorrt_library.load_tensorrt(), ORIN)
    choice = choose_engine(bundle, 1, tmp_path)
    reference = openvino(bundle)
    assert choice.engine.name == "TensorRT 10.3 Orin FP32"
    assert choice.engine.score(crops(1)).gm_em == pytest.approx(reference.score(crops(1)).gm_em, abs=1e-4)
    reference.close()
    choice.engine.close()
    assert (gpu.memory, gpu.pinned) == ({}, 0)


@pytest.mark.parametrize(
    ("fault", "named"),
    [("damage", "altered or truncated"), ("absent", "no NVIDIA GPU answers"), ("memory", "out of memory")],
)
def test_engine_that_cannot_be_used_gives_way_at_the_start(
    bundle: Bundle, tmp_path: Path, gpu: FakeGpu, fault: str, named: str
) -> None:
    """A damaged engine, a GPU that is gone or full: OpenVINO starts, and the sentence names the cause."""
    path = put_engine(bundle, tmp_path, tensorrt_library.load_tensorrt(), ORIN)
    if fault == "damage":
        path.write_bytes(path.read_bytes()[:-1])
    elif fault == "absent":
        gpu.absent = True
    else:
        gpu.room_bytes = 1000
    choice = choose_engine(bundle, 1, tmp_path)
    assert choice.engine.name.startswith("OpenVINO")
    assert named in choice.reason
    choice.engine.close()


def test_engine_of_another_gpu_is_not_chosen(bundle: Bundle, tmp_path: Path, gpu: FakeGpu) -> None:
    """A cache copied from another device is no engine for this one."""
    put_engine(bundle, tmp_path, tensorrt_library.load_tensorrt(), Gpu("Orin Nano", (8, 7)))
    choice = choose_engine(bundle, 1, tmp_path)
    assert choice.engine.name.startswith("OpenVINO")
    assert "fibrostage-export compile" in choice.reason
    assert gpu.calls == []
    choice.engine.close()


def test_lost_gpu_gives_way_without_losing_the_acquisition(bundle: Bundle) -> None:
    """The acquisition during which the GPU is lost is scored by OpenVINO, and so are all that follow."""
    failing, reference = Failing(openvino(bundle)), openvino(bundle)
    engine = ChosenEngine(failing, "compiled", lambda: openvino(bundle))
    assert engine.score(crops(1)) == reference.score(crops(1))
    assert (engine.name, engine.reason, engine.degraded) == (failing.name, "compiled", False)
    failing.fails = True
    for seed in (2, 3):
        assert engine.score(crops(seed)) == reference.score(crops(seed))
    assert engine.name.startswith("OpenVINO")
    assert engine.degraded
    assert "TensorRT 10.3 Orin FP32 failed" in engine.reason
    assert "illegal memory access" in engine.reason
    assert failing.closed == 1
    engine.close()
    engine.close()
    reference.close()


def test_failure_with_nothing_left_is_an_error(bundle: Bundle) -> None:
    """OpenVINO has nothing behind it, and a fall-back that fails is no result either."""
    alone = Failing(openvino(bundle))
    alone.fails = True
    with pytest.raises(GpuLostError):
        ChosenEngine(alone, "only").score(crops(1))

    def broken() -> OpenVinoEngine:
        raise EngineError("OpenVINO cannot start")

    with pytest.raises(EngineError, match="OpenVINO cannot start"):
        ChosenEngine(alone, "first", broken).score(crops(1))
    alone.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for a thread's work, a few seconds at most."""
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends, "the shadow has not come that far"
        time.sleep(0.01)


def test_shadow_finds_no_difference_between_equals(bundle: Bundle) -> None:
    """The same graph beside itself: everything compared, nothing differs."""
    shadow = Shadow(lambda: openvino(bundle), bundle.manifest.operating_points)
    engine = ChosenEngine(openvino(bundle), "first", shadow=shadow)
    for seed in range(3):
        engine.score(crops(seed))
        until(lambda: shadow.disagreement.compared == seed + 1)  # noqa: B023 - used before the next turn
    found = engine.disagreement
    engine.close()
    assert found is not None
    assert found == Disagreement(name=openvino_name(bundle), compared=3)
    assert not [thread for thread in threading.enumerate() if thread.name == "shadow"]


def openvino_name(bundle: Bundle) -> str:
    """What OpenVINO calls itself."""
    engine = openvino(bundle)
    engine.close()
    return engine.name


def test_shadow_counts_what_differs(bundle: Bundle, tmp_path: Path) -> None:
    """Another network beside: the largest difference of a probability and the stage flips are counted."""
    other = small_bundle(tmp_path / "other", "fp32", seed=8)
    shadow = Shadow(lambda: openvino(other), bundle.manifest.operating_points)
    engine, reference = ChosenEngine(openvino(bundle), "first", shadow=shadow), openvino(other)
    largest, flips = 0.0, 0
    for seed in range(4):
        one, two = engine.score(crops(seed)), reference.score(crops(seed))
        until(lambda: shadow.disagreement.compared == seed + 1)  # noqa: B023 - used before the next turn
        chances = [1 / (1 + np.exp(-np.array([s.gm, s.em, s.gm_em]))) for s in (one, two)]
        largest = max(largest, float(np.abs(chances[0] - chances[1]).max()))
        flips += int((chances[0][2] >= 0.5).sum() != (chances[1][2] >= 0.5).sum())
    found = engine.disagreement
    engine.close()
    reference.close()
    assert found is not None
    assert found.largest_difference == pytest.approx(largest)
    assert found.largest_difference > 0.01
    assert found.stage_flips == flips


def test_shadow_never_delays_a_result(bundle: Bundle) -> None:
    """A shadow that hangs costs nothing: acquisitions pass it by, and it ends when the appliance ends."""
    gate = threading.Event()

    class Hanging(Failing):
        def score(self, pair: Crops) -> ImageScores:
            gate.wait(20)
            return super().score(pair)

    shadow = Shadow(lambda: Hanging(openvino(bundle)), bundle.manifest.operating_points)
    until(lambda: shadow.disagreement.name != "")
    engine, alone = ChosenEngine(openvino(bundle), "first", shadow=shadow), openvino(bundle)
    began = time.perf_counter()
    for seed in range(10):
        engine.score(crops(seed))
    beside_s = time.perf_counter() - began
    began = time.perf_counter()
    for seed in range(10):
        alone.score(crops(seed))
    assert beside_s < 2 * (time.perf_counter() - began) + 1.0
    assert shadow.disagreement.passed_by >= 7
    gate.set()
    engine.close()
    alone.close()


def test_shadow_that_fails_ends_and_says_so(bundle: Bundle) -> None:
    """The shadow's own failure is published and harms nothing."""

    def broken() -> OpenVinoEngine:
        raise EngineError("OpenVINO cannot start")

    shadow = Shadow(broken, bundle.manifest.operating_points)
    until(lambda: shadow.disagreement.failure is not None)
    engine = ChosenEngine(openvino(bundle), "first", shadow=shadow)
    engine.score(crops(1))
    assert shadow.disagreement == Disagreement(passed_by=1, failure="OpenVINO cannot start")
    engine.close()


def test_status_tells_the_runtime_its_reason_and_the_shadow(bundle: Bundle) -> None:
    """What is chosen, why, and what became of it stand in the retained status and on the screen."""
    failing = Failing(openvino(bundle))
    engine = ChosenEngine(failing, "its engine is compiled", lambda: openvino(bundle))
    speaker = with_runtime(exam_examples.appliance(), engine)
    status = status_message(speaker, CaptureState.LIVE, exam_examples.BIRTH, time_trusted=True)
    assert (status.runtime, status.runtime_reason) == (failing.name, "its engine is compiled")
    assert (status.runtime_degraded, status.shadow) == (False, None)
    failing.fails = True
    engine.score(crops(1))
    speaker = replace(with_runtime(speaker, engine), shadow=Disagreement("OpenVINO", 5, 1, 0.02, 1))
    status = status_message(speaker, CaptureState.LIVE, exam_examples.BIRTH, time_trusted=True)
    assert status.runtime is not None
    assert status.runtime.startswith("OpenVINO")
    assert status.runtime_degraded
    assert "Orin FP32 failed" in str(status.runtime_reason)
    assert status.shadow is not None
    assert (status.shadow.compared, status.shadow.stage_flips) == (5, 1)
    shown = overlay_of(Step(StreamEnded(None), None, exam_examples.moment(0), Exam()), speaker)
    assert shown.runtime.endswith("GPU failed")
    engine.close()
