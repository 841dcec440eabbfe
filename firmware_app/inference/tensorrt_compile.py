"""`fibrostage-export compile`: from a checked bundle to an engine in the cache of this device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from firmware_app import __version__
from firmware_app.errors import NoGpuError, TargetError
from firmware_app.inference.bundle import Bundle
from firmware_app.inference.cuda import Gpu, first_gpu
from firmware_app.inference.tensorrt_build import RECIPE, build_engine
from firmware_app.inference.tensorrt_cache import ANY_GPU, EngineCache, EngineKey, EngineRecord
from firmware_app.inference.tensorrt_engine import cuda_driver
from firmware_app.inference.tensorrt_library import Capability, TensorRt


@dataclass(frozen=True, slots=True)
class Compiled:
    """An engine in the cache.

    Attributes:
        path: the engine's file.
        fresh: built now; else it was there already, and whole.
        record: what stands beside it.
        removed: names of engines that could never be used again.
    """

    path: Path
    fresh: bool
    record: EngineRecord
    removed: list[str]


def key_of(library: TensorRt, bundle: Bundle, gpu: Gpu) -> EngineKey:
    """What an engine of this bundle is called for this library and GPU."""
    return EngineKey(
        graph_sha256=bundle.manifest.graph.sha256,
        flavour=library.flavour,
        version=library.version,
        gpu=ANY_GPU if library.flavour == "TensorRT-RTX" else gpu.name,
        compute_capability=gpu.compute_capability,
        precision=bundle.manifest.graph.precision,
        recipe=RECIPE,
    )


def compile_bundle(  # noqa: PLR0913 - what builds, what from, where to, and how
    library: TensorRt,
    bundle: Bundle,
    cache: EngineCache,
    target: Capability | None,
    *,
    again: bool = False,
    progress: bool = False,
) -> Compiled:
    """Build the engine of a bundle unless it is there, keep it, and clear away what it makes useless.

    Args:
        library: what builds.
        bundle: a checked bundle.
        cache: where engines are kept.
        target: compute capability of another GPU (TensorRT-RTX only); None: the GPU of this machine.
        again: build also where a whole engine is there.
        progress: show a bar.

    Raises:
        TargetError: there is no GPU here and no target was named, or it cannot be built for.
        EngineCacheError: the folder cannot be written to.
        BundleError: TensorRT does not take the graph.
        EngineBuildError: TensorRT failed.
    """
    key = key_of(library, bundle, _gpu(library, target))
    present = None if again else cache.whole(key)
    if present is not None:
        return Compiled(cache.path_of(key), fresh=False, record=present, removed=[])
    cache.prepare()
    built = build_engine(
        library, bundle.graph_path, target=target, timing_cache=cache.timings(key), progress=progress
    )
    record = EngineRecord(
        key=key,
        engine_sha256=EngineCache.digest(built.engine),
        size_bytes=len(built.engine),
        built=datetime.now(timezone.utc),
        build_s=round(built.elapsed_s, 2),
        software=f"fibrostage {__version__}",
    )
    path = cache.store(built.engine, record)
    if built.timing_cache is not None:
        cache.store_timings(key, built.timing_cache)
    return Compiled(path, fresh=True, record=record, removed=cache.clean(key))


def _gpu(library: TensorRt, target: Capability | None) -> Gpu:
    if target is not None:
        return Gpu(ANY_GPU, target)
    try:
        return first_gpu(cuda_driver())
    except NoGpuError as error:
        remedy = (
            "name the GPU that the engine is for with --compute-capability"
            if library.flavour == "TensorRT-RTX"
            else "run the command on the device that will use the engine"
        )
        raise TargetError(f"{error}; {remedy}") from error
