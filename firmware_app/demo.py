"""`make demo`: a virtual exam, live, from the scanner's screen to the ward, with nothing at hand.

The processes of a hospital, on one machine: a broker that also serves the department page, the virtual
scanner, the appliance, an independent subscriber (`mosquitto_sub`, not our code) and, if you open it, a
browser.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import click

from calibration.program import run_program
from firmware_app.errors import FibrostageError, WrongInputError
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.messages import ExamMessage, ResultMessage
from firmware_app.wording import NOTICE

PROGRAMS = Path(sys.executable).parent
SIZE, FRAMES_PER_SECOND = (1440, 1080), 60
EXAM_TIMEOUT_S = 200
STOP_TIMEOUT_S = 10.0


class DemoError(FibrostageError):
    """A part of the demonstration did not do its work."""


@contextmanager
def process(command: Sequence[str], log: Path) -> Iterator[None]:
    """Run a program beside us, its output in a log; it is asked to stop, then made to."""
    with log.open("wb") as stream:
        child = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextmanager
def subscriber(port: int) -> Iterator[IO[str]]:
    """An independent subscriber: one line "topic payload" per message, for as long as an exam may take."""
    command = ["mosquitto_sub", "-V", "mqttv5", "-p", str(port), "-W", str(EXAM_TIMEOUT_S), "-F", "%t %p"]
    child = subprocess.Popen([*command, "-t", "fibrostage/#"], stdout=subprocess.PIPE, text=True)
    try:
        if child.stdout is None:
            raise DemoError("mosquitto_sub gives no output")
        yield child.stdout
    finally:
        child.terminate()
        child.wait(STOP_TIMEOUT_S)


def configuration(folder: Path, broker: PrivateBroker) -> Path:
    """Write the appliance's configuration for the demonstration."""
    width, height = SIZE
    path = folder / "fibrostage.toml"
    path.write_text(
        f"""site = "demo"
device = "bedside-1"
room = "Ultrasound 1"

[source]
kind = "phantom"
socket = "{folder / "scanner.sock"}"
width = {width}
height = {height}
fps = {FRAMES_PER_SECOND}

[sink]
kind = "none"

[records]
snapshot = "{folder / "overlay.png"}"

[mqtt]
host = "{broker.host}"
port = {broker.port}
""",
        encoding="utf-8",
    )
    return path


def scanner_command(folder: Path, stage: int, seed: int, *, loop: bool) -> list[str]:
    """How the virtual scanner is started."""
    width, height = SIZE
    return [
        str(PROGRAMS / "fibrostage-calibrate"), "phantom", "play",
        "--stage", str(stage), "--seed", str(seed),
        "--size", f"{width}x{height}", "--fps", str(FRAMES_PER_SECOND),
        "--socket", str(folder / "scanner.sock"), "--truth", str(folder / "truth.json"),
        "--loop" if loop else "--once",
    ]  # fmt: skip


def await_capture(messages: IO[str]) -> None:
    """Wait until the appliance is online.

    Raises:
        DemoError: it never is.
    """
    for line in messages:
        topic, _, payload = line.strip().partition(" ")
        if topic.endswith("/status") and json.loads(payload)["state"] == "online":
            return
    raise DemoError("the appliance did not come up: see appliance.log")


def await_result(messages: IO[str]) -> ResultMessage:
    """Tell what the subscriber hears until it hears a result.

    Raises:
        DemoError: there was none in time.
    """
    for line in messages:
        topic, _, payload = line.strip().partition(" ")
        if topic.endswith("/result") and payload:
            return ResultMessage.model_validate_json(payload)
        if topic.endswith("/exam") and payload:
            exam = ExamMessage.model_validate_json(payload)
            click.echo(f"  {exam.phase.value:9} {exam.n} of {exam.needed}  {exam.text or ''}".rstrip())
    raise DemoError(f"no result within {EXAM_TIMEOUT_S} s: see appliance.log and scanner.log")


def tell(result: ResultMessage, truth_path: Path) -> None:
    """Print the result as the subscriber received it, the truth beside it."""
    truth = json.loads(truth_path.read_text(encoding="utf-8"))["patient"]
    chances = result.probabilities
    shown = (
        "no model"
        if chances is None
        else f"P(>=S2) {chances.ge_s2:.2f}  P(>=S3) {chances.ge_s3:.2f}  P(S4) {chances.s4:.2f}"
    )
    click.echo("\nThe result, as an independent subscriber received it:")
    click.echo(result.to_json())
    click.echo(f"\n           {'appliance':>22}   virtual patient")
    click.echo(f"stage      {result.stage_text:>22}   S{truth['stage']}")
    click.echo(f"LSM, kPa   {result.lsm.mean_kpa:>22.1f}   {truth['lsm_kpa']:.1f}")
    click.echo(f"{shown}  ({result.runtime})")


@click.command(epilog=NOTICE)
@click.option(
    "--department", type=click.Path(path_type=Path, exists=True), required=True, help="The page's folder."
)
@click.option("--build", "folder", type=click.Path(path_type=Path), required=True, help="Where to write.")
@click.option(
    "--stage", type=click.IntRange(0, 4), default=3, show_default=True, help="Of the virtual patient."
)
@click.option("--seed", default=7, show_default=True, help="Of the virtual patient.")
@click.option("--once", is_flag=True, help="End after the first result.")
def demo(department: Path, folder: Path, stage: int, seed: int, *, once: bool) -> None:
    """Play a virtual exam live and show what reaches the ward."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    snapshot = folder / "overlay.png"
    snapshot.unlink(missing_ok=True)
    with ExitStack() as ward:
        broker = ward.enter_context(PrivateBroker(page=department.resolve()))
        messages = ward.enter_context(subscriber(broker.port))
        command = [str(PROGRAMS / "fibrostage"), "run", "--config", str(configuration(folder, broker))]
        ward.enter_context(process(command, folder / "appliance.log"))
        click.echo(f"{NOTICE}\nDepartment page: {broker.page_url}\nA virtual exam begins (about a minute):")
        await_capture(messages)
        ward.enter_context(
            process(scanner_command(folder, stage, seed, loop=not once), folder / "scanner.log")
        )
        tell(await_result(messages), folder / "truth.json")
        await_file(snapshot)
        click.echo(f"\nDepartment page:  {broker.page_url}\nOverlay snapshot: {snapshot}")
        if not once:
            click.echo("The exam plays on. Stop with Ctrl-C.")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})


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


if __name__ == "__main__":
    sys.exit(run_program(demo, (WrongInputError,), (FibrostageError,)))
