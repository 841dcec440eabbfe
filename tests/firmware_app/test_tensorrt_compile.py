"""NVIDIA's real parser and builder compile every precision here, on the processor, and the cache keeps it.

The library is TensorRT-RTX; TensorRT 10.3 and 11 share its API.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from datetime import datetime, timedelta, timezone
from importlib import metadata
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="the small graphs are made with onnx, of the extra `train`")
pytest.importorskip(
    "tensorrt_rtx_libs", reason="TensorRT-RTX has no wheel for this processor; see test_tensorrt_gpu.py"
)

from calibration.whole_file import HALF_WRITTEN
from firmware_app.errors import BundleError, EngineCacheError, EngineFileError, TargetError
from firmware_app.inference import tensorrt_api
from firmware_app.inference.cuda import Gpu
from firmware_app.inference.tensorrt_build import BuildBar, build_engine
from firmware_app.inference.tensorrt_cache import ANY_GPU, EngineCache, EngineKey, EngineRecord
from firmware_app.inference.tensorrt_compile import Compiled, compile_bundle, key_of
from firmware_app.inference.tensorrt_library import TensorRt, load_tensorrt
from tests.firmware_app.small_graph import Precision, small_bundle, write_graph

AMPERE = (8, 6)
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def library() -> TensorRt:
    """The real library."""
    return load_tensorrt()


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    """An empty cache."""
    return EngineCache(tmp_path / "engines")


def compiled(library: TensorRt, cache: EngineCache, folder: Path, precision: Precision = "int8") -> Compiled:
    """The small bundle's engine."""
    return compile_bundle(library, small_bundle(folder, precision), cache, AMPERE)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_precision_is_built_and_read_back(
    library: TensorRt, cache: EngineCache, tmp_path: Path, precision: Precision
) -> None:
    """What the cache gives back is what was built, under the key of its graph, library, GPU and precision."""
    bundle = small_bundle(tmp_path / "bundle", precision)
    done = compile_bundle(library, bundle, cache, AMPERE)
    key = key_of(library, bundle, Gpu("RTX A2000", AMPERE))
    assert (key.graph_sha256, key.precision) == (bundle.manifest.graph.sha256, precision)
    assert (key.flavour, key.version, key.gpu) == ("TensorRT-RTX", library.version, ANY_GPU)
    engine = cache.load(key)
    assert engine is not None
    assert hashlib.sha256(engine).hexdigest() == done.record.engine_sha256
    assert len(engine) == done.record.size_bytes > 10_000
    assert cache.records() == [done.record]
    assert done.record.key == key


def test_asymmetric_graph_is_refused_in_words(library: TensorRt, tmp_path: Path) -> None:
    """A zero point other than 0 gives one sentence with the node and the remedy, not NVIDIA's assertion."""
    graph = write_graph(tmp_path / "graph.onnx", "int8", zero_point=3)
    with pytest.raises(BundleError) as refused:
        build_engine(library, graph, target=AMPERE)
    sentence = str(refused.value)
    assert "QuantizeLinear QuantizeLinear_gm_q has a zero point other than 0" in sentence
    assert "fibrostage-export quantise" in sentence
    assert "Assertion" not in sentence
    assert build_engine(library, write_graph(graph, "int8"), target=AMPERE).engine


def test_file_that_is_no_graph_of_a_bundle_is_refused(library: TensorRt, tmp_path: Path) -> None:
    """Rubbish, half a graph, a missing file and a graph with other outputs are told apart."""
    graph = tmp_path / "graph.onnx"
    with pytest.raises(BundleError, match="is missing"):
        build_engine(library, graph, target=AMPERE)
    sound = write_graph(graph, "fp32").read_bytes()
    for content in (b"no graph at all", sound[: len(sound) // 2]):
        graph.write_bytes(content)
        with pytest.raises(BundleError, match=r"does not take .*graph\.onnx"):
            build_engine(library, graph, target=AMPERE)
    graph.write_bytes(sound.replace(b"logits_em", b"numbers_e"))
    with pytest.raises(BundleError, match="lacks logits_em"):
        build_engine(library, graph, target=AMPERE)


def test_without_a_gpu_a_target_must_be_named(library: TensorRt, cache: EngineCache, tmp_path: Path) -> None:
    """A build for "this GPU" where there is none says what to do."""
    with pytest.raises(TargetError, match="--compute-capability"):
        compile_bundle(library, small_bundle(tmp_path / "bundle", "fp32"), cache, None)


def test_engine_that_is_there_is_not_built_again(
    library: TensorRt, cache: EngineCache, tmp_path: Path
) -> None:
    """The second call costs nothing, also where nothing can be written; `again` builds all the same."""
    first = compiled(library, cache, tmp_path / "bundle")
    bundle = small_bundle(tmp_path / "bundle", "int8")
    second = compile_bundle(library, bundle, cache, AMPERE)
    assert (first.fresh, second.fresh, second.record) == (True, False, first.record)
    third = compile_bundle(library, bundle, cache, AMPERE, again=True)
    assert third.fresh
    assert third.record.built > first.record.built


def test_folder_that_cannot_be_written_is_refused_before_the_build(library: TensorRt, tmp_path: Path) -> None:
    """Nobody waits for a build whose result has no place."""
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(EngineCacheError, match="cannot be written"):
        compiled(library, EngineCache(tmp_path / "file" / "engines"), tmp_path / "bundle")


def test_progress_counts_every_step_of_a_real_build(
    library: TensorRt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar is told about phases within phases, and stands at its end when the build does."""
    phases: list[str] = []
    states: list[tuple[int, int]] = []
    start, close = BuildBar.phase_start, BuildBar.close

    def phase_start(self: BuildBar, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
        phases.append(phase_name)
        start(self, phase_name, parent_phase, num_steps)

    def closed(self: BuildBar) -> None:
        states.append((int(self._bar.n), int(self._bar.total or 0)))
        close(self)

    monkeypatch.setattr(BuildBar, "phase_start", phase_start)
    monkeypatch.setattr(BuildBar, "close", closed)
    build_engine(library, write_graph(tmp_path / "graph.onnx", "fp32"), target=AMPERE, progress=True)
    assert len(phases) > 3
    ((done, total),) = states
    assert done == total > len(phases)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "emptied"])
def test_damaged_engine_is_refused_by_name_and_built_anew(
    library: TensorRt, cache: EngineCache, tmp_path: Path, damage: str
) -> None:
    """A damaged file never reaches the GPU; compiling again mends it."""
    done = compiled(library, cache, tmp_path / "bundle")
    sound = done.path.read_bytes()
    flipped = bytearray(sound)
    flipped[len(sound) // 2] ^= 1
    done.path.write_bytes({"truncated": sound[:-100], "flipped": bytes(flipped), "emptied": b""}[damage])
    with pytest.raises(EngineFileError, match="altered or truncated") as refused:
        cache.load(done.record.key)
    assert refused.value.path == done.path
    assert done.path.name in str(refused.value)
    again = compiled(library, cache, tmp_path / "bundle")
    engine = cache.load(done.record.key)
    assert engine is not None
    assert EngineCache.digest(engine) == again.record.engine_sha256


@pytest.mark.parametrize(
    ("record", "named"), [(None, "cannot be read"), ("{", "not valid"), ('{"key": 1}', "not valid")]
)
def test_engine_without_a_sound_record_is_refused(cache: EngineCache, record: str | None, named: str) -> None:
    """An engine that nothing vouches for is not loaded."""
    stored = store(cache, key())
    if record is None:
        stored.with_suffix(".json").unlink()
    else:
        stored.with_suffix(".json").write_text(record, encoding="utf-8")
    with pytest.raises(EngineFileError, match=named):
        cache.load(key())


def test_engine_under_the_name_of_another_is_refused(cache: EngineCache) -> None:
    """Files that were copied over each other are found, although each pair is whole."""
    one, other = store(cache, key()), store(cache, key(graph="b"))
    for ending in (".engine", ".json"):
        one.with_suffix(ending).write_bytes(other.with_suffix(ending).read_bytes())
    with pytest.raises(EngineFileError, match="another graph, library or GPU"):
        cache.load(key())


def test_engine_of_another_key_is_not_found(cache: EngineCache) -> None:
    """Another graph, version, GPU, capability, precision or recipe is another engine."""
    store(cache, key())
    assert cache.load(key()) == b"engine"
    changes: list[dict[str, object]] = [
        {"graph_sha256": "b" * 64},
        {"version": "10.3.1"},
        {"gpu": "Orin Nano"},
        {"compute_capability": (8, 9)},
        {"precision": "fp16"},
        {"recipe": 2},
        {"flavour": "TensorRT-RTX"},
    ]
    for change in changes:
        assert cache.load(key().model_copy(update=change)) is None


def test_what_can_never_be_used_again_is_cleared(cache: EngineCache) -> None:
    """Older versions and orphans go; other devices' engines, and the bundles one can go back to, stay."""
    old = store(cache, key(version="10.2.0"), at=0)
    graphs = [store(cache, key(graph=letter), at=number) for number, letter in enumerate("bcde", start=1)]
    foreign = store(cache, key(graph="b", gpu="Orin Nano", version="10.2.0"), at=0)
    orphan = cache.folder / "orphan.engine"
    orphan.write_bytes(b"half a pair")
    (cache.folder / f"{HALF_WRITTEN}7-us.engine").write_bytes(b"power cut")
    cache.store_timings(key(version="10.2.0"), b"old")
    cache.store_timings(key(), b"new")
    cache.store_timings(key(gpu="Orin Nano"), b"other")
    newest = store(cache, key(), at=9)
    gone = cache.clean(key())
    assert gone == sorted(path.stem for path in (old, graphs[0], graphs[1], orphan))
    left = {path.stem for path in cache.folder.glob("*.engine")}
    assert left == {path.stem for path in (graphs[2], graphs[3], foreign, newest)}
    assert {path.stem for path in cache.folder.glob("*.json")} == left
    assert not list(cache.folder.glob(".*"))
    assert (cache.timings(key(version="10.2.0")), cache.timings(key())) == (b"", b"new")
    assert cache.timings(key(gpu="Orin Nano")) == b"other"


def test_write_that_breaks_off_leaves_the_old_engine(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk or a power cut in the middle of a write harms nothing that was there."""
    path = store(cache, key())

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        store(cache, key(), content=b"another")
    monkeypatch.undo()
    assert cache.load(key()) == b"engine"
    assert sorted(file.name for file in cache.folder.iterdir()) == [path.name, path.with_suffix(".json").name]


def test_used_names_exist_in_nvidias_module_and_in_the_stubs_of_tensorrt_10(library: TensorRt) -> None:
    """Every method of `tensorrt_api` is one of the real library, and one of TensorRT 10 by its stubs."""
    stubs = next(
        Path(str(file.locate()))
        for file in metadata.files("tensorrt-stubs") or []
        if file.name == "tensorrt.pyi"
    ).read_text(encoding="utf-8")
    names = {
        "NetworkDefinition": "INetworkDefinition",
        "OptimizationProfile": "IOptimizationProfile",
        "BuilderConfig": "IBuilderConfig",
        "ProgressMonitor": "IProgressMonitor",
        "HostMemory": "IHostMemory",
        "TimingCache": "ITimingCache",
        "ExecutionContext": "IExecutionContext",
        "CudaEngine": "ICudaEngine",
        "Tensor": "ITensor",
    }
    only_rtx = {"num_compute_capabilities", "set_compute_capability"}
    checked = 0
    for ours, kind in inspect.getmembers(tensorrt_api, inspect.isclass):
        if kind.__module__ != tensorrt_api.__name__ or ours == "Named":
            continue
        real = getattr(library._module, names.get(ours, ours))
        text = re.split(rf"^class {names.get(ours, ours)}[:(]", stubs, flags=re.MULTILINE)[1]
        text = re.split(r"^class ", text, flags=re.MULTILINE)[0]
        wanted = {name for name in vars(kind) if not name.startswith("_")} | set(
            inspect.get_annotations(kind)
        )
        for name in wanted:
            # NVIDIA's module asks its users to implement this one and does not show it.
            assert hasattr(real, name) or ours == "ProgressMonitor", f"{ours}.{name}"
            if name not in only_rtx:
                assert re.search(rf"\b{name}\b", text), f"{ours}.{name} is not in TensorRT 10"
            checked += 1
    assert checked > 30


def key(*, graph: str = "a", version: str = "10.3.0", gpu: str = "Orin") -> EngineKey:
    """The key of a Jetson's engine."""
    return EngineKey(
        graph_sha256=graph * 64,
        flavour="TensorRT",
        version=version,
        gpu=gpu,
        compute_capability=(8, 7),
        precision="int8",
        recipe=1,
    )


def store(cache: EngineCache, wanted: EngineKey, *, at: int = 0, content: bytes = b"engine") -> Path:
    """Put a few bytes into the cache under a key, built `at` so many hours after the first."""
    cache.prepare()
    record = EngineRecord(
        key=wanted,
        engine_sha256=EngineCache.digest(content),
        size_bytes=len(content),
        built=START + timedelta(hours=at),
        build_s=1.0,
        software="test",
    )
    return cache.store(content, record)
