"""`fibrostage-calibrate screen`: a technician commissions a screen layout."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click
import cv2
from tqdm import tqdm

from calibration.whole_file import whole_file
from firmware_app.commissioning.document import document
from firmware_app.commissioning.layout import Missing
from firmware_app.commissioning.preview import draw_preview
from firmware_app.commissioning.proposal import Proposal, propose
from firmware_app.commissioning.recording import best_frames, frames_of
from firmware_app.commissioning.trial import Trial, table_of, try_out
from firmware_app.errors import SinkError, SourceError
from firmware_app.inspection import load_picture
from firmware_app.journey import Frame
from firmware_app.wording import NOTICE

_Path = click.Path(path_type=Path, dir_okay=False)
LONGEST_NAME = 60
"""Letters of a scanner's name: one line of a report."""
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}


def _one_line(_context: click.Context, _option: click.Parameter, name: str) -> str:
    """A name that people can read in one line, without blanks around it."""
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise click.BadParameter(f"write a name of 1 to {LONGEST_NAME} letters in one line")
    return name


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--out", type=_Path, required=True, help="Write the proposed profile to this TOML file.")
@click.option("--preview", type=_Path, required=True, help="Write what was found to this PNG picture.")
@click.option(
    "--scanner",
    callback=_one_line,
    default="Unknown scanner",
    show_default=True,
    help="Name of the scanner.",
)
@click.option("--json", "as_object", is_flag=True, help="Print one JSON object.")
def screen(source: Path, out: Path, preview: Path, scanner: str, *, as_object: bool) -> int:
    """Propose the profile of a new screen layout from a picture or a video, and try it out.

    SOURCE shows the elastography view, at best frozen and with a Q-box. The exit code is 1 if the profile
    does not hold.
    """
    _check_target(out, ".toml", source)
    _check_target(preview, ".png", source)
    if source.suffix.lower() in PICTURES:
        frame = load_picture(source)
        proposal = _proposed([frame], source, scanner)
        trial = try_out(proposal.profile, [frame])
    else:
        proposal, trial = _from_video(source, scanner)
    _write(out, document(proposal).encode())
    _write(preview, cv2.imencode(".png", draw_preview(proposal))[1].tobytes())
    if as_object:
        click.echo(json.dumps(_as_json(proposal, trial, out, preview)))
    else:
        click.echo("\n".join(_sentences(proposal, trial, out, preview)))
    return 0 if trial.holds else 1


def _from_video(source: Path, scanner: str) -> tuple[Proposal, Trial]:
    shown = sys.stderr.isatty()
    with tqdm(desc="looking for the layout", unit="frame", disable=not shown) as progress:
        best = best_frames(frames_of(source, progress.update))
        total = progress.n
    if isinstance(best, Missing):
        raise SourceError(f"{source.name}: {best.what}: {best.remedy}")
    proposal = _proposed(best, source, scanner)
    with tqdm(desc="trying the profile", unit="frame", total=total or None, disable=not shown) as progress:
        trial = try_out(proposal.profile, frames_of(source, progress.update))
    return proposal, trial


def _proposed(frames: list[Frame], source: Path, scanner: str) -> Proposal:
    """The most complete of the frames' proposals.

    Raises:
        SourceError: what no frame shows.
    """
    best: Proposal | None = None
    lacking = Missing("no picture", "record the elastography view")
    for frame in frames:
        proposal = propose(frame.pixels, scanner)
        if isinstance(proposal, Missing):
            lacking = proposal
        elif best is None or len(proposal.missing) < len(best.missing):
            best = proposal
        if best is not None and not best.missing:
            break
    if best is None:
        raise SourceError(f"{source.name}: {lacking.what}: {lacking.remedy}")
    return best


def _check_target(path: Path, suffix: str, source: Path) -> None:
    if path.suffix.lower() != suffix:
        raise SinkError(f"{path} cannot be written: the name must end in {suffix}")
    if not path.absolute().parent.is_dir():
        raise SinkError(f"{path} cannot be written: its folder does not exist")
    if os.path.realpath(path) == os.path.realpath(source):
        raise SinkError(f"{path} is the source itself: give another name")


def _write(path: Path, data: bytes) -> None:
    """Write a file that is either complete or absent."""
    try:
        with whole_file(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from None


def _sentences(proposal: Proposal, trial: Trial, out: Path, preview: Path) -> list[str]:
    lines = []
    for number, mark in enumerate(proposal.marks, start=1):
        state = "found  " if mark.place is not None else "MISSING"
        lines.append(f"{number:2d} {state} {mark.title}: {mark.detail}")
    lines += ["", *table_of(trial), "", f"profile: {out}", f"preview: {preview}"]
    lines.append(f"next: look at the preview, then `fibrostage replay VIDEO --profile {out}`")
    return [*lines, NOTICE]


def _as_json(proposal: Proposal, trial: Trial, out: Path, preview: Path) -> dict[str, object]:
    return {
        "profile": str(out),
        "preview": str(preview),
        "profile_id": proposal.profile.profile_id,
        "found": [
            {
                "number": number,
                "title": mark.title,
                "detail": mark.detail,
                "setting": mark.setting,
                "place": None
                if mark.place is None
                else [mark.place.x, mark.place.y, mark.place.w, mark.place.h],
            }
            for number, mark in enumerate(proposal.marks, start=1)
        ],
        "trial": {
            "frames": trial.frames,
            "with_bar": trial.with_bar,
            "seen": trial.seen,
            "complete": trial.complete,
            "refused": {reason.value: count for reason, count in trial.refused},
            "texts": trial.texts,
            "ranges": trial.ranges,
            "means": trial.means,
            "median_ms": round(trial.median_ms, 2),
        },
        "holds": trial.holds,
        "faults": list(trial.faults),
        "notice": NOTICE,
    }
