"""`fibrostage replay FOLDER`: every recording to a worker; what became of each, in the order of the names."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Future, as_completed
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import click
from tqdm import tqdm

from firmware_app.assembly import appliance_of, screen_reader
from firmware_app.bundle_commands import keys_of
from firmware_app.config import Config
from firmware_app.errors import ArchiveError
from firmware_app.inference import load_bundle
from firmware_app.model import DEMONSTRATION_BUNDLE, Opened
from firmware_app.replay import sentence_of
from firmware_app.rescoring.archive import Shelf, lines_of, recordings_in
from firmware_app.rescoring.cluster import Cluster
from firmware_app.rescoring.processes import Processes
from firmware_app.rescoring.scoring import (
    Failed,
    Outcome,
    Recording,
    Scored,
    Setup,
    Unchanged,
    speaker_of,
)
from firmware_app.wording import NOTICE

_NAMED_AT_THE_END = 3


def rescore(
    folder: Path, setup: Setup, workers: Processes | Cluster, out: Path | None, *, as_lines: bool
) -> None:
    """Score every recording below a folder, and print what came of each.

    Args:
        folder: the archive.
        setup: how to score.
        workers: who does.
        out: folder for one file of lines per recording; None: everything is printed.
        as_lines: print JSON, one object a line.

    Raises:
        SourceError: there is no recording.
        SinkError: a file cannot be written.
        ArchiveError: some recordings failed, or break off before their end; the rest was scored.
    """
    shelf = None if out is None else Shelf(out, setup.speaker)
    recordings = recordings_in(folder)
    if shelf is not None:
        recordings = [shelf.with_known(recording) for recording in recordings]
    failures: list[str] = []
    with tqdm(total=len(recordings), desc=folder.name, unit="recording", disable=None) as progress:
        for recording, outcome in _in_order(recordings, setup, workers, shelf, progress):
            for line in _told(recording, outcome, setup, shelf, as_lines=as_lines):
                progress.clear()
                click.echo(line)
            reason = _failure(recording, outcome, shelf)
            if reason is not None:
                failures.append(f"{recording.name}: {reason}")
                tqdm.write(f"failed: {failures[-1]}", file=sys.stderr)
    if failures:
        more = len(failures) - _NAMED_AT_THE_END
        named = "; ".join(failures[:_NAMED_AT_THE_END]) + (f"; and {more} more" if more > 0 else "")
        raise ArchiveError(f"{len(failures)} of {len(recordings)} recordings failed: {named}")


def setup_of(config: Config, bundle: Path | None, trusted: tuple[Path, ...], profile: str) -> Setup:
    """How to score; the bundle is checked before anybody waits for it.

    Raises:
        BundleError: it is missing or not sound.
        KeyFileError: a trusted key cannot be read.
        ProfileError: the profile is missing or not valid.
    """
    reader = screen_reader(profile)
    checked = load_bundle(bundle or DEMONSTRATION_BUNDLE, keys_of(config.bundle_keys, trusted))
    appliance = replace(appliance_of(config, Opened(None), reader), manifest=checked.manifest)
    return Setup(
        config,
        None if bundle is None else bundle.absolute(),
        tuple(file.absolute() for file in trusted),
        profile,
        speaker_of(appliance),
    )


def workers_of(processes: int | None, cluster: str | None) -> Processes | Cluster:
    """So many processes here (None: one per core), or the workers of a scheduler.

    Raises:
        WorkersError: they are not there.
    """
    return Processes(processes) if cluster is None else Cluster(cluster)


def stop_as_by_hand() -> None:
    """SIGTERM ends the work like Ctrl-C: the workers end, too, and what is finished stays."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _in_order(
    recordings: list[Recording],
    setup: Setup,
    workers: Processes | Cluster,
    shelf: Shelf | None,
    progress: tqdm[NoReturn],
) -> Iterator[tuple[Recording, Outcome]]:
    """Each recording and its outcome in the given order; its file is written as soon as it is scored."""
    waiting = {workers.submit(setup, recording): n for n, recording in enumerate(recordings)}
    ready: dict[int, Outcome] = {}
    shown = 0
    for future in as_completed(waiting):
        n = waiting[future]
        ready[n] = outcome = _outcome_of(future)
        if shelf is not None and isinstance(outcome, Scored):
            shelf.put(recordings[n], outcome)
        progress.update()
        while shown in ready:
            yield recordings[shown], ready.pop(shown)
            shown += 1


def _outcome_of(future: Future[Outcome]) -> Outcome:
    """What a worker answered, or that it never will."""
    if future.cancelled():
        return Failed("the scheduler gave it up: the connection to it was lost")
    error = future.exception()
    return future.result() if error is None else Failed(f"its worker failed: {error}")


def _failure(recording: Recording, outcome: Outcome, shelf: Shelf | None) -> str | None:
    match outcome:
        case Failed(reason=reason):
            return reason
        case Scored(summary=summary):
            return summary.broke_off
        case Unchanged():
            return None if shelf is None else shelf.broke_off(recording)


def _told(
    recording: Recording, outcome: Outcome, setup: Setup, shelf: Shelf | None, *, as_lines: bool
) -> Iterator[str]:
    """What is printed of a recording: its lines, or with a shelf one line on what became of it."""
    match outcome:
        case Scored() if shelf is None and as_lines:
            yield from lines_of(recording, outcome, setup.speaker)
        case Scored() if shelf is None:
            for one in (*outcome.messages, outcome.summary):
                yield f"{recording.name}: {sentence_of(one)}"
        case Failed(reason=reason):
            if as_lines:
                yield _line(recording, "failed", reason)
        case Scored(summary=summary):
            yield _line(recording, "scored") if as_lines else f"{recording.name}: {sentence_of(summary)}"
        case Unchanged():
            yield _line(recording, "unchanged") if as_lines else f"{recording.name}: scored before, unchanged"


def _line(recording: Recording, state: str, reason: str | None = None) -> str:
    told = {"type": "rescored", "recording": recording.name, "state": state, "reason": reason}
    return json.dumps({**told, "notice": NOTICE})
