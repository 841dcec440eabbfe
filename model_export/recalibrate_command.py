"""`fibrostage-calibrate probability`: refit a bundle's probabilities to a site, without retraining."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

import click

from firmware_app.bundle_commands import keys_of, trust_option
from firmware_app.inference import load_bundle
from firmware_app.inference.signature import SITE_KEYS
from firmware_app.wording import NOTICE
from model_export.errors import NotInstalledError
from model_export.sign_command import key_option
from model_export.signing import read_key

_Path = click.Path(path_type=Path)


@click.command()
@click.argument("exams", type=_Path)
@click.option(
    "--results",
    "results",
    type=_Path,
    multiple=True,
    required=True,
    help="JSON lines of the appliance: `fibrostage replay --json`, saved MQTT messages or the audit log; "
    "may be repeated.",
)
@click.option("--bundle", "folder", type=_Path, required=True, help="Bundle that gave these results.")
@click.option("--out", type=_Path, required=True, help="Folder that becomes the new bundle.")
@click.option(
    "--site", default="one site", show_default=True, help="Where the exams come from, for the card."
)
@key_option
@trust_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def probability(  # noqa: PLR0913, PLR0917 - one argument for each option
    exams: Path,
    results: tuple[Path, ...],
    folder: Path,
    out: Path,
    site: str,
    key_path: Path | None,
    trusted_files: tuple[Path, ...],
    *,
    as_json: bool,
) -> None:
    """Refit calibration and operating points of a bundle to labelled EXAMS of one site.

    EXAMS is a CSV file with the columns exam_id and stage (Scheuer, 0-4).
    """
    try:
        # the training stack is absent where only the appliance is installed
        from model_export.bundle_writer import check_place  # noqa: PLC0415 - see above
        from model_export.recalibrate import refit, table_of, write_refitted  # noqa: PLC0415 - see above
        from model_export.reliability import draw_reliability  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise NotInstalledError(error) from error
    key = None if key_path is None else read_key(key_path)
    check_place(out)
    bundle = load_bundle(folder, keys_of(SITE_KEYS, trusted_files))
    fitted = refit(bundle, exams, results)
    written = write_refitted(bundle, fitted, out, datetime.now(timezone.utc), site, key)
    picture = out.with_name(f"{out.name}_reliability.png")
    draw_reliability(fitted, picture)
    if as_json:
        answer = {
            "bundle_id": written.manifest.bundle_id,
            "folder": str(out),
            "refitted_from": bundle.manifest.bundle_id,
            "exams": len(fitted.exams.scores.stage),
            "exams_without_result": fitted.exams.without_result,
            "judged": {m: {n: asdict(fit) for n, fit in fits.items()} for m, fits in fitted.judged.items()},
            "reliability": str(picture),
            "notice": NOTICE,
        }
        click.echo(json.dumps(answer))
        return
    for line in table_of(fitted):
        click.echo(line)
    click.echo(f"bundle {written.manifest.bundle_id} in {out}; reliability in {picture}")
    click.echo(NOTICE)
