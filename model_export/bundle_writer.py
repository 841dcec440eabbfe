"""Write a bundle: everything into a fresh folder beside the target, checked, then put in place at once."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from firmware_app.inference.bundle import (
    FORMAT,
    MANIFEST_NAME,
    Bundle,
    LsmConfidence,
    LsmCutoffs,
    OperatingPoint,
    Threshold,
    digest_of,
    id_of,
    load_bundle,
)
from firmware_app.wording import NOTICE
from model_export.errors import WrongInputError

GRAPH_NAME = "graph.onnx"
CARD_NAME = "model_card.md"
GOLDEN_NAME = "golden.npz"
METRICS_NAME = "metrics.json"
BAR_RANGE_KPA = 40.0
"""The networks know elastograms of this colour range only."""


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


@dataclass(frozen=True, slots=True)
class BundleContent:
    """What goes into a bundle; the fields are those of the manifest."""

    name: str
    graph: Path
    precision: str
    operating_points: dict[Threshold, OperatingPoint]
    gm_lsm: dict[Threshold, LsmConfidence]
    lsm_cutoffs: LsmCutoffs
    training: dict[str, str | int | float]
    golden: Golden
    metrics: dict[str, JsonValue]
    card: str


def write_bundle(folder: Path, content: BundleContent, created: datetime) -> Bundle:
    """Write a bundle and load it back.

    Args:
        folder: becomes the bundle; an older bundle there is replaced, anything else is left alone.
        content: what to write.
        created: time of creation, with its zone.

    Raises:
        WrongInputError: `folder` exists and is not a bundle.
        BundleError: what was written does not pass `load_bundle`.
    """
    if folder.exists() and not (folder / MANIFEST_NAME).is_file() and any(folder.iterdir()):
        raise WrongInputError(f"{folder} exists and is not a bundle; give another folder")
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    shutil.copyfile(content.graph, fresh / GRAPH_NAME)
    golden = content.golden
    np.savez_compressed(
        fresh / GOLDEN_NAME,
        gray=golden.gray,
        elastogram=golden.elastogram,
        logits_torch=golden.logits_torch,
        logits_engine=golden.logits_engine,
    )
    (fresh / METRICS_NAME).write_text(json.dumps(content.metrics, indent=2) + "\n", encoding="utf-8")
    (fresh / CARD_NAME).write_text(content.card, encoding="utf-8")
    manifest = _manifest(fresh, content, created)
    (fresh / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    load_bundle(fresh)
    if folder.exists():
        shutil.rmtree(folder)
    fresh.rename(folder)
    return load_bundle(folder)


def read_golden(bundle: Bundle) -> Golden:
    """The golden crops of a bundle."""
    with np.load(bundle.folder / GOLDEN_NAME, allow_pickle=False) as arrays:
        return Golden(
            gray=arrays["gray"],
            elastogram=arrays["elastogram"],
            logits_torch=arrays["logits_torch"],
            logits_engine=arrays["logits_engine"],
        )


def _manifest(folder: Path, content: BundleContent, created: datetime) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {
        "format": FORMAT,
        "created": created.astimezone(timezone.utc).isoformat(timespec="seconds"),
        "notice": NOTICE,
        "graph": {
            "file": GRAPH_NAME,
            "sha256": digest_of(folder / GRAPH_NAME),
            "precision": content.precision,
        },
        "bar_range_kpa": BAR_RANGE_KPA,
        "operating_points": {key: point.model_dump() for key, point in content.operating_points.items()},
        "gm_lsm": {key: weights.model_dump() for key, weights in content.gm_lsm.items()},
        "lsm_cutoffs": content.lsm_cutoffs.model_dump(),
        "files": {name: digest_of(folder / name) for name in (CARD_NAME, GOLDEN_NAME, METRICS_NAME)},
        "training": {**content.training},
    }
    return {"bundle_id": id_of(content.name, fields), **fields}
