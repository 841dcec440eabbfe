"""`python -m firmware_app.demo`: play virtual exams live and show what reaches the ward."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import click

from calibration.program import run_program
from firmware_app.demo.processes import process, subscriber
from firmware_app.demo.rooms import NAMES, Room, furnish
from firmware_app.demo.telling import await_file, await_online, await_results, heard, tell
from firmware_app.errors import FibrostageError, WrongInputError
from firmware_app.ward.broker import PrivateBroker
from firmware_app.wording import NOTICE

EXAM_S = 50
"""How long a virtual exam takes."""
PATIENCE_S = 300


@click.command(epilog=NOTICE)
@click.option(
    "--department", type=click.Path(path_type=Path, exists=True), required=True, help="The page's folder."
)
@click.option("--build", "folder", type=click.Path(path_type=Path), required=True, help="Where to write.")
@click.option(
    "--scanners",
    type=click.IntRange(1, len(NAMES)),
    default=1,
    show_default=True,
    help="Rooms with one each.",
)
@click.option(
    "--stage", type=click.IntRange(0, 4), default=3, show_default=True, help="Of the first patient."
)
@click.option("--seed", default=7, show_default=True, help="Of the virtual patients.")
@click.option("--small", is_flag=True, help="Half-size pictures, ten a second.")
@click.option("--once", is_flag=True, help="End after the first result of every room.")
def demo(  # noqa: PLR0913 - one parameter per option
    *, department: Path, folder: Path, scanners: int, stage: int, seed: int, small: bool, once: bool
) -> None:
    """Play virtual exams live and show what reaches the ward."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    rooms = furnish(folder.resolve(), scanners, stage, seed, small=small)
    try:
        with ExitStack() as ward:
            play(ward, rooms, department.resolve(), once=once)
            if not once:
                click.echo("The exams play on. Stop with Ctrl-C.")
                signal.pause()
    except KeyboardInterrupt:
        click.echo("\nEnded.")


def end(*_: object) -> NoReturn:
    """End at the first signal; a second one would leave some of our processes behind, and is ignored."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def play(ward: ExitStack, rooms: list[Room], page: Path, *, once: bool) -> None:
    """Start everything, and tell what is heard until every room has a result."""
    by_device = {room.device: room for room in rooms}
    broker = ward.enter_context(PrivateBroker(page=page))
    messages = heard(ward.enter_context(subscriber(broker.port, PATIENCE_S + EXAM_S * len(rooms))))
    for room in rooms:
        ward.enter_context(process(room.appliance(broker), room.folder / "appliance.log"))
    announce(rooms, broker)
    await_online(messages, by_device)
    absent, scanners = iter(rooms), dict[str, subprocess.Popen[bytes]]()

    def begin_next() -> None:
        """Each exam begins when the one before has its first acquisition."""
        if (room := next(absent, None)) is not None:
            command, log = room.scanner(loop=not once), room.folder / "scanner.log"
            scanners[room.device] = ward.enter_context(process(command, log))
            click.echo(f"  {room.name}: an exam begins (about {EXAM_S} s)")

    def plays(device: str) -> bool:
        return device not in scanners or scanners[device].poll() is None

    begin_next()
    results = await_results(messages, by_device, begin_next, plays)
    if len(rooms) == 1:
        click.echo("\nThe result, as an independent subscriber received it:")
        click.echo(results[rooms[0].device].to_json())
    for room in rooms:
        tell(room, results[room.device])
        await_file(room.snapshot)
    look_at(rooms, broker)


def announce(rooms: list[Room], broker: PrivateBroker) -> None:
    """Say what is about to be seen, and where."""
    (width, height), rate = rooms[0].size, rooms[0].fps
    click.echo(NOTICE)
    if len(rooms) > 1:
        pictures = f"pictures of {width}x{height}, {rate} a second"
        click.echo(f"{len(rooms)} rooms on {os.cpu_count()} processors: {pictures}.")
    look_at(rooms, broker)


def look_at(rooms: list[Room], broker: PrivateBroker) -> None:
    """Print what to open."""
    click.echo(f"\nDepartment page   {broker.page_url}  (also ?lang=de, ?lang=zh)")
    for room in rooms:
        click.echo(f"Bedside page      {room.bedside_url}  ({room.name})")
    for room in rooms:
        click.echo(f"Overlay           {room.snapshot}  ({room.name}, at its result)")


if __name__ == "__main__":
    sys.exit(run_program(demo, (WrongInputError,), (FibrostageError,)))
