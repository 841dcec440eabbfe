"""`fibrostage bundle`: what is installed, whether a bundle is sound, install one, go back."""

from __future__ import annotations

import json
from pathlib import Path

import click
from pydantic import JsonValue

from firmware_app.bundle_store import Installed, current_of, install, list_bundles, rollback
from firmware_app.config import load_config
from firmware_app.errors import BundleError
from firmware_app.inference import Bundle, load_bundle, open_engine
from firmware_app.inference.golden import self_test
from firmware_app.inference.signature import TrustedKey, read_public_key, trusted_keys

_Path = click.Path(path_type=Path)
config_option = click.option(
    "--config", "config_path", type=_Path, help="TOML file; default: the system's, else all defaults."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
trust_option = click.option(
    "--trust",
    "trusted_files",
    type=_Path,
    multiple=True,
    help="Trust this public key, too (a .pub file); may be repeated.",
)


def keys_of(folder: Path, files: tuple[Path, ...]) -> tuple[TrustedKey, ...]:
    """The demonstration's key, the site's and those that were named.

    Raises:
        KeyFileError: one of them cannot be read.
    """
    return (*trusted_keys(folder), *(read_public_key(file) for file in files))


@click.group("bundle")
def bundle_group() -> None:
    """Install model bundles, check them, go back to the one before."""


@bundle_group.command("list")
@config_option
@_json_option
def list_command(config_path: Path | None, *, as_json: bool) -> None:
    """List the installed bundles, the one in use first."""
    config = load_config(config_path)
    found = list_bundles(config.bundle_store, trusted_keys(config.bundle_keys))
    if as_json:
        click.echo(json.dumps([_row(one) for one in found]))
    elif not found:
        click.echo(f"{config.bundle_store}: none is installed; the demonstration bundle is in use")
    for one in [] if as_json else found:
        click.echo(f"{one.role:9s} {one.complaint if one.bundle is None else _sentence(one.bundle)}")


@bundle_group.command("verify")
@click.argument("folder", metavar="[BUNDLE]", type=_Path, required=False)
@config_option
@trust_option
@_json_option
def verify_command(
    folder: Path | None, config_path: Path | None, trusted_files: tuple[Path, ...], *, as_json: bool
) -> None:
    """Check signature, content and every file of a BUNDLE (default: the installed one)."""
    config = load_config(config_path)
    chosen = folder or current_of(config.bundle_store)
    if chosen is None:
        raise BundleError(f"{config.bundle_store}: none is installed; name the folder of a bundle")
    _show(load_bundle(chosen, keys_of(config.bundle_keys, trusted_files)), "sound", as_json=as_json)


@bundle_group.command("install")
@click.argument("folder", metavar="BUNDLE", type=_Path)
@config_option
@_json_option
def install_command(folder: Path, config_path: Path | None, *, as_json: bool) -> None:
    """Check a BUNDLE, try it on this machine and put it in use; the one before is kept."""
    config = load_config(config_path)
    installed = install(config.bundle_store, folder, trusted_keys(config.bundle_keys), try_out)
    _show(installed, "installed; restart the appliance to use it", as_json=as_json)


@bundle_group.command("rollback")
@config_option
@_json_option
def rollback_command(config_path: Path | None, *, as_json: bool) -> None:
    """Put the previous bundle in use again."""
    config = load_config(config_path)
    bundle = rollback(config.bundle_store, trusted_keys(config.bundle_keys))
    _show(bundle, "in use again; restart the appliance to use it", as_json=as_json)


def try_out(bundle: Bundle) -> float:
    """Answer the golden crops with the engine that this machine would use; returns the largest |dp|.

    Raises:
        BundleError: the answers are not those that were recorded.
        EngineError: the runtime failed.
    """
    engine = open_engine(bundle)
    try:
        return self_test(bundle, engine)
    finally:
        engine.close()


def _show(bundle: Bundle, state: str, *, as_json: bool) -> None:
    click.echo(json.dumps(_fields(bundle)) if as_json else f"{_sentence(bundle)}: {state}")


def _sentence(bundle: Bundle) -> str:
    manifest = bundle.manifest
    return (
        f"{manifest.bundle_id}  {manifest.graph.precision}  {manifest.created}  "
        f"{bundle.signed_by} ({bundle.fingerprint[:16]})"
    )


def _fields(bundle: Bundle) -> dict[str, JsonValue]:
    manifest = bundle.manifest
    return {
        "bundle_id": manifest.bundle_id,
        "folder": str(bundle.folder),
        "precision": manifest.graph.precision,
        "created": manifest.created,
        "software": manifest.software,
        "signed_by": bundle.signed_by,
        "fingerprint": bundle.fingerprint,
        "notice": manifest.notice,
    }


def _row(one: Installed) -> dict[str, JsonValue]:
    if one.bundle is None:
        return {"role": one.role, "folder": str(one.folder), "complaint": one.complaint}
    return {"role": one.role, **_fields(one.bundle)}
