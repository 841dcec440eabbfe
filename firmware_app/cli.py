"""The program `fibrostage`: run, replay, inspect, show-config."""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
from pathlib import Path

import click
import cv2
from tqdm import tqdm

from calibration.errors import CalibrationError
from calibration.errors import WrongInputError as CalibrationInputError
from calibration.program import run_program
from firmware_app import __version__
from firmware_app.assembly import appliance_of, load_model, screen_reader
from firmware_app.config import Config, load_config, render_config
from firmware_app.errors import FibrostageError, SinkError, SourceError, WrongInputError
from firmware_app.inspection import annotate, as_json, load_picture, verdict_of
from firmware_app.wording import NOTICE

_Path = click.Path(path_type=Path)
_config_option = click.option(
    "--config", "config_path", type=_Path, help="TOML file; default: the system's, else all defaults."
)
_profile_option = click.option(
    "--profile", default="aixplorer", show_default=True, help="Screen profile: a name or a TOML file."
)
_bundle_option = click.option(
    "--bundle", "bundle_path", type=_Path, help="Folder of the model bundle; default: the demonstration's."
)


@click.group(epilog=NOTICE)
@click.version_option(__version__, prog_name="fibrostage")
def cli() -> None:
    """Stage liver fibrosis from the video output of an ultrasound scanner."""


@cli.command()
@_config_option
def run(config_path: Path | None) -> None:
    """Run the appliance on its configured source until it is stopped."""
    from firmware_app.live import run as run_appliance  # noqa: PLC0415 - GStreamer is loaded only where it is used

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda _number, _frame: stop.set())
    run_appliance(load_config(config_path), stop)


@cli.command()
@click.argument("video", type=_Path)
@_bundle_option
@_profile_option
@click.option("--json", "as_lines", is_flag=True, help="Print one JSON object per line.")
def replay(video: Path, bundle_path: Path | None, profile: str, *, as_lines: bool) -> None:
    """Analyse a recorded VIDEO on the appliance's own path, faster than real time, with no broker."""
    from firmware_app.replay import Summary, line_of, sentence_of  # noqa: PLC0415 - see `run`
    from firmware_app.replay import replay as play  # noqa: PLC0415 - see `run`

    reader = screen_reader(profile)
    bundle, engine = load_model(bundle_path)
    appliance = appliance_of(Config(), bundle, engine, reader)
    with tqdm(desc=video.name, unit="frame", disable=not sys.stderr.isatty()) as progress:
        for line in play(video, reader, engine, appliance, progress.update):
            progress.clear()
            click.echo(line_of(line) if as_lines else sentence_of(line))
    engine.close()
    if isinstance(line, Summary) and line.broke_off is not None:
        raise SourceError(line.broke_off)


@cli.command()
@click.argument("image", type=_Path)
@_profile_option
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
@click.option("--annotate", "annotated", type=_Path, help="Write the picture with everything drawn into it.")
def inspect(image: Path, profile: str, *, as_object: bool, annotated: Path | None) -> None:
    """Show what the appliance sees in one IMAGE, and why it would refuse it."""
    frame = load_picture(image)
    reader = screen_reader(profile)
    reading = reader.read_text(frame, reader.read(frame))
    if annotated is not None:
        _write_picture(annotated, annotate(frame, reading))
    click.echo(json.dumps(as_json(reading)) if as_object else verdict_of(reading))


@cli.command("show-config")
@_config_option
def show_config(config_path: Path | None) -> None:
    """Print the settings in effect, secrets masked."""
    click.echo(render_config(load_config(config_path)), nl=False)


def _write_picture(path: Path, picture: object) -> None:
    try:
        written = cv2.imwrite(str(path), picture)
    except cv2.error:
        written = False
    if not written:
        raise SinkError(f"{path} cannot be written: name a .png file in a folder that exists")


def main() -> None:
    """Entry point of `fibrostage`."""
    sys.exit(run_program(cli, (WrongInputError, CalibrationInputError), (FibrostageError, CalibrationError)))
