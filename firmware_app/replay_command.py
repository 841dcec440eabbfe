"""`fibrostage replay`: one recording, a folder of them, or the evidence of results."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from tqdm import tqdm

from firmware_app.assembly import appliance_of, screen_reader
from firmware_app.bundle_commands import config_option, keys_of, trust_option
from firmware_app.config import Config, load_config
from firmware_app.errors import SourceError
from firmware_app.inference.signature import TrustedKey
from firmware_app.model import Opened, load_model
from firmware_app.records.commands import replay_evidence

_Path = click.Path(path_type=Path)
profile_option = click.option(
    "--profile", default="aixplorer", show_default=True, help="Screen profile: a name or a TOML file."
)


@click.command("replay")
@click.argument("recording", metavar="VIDEO_OR_FOLDER", type=_Path, required=False)
@click.option("--evidence", type=_Path, help="Instead of recordings: score what was kept of results again.")
@click.option("--bundle", type=_Path, help="Folder of the model bundle; default: the demonstration's.")
@trust_option
@config_option
@profile_option
@click.option("--json", "as_lines", is_flag=True, help="Print one JSON object per line.")
@click.option("--out", type=_Path, help="For a folder: one file per recording; finished ones are skipped.")
@click.option("--workers", type=click.IntRange(min=1), help="For a folder: processes; default: one per core.")
@click.option("--cluster", metavar="ADDRESS", help="For a folder: the workers of a running Dask scheduler.")
def replay_command(  # noqa: PLR0913, PLR0917 - one argument for each option
    recording: Path | None,
    evidence: Path | None,
    bundle: Path | None,
    trusted_files: tuple[Path, ...],
    config_path: Path | None,
    profile: str,
    out: Path | None,
    workers: int | None,
    cluster: str | None,
    *,
    as_lines: bool,
) -> None:
    """Analyse a recorded video, or every one in a folder, on the appliance's own path, with no broker."""
    if (recording is None) == (evidence is None):
        raise click.UsageError("name a VIDEO_OR_FOLDER or --evidence, one of the two")
    if workers is not None and cluster is not None:
        raise click.UsageError("--workers are on this machine, --cluster has its own: name one of the two")
    is_archive = recording is not None and recording.is_dir()
    if not is_archive and (out or workers or cluster):
        raise click.UsageError("--out, --workers and --cluster are for a folder of recordings")
    config = load_config(config_path)
    keys = keys_of(config.bundle_keys, trusted_files)
    if evidence is not None:
        replay_evidence(evidence, bundle, config, keys, as_lines=as_lines)
    elif recording is not None and is_archive:
        from firmware_app.rescoring import command  # noqa: PLC0415 - see `_play`

        command.stop_as_by_hand()
        setup = command.setup_of(config, bundle, trusted_files, profile)
        with command.workers_of(workers, cluster) as crew:
            command.rescore(recording, setup, crew, out, as_lines=as_lines)
    elif recording is not None:
        _play(recording, bundle, config, keys, profile, as_lines=as_lines)


def _play(  # noqa: PLR0913 - one argument for each option
    video: Path,
    bundle: Path | None,
    config: Config,
    keys: tuple[TrustedKey, ...],
    profile: str,
    *,
    as_lines: bool,
) -> None:
    # GStreamer is loaded only where it is used.
    from firmware_app.replay import Summary, line_of, replay, sentence_of  # noqa: PLC0415 - see above

    reader = screen_reader(profile)
    model = load_model(bundle, config.inference, keys)
    appliance = appliance_of(config, Opened(model), reader)
    with tqdm(desc=video.name, unit="frame", disable=not sys.stderr.isatty()) as progress:
        for line in replay(video, reader, model, appliance, progress.update):
            progress.clear()
            click.echo(line_of(line) if as_lines else sentence_of(line))
    model.engine.close()
    if isinstance(line, Summary) and line.broke_off is not None:
        raise SourceError(line.broke_off)
