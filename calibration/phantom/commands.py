"""The commands of the virtual scanner: one frame, an exam as a file, a live source."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import click
from tqdm import tqdm

from calibration.phantom.exam import write_script
from calibration.phantom.exam_truth import exam_truth
from calibration.phantom.frame_command import frame
from calibration.phantom.options import (
    SOFTWARE_VERSION,
    Size,
    check_folder,
    out_option,
    patient_options,
    size_options,
    truth_option,
    video_options,
    write_truth,
)
from calibration.phantom.pipe import VideoFormat
from calibration.phantom.scanner import Scanner
from calibration.phantom.truth import Picture, Viewport
from calibration.phantom.video import claim_socket, play_live, write_file
from calibration.program import LoadingGroup

__all__ = ["SOFTWARE_VERSION", "default_socket", "phantom"]


def default_socket() -> Path:
    """Returns where a live source plays by default: the user's run-time folder, else the temporary one."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(folder) / "fibrostage-phantom.sock"


@click.group(cls=LoadingGroup, no_args_is_help=False)
def phantom() -> None:
    """The virtual scanner: draws SuperSonic elastography screens and what is none, with the truth."""


phantom.add_command(frame)


def _pictures(scanner: Scanner) -> Iterator[Picture]:
    frames = range(scanner.script.frame_count)
    for number in tqdm(frames, desc="drawing", unit="frame", mininterval=0.5):
        yield scanner.picture(number)


@phantom.command()
@patient_options
@size_options
@video_options
@out_option
@truth_option
def exam(  # noqa: PLR0913 - one parameter per option
    *,
    stage: int | None,
    seed: int,
    size: Size,
    stretch: bool,
    fps: int,
    patients: int,
    out: Path,
    truth: Path | None,
) -> None:
    """Draw an examination as an MP4 video.

    Five acquisitions, between them a refused one and a Doppler moment, at the end the next patient's banner.
    """
    check_folder(truth)
    scanner = Scanner(write_script(seed, stage, fps, patients), Viewport.fit(*size, stretch=stretch))
    write_file(VideoFormat(*size, fps), _pictures(scanner), out)
    write_truth(truth, exam_truth(scanner, SOFTWARE_VERSION))


@phantom.command()
@patient_options
@size_options
@video_options
@click.option(
    "--socket", type=click.Path(path_type=Path), default=default_socket, show_default="in the run-time folder"
)
@click.option(
    "--loop/--once", default=False, show_default=True, help="Go on with new patients, or end after them."
)
@truth_option
def play(  # noqa: PLR0913 - one parameter per option
    *,
    stage: int | None,
    seed: int,
    size: Size,
    stretch: bool,
    fps: int,
    patients: int,
    socket: Path,
    loop: bool,
    truth: Path | None,
) -> None:
    """Play an examination live, as a capture card would give it: read it with `shmsrc`."""
    check_folder(truth)
    claim_socket(socket)
    viewport, video = Viewport.fit(*size, stretch=stretch), VideoFormat(*size, fps)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    first = 0
    scanner = Scanner(write_script(seed, stage, fps, patients), viewport)
    scanner.prepare()
    write_truth(truth, exam_truth(scanner, SOFTWARE_VERSION))
    offset = 0

    def picture_at(frame_number: int) -> Picture | None:
        nonlocal scanner, first, offset
        if frame_number - offset >= scanner.script.frame_count:
            if not loop:
                return None
            offset += scanner.script.frame_count
            first += patients
            scanner = Scanner(write_script(seed, stage, fps, patients, first), viewport)
        return scanner.picture(frame_number - offset)

    click.echo(f"playing at {socket} as {video.caps()}", err=True)
    report = play_live(video, picture_at, socket, stop)
    again = f", {report.restarts} times started anew" if report.restarts else ""
    click.echo(f"{report.frames} frames played, {report.skipped} passed over{again}", err=True)
