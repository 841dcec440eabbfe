"""The program `fibrostage`: run, replay, inspect, bundle, selftest, audit, evidence, show-config."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

import click
import cv2

from calibration.errors import CalibrationError
from calibration.errors import WrongInputError as CalibrationInputError
from calibration.program import DONE, FAILED, run_program
from firmware_app import __version__
from firmware_app.annotation import annotate
from firmware_app.assembly import screen_reader
from firmware_app.bundle_commands import bundle_group, config_option
from firmware_app.config import load_config, render_config, system_path
from firmware_app.config.migrations import migrate_file
from firmware_app.config.secrecy import exposed
from firmware_app.config.settings import VERSION
from firmware_app.config.showing import config_as_json, schema_as_json
from firmware_app.errors import (
    AuditBrokenError,
    ConfigError,
    FibrostageError,
    SinkError,
    WrongInputError,
)
from firmware_app.health.command import health_command
from firmware_app.inspection import as_json, inspect_frame, load_picture, verdict_of
from firmware_app.journey import Picture
from firmware_app.notify import ServiceManager
from firmware_app.records.commands import evidence_group
from firmware_app.records.verification import verify as verify_audit
from firmware_app.replay_command import profile_option, replay_command
from firmware_app.reports.command import report
from firmware_app.wording import NOTICE

_Path = click.Path(path_type=Path)


@click.group(epilog=NOTICE)
@click.version_option(__version__, prog_name="fibrostage")
def cli() -> None:
    """Stage liver fibrosis from the video output of an ultrasound scanner."""


@cli.command()
@config_option
@click.option(
    "--safe-mode/--no-safe-mode",
    default=None,
    help="With a configuration that cannot be used: stay visible and tell why. Default: as a service only.",
)
def run(config_path: Path | None, *, safe_mode: bool | None) -> int:
    """Run the appliance on its configured source until it is stopped."""
    from firmware_app import safe_mode as standing_by  # noqa: PLC0415 - as below
    from firmware_app.live import run as run_appliance  # noqa: PLC0415 - GStreamer is loaded only where it is used

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda _number, _frame: stop.set())
    try:
        config = load_config(config_path)
        for sentence in exposed(config, system_path(config_path)):
            logging.getLogger(__name__).warning("%s", sentence)
        run_appliance(config, stop, config_path)
    except standing_by.UNUSABLE as error:
        if not (ServiceManager().is_there if safe_mode is None else safe_mode):
            raise
        complaint = " ".join(str(error).split())
    else:
        return DONE
    return standing_by.run(config_path, complaint, stop)


cli.add_command(replay_command)


@cli.command()
@click.argument("image", type=_Path)
@profile_option
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
@click.option("--annotate", "annotated", type=_Path, help="Write the picture with everything drawn into it.")
def inspect(image: Path, profile: str, *, as_object: bool, annotated: Path | None) -> None:
    """Show what the appliance sees in one IMAGE, and why it would refuse it."""
    if annotated is not None and os.path.realpath(annotated) == os.path.realpath(image):
        raise SinkError(f"{annotated} is the picture itself: give --annotate another name")
    frame = load_picture(image)
    reader = screen_reader(profile)
    inspection = inspect_frame(frame, reader)
    if annotated is not None:
        drawn = annotate(frame, inspection.reading, reader.profile, inspection.timings)
        _write_picture(annotated, drawn)
    if as_object:
        click.echo(json.dumps(as_json(inspection)))
        return
    click.echo(verdict_of(inspection.reading))
    click.echo(NOTICE)


cli.add_command(bundle_group)


@cli.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def selftest(config_path: Path | None, *, as_json: bool) -> int:
    """Try configuration, bundle, runtime, video, broker and screen reading on this machine."""
    from firmware_app.selftest import run_checks  # noqa: PLC0415 - draws and loads far more than the rest needs

    checks = []
    for check in run_checks(config_path):
        checks.append(check)
        if not as_json:
            click.echo(f"{'ok' if check.ok else 'failed':7s}{check.name}: {check.detail}")
    ok = all(check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks], "notice": NOTICE}))
    return DONE if ok else FAILED


cli.add_command(report)
cli.add_command(health_command)
cli.add_command(evidence_group)


@cli.group()
def audit() -> None:
    """Check the audit log."""


@audit.command("verify")
@click.argument("folder", type=_Path)
@click.option("--expect", "digest", help="A digest that was noted elsewhere; it must occur in the log.")
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
def audit_verify(folder: Path, digest: str | None, *, as_object: bool) -> None:
    """Find any line of the log that was altered, removed, added or moved; exit code 1 if there is one."""
    verdict = verify_audit(folder, digest)
    if as_object:
        print(json.dumps(asdict(verdict)))
    elif verdict.fault is None:
        print(f"{verdict.lines} lines, every one sound; the last digest is {verdict.digest}")
    if verdict.fault is not None:
        raise AuditBrokenError(f"the audit log in {folder} is not sound: {verdict.fault}")


@cli.command("show-config")
@config_option
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
@click.option("--schema", is_flag=True, help="Print what there is to set, as JSON Schema.")
def show_config(config_path: Path | None, *, as_object: bool, schema: bool) -> None:
    """Print the settings in effect, secrets masked."""
    if schema:
        click.echo(schema_as_json(), nl=False)
        return
    config = load_config(config_path)
    click.echo(config_as_json(config) + "\n" if as_object else render_config(config), nl=False)


@cli.command("migrate-config")
@click.argument("file", metavar="[FILE]", type=_Path, required=False)
def migrate_config(file: Path | None) -> None:
    """Lift a configuration FILE (default: the system's) to this version; the old one is kept beside it."""
    path = system_path(file)
    if path is None:
        raise ConfigError("there is no configuration: name a file")
    migrated = migrate_file(path)
    if migrated is None:
        click.echo(f"{path} is of version {VERSION}: nothing to do")
    else:
        click.echo(
            f"{path} is lifted from version {migrated.came_from} to {VERSION}; the old one: {migrated.backup}"
        )


def _write_picture(path: Path, picture: Picture) -> None:
    try:
        coded = cv2.imencode(path.suffix, picture)[1]
    except cv2.error:
        raise SinkError(f"{path} cannot be written: the name must end in .png") from None
    try:
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from None


def main() -> None:
    """Entry point of `fibrostage`."""
    sys.exit(run_program(cli, (WrongInputError, CalibrationInputError), (FibrostageError, CalibrationError)))
