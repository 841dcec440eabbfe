"""Starts the processes of `benchmarks.whole_appliance`, and notes what they take and say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import psutil

from benchmarks.exam.drawing import FPS, HEIGHT, WIDTH
from tests.faults.observer import Heard, Observer

PYTHON = sys.executable
ENDED_WITHIN_S = 20.0
ROOT = "fibrostage/v1/bench/bedside"
CONFIG = """version = 2
site = "bench"
device = "bedside"
bundle_store = "{state}/bundles"

[records]
audit = "{state}/audit"

[source]
kind = "phantom"
socket = "{socket}"
width = {width}
height = {height}
fps = {fps}

[sink]
kind = "none"

[mqtt]
host = "127.0.0.1"
port = {port}
outbox = "{state}/outbox.sqlite"
"""
"""As it is installed, without a window: the overlay is composed all the same."""


@dataclass(frozen=True, slots=True)
class Clocked:
    """What a process wrote when it ended: see `clocked_appliance` and `afternoon_loop`."""

    first_frame_s: float
    shown: npt.NDArray[np.int64]


@contextmanager
def process(*words: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process of ours while the block lasts; then its input ends, and it gets SIGTERM.

    What it complained of is shown if the block ends with an error.
    """
    complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
    running = subprocess.Popen(
        [PYTHON, "-m", *words], env=os.environ | environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints,
    )  # fmt: skip
    try:
        yield running
    except BaseException:
        complaints.seek(0)
        print(complaints.read().decode(errors="replace"), file=sys.stderr)
        raise
    finally:
        complaints.close()
        assert running.stdin is not None
        running.stdin.close()
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        assert running.stdout is not None
        running.stdout.close()


class Player:
    """The player's process as it is seen from here."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self.phases: list[dict[str, Any]] = []
        self.pid = running.pid
        self._running = running
        threading.Thread(target=self._listen, name="player", daemon=True).start()

    def go(self) -> None:
        """Begin with the exams."""
        assert self._running.stdin is not None
        self._running.stdin.write("go\n")
        self._running.stdin.flush()

    def pull(self) -> None:
        """Pull the cable."""
        assert self._running.stdin is not None
        self._running.stdin.close()

    def began_s(self, kind: str, shot: int) -> list[float]:
        """When phases of this kind began, exam after exam."""
        return [p["at_s"] for p in self.phases if p["kind"] == kind and p["shot"] == shot]

    def _listen(self) -> None:
        assert self._running.stdout is not None
        for line in self._running.stdout:
            self.phases.append(json.loads(line))

    @property
    def has_ended(self) -> bool:
        """Whether all exams were shown."""
        return bool(self.phases) and self.phases[-1]["kind"] == "end"

    @property
    def frames(self) -> int:
        """How many frames the exams had."""
        return int(self.phases[-1]["frames"])

    @property
    def late(self) -> int:
        """How many of them were put out a frame late or later."""
        return int(self.phases[-1]["late"])


class Usage:
    """Processor time since the beginning, and memory now, of some processes by name."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._began_s = time.monotonic()
        self._before = {name: _spent_s(one) for name, one in self._processes.items()}

    def taken(self) -> dict[str, tuple[float, float]]:
        """For each process percent of one core, and MiB (PSS)."""
        seconds = time.monotonic() - self._began_s
        return {
            name: (
                100 * (_spent_s(one) - self._before[name]) / seconds,
                one.memory_full_info().pss / (1 << 20),
            )
            for name, one in self._processes.items()
        }


def _spent_s(one: psutil.Process) -> float:
    times = one.cpu_times()
    return float(times.user + times.system)


def child(name: str) -> int:
    """The process of this name that was started here."""
    return next(one.pid for one in psutil.Process().children() if one.name() == name)


def configuration(path: Path, socket: Path, state: Path, port: int) -> Path:
    """Write the appliance's configuration."""
    text = CONFIG.format(state=state, socket=socket, port=port, width=WIDTH, height=HEIGHT, fps=FPS)
    path.write_text(text, encoding="utf-8")
    return path


def clocked(path: Path) -> Clocked:
    """Read what a process wrote when it ended."""
    with np.load(path) as written:
        return Clocked(float(written["first_frame_s"]), written["shown"])


def first_after(heard: Sequence[Heard], kind: str, moments_s: Sequence[float], until_s: float) -> list[float]:
    """How long after each moment the first new message of a type arrived; moments without one are left out.

    Args:
        heard: all messages.
        kind: the `type`.
        moments_s: monotonic, in order; a message counts for the newest moment before it.
        until_s: so long after the last moment a message counts for it.
    """
    arrived = [h.at_s for h in heard if not h.retained and h.content().get("type") == kind]
    ends = [*moments_s[1:], moments_s[-1] + until_s] if moments_s else []
    delays = []
    for moment_s, end_s in zip(moments_s, ends, strict=True):
        after = [at_s for at_s in arrived if moment_s <= at_s < end_s]
        if after:
            delays.append(after[0] - moment_s)
    return delays


def wait_until(holds: Callable[[], object], timeout_s: float, what: str) -> None:
    """Look again and again.

    Raises:
        TimeoutError: it does not hold in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what} after {timeout_s:g} s")
        time.sleep(0.02)


@contextmanager
def observing(root: str, port: int) -> Iterator[Observer]:
    """A subscriber of its own while the block lasts."""
    observer = Observer(root)
    observer.listen(port)
    try:
        yield observer
    finally:
        observer.leave()
