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

_Path = click.Path(path_type=Path)
_MISSING = "training needs the extra `train`, and {name} is not installed; pip install 'fibrostage[train]'"


@click.command()
@click.option(
    "--weights",
    type=_Path,
    help="Initial weights with torchvision's inception_v3 keys (.safetensors or .pth), e.g. IMAGENET1K_V1.",
)
@click.option(
    "--weights-range",
    type=click.Choice(["signed", "zero_one"]),
    default="signed",
    show_default=True,
    help="Pixel values that the weights were trained with: -1..1 (IMAGENET1K_V1) or 0..1.",
)
@click.option("--licence", default="", help="Origin and licence of the weights, for the card.")
@click.option("--random-weights", is_flag=True, help="Start from random ones (no transfer learning).")
@click.option("--out", type=_Path, required=True, help="Folder that becomes the bundle.")
@click.option("--work", type=_Path, default=Path("build/train"), show_default=True, help="Keeps every stage.")
@click.option("--name", default="fibrostage", show_default=True, help="The bundle's id begins with it.")
@click.option("--patients-train", type=click.IntRange(20), default=364, show_default=True)
@click.option("--patients-test", type=click.IntRange(20), default=102, show_default=True)
@click.option("--views", type=click.IntRange(1), default=2, show_default=True, help="Views of each picture.")
@click.option("--epochs", type=click.IntRange(0), default=3, show_default=True, help="Of the upper blocks.")
@click.option("--head-epochs", type=click.IntRange(1), default=40, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
@key_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def train(  # noqa: PLR0913, PLR0917 - one argument for each option
    weights: Path | None,
    weights_range: str,
    licence: str,
    random_weights: bool,  # noqa: FBT001 - a flag of the command line
    out: Path,
    work: Path,
    name: str,
    patients_train: int,
    patients_test: int,
    views: int,
    epochs: int,
    head_epochs: int,
    seed: int,
    processes: int,
    key_path: Path | None,
    as_json: bool,  # noqa: FBT001 - a flag of the command line
) -> None:
    """Draw a virtual cohort, train GM, EM and GM+EM on it, and write a bundle.

    Every stage is kept in --work: an interrupted run goes on where it stopped.
    """
    if weights is None and not random_weights:
        raise WrongInputError(
            "no initial weights given: pass --weights FILE (torchvision's inception_v3 IMAGENET1K_V1, which "
            "is not downloaded by itself, or any checkpoint with its keys) or --random-weights"
        )
    if weights is not None and random_weights:
        raise WrongInputError("--weights and --random-weights exclude each other; give one of them")
    try:
        # torch takes seconds to import, and is absent where only the appliance is installed
        from model_export.stages import Request  # noqa: PLC0415 - see above
        from model_export.train import TrainingOptions  # noqa: PLC0415 - see above
        from model_export.weights import InputRange  # noqa: PLC0415 - see above
        from model_export.workflow import make_bundle  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise WrongInputError(_MISSING.format(name=error.name)) from error
    logging.basicConfig(level=logging.WARNING)
    request = Request(
        weights=weights,
        input_range=InputRange(weights_range),
        licence=licence,
        work=work,
        name=name,
        patients_train=patients_train,
        patients_test=patients_test,
        views=views,
        options=TrainingOptions(seed=seed, epochs=epochs, head_epochs=head_epochs),
        processes=processes,
    )
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
