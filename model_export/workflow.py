"""The whole journey in one function: train, export, quantise, compare, write."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_app.inference import Bundle
from model_export.agree import GraphPrecision
from model_export.assemble import export_bundle
from model_export.graphs import export_exact
from model_export.int8 import load_choices
from model_export.stages import Request, make_trained
from model_export.trained import load_run


def make_bundle(
    request: Request, out: Path, created: datetime, key: Ed25519PrivateKey | None = None
) -> Bundle:
    """Draw, train, calibrate, export, quantise, compare and write the INT8 bundle.

    Args:
        request: what to train.
        out: becomes the bundle.
        created: time of creation, with its zone.
        key: signs; None: a key for this bundle alone.

    Raises:
        WrongInputError: the weights or the folders cannot be used.
        ExportError: no cohort can be drawn, or the graphs do not agree; no bundle is written then.
    """
    exported = export_exact(make_trained(request))
    return export_bundle(exported, "int8", load_choices(request.work), out, created, key)


def bundle_of_trained(
    work: Path, precision: GraphPrecision, out: Path, created: datetime, key: Ed25519PrivateKey | None = None
) -> Bundle:
    """A bundle of any precision from the last training of a work folder.

    Raises:
        WrongInputError: the work folder holds no finished training.
        GateError: the graphs do not agree; no bundle is written then.
    """
    exported = export_exact(load_run(work))
    return export_bundle(exported, precision, load_choices(work), out, created, key)
