"""Small signed bundles for tests: everything but a graph that can be run."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import JsonValue

from firmware_app.inference.bundle import FORMAT, MANIFEST_NAME, THRESHOLDS, digest_of, id_of
from firmware_app.inference.signature import SIGNATURE_NAME
from model_export.signing import signature_of, trusted

KEY = Ed25519PrivateKey.generate()
TRUST = (trusted(KEY, "tests"),)


def small_fields(folder: Path) -> dict[str, JsonValue]:
    """What `bundle.json` says of the small bundle in this folder, without its id."""
    point: JsonValue = {"cutoff": 0.5, "low": 0.4, "high": 0.6, "rule_out": 0.3, "rule_in": 0.7}
    weights: JsonValue = {"ln_cutoff_kpa": 2.0, "scale": 0.3, "intercept": -4.0, "w_gm": 4.0, "w_lsm": 4.0}
    affine: JsonValue = {key: {"scale": 1.0, "offset": 0.0} for key in THRESHOLDS}
    return {
        "format": FORMAT,
        "created": "2026-01-01T00:00:00+00:00",
        "software": "fibrostage 0.1.0",
        "notice": "For research use only.",
        "graph": {"file": "graph.onnx", "sha256": digest_of(folder / "graph.onnx"), "precision": "int8"},
        "bar_range_kpa": 40.0,
        "calibration": {
            "method": "test",
            "fitted_on": "nobody",
            "patients": 0,
            "parameters": {"GM": affine, "EM": affine, "GM+EM": affine},
        },
        "operating_points": dict.fromkeys(THRESHOLDS, point),
        "gm_lsm": dict.fromkeys(THRESHOLDS, weights),
        "lsm_cutoffs": {"source": "test", "ge_s2": 7.6, "ge_s3": 9.2, "s4": 10.4},
        "self_test": {"file": "golden.npz", "tolerance": 0.05},
        "files": {name: digest_of(folder / name) for name in ("model_card.md", "golden.npz")},
        "training": {"seed": 1},
    }


def write_small_bundle(folder: Path, **changes: JsonValue) -> Path:
    """A signed bundle of a few bytes, with changes to its manifest."""
    folder.mkdir(parents=True)
    (folder / "graph.onnx").write_bytes(bytes(range(200)))
    (folder / "model_card.md").write_text("# Card\n", encoding="utf-8")
    (folder / "golden.npz").write_bytes(b"golden" * 5)
    fields = small_fields(folder) | changes
    fields.setdefault("bundle_id", id_of("test", fields))
    return write_manifest(folder, json.dumps(fields).encode())


def write_manifest(folder: Path, content: bytes) -> Path:
    """These bytes as `bundle.json`, signed."""
    (folder / MANIFEST_NAME).write_bytes(content)
    (folder / SIGNATURE_NAME).write_bytes(signature_of(content, KEY))
    return folder
