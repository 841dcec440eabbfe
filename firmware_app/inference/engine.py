"""What an engine is, the choice of one, and what happens when it fails.

TensorRT is chosen where an engine of this very graph, library and GPU lies in the cache and runs; OpenVINO
everywhere else. The reason is a sentence that is published and shown.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from firmware_app.config import ENGINES
from firmware_app.errors import EngineError
from firmware_app.inference.bundle import Bundle
from firmware_app.inference.shadow import Disagreement, Shadow
from firmware_app.inference.tensorrt_cache import EngineCache
from firmware_app.journey import Crops, ImageScores

LOG = logging.getLogger(__name__)


class Engine(Protocol):
    """Runs a bundle's graph on one acquisition at a time; opened, used and closed by one thread."""

    @property
    def name(self) -> str:
        """Runtime, its version, the processor and the precision, e.g. "OpenVINO 2026.4 CPU INT8"."""
        ...

    def score(self, crops: Crops) -> ImageScores:
        """Log-odds of one acquisition from its two crops of any size.

        Raises:
            EngineError: the runtime failed, or its answer is not finite.
        """
        ...

    def close(self) -> None:
        """Release the runtime; the engine cannot be used afterwards. Harmless when repeated."""
        ...


class ChosenEngine:
    """The engine in use; when a GPU engine fails, OpenVINO scores that acquisition and all that follow."""

    def __init__(
        self,
        engine: Engine,
        reason: str,
        fall_back: Callable[[], Engine] | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        """Take over an open engine.

        Args:
            engine: what was chosen.
            reason: why, in one sentence.
            fall_back: opens what takes over once the engine fails; None: nothing does.
            shadow: runs another engine beside it and compares.
        """
        self._engine = engine
        self._reason = reason
        self._fall_back = fall_back
        self._shadow = shadow
        self._degraded = False

    @property
    def name(self) -> str:
        """Of the engine that is in use now."""
        return self._engine.name

    @property
    def reason(self) -> str:
        """Why this engine is in use now, in one sentence."""
        return self._reason

    @property
    def degraded(self) -> bool:
        """Whether a GPU engine failed and another one took over."""
        return self._degraded

    @property
    def disagreement(self) -> Disagreement | None:
        """What the shadow found so far; None: there is none."""
        return None if self._shadow is None else self._shadow.disagreement

    def score(self, crops: Crops) -> ImageScores:
        """Log-odds of one acquisition from its two crops of any size.

        Raises:
            EngineError: the engine failed, and there is nothing left to fall back to.
        """
        try:
            scores = self._engine.score(crops)
        except EngineError as error:
            if self._fall_back is None:
                raise
            self._give_way(self._fall_back, error)
            return self._engine.score(crops)
        if self._shadow is not None:
            self._shadow.compare(crops, scores)
        return scores

    def distrust(self, error: Exception) -> bool:
        """Give a GPU engine up that answers, but wrongly; False: nothing stands behind this engine."""
        if self._fall_back is None:
            return False
        self._give_way(self._fall_back, error)
        return True

    def close(self) -> None:
        """Release every engine; harmless when repeated."""
        self._fall_back = None
        self._end_shadow()
        self._engine.close()

    def _give_way(self, fall_back: Callable[[], Engine], error: Exception) -> None:
        failed = self._engine
        LOG.error("%s failed: %s", failed.name, error)
        self._fall_back = None
        self._end_shadow()
        with contextlib.suppress(EngineError):
            failed.close()
        self._engine = fall_back()
        self._degraded = True
        self._reason = f"{failed.name} failed ({error}); restart the appliance to try the GPU again"

    def _end_shadow(self) -> None:
        """Without the GPU there is nothing to compare; what was counted stays."""
        if self._shadow is not None:
            self._shadow.close()


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An open engine, and why it was chosen at the start."""

    engine: ChosenEngine
    reason: str


def choose_engine(
    bundle: Bundle, threads: int = 0, engines: Path = ENGINES, *, shadow: bool = False
) -> EngineChoice:
    """Open the best engine for this machine.

    Args:
        bundle: a checked bundle.
        threads: processor threads that OpenVINO may use; 0 leaves the choice to it.
        engines: folder of compiled TensorRT engines.
        shadow: let OpenVINO score every acquisition beside a TensorRT engine, and count where they differ.

    Raises:
        BundleError: the graph cannot be read or does not have the inputs and outputs of a bundle.
        EngineError: the runtime failed.
    """

    def openvino() -> Engine:
        # OpenVINO is slow to import: only a program that runs a network pays for it.
        from firmware_app.inference.openvino_engine import OpenVinoEngine  # noqa: PLC0415 - see above

        return OpenVinoEngine(bundle.graph_path, bundle.manifest.graph.precision, threads)

    found = _tensorrt(bundle, EngineCache(engines))
    if isinstance(found, str):
        reason = f"{found}; no shadow, which needs a TensorRT engine" if shadow else found
        return EngineChoice(ChosenEngine(openvino(), reason), reason)
    reason = f"the compiled engine of this bundle lies in {engines}"
    beside = Shadow(openvino, bundle.manifest.operating_points) if shadow else None
    return EngineChoice(ChosenEngine(found, reason, openvino, beside), reason)


def open_engine(bundle: Bundle, threads: int = 0) -> Engine:
    """As `choose_engine`, where nobody asks for the reason.

    Raises:
        BundleError: the graph cannot be read or does not have the inputs and outputs of a bundle.
        EngineError: the runtime failed.
    """
    return choose_engine(bundle, threads).engine


def _tensorrt(bundle: Bundle, cache: EngineCache) -> Engine | str:
    """The bundle's engine on this machine's GPU, or why there is none."""
    graph = bundle.manifest.graph
    compiled = [record for record in cache.records() if record.key.graph_sha256 == graph.sha256]
    if not compiled:
        return f"no TensorRT engine of this bundle lies in {cache.folder}"
    # Only a machine with a compiled engine pays for these imports.
    from firmware_app.inference.cuda import first_gpu  # noqa: PLC0415 - see above
    from firmware_app.inference.tensorrt_compile import key_of  # noqa: PLC0415 - see above
    from firmware_app.inference.tensorrt_engine import TensorRtEngine, cuda_driver  # noqa: PLC0415 - see above
    from firmware_app.inference.tensorrt_library import load_tensorrt  # noqa: PLC0415 - see above

    try:
        driver = cuda_driver()
        gpu, library = first_gpu(driver), load_tensorrt()
        key = key_of(library, bundle, gpu)
        plan = cache.load(key)
        if plan is None:
            return (
                f"no engine in {cache.folder} is for {library.name} on {gpu.name}; "
                "run `fibrostage-export compile` on this device"
            )
        return TensorRtEngine(library, plan, graph.precision, driver)
    except (EngineError, OSError) as error:
        return f"TensorRT cannot be used: {error}"
