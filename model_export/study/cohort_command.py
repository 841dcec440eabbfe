"""`fibrostage-calibrate phantom cohort`: the virtual cohort as a folder."""

from __future__ import annotations

import json
from pathlib import Path

import click

from model_export.errors import WrongInputError
from model_export.study.cohort_drawing import Request, draw_folder
from model_export.virtual_patients import PATIENTS_LEFT_OUT

PAPER_TRAIN, PAPER_PATIENTS = 364, 466


@click.command("cohort")
@click.option(
    "--patients",
    type=click.IntRange(2),
    default=PAPER_PATIENTS,
    show_default=True,
    help="Of both splits; stages in the paper's proportions.",
)
@click.option(
    "--train-patients",
    type=click.IntRange(1),
    help="How many of them train; as in the paper if absent, 78 %.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Everything follows from it.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="A new folder, or that of an interrupted drawing.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="How many draw at once; changes nothing else.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def draw_cohort_folder(  # noqa: PLR0913 - one parameter per option
    *, patients: int, train_patients: int | None, seed: int, out: Path, processes: int, as_json: bool
) -> None:
    """Draw a virtual cohort: tables and whole screens in a folder, as a hospital would collect them.

    Stages and splits are those of Xue et al. An interrupted drawing goes on where it stopped.
    """
    train = round(patients * PAPER_TRAIN / PAPER_PATIENTS) if train_patients is None else train_patients
    if not 0 < train < patients:
        raise WrongInputError(
            f"{train} of {patients} patients for training leave none for the test; give --train-patients less"
        )
    counted = draw_folder(Request(seed, train, patients - train), out, processes)
    if as_json:
        click.echo(
            json.dumps({"folder": str(out), "train": train, "test": patients - train, "counted": counted})
        )
        return
    click.echo(f"{train} training and {patients - train} test patients in {out}")
    click.echo(f"  left out on the way: {counted.get(PATIENTS_LEFT_OUT, 0)} patients")
    for reason, count in counted.items():
        if reason != PATIENTS_LEFT_OUT:
            click.echo(f"  acquisitions refused, {reason}: {count}")
