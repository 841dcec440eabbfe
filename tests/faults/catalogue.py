"""The faults: one table, and for each one how it is brought about and taken back.

A fault is a context manager: up to `yield` it is made, afterwards it is taken back; between the two it lasts
as long as the table says. What it may spoil, and how soon all must be well again, is promised by its group.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Literal
from uuid import UUID

from calibration.phantom.pipe import VideoFormat
from tests.faults.proxy import FAIR, Weather
from tests.faults.scanner import Damage
from tests.faults.world import World

Group = Literal["broker", "network", "process", "video", "disk", "clock", "commands"]
Making = Callable[[World], AbstractContextManager[None]]

MEASURING_WITHIN_S = 8.0


@dataclass(frozen=True, slots=True)
class Promise:
    """What holds for a group of faults.

    Attributes:
        well_within_s: after the fault, the appliance answers commands and sees the scanner within this time.
        spoils: a freeze that the fault touches need not count (but must never count wrongly).
    """

    well_within_s: float
    spoils: bool


PROMISES: dict[Group, Promise] = {
    "broker": Promise(13.0, spoils=False),  # the longest pause between attempts (10 s), jitter, a handshake
    "network": Promise(13.0, spoils=False),
    "process": Promise(10.0, spoils=True),  # systemd's pause of 2 s, the start, the first frame
    "video": Promise(3.0, spoils=True),
    "disk": Promise(3.0, spoils=False),
    "clock": Promise(3.0, spoils=False),
    "commands": Promise(3.0, spoils=False),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: for the report.
        group: what it strikes.
        make: makes it and takes it back.
        lasts_s: shortest and longest time between the two.
        alone: never together with another one.
    """

    name: str
    group: Group
    make: Making
    lasts_s: tuple[float, float]
    alone: bool = False


@contextmanager
def broker_killed(world: World) -> Iterator[None]:
    """Killed as by a power cut; what it retained is gone."""
    world.broker_down()
    yield
    world.broker_up()


@contextmanager
def broker_hangs(world: World) -> Iterator[None]:
    """Its connections stay open, nothing is answered."""
    world.broker.pause()
    yield
    world.broker.resume()


@contextmanager
def broker_refuses(world: World) -> Iterator[None]:
    """It knows nobody's password."""
    usual = world.proxy.upstream
    world.proxy.upstream = world.strict.port
    world.proxy.cut()
    yield
    world.proxy.upstream = usual
    world.proxy.cut()


@contextmanager
def weather(change: Weather, world: World, *, cut: bool = False) -> Iterator[None]:
    """A bad network; with `cut` the connection does not survive it."""
    world.proxy.set_weather(change)
    yield
    if cut:
        world.proxy.cut()
    world.proxy.set_weather(FAIR)


@contextmanager
def connection_cut(times: int, world: World) -> Iterator[None]:
    """Reset, once or again and again."""
    for _ in range(times):
        world.proxy.cut()
        time.sleep(world.random.uniform(0.05, 0.5))
    yield


@contextmanager
def garbage_on_the_wire(world: World, *, to_broker: bool) -> Iterator[None]:
    """Bytes that nobody wrote, in the middle of the conversation."""
    world.proxy.send_garbage(world.random.randbytes(world.random.randint(1, 4000)), to_broker=to_broker)
    yield


@contextmanager
def process_ends(number: signal.Signals, world: World) -> Iterator[None]:
    """The appliance's process is ended; the service manager starts it again."""
    world.appliance.end(number)
    yield


@contextmanager
def killed_while_measuring(world: World) -> Iterator[None]:
    """Killed in the second in which a freeze is examined and its result goes to the disk."""
    if world.sonographer is not None:
        world.sonographer.measuring.wait(MEASURING_WITHIN_S)
    time.sleep(world.random.uniform(0.3, 1.3))
    world.appliance.end()
    yield


@contextmanager
def killed_twice(world: World) -> Iterator[None]:
    """Killed, and once more in the middle of its start."""
    lives = len(world.appliance.lives)
    world.appliance.end()
    deadline_s = time.monotonic() + PROMISES["process"].well_within_s
    while len(world.appliance.lives) == lives and time.monotonic() < deadline_s:
        time.sleep(0.05)
    time.sleep(world.random.uniform(0.0, 4.0))
    world.appliance.end()
    yield


@contextmanager
def process_hangs(world: World) -> Iterator[None]:
    """It gets no processor time for a while."""
    world.appliance.signal(signal.SIGSTOP)
    yield
    world.appliance.signal(signal.SIGCONT)


@contextmanager
def unplugged(world: World) -> Iterator[None]:
    """The scanner's cable is pulled and put back."""
    world.scanner.unplug()
    yield
    world.scanner.plug()


@contextmanager
def video_stalls(world: World) -> Iterator[None]:
    """The capture device is there and delivers nothing."""
    world.scanner.stall(stalled=True)
    yield
    world.scanner.stall(stalled=False)


@contextmanager
def other_size(video: VideoFormat, world: World) -> Iterator[None]:
    """The scanner switches to another resolution, and back."""
    world.scanner.plug(video)
    yield
    world.scanner.plug()


@contextmanager
def damaged(damage: Damage, world: World) -> Iterator[None]:
    """Every picture is damaged."""
    world.scanner.damage(damage)
    yield
    world.scanner.damage(Damage.NONE)


@contextmanager
def disk_full(world: World) -> Iterator[None]:
    """Not a byte is left on the appliance's disk."""
    ballast = world.state / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        with suppress(OSError):  # the appliance writes at the same time: take what is left
            free = os.statvfs(world.state)
            os.posix_fallocate(stream.fileno(), 0, max(1, (free.f_bavail - 1) * free.f_frsize))
        with suppress(OSError):
            while stream.seek(0, os.SEEK_END) and stream.write(bytes(4096)):
                pass
    yield
    ballast.unlink()


@contextmanager
def clock_jumps(seconds: int, world: World) -> Iterator[None]:
    """The clock on the wall is set, and set back."""
    if world.clock is not None:
        world.clock.set_offset(seconds)
    yield
    if world.clock is not None:
        world.clock.set_offset(0)


COMMANDS = ("start", "discard", "finish", "cancel", "resume", "serum", "no-such-command")


@contextmanager
def garbage_commands(world: World) -> Iterator[None]:
    """What a broken or hostile client sends: noise, unknown keys, deep nesting, exams that nobody knows."""
    rng = world.random
    stranger = f'"exam_id": "{UUID(int=rng.getrandbits(128), version=4)}"'
    for _ in range(3):
        for name in COMMANDS:
            world.observer.send(name, rng.randbytes(rng.randint(1, 5000)))
            world.observer.send(name, f'{{{stranger}, "surplus": 1}}'.encode())
            world.observer.send(name, b"[" * 3000)
        for name in ("discard", "finish", "cancel", "resume"):
            world.observer.send(name, f"{{{stranger}}}".encode())
    yield


@contextmanager
def huge_command(world: World) -> Iterator[None]:
    """Megabytes where a line is expected."""
    for name in COMMANDS:
        world.observer.send(name, b'{"exam_id": "' + b"9" * (4 << 20))
    yield


@contextmanager
def flood_of_commands(world: World) -> Iterator[None]:
    """A client that has lost its mind."""
    for _ in range(1500):
        world.observer.send("cancel", b'{"exam_id": "00000000-0000-4000-8000-000000000000"}')
    yield


REFUSING = Weather(refusing=True)
SLOW = Weather(latency_s=0.4)
NARROW = Weather(bytes_per_s=3000.0)
DEAF = Weather(up_held=True, down_held=True)
UNACKNOWLEDGED = Weather(down_held=True)
SMALLER, LARGER = VideoFormat(640, 480, 15), VideoFormat(1024, 768, 15)
HOUR, YEAR = 3600, 365 * 86_400

FAULTS: tuple[Fault, ...] = (
    Fault("broker killed", "broker", broker_killed, (0.3, 5.0)),
    Fault("broker restarted", "broker", broker_killed, (0.0, 0.1)),
    Fault("broker hangs", "broker", broker_hangs, (1.0, 10.0)),
    Fault("broker refuses the password", "broker", broker_refuses, (1.0, 5.0)),
    Fault("connection refused", "network", partial(weather, REFUSING, cut=True), (0.5, 5.0)),
    Fault("slow network", "network", partial(weather, SLOW), (2.0, 5.0)),
    Fault("narrow network", "network", partial(weather, NARROW), (2.0, 5.0)),
    Fault("half-open connection", "network", partial(weather, DEAF, cut=True), (1.0, 9.0)),
    Fault("acknowledgements lost", "network", partial(weather, UNACKNOWLEDGED, cut=True), (1.0, 6.0)),
    Fault("connection cut", "network", partial(connection_cut, 1), (0.0, 0.1)),
    Fault("connection flaps", "network", partial(connection_cut, 6), (0.0, 0.1)),
    Fault("garbage from the broker", "network", partial(garbage_on_the_wire, to_broker=False), (0.0, 0.5)),
    Fault("garbage to the broker", "network", partial(garbage_on_the_wire, to_broker=True), (0.0, 0.5)),
    Fault("killed", "process", partial(process_ends, signal.SIGKILL), (0.0, 0.1)),
    Fault("killed while measuring", "process", killed_while_measuring, (0.0, 0.1)),
    Fault("killed twice", "process", killed_twice, (0.0, 0.1)),
    Fault("told to stop", "process", partial(process_ends, signal.SIGTERM), (0.0, 0.1)),
    Fault("process hangs", "process", process_hangs, (1.0, 4.0), alone=True),
    Fault("cable pulled", "video", unplugged, (0.5, 4.0)),
    Fault("device stalls", "video", video_stalls, (0.5, 4.0)),
    Fault("frozen source", "video", partial(damaged, Damage.FROZEN), (0.5, 4.0)),
    Fault("noise", "video", partial(damaged, Damage.NOISE), (0.1, 3.0)),
    Fault("torn pictures", "video", partial(damaged, Damage.TORN), (0.1, 3.0)),
    Fault("smaller pictures", "video", partial(other_size, SMALLER), (1.0, 3.0)),
    Fault("larger pictures", "video", partial(other_size, LARGER), (1.0, 3.0)),
    Fault("disk full", "disk", disk_full, (1.0, 6.0), alone=True),
    Fault("clock an hour fast", "clock", partial(clock_jumps, HOUR), (1.5, 5.0)),
    Fault("clock a year slow", "clock", partial(clock_jumps, -YEAR), (1.5, 5.0)),
    Fault("garbage commands", "commands", garbage_commands, (0.0, 0.5)),
    Fault("huge commands", "commands", huge_command, (0.0, 0.5)),
    Fault("flood of commands", "commands", flood_of_commands, (0.0, 0.5)),
)
"""Every one is injected about equally often."""
