"""Everything the campaign plays with: broker, network, scanner, appliance, clock, disk, observer."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from calibration.phantom.pipe import VideoFormat
from firmware_app.ward.broker import PrivateBroker
from tests.faults.appliance import ROOT, Appliance, Folders
from tests.faults.clock import WallClock
from tests.faults.observer import Observer
from tests.faults.patients import FPS, HEIGHT, WIDTH
from tests.faults.proxy import FAIR, Proxy, Weather
from tests.faults.scanner import ScannerOutput
from tests.faults.sonographer import Sonographer

VIDEO = VideoFormat(WIDTH, HEIGHT, FPS)
ASK_S, LOOK_AGAIN_S = 0.5, 0.2
MEMORY = Path("/dev/shm")  # noqa: S108 - where Linux has a RAM disk
STATE_MIB = 512
"""The appliance's disk: small enough to be filled, above the reserve that it wants to see free."""
STARTED_WITHIN_S = 180.0


@dataclass(slots=True)
class World:
    """The parts; `without` names what this machine cannot do, and why.

    Attributes:
        strict: a second broker that knows nobody's password.
        state: the appliance's disk, `disk_is_small` where it can be filled.
    """

    folder: Path
    state: Path
    broker: PrivateBroker
    strict: PrivateBroker
    proxy: Proxy
    observer: Observer
    scanner: ScannerOutput
    appliance: Appliance
    clock: WallClock | None
    sonographer: Sonographer | None
    random: random.Random
    without: dict[str, str]

    def broker_down(self) -> None:
        """Kill the broker; nobody reaches it again before the observer listens."""
        self.proxy.set_weather(Weather(refusing=True))
        self.broker.stop()
        self.observer.leave()

    def broker_up(self) -> None:
        """Start it again: the observer first, then the appliance."""
        self.broker.start()
        self.observer.listen(self.broker.port)
        self.proxy.set_weather(FAIR)

    def recovered_after_s(self, timeout_s: float) -> float | None:
        """Seconds until the appliance answers a command and sees the scanner; None: not in time."""
        began_s = time.monotonic()
        while (left_s := began_s + timeout_s - time.monotonic()) > 0:
            if self.observer.ask("cancel", _of_a_stranger(self.random), min(ASK_S, left_s)) is None:
                continue
            if self.observer.is_live():
                return time.monotonic() - began_s
            time.sleep(LOOK_AGAIN_S)
        return None


def _of_a_stranger(rng: random.Random) -> bytes:
    """A command about an exam that nobody knows: it is answered, and changes nothing."""
    return f'{{"exam_id": "{UUID(int=rng.getrandbits(128), version=4)}"}}'.encode()


@contextmanager
def open_world(folder: Path, seed: int) -> Iterator[World]:
    """Start everything, and wait until the appliance sees the scanner.

    Args:
        folder: empty; logs and the appliance's disk lie there.
        seed: of the world's randomness.

    Raises:
        TimeoutError: it does not start.
    """
    rng = random.Random(seed)
    with ExitStack() as parts:
        without: dict[str, str] = {}
        state = parts.enter_context(_small_disk(folder / "state", without))
        parts.callback(shutil.copytree, state, folder / "kept")  # when the appliance has ended
        clock = None
        try:
            clock = WallClock(folder)
        except FileNotFoundError as error:
            without["clock"] = str(error)
        broker = parts.enter_context(PrivateBroker())
        nobody = folder / "passwords"
        nobody.touch()
        strict = parts.enter_context(PrivateBroker(password_file=nobody))
        proxy = parts.enter_context(Proxy(broker.port))
        observer = Observer(ROOT)
        observer.listen(broker.port)
        parts.callback(observer.leave)
        socket = folder / "scanner.sock"
        scanner = parts.enter_context(ScannerOutput(socket, VIDEO))
        run = Path(parts.enter_context(TemporaryDirectory(prefix="fibrostage-run-", dir=MEMORY)))
        folders = Folders(folder, state, run)
        appliance = parts.enter_context(Appliance(folders, proxy.port, (socket, VIDEO), clock))
        world = World(
            folder, state, broker, strict, proxy, observer, scanner, appliance, clock, None, rng, without
        )
        if not observer.wait_live(STARTED_WITHIN_S):
            raise TimeoutError(f"the appliance does not start, see {folder / 'appliance.log'}")
        yield world


@contextmanager
def _small_disk(folder: Path, without: dict[str, str]) -> Iterator[Path]:
    """A disk of `STATE_MIB` where this machine allows to mount one, else a plain folder."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={STATE_MIB}m,mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        without["disk"] = f"no small disk can be mounted here ({mounted.stderr.strip()})"
    try:
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)
