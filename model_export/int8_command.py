"""`fibrostage-calibrate int8`: which ranges and which layers INT8 takes, measured on training patients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model_export.errors import NotInstalledError
from model_export.export_command import work_option

if TYPE_CHECKING:
    from model_export.int8_scan import Trial


@click.command(name="int8")
@work_option
@click.option(
    "--budget-ms",
    type=click.FloatRange(min=1.0),
    default=60.0,
    show_default=True,
    help="Time of one inference up to which layers are left in float32.",
)
@click.option(
    "--patients",
    type=click.IntRange(2),
    default=54,
    show_default=True,
    help="Held-out training patients that are looked at, at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def int8_command(work: Path, budget_ms: float, patients: int, *, as_json: bool) -> None:
    """Compare INT8 ranges and scan which layers INT8 hurts, for what was trained in --work.

    Only training patients are looked at. The outcome is int8_choices.json in --work, which
    `fibrostage-export quantise` and `train` use from then on.
    """
    try:
        # torch takes seconds to import, and is absent where only the appliance is installed
        from model_export.graphs import export_exact  # noqa: PLC0415 - see above
        from model_export.int8 import save_choices  # noqa: PLC0415 - see above
        from model_export.int8_scan import scan  # noqa: PLC0415 - see above
        from model_export.trained import load_run  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise NotInstalledError(error) from error
    found = scan(export_exact(load_run(work)), budget_ms, patients)
    path = save_choices(found.choices, work)
    if as_json:
        click.echo(json.dumps({"file": str(path), **found.as_json()}))
        return
    click.echo(f"{'':18s}{'mean |dp|':>10s}{'GM':>8s}{'EM':>8s}{'GM+EM':>8s}{'ms':>8s}{'MB':>8s}")
    for title, trials in (("ranges", found.ranges), ("groups", found.groups), ("", (found.chosen,))):
        click.echo(title)
        for trial in trials:
            click.echo(_row(trial))
    click.echo(f"{path}: ranges {found.choices.range_method}; float32 {', '.join(found.choices.float32)};")
    click.echo(f"  INT8 weights with float32 arithmetic {', '.join(found.choices.int8_weights) or 'nowhere'}")


def _row(trial: Trial) -> str:
    deviations = "".join(f"{value:8.3f}" for value in trial.log_odds_deviation)
    return (
        f"  {trial.name:16s}{trial.mean_probability_difference:10.4f}{deviations}"
        f"{trial.latency_ms:8.1f}{trial.megabytes:8.1f}"
    )
