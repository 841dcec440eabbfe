"""`fibrostage-export train`: from initial weights to a bundle in one command."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import click

from firmware_app.wording import NOTICE
from model_export.errors import NotInstalledError, WrongInputError
from model_export.sign_command import key_option
from model_export.signing import read_key
from model_export.training_options import TrainingChoice, cohort_option, training_options


@click.command()
@cohort_option
@training_options
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder that becomes the bundle; left out: train only."
)
@key_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(
    *, cohort: Path | None, training: TrainingChoice, out: Path | None, key_path: Path | None, as_json: bool
) -> None:
    """Train GM, EM and GM+EM on a cohort, drawn or your own, and write a bundle.

    Every stage is kept in --work: a run killed at any moment goes on where it stopped, to the same weights.
    On several GPUs or machines: torchrun ... -m model_export.cli train ..., with one --work that all see.
    """
    whole = training.random_weights and training.trainable == "all"
    if out is not None and (whole or training.heads == "three"):
        raise WrongInputError(
            "a bundle holds one stem, a top for each modality and shared heads: leave out --out, "
            "or train with --heads shared --trainable top"
        )
    if training.weights is not None and training.trainable == "all":
        raise WrongInputError("--trainable all trains from --random-weights; leave out --weights")
    request = training.request()
    try:
        # torch may be absent
        from model_export.bundle_writer import check_place  # noqa: PLC0415 - see above
        from model_export.ranks import is_first, launched_ranks, wait  # noqa: PLC0415 - see above
        from model_export.stages import make_trained, make_twin  # noqa: PLC0415 - see above
        from model_export.study.prepared import prepare_below  # noqa: PLC0415 - see above
        from model_export.workflow import make_bundle  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise NotInstalledError(error) from error
    logging.basicConfig(level=logging.WARNING)
    key = None if key_path is None else read_key(key_path)
    if out is not None:
        check_place(out)
    with launched_ranks():
        if cohort is not None:
            below = (training.work, cohort, training.seed, training.processes)
            name = prepare_below(*below) if is_first() else None
            wait()
            request = replace(request, cohort=name or prepare_below(*below))
        if out is None or not is_first():
            run = make_twin(request) if whole else make_trained(request)
            if is_first():
                _tell_trained(run.work / run.network, as_json=as_json)
            return
        bundle = make_bundle(request, out, datetime.now(timezone.utc), key)
    metrics = json.loads((bundle.folder / "metrics.json").read_text(encoding="utf-8"))
    answer = {"bundle_id": bundle.manifest.bundle_id, "folder": str(out), **metrics, "notice": NOTICE}
    if as_json:
        print(json.dumps(answer))
        return
    print(f"bundle {bundle.manifest.bundle_id} in {out}")
    for method, by_key in metrics["auc_test_patients"].items():
        print(f"  {method:7s}" + "".join(f"  {key} {value:.3f}" for key, value in by_key.items()))
    print(NOTICE)


def _tell_trained(folder: Path, *, as_json: bool) -> None:
    print(json.dumps({"network": str(folder)}) if as_json else f"trained parameters and curves in {folder}")
