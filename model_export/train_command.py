"""`fibrostage-export train`: from initial weights to a bundle in one command."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from pathlib import Path

import click

from model_export.errors import WrongInputError
from model_export.sign_command import key_option
from model_export.signing import read_key
from model_export.training_options import MISSING, TrainingChoice, training_options


@click.command()
@training_options
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder that becomes the bundle.")
@key_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(*, training: TrainingChoice, out: Path, key_path: Path | None, as_json: bool) -> None:
    """Draw a virtual cohort, train GM, EM and GM+EM on it, and write a bundle.

    Every stage is kept in --work: an interrupted run goes on where it stopped.
    """
    request = training.request()
    try:
        from model_export.workflow import make_bundle  # noqa: PLC0415 - imports torch, which may be absent
    except ModuleNotFoundError as error:
        raise WrongInputError(MISSING.format(name=error.name)) from error
    logging.basicConfig(level=logging.WARNING)
    key = None if key_path is None else read_key(key_path)
    bundle = make_bundle(request, out, datetime.now(timezone.utc), key)
    metrics = json.loads((bundle.folder / "metrics.json").read_text(encoding="utf-8"))
    answer = {"bundle_id": bundle.manifest.bundle_id, "folder": str(out), **metrics}
    if as_json:
        print(json.dumps(answer))
        return
    print(f"bundle {bundle.manifest.bundle_id} in {out}")
    for method, by_key in metrics["auc_test_patients"].items():
        print(f"  {method:7s}" + "".join(f"  {key} {value:.3f}" for key, value in by_key.items()))
