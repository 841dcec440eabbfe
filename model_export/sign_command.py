"""`fibrostage-export keygen` and `sign`: a site's own key, and its name under a bundle."""

from __future__ import annotations

import json
from pathlib import Path

import click

from firmware_app.inference.signature import SITE_KEYS, fingerprint_of
from model_export.signing import new_key, read_key, sign_bundle, write_key

_Path = click.Path(path_type=Path)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
key_option = click.option(
    "--key",
    "key_path",
    type=_Path,
    help="Private key that signs (see keygen); default: one that is made for this bundle alone, whose public "
    "half becomes the file beside the bundle with .pub behind.",
)


@click.command()
@click.option("--out", type=_Path, required=True, help="File of the private key, e.g. liver-centre.pem.")
@_json_option
def keygen(out: Path, *, as_json: bool) -> None:
    """Make a pair of keys: --out is private and stays with you, the .pub beside it goes to the devices."""
    key = new_key()
    public = write_key(key, out)
    fingerprint = fingerprint_of(key.public_key())
    if as_json:
        click.echo(json.dumps({"private": str(out), "public": str(public), "fingerprint": fingerprint}))
        return
    click.echo(f"{out}: private key; keep it off the devices")
    click.echo(f"{public}: public key {fingerprint[:16]}...; copy it to {SITE_KEYS} of every device")


@click.command()
@click.argument("bundle", type=_Path)
@click.option("--key", "key_path", type=_Path, required=True, help="Private key that signs, see keygen.")
@_json_option
def sign(bundle: Path, key_path: Path, *, as_json: bool) -> None:
    """Check the files of a BUNDLE and sign it, in place of whoever signed it before."""
    signed = sign_bundle(bundle, read_key(key_path))
    if as_json:
        click.echo(json.dumps({"bundle_id": signed.manifest.bundle_id, "fingerprint": signed.fingerprint}))
        return
    click.echo(f"{signed.manifest.bundle_id}: signed with key {signed.fingerprint[:16]}...")
