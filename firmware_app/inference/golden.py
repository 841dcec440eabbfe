"""The golden crops of a bundle: what its graph must answer on any processor, before it is trusted there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from firmware_app.errors import BundleError
from firmware_app.inference.bundle import FILE_LIMIT, Bundle
from firmware_app.inference.bundle_files import ArrayForm, read_arrays
from firmware_app.inference.engine import Engine
from firmware_app.inference.graph import INPUT_SIDE
from firmware_app.journey import Crops

_PICTURES = ArrayForm("uint8", (None, INPUT_SIDE, INPUT_SIDE, 3))
_LOGITS = ArrayForm("float32", (None, 3, 3))
_FORMS = {"gray": _PICTURES, "elastogram": _PICTURES, "logits_torch": _LOGITS, "logits_engine": _LOGITS}


@dataclass(frozen=True, slots=True)
class Golden:
    """Golden crops and what the networks must say about them.

    Attributes:
        gray: prepared gray-scale crops, uint8 (n, 299, 299, 3).
        elastogram: prepared elastogram crops, uint8 (n, 299, 299, 3).
        logits_torch: log-odds of the trained network, (n, method, threshold), methods GM, EM, GM+EM.
        logits_engine: the same by the bundle's graph in OpenVINO.
    """

    gray: npt.NDArray[np.uint8]
    elastogram: npt.NDArray[np.uint8]
    logits_torch: npt.NDArray[np.float32]
    logits_engine: npt.NDArray[np.float32]

    def crops(self) -> Iterator[Crops]:
        """One acquisition after the other."""
        for gray, elastogram in zip(self.gray, self.elastogram, strict=True):
            yield Crops(elastogram=elastogram, gray=gray)


def read_golden(bundle: Bundle) -> Golden:
    """The golden crops of a bundle.

    Raises:
        BundleError: the file is not what it should be.
    """
    name = bundle.manifest.self_test.file
    arrays = read_arrays(bundle.folder, name, _FORMS, FILE_LIMIT)
    if len({len(array) for array in arrays.values()}) != 1 or len(arrays["gray"]) == 0:
        raise BundleError(f"bundle {bundle.folder}: {name} does not hold as many crops as answers")
    return Golden(
        gray=arrays["gray"].astype(np.uint8, copy=False),
        elastogram=arrays["elastogram"].astype(np.uint8, copy=False),
        logits_torch=arrays["logits_torch"].astype(np.float32, copy=False),
        logits_engine=arrays["logits_engine"].astype(np.float32, copy=False),
    )


def largest_difference(bundle: Bundle, engine: Engine) -> float:
    """The largest |dp| between the recorded answers to the golden crops and those of this engine.

    Raises:
        BundleError: the golden crops cannot be read.
        EngineError: the runtime failed.
    """
    golden = read_golden(bundle)
    scores = [engine.score(crops) for crops in golden.crops()]
    found = np.array([(one.gm, one.em, one.gm_em) for one in scores], dtype=np.float64)
    expected = golden.logits_engine.astype(np.float64)
    return float(np.abs(_probability(found) - _probability(expected)).max())


def self_test(bundle: Bundle, engine: Engine) -> float:
    """Check that the engine answers as recorded; returns the largest |dp|.

    Raises:
        BundleError: it does not, or the golden crops cannot be read.
        EngineError: the runtime failed.
    """
    found, allowed = largest_difference(bundle, engine), bundle.manifest.self_test.tolerance
    if not found <= allowed:
        raise BundleError(
            f"bundle {bundle.folder}: its self-test failed on {engine.name}: a golden probability is off by "
            f"{found:.3f}, allowed {allowed:g}"
        )
    return found


def _probability(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
