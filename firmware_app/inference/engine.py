"""What an engine is, and the choice of one."""

from __future__ import annotations

from typing import Protocol

from firmware_app.inference.bundle import Bundle
from firmware_app.journey import Crops, ImageScores


class Engine(Protocol):
    """Runs a bundle's graph on one acquisition at a time; used by one thread, `close` by its owner."""

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


def open_engine(bundle: Bundle, threads: int = 0) -> Engine:
    """Compile the bundle's graph for this machine and warm it up.

    Args:
        bundle: a checked bundle.
        threads: processor threads that inference may use; 0 leaves the choice to the runtime.

    Raises:
        BundleError: the graph cannot be read or does not have the inputs and outputs of a bundle.
        EngineError: the runtime failed.
    """
    # OpenVINO is slow to import: only a program that runs a network pays for it.
    from firmware_app.inference.openvino_engine import OpenVinoEngine  # noqa: PLC0415 - see above

    return OpenVinoEngine(bundle.graph_path, bundle.manifest.graph.precision, threads)
