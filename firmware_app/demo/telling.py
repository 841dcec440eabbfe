"""What the demonstration prints: what an independent subscriber hears, the patients' truth beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import IO

import click

from firmware_app.demo.processes import DemoError
from firmware_app.demo.rooms import NAMES, Room
from firmware_app.exam.state import Phase
from firmware_app.ward.messages import ExamMessage, ResultMessage

HEARTBEATS = 2
"""So many after its scanner has ended, nothing more comes from an appliance."""
LONGEST = max(len(name) for name in NAMES)
Heard = Iterator[tuple[str, str, str]]


def heard(messages: IO[str]) -> Heard:
    """Device, kind of message and payload of every line but those that only take something away."""
    for line in messages:
        topic, _, payload = line.rstrip("\n").partition(" ")
        levels = topic.split("/")
        if payload and len(levels) == 5:  # fibrostage/v1/site/device/kind
            yield levels[3], levels[4], payload


def await_online(messages: Heard, devices: Collection[str]) -> None:
    """Wait until every appliance is online.

    Raises:
        DemoError: one never is.
    """
    missing = set(devices)
    for device, kind, payload in messages:
        if kind == "status" and json.loads(payload)["state"] == "online":
            missing.discard(device)
        if not missing:
            return
    raise DemoError(f"{', '.join(sorted(missing))} did not come up: see appliance.log")


def await_results(
    messages: Heard, rooms: Mapping[str, Room], begun: Callable[[], None], plays: Callable[[str], bool]
) -> dict[str, ResultMessage]:
    """Tell how the exams go, until every room has a result.

    Args:
        messages: of the subscriber.
        rooms: by device.
        begun: called when another exam has begun.
        plays: whether the virtual scanner of a device has more to show.

    Raises:
        DemoError: a room has no result, and none will come.
    """
    results: dict[str, ResultMessage] = {}
    over = dict.fromkeys(rooms, 0)
    for device, kind, payload in messages:
        if device in results:
            continue
        if kind == "result":
            results[device] = ResultMessage.model_validate_json(payload)
            if len(results) == len(rooms):
                return results
        if kind == "exam":
            exam = ExamMessage.model_validate_json(payload)
            tell_exam(rooms[device], exam)
            if exam.phase is Phase.SCANNING and exam.n == 1:
                begun()
        if kind == "health" and not plays(device):
            over[device] += 1
            if over[device] == HEARTBEATS:
                break
    missing = ", ".join(room.name for device, room in rooms.items() if device not in results)
    raise DemoError(f"no result from {missing}: is this machine busy? See appliance.log and scanner.log")


def tell_exam(room: Room, exam: ExamMessage) -> None:
    """Print where an exam stands."""
    if exam.phase is not Phase.WAITING:
        said = f"  {room.name:{LONGEST}}  {exam.phase.value:9} {exam.n} of {exam.needed}  {exam.text or ''}"
        click.echo(said.rstrip())


def tell(room: Room, result: ResultMessage) -> None:
    """Print a result as the subscriber received it, the truth beside it."""
    acquired = result.evidence.acquisitions
    truth = room.true_patient(acquired[len(acquired) // 2].time)
    stage, lsm_kpa = ("?", "?") if truth is None else (f"S{truth['stage']}", f"{truth['lsm_kpa']:.1f}")
    chances = result.probabilities
    shown = (
        "no model"
        if chances is None
        else f"P(>=S2) {chances.ge_s2:.2f}  P(>=S3) {chances.ge_s3:.2f}  P(S4) {chances.s4:.2f}"
    )
    click.echo(f"\n{room.name:14}{'appliance':>19}   virtual patient")
    click.echo(f"stage      {result.stage_text:>22}   {stage}")
    click.echo(f"LSM, kPa   {result.lsm.mean_kpa:>22.1f}   {lsm_kpa}")
    click.echo(f"{shown}  ({result.runtime})")


def await_file(path: Path, timeout_s: float = 10.0) -> None:
    """Wait until a file is there.

    Raises:
        DemoError: it does not come.
    """
    until_s = time.monotonic() + timeout_s
    while not path.exists():
        if time.monotonic() > until_s:
            raise DemoError(f"{path.name} was not written: see appliance.log")
        time.sleep(0.1)
