"""`fibrostage-export export` and `quantise`: bundles of another precision from a training that is done."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from pathlib import Path

import click

from firmware_app.wording import NOTICE
from model_export.errors import NotInstalledError
from model_export.sign_command import key_option
from model_export.signing import read_key

_Path = click.Path(path_type=Path)
work_option = click.option(
    "--work", type=_Path, default=Path("build/train"), show_default=True, help="Folder of the training."
)
_out_option = click.option("--out", type=_Path, required=True, help="Folder that becomes the bundle.")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command(name="export")
@work_option
@_out_option
@click.option("--precision", type=click.Choice(["fp32", "fp16"]), default="fp16", show_default=True)
@key_option
@_json_option
def export_command(work: Path, out: Path, precision: str, key_path: Path | None, *, as_json: bool) -> None:
    """Export what was trained in --work as an FP32 or FP16 bundle.

    The graph is compared with float32 over every test patient; a bundle that fails is not written.
    """
    _make(work, out, precision, key_path, as_json=as_json)


@click.command(name="quantise")
@work_option
@_out_option
@key_option
@_json_option
def quantise_command(work: Path, out: Path, key_path: Path | None, *, as_json: bool) -> None:
    """Make an INT8 bundle of what was trained in --work.

    How is told by int8_choices.json in --work, which `fibrostage-calibrate int8` writes; without it, by the
    one that this software brings along.
    """
    _make(work, out, "int8", key_path, as_json=as_json)


def _make(work: Path, out: Path, precision: str, key_path: Path | None, *, as_json: bool) -> None:
    try:
        # torch takes seconds to import, and is absent where only the appliance is installed
        from model_export.agree import GRAPH_PRECISIONS  # noqa: PLC0415 - see above
        from model_export.bundle_writer import check_place  # noqa: PLC0415 - see above
        from model_export.workflow import bundle_of_trained  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        raise NotInstalledError(error) from error
    key = None if key_path is None else read_key(key_path)
    check_place(out)
    bundle = bundle_of_trained(work, GRAPH_PRECISIONS[precision], out, datetime.now(timezone.utc), key)
    metrics = json.loads((bundle.folder / "metrics.json").read_text(encoding="utf-8"))
    if as_json:
        answer = {"bundle_id": bundle.manifest.bundle_id, "folder": str(out), **metrics, "notice": NOTICE}
        click.echo(json.dumps(answer))
        return
    found, limits = metrics["agreement_with_float32"], metrics["agreement_limits"]
    click.echo(f"bundle {bundle.manifest.bundle_id} in {out}")
    click.echo(
        f"  against float32, {found['patients']} test patients: mean |dp| "
        f"{found['mean_probability_difference']:.4f} (allowed {limits['mean_probability']:g}), AUC "
        f"{found['largest_auc_difference']:.4f} (allowed {limits['auc']:g}), stage flips {found['flips']}"
    )
    click.echo(NOTICE)
