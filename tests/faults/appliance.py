"""The appliance under test: the real program as a process, watched over and started again as systemd does."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from calibration.phantom.pipe import VideoFormat
from tests.faults.clock import WallClock

PROGRAM = Path(sys.executable).parent / "fibrostage"
SITE, DEVICE = "campaign", "bedside"
ROOT = f"fibrostage/v1/{SITE}/{DEVICE}"
RESTART_PAUSE_S = 2.0
"""`RestartSec` of systemd/fibrostage.service."""
WATCHDOG_S = 15.0
"""`WatchdogSec` of the same: so long may its loop be silent before it is killed."""
START_TIMEOUT_S = 180.0
"""`TimeoutStartSec` of the same: so long it may take to be ready."""
STOP_TIMEOUT_S = 20.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Life:
    """One process: when it was started, was ready (None: never) and ended, in monotonic seconds; and how.

    `code` is None while it runs; `wanted` tells whether the campaign ended it.
    """

    started_s: float
    ready_s: float | None = None
    ended_s: float | None = None
    code: int | None = None
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Folders:
    """The campaign's own folder, the appliance's disk, and its folder in memory (`RuntimeDirectory`)."""

    campaign: Path
    state: Path
    run: Path


class Appliance:
    """Runs `fibrostage run` while the `with` block lasts, whatever becomes of the process.

    Args:
        folders: its disks.
        port: where it finds its broker.
        scanner: socket and format of its source.
        clock: its clock on the wall; None: the machine's.
    """

    def __init__(
        self, folders: Folders, port: int, scanner: tuple[Path, VideoFormat], clock: WallClock | None
    ) -> None:
        self._folders = folders
        self._config = folders.campaign / "fibrostage.toml"
        self._config.write_text(_configuration(folders.state, port, *scanner), encoding="utf-8")
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._notify = folders.run / "notify.sock"
        self._inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._inbox.bind(str(self._notify))
        self._inbox.settimeout(POLL_S)
        self._alive_s = time.monotonic()
        self._lives: list[Life] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="service-manager", daemon=True)

    def __enter__(self) -> Appliance:  # noqa: PYI034 - typing.Self needs Python 3.11
        self._start()
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._keeper.join()
        self.end(signal.SIGTERM)
        process = self._process
        if process is not None:
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._note_end()
        self._inbox.close()

    @property
    def lives(self) -> list[Life]:
        """Every process so far, the newest last."""
        with self._lock:
            return list(self._lives)

    @property
    def pid(self) -> int | None:
        """Of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End the process; it is started again after `RESTART_PAUSE_S`."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                return
            self._lives[-1] = _but(self._lives[-1], wanted=True)
            self._process.send_signal(number)

    def signal(self, number: signal.Signals) -> None:
        """Stop the process or let it go on; what ends it goes through `end`."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.send_signal(number)

    def _start(self) -> None:
        environment = dict(os.environ) | {
            "NOTIFY_SOCKET": str(self._notify),
            "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6)),
            "RUNTIME_DIRECTORY": str(self._folders.run),
        }
        if self._clock is not None:
            environment |= self._clock.environment
        with self._lock:
            self._process = subprocess.Popen(
                [str(PROGRAM), "run", "--config", str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
            )
            self._alive_s = time.monotonic()
            self._lives.append(Life(self._alive_s))
            writing = threading.Thread(target=self._write_log, args=(self._process,), name="log", daemon=True)
            writing.start()

    def _write_log(self, process: subprocess.Popen[bytes]) -> None:
        """What it says, each line with the monotonic time; ends with the process."""
        if process.stdout is None:
            return
        with process.stdout, (self._folders.campaign / "appliance.log").open("ab") as log:
            for line in process.stdout:
                log.write(f"{time.monotonic():10.2f} {process.pid} ".encode() + line)
                log.flush()

    def _keep(self) -> None:
        """What systemd does: listen for signs of life, start again what has ended."""
        while not self._stop.is_set():
            with suppress(TimeoutError):
                self._hear(self._inbox.recv(4096))
            process = self._process
            if process is not None and process.poll() is not None:
                self._note_end()
                if not self._stop.wait(RESTART_PAUSE_S):
                    self._start()
            elif process is not None and self._is_silent():
                process.kill()  # not wanted: it counts as an end of its own

    def _is_silent(self) -> bool:
        with self._lock:
            ready = self._lives[-1].ready_s is not None
            return time.monotonic() - self._alive_s > (WATCHDOG_S if ready else START_TIMEOUT_S)

    def _hear(self, message: bytes) -> None:
        with self._lock:
            self._alive_s = time.monotonic()
            if b"READY=1" in message and self._lives[-1].ready_s is None:
                self._lives[-1] = _but(self._lives[-1], ready_s=self._alive_s)

    def _note_end(self) -> None:
        with self._lock:
            if self._process is not None and self._process.returncode is not None:
                life, code = self._lives[-1], self._process.returncode
                self._lives[-1] = Life(life.started_s, life.ready_s, time.monotonic(), code, life.wanted)
                self._process = None


def _but(life: Life, *, ready_s: float | None = None, wanted: bool = False) -> Life:
    return Life(life.started_s, ready_s or life.ready_s, life.ended_s, life.code, wanted or life.wanted)


def _configuration(state: Path, port: int, scanner: Path, video: VideoFormat) -> str:
    return f"""version = 2
site = "{SITE}"
device = "{DEVICE}"
bundle_store = "{state / "bundles"}"

[records]
audit = "{state / "audit"}"

[source]
kind = "phantom"
socket = "{scanner}"
width = {video.width}
height = {video.height}
fps = {video.fps}

[sink]
kind = "none"

[health]
every_s = 2

[mqtt]
host = "127.0.0.1"
port = {port}
required = false
keepalive_s = 5
outbox = "{state / "outbox.sqlite"}"
"""
