"""`fibrostage-export prepare`: check a cohort folder, apply the paper's rules, split it, cut its pictures."""

from __future__ import annotations

import json
from pathlib import Path

import click

from model_export.study.cohort_folder import read_cohort
from model_export.study.prepared import prepare_cohort

_Path = click.Path(path_type=Path)


@click.command()
@click.argument("cohort", type=_Path)
@click.option("--out", type=_Path, help="Folder of the arrays; without it the cohort is only checked.")
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Of the split, if the table has none.",
)
@click.option("--processes", type=click.IntRange(1), default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def prepare(cohort: Path, *, out: Path | None, seed: int, processes: int, as_json: bool) -> None:
    """Check the folder COHORT and make it ready for training.

    It holds patients.csv, images.csv and pictures (PNG, JPEG, DICOM). Everything that is wrong is told at
    once. The flow of patients is printed; what --out already holds is not done again.
    """
    if out is None:
        read = read_cohort(cohort, processes)
        pictures = sum(map(len, read.images.values()))
        answer: dict[str, object] = {"patients": len(read.patients), "pictures": pictures}
        told = f"{len(read.patients)} patients and {pictures} pictures without a fault"
    else:
        flow = prepare_cohort(cohort, out, seed, processes).flow
        answer = {"folder": str(out), **flow.to_json()}
        told = f"{sum(flow.included.values())} of {flow.given} patients ready in {out}"
    click.echo(json.dumps(answer) if as_json else told)
