"""`fibrostage-export compile`: a bundle's TensorRT engine, built on the device that it will run on.

Needs the appliance alone: a Jetson has neither torch nor onnx.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import click

from firmware_app.bundle_store import current_of
from firmware_app.config import load_config
from firmware_app.errors import TargetError
from firmware_app.inference import load_bundle
from firmware_app.inference.signature import trusted_keys
from firmware_app.inference.tensorrt_cache import EngineCache
from firmware_app.inference.tensorrt_compile import compile_bundle
from firmware_app.inference.tensorrt_library import Capability, load_tensorrt
from firmware_app.model import DEMONSTRATION_BUNDLE

_Path = click.Path(path_type=Path)


@click.command("compile")
@click.argument("bundle", type=_Path, required=False)
@click.option(
    "--config", "config_path", type=_Path, help="TOML file; default: the system's, else all defaults."
)
@click.option(
    "--compute-capability",
    "target",
    metavar="X.Y",
    help="Build for another GPU than this machine's (TensorRT-RTX only), e.g. 8.6.",
)
@click.option(
    "--cache", type=_Path, help="Folder where engines are kept; default: the setting inference.engines."
)
@click.option("--again", is_flag=True, help="Build also where the engine is there already.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compile_engine(  # noqa: PLR0913 - one argument for each option
    bundle: Path | None,
    config_path: Path | None,
    target: str | None,
    cache: Path | None,
    *,
    again: bool,
    as_json: bool,
) -> None:
    """Build the TensorRT engine of BUNDLE (default: the appliance's) for this machine's GPU.

    Takes minutes on a Jetson, and nothing where the engine is there already. The appliance uses the engine
    from its next start on.
    """
    capability = None if target is None else _capability_of(target)
    config = load_config(config_path)
    chosen = bundle or config.bundle or current_of(config.bundle_store) or DEMONSTRATION_BUNDLE
    checked = load_bundle(chosen, trusted_keys(config.bundle_keys))
    engines = EngineCache(cache or config.inference.engines)
    done = compile_bundle(
        load_tensorrt(), checked, engines, capability, again=again, progress=sys.stderr.isatty()
    )
    if as_json:
        record = done.record.model_dump(mode="json")
        answer = {"bundle_id": checked.manifest.bundle_id, "engine": str(done.path), **record}
        click.echo(json.dumps({**answer, "fresh": done.fresh, "removed": done.removed}))
        return
    key = done.record.key
    gpu = f"{key.gpu} GPU, compute capability {key.compute_capability[0]}.{key.compute_capability[1]}"
    click.echo(f"engine of {checked.manifest.bundle_id} ({key.precision}) for {gpu}")
    click.echo(f"  {done.path}")
    when = "built" if done.fresh else f"there already: built on {done.record.built:%Y-%m-%d}"
    click.echo(f"  {done.record.size_bytes / 1e6:.1f} MB, {when} in {done.record.build_s:.0f} s")
    for name in done.removed:
        click.echo(f"  removed {name}, which nothing can use any more")


def _capability_of(text: str) -> Capability:
    match = re.fullmatch(r"(\d{1,2})\.(\d)", text)
    if match is None:
        raise TargetError(f"{text!r} is not a compute capability; give two numbers, such as 8.6")
    return int(match[1]), int(match[2])
