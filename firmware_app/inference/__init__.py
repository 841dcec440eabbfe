"""From two crops to log-odds: the model bundle, and the engine that runs it.

- `bundle`: what a bundle is, and `load_bundle`, which checks every file of it with `bundle_files` (hostile
  files) and `signature` (who made it); `golden`: the self-test; `familiarity`: the out-of-range check;
- `prepare`: a crop becomes the networks' input;
- `answer`: what a graph answers becomes scores;
- `engine`: the `Engine` protocol, `choose_engine`, and what takes over when a GPU fails;
- `openvino_engine`: the engine for any CPU, the only module that imports OpenVINO;
- `tensorrt_engine`: the engine for NVIDIA's GPUs, on `cuda` (a context and its buffers), the only module that
  imports pycuda;
- `tensorrt_compile`: a bundle becomes a compiled engine, by `tensorrt_library` (the only module that imports
  TensorRT; its types stand in `tensorrt_api`), `tensorrt_build` and `tensorrt_cache`;
- `shadow`: a second engine beside the first, which only counts where they differ.
"""

from firmware_app.inference.bundle import THRESHOLDS, Bundle, load_bundle
from firmware_app.inference.engine import ChosenEngine, Engine, EngineChoice, choose_engine, open_engine

__all__ = [
    "THRESHOLDS",
    "Bundle",
    "ChosenEngine",
    "Engine",
    "EngineChoice",
    "choose_engine",
    "load_bundle",
    "open_engine",
]
