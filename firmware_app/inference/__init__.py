"""From two crops to log-odds: the model bundle, and the engine that runs it.

- `bundle`: what a bundle is, and `load_bundle`, which checks every file of it;
- `prepare`: a crop becomes the networks' input;
- `engine`: the `Engine` protocol and `open_engine`;
- `openvino_engine`: the engine for any CPU, the only module that imports OpenVINO.
"""

from firmware_app.inference.bundle import THRESHOLDS, Bundle, load_bundle
from firmware_app.inference.engine import Engine, open_engine

__all__ = ["THRESHOLDS", "Bundle", "Engine", "load_bundle", "open_engine"]
