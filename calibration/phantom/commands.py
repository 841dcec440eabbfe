"""The commands of the virtual scanner: one frame, an exam as a file, a live source."""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from threading import Event

import click
import cv2
from tqdm import tqdm

from calibration.errors import WrongInputError
from calibration.phantom.acquisition import draw_acquisition
from calibration.phantom.exam import write_script
from calibration.phantom.exam_truth import exam_truth
from calibration.phantom.patient import Quality, draw_patient
from calibration.phantom.pipe import VideoFormat
from calibration.phantom.randomness import stream
from calibration.phantom.scanner import Scanner
from calibration.phantom.truth import Picture, Viewport
from calibration.phantom.video import claim_socket, play_live, write_file

SOFTWARE_VERSION = version("fibrostage")
Size = tuple[int, int]


def _parse_size(_context: click.Context, _parameter: click.Parameter, value: str) -> Size:
    """Returns width and height; the width must be a multiple of 8 and the height even."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size: write it like 1440x1080")
    width, height = int(match[1]), int(match[2])
    if width % 8 or height % 2:
        raise click.BadParameter(f"{value} is not usable: the width must be a multiple of 8, the height even")
    return width, height


def default_socket() -> Path:
    """Returns where a live source plays by default: the user's run-time folder, else the temporary one."""
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(folder) / "fibrostage-phantom.sock"


stage_option = click.option(
    "--stage",
    type=click.IntRange(0, 4),
    help="Scheuer stage of the first patient; drawn as in the paper if absent.",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Everything follows from it.",
)
size_option = click.option(
    "--size",
    callback=_parse_size,
    metavar="WIDTHxHEIGHT",
    default="1440x1080",
    show_default=True,
    help="Pillar-boxed if it is not 4:3.",
)
stretch_option = click.option("--stretch", is_flag=True, help="Stretch to the size instead of pillar-boxing.")
fps_option = click.option(
    "--fps", type=click.IntRange(5, 120), default=60, show_default=True, help="Frames per second."
)
patients_option = click.option(
    "--patients",
    type=click.IntRange(1, 50),
    default=1,
    show_default=True,
    help="Exams that follow one another.",
)
out_option = click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
truth_option = click.option(
    "--truth",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write what is truly shown to this JSON file.",
)


def _write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is either complete or absent."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise WrongInputError(f"cannot write {path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _check_folder(path: Path | None) -> None:
    """Refuses a file whose folder is missing before any work is done.

    Raises:
        WrongInputError: there is no such folder.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise WrongInputError(f"cannot write {path}: its folder does not exist")


def _write_truth(path: Path | None, truth: dict[str, object]) -> None:
    if path is not None:
        _write_whole(path, (json.dumps(truth, indent=1) + "\n").encode())


@click.group(no_args_is_help=False)
def phantom() -> None:
    """The virtual scanner: draws SuperSonic Aixplorer liver screens of virtual patients, with the truth."""


@phantom.command()
@stage_option
@seed_option
@size_option
@stretch_option
@click.option("--index", type=click.IntRange(0, 4), default=0, show_default=True, help="Which acquisition.")
@click.option(
    "--quality",
    type=click.Choice([q.value for q in Quality]),
    default="good",
    show_default=True,
    help="Measurability.",
)
@out_option
@truth_option
def frame(  # noqa: PLR0913 - one parameter per option
    *,
    stage: int | None,
    seed: int,
    size: Size,
    stretch: bool,
    index: int,
    quality: str,
    out: Path,
    truth: Path | None,
) -> None:
    """Draw one frozen, measured screen as a PNG picture."""
    if out.suffix.lower() != ".png":
        raise WrongInputError(f"cannot write {out}: the name must end in .png")
    viewport = Viewport.fit(*size, stretch=stretch)
    patient = draw_patient(stream(seed, "patient"), stage, Quality(quality))
    picture, frame_truth = draw_acquisition(patient, index, seed)
    encoded = cv2.imencode(".png", viewport.apply(picture))[1]
    _write_whole(out, encoded.tobytes())
    about = {"seed": seed, "index": index, "version": SOFTWARE_VERSION}
    _write_truth(truth, {**about, **viewport.apply_truth(frame_truth).to_json()})


def _pictures(scanner: Scanner) -> Iterator[Picture]:
    frames = range(scanner.script.frame_count)
    for number in tqdm(frames, desc="drawing", unit="frame", mininterval=0.5):
        yield scanner.picture(number)


@phantom.command()
@stage_option
@seed_option
@size_option
@stretch_option
@fps_option
@patients_option
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
    _check_folder(truth)
    scanner = Scanner(write_script(seed, stage, fps, patients), Viewport.fit(*size, stretch=stretch))
    write_file(VideoFormat(*size, fps), _pictures(scanner), out)
    _write_truth(truth, exam_truth(scanner, SOFTWARE_VERSION))


@phantom.command()
@stage_option
@seed_option
@size_option
@stretch_option
@fps_option
@patients_option
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
    _check_folder(truth)
    claim_socket(socket)
    viewport, video = Viewport.fit(*size, stretch=stretch), VideoFormat(*size, fps)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    first = 0
    scanner = Scanner(write_script(seed, stage, fps, patients), viewport)
    scanner.prepare()
    _write_truth(truth, exam_truth(scanner, SOFTWARE_VERSION))
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
    click.echo(f"{report.frames} frames played, {report.skipped} passed over", err=True)
