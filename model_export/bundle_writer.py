"""Write a bundle: everything into a fresh folder beside the target, signed, checked, then put in place."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import JsonValue

from firmware_app import __version__
from firmware_app.inference.bundle import (
    FORMAT,
    MANIFEST_NAME,
    Bundle,
    Calibration,
    LsmConfidence,
    LsmCutoffs,
    OperatingPoint,
    Threshold,
    digest_of,
    id_of,
    load_bundle,
)
from firmware_app.inference.familiarity import FAMILIARITY_NAME, Familiarity, arrays_of
from firmware_app.inference.golden import Golden
from firmware_app.wording import NOTICE
from model_export.errors import WrongInputError
from model_export.signing import PUBLIC_SUFFIX, new_key, public_pem, sign_bundle, trusted

GRAPH_NAME = "graph.onnx"
CARD_NAME = "model_card.md"
GOLDEN_NAME = "golden.npz"
METRICS_NAME = "metrics.json"
BAR_RANGE_KPA = 40.0
"""The networks know elastograms of this colour range only."""
TOLERANCES = {"fp32": 0.005, "fp16": 0.02, "int8": 0.05}
"""How far a golden probability may be off on the device: processors round differently."""


@dataclass(frozen=True, slots=True)
class BundleContent:
    """What goes into a bundle; the fields are those of the manifest."""

    name: str
    graph: Path
    precision: str
    calibration: Calibration
    operating_points: dict[Threshold, OperatingPoint]
    gm_lsm: dict[Threshold, LsmConfidence]
    lsm_cutoffs: LsmCutoffs
    training: dict[str, str | int | float]
    golden: Golden
    metrics: dict[str, JsonValue]
    card: str
    familiarity: Familiarity | None = None


def check_place(folder: Path) -> None:
    """Look whether a bundle may stand there, before the long work for it.

    Raises:
        WrongInputError: `folder` exists and is not a bundle.
    """
    is_other = folder.exists() and not (folder / MANIFEST_NAME).is_file()
    if is_other and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongInputError(f"{folder} exists and is not a bundle; give another folder")


def write_bundle(
    folder: Path, content: BundleContent, created: datetime, key: Ed25519PrivateKey | None = None
) -> Bundle:
    """Write and sign a bundle, and load it back.

    Args:
        folder: becomes the bundle; an older bundle there is replaced, anything else is left alone.
        content: what to write.
        created: time of creation, with its zone.
        key: signs; None: a key that is made for this bundle alone, whose public half becomes the file
            beside the folder that is named like it, with `.pub` behind.

    Raises:
        WrongInputError: `folder` exists and is not a bundle.
        BundleError: what was written does not pass `load_bundle`.
    """
    folder = folder.resolve()  # "." has no name, and the fresh folder is named after it
    check_place(folder)
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
    if content.familiarity is not None:
        np.savez_compressed(fresh / FAMILIARITY_NAME, **arrays_of(content.familiarity))  # type: ignore[arg-type]  # numpy takes the names for its own options
    (fresh / METRICS_NAME).write_text(json.dumps(content.metrics, indent=2) + "\n", encoding="utf-8")
    (fresh / CARD_NAME).write_text(content.card, encoding="utf-8")
    manifest = _manifest(fresh, content, created)
    (fresh / MANIFEST_NAME).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    signer = new_key() if key is None else key
    sign_bundle(fresh, signer)
    if folder.exists():
        shutil.rmtree(folder)
    fresh.rename(folder)
    if key is None:
        public_key_beside(folder).write_bytes(public_pem(signer))
    return load_bundle(folder, [trusted(signer)])


def public_key_beside(folder: Path) -> Path:
    """Where the public half of a key lies that was made for one bundle alone."""
    return folder.with_name(f"{folder.name}{PUBLIC_SUFFIX}")


def _manifest(folder: Path, content: BundleContent, created: datetime) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {
        "format": FORMAT,
        "created": created.astimezone(timezone.utc).isoformat(timespec="seconds"),
        "software": f"fibrostage {__version__}",
        "notice": NOTICE,
        "graph": {
            "file": GRAPH_NAME,
            "sha256": digest_of(folder / GRAPH_NAME),
            "precision": content.precision,
        },
        "bar_range_kpa": BAR_RANGE_KPA,
        "calibration": content.calibration.model_dump(),
        "operating_points": {key: point.model_dump() for key, point in content.operating_points.items()},
        "gm_lsm": {key: weights.model_dump() for key, weights in content.gm_lsm.items()},
        "lsm_cutoffs": content.lsm_cutoffs.model_dump(),
        "self_test": {"file": GOLDEN_NAME, "tolerance": TOLERANCES[content.precision]},
        "files": {
            name: digest_of(folder / name)
            for name in (CARD_NAME, FAMILIARITY_NAME, GOLDEN_NAME, METRICS_NAME)
            if (folder / name).exists()
        },
        "training": {**content.training},
    }
    return {"bundle_id": id_of(content.name, fields), **fields}
