"""Options that several commands of the virtual scanner share, and the files they write."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

import click

from calibration.errors import WrongInputError
from calibration.whole_file import whole_file

SOFTWARE_VERSION = version("fibrostage")
Size = tuple[int, int]
Command = TypeVar("Command", bound=Callable[..., object])


def _parse_size(_context: click.Context, _parameter: click.Parameter, value: str) -> Size:
    """Returns width and height; the width must be a multiple of 8 and the height even."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not a size: write it like 1440x1080")
    width, height = int(match[1]), int(match[2])
    if width % 8 or height % 2:
        raise click.BadParameter(f"{value} is not usable: the width must be a multiple of 8, the height even")
    return width, height


def patient_options(command: Command) -> Command:
    """Adds --stage and --seed."""
    stage = click.option(
        "--stage",
        type=click.IntRange(0, 4),
        help="Scheuer stage of the first patient; drawn as in the paper if absent.",
    )
    seed = click.option(
        "--seed",
        type=click.IntRange(0, 2**31 - 1),
        default=0,
        show_default=True,
        help="Everything follows from it.",
    )
    return stage(seed(command))


def size_options(command: Command) -> Command:
    """Adds --size and --stretch."""
    size = click.option(
        "--size",
        callback=_parse_size,
        metavar="WIDTHxHEIGHT",
        default="1440x1080",
        show_default=True,
        help="Pillar-boxed if it is not 4:3.",
    )
    stretch = click.option("--stretch", is_flag=True, help="Stretch to the size instead of pillar-boxing.")
    return size(stretch(command))


def video_options(command: Command) -> Command:
    """Adds --fps and --patients."""
    fps = click.option(
        "--fps", type=click.IntRange(5, 120), default=60, show_default=True, help="Frames per second."
    )
    patients = click.option(
        "--patients",
        type=click.IntRange(1, 50),
        default=1,
        show_default=True,
        help="Exams that follow one another.",
    )
    return fps(patients(command))


def truth_option(command: Command) -> Command:
    """Adds --truth."""
    return click.option(
        "--truth",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write what is truly shown to this JSON file.",
    )(command)


def out_option(command: Command) -> Command:
    """Adds --out."""
    return click.option(
        "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write."
    )(command)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is either complete or absent.

    Raises:
        WrongInputError: it cannot be written.
    """
    try:
        with whole_file(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise WrongInputError(f"cannot write {path}: {error.strerror}") from None


def check_folder(path: Path | None) -> None:
    """Refuses a file whose folder is missing before any work is done.

    Raises:
        WrongInputError: there is no such folder.
    """
    if path is not None and not path.absolute().parent.is_dir():
        raise WrongInputError(f"cannot write {path}: its folder does not exist")


def write_truth(path: Path | None, truth: dict[str, object]) -> None:
    """Writes the truth as JSON, if a file was asked for."""
    if path is not None:
        write_whole(path, (json.dumps(truth, indent=1) + "\n").encode())
