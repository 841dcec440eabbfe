"""The soak: the appliance at full rate for half an hour, exam after exam, and what it takes of the machine.

    python -m tests.faults.soak --minutes 30

1440x1080 at 60 Hz from the virtual scanner; the broker is killed and started again every few minutes. Memory,
threads and descriptors are sampled; what the first fifth of the time shows (caches fill) is left out.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from subprocess import DEVNULL, Popen

import click
import psutil

from calibration.phantom.pipe import VideoFormat
from firmware_app.ward.broker import PrivateBroker
from tests.faults.appliance import ROOT, Appliance, Folders
from tests.faults.document import RESULTS, machine_in_words, today, update_document, write_json
from tests.faults.observer import Heard, Observer
from tests.faults.plot import draw_soak
from tests.faults.proxy import FAIR, Proxy, Weather

VIDEO = VideoFormat(1440, 1080, 60)
SEED = 1
EVERY_S = 10.0
WARM_UP = 0.2
"""Share of the time that is left out."""
OUTAGE_EVERY_S, OUTAGE_S = 240.0, 5.0
GROWTH = 0.01
"""Memory may grow by this share over the whole soak."""
STARTED_WITHIN_S = 180.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the appliance's process took, so many seconds after the beginning; sizes in bytes.

    `uss` is what nobody shares: unlike the other two it does not change when another process that uses the
    same libraries starts or ends.
    """

    at_s: float
    rss: int
    pss: int
    uss: int
    threads: int
    descriptors: int
    outbox: int
    audit: int


@dataclass(frozen=True, slots=True)
class Soak:
    """A soak in figures; growth is a share of the level after the warm-up, over the rest of the time."""

    command: str
    machine: str
    date: str
    seed: int
    minutes: float
    warm_up_minutes: float
    outages: int
    exams: int
    results: int
    frames: int
    dropped_display: int
    displayed_hz: float
    pss_mib: float
    uss_growth: float
    pss_growth: float
    rss_growth: float
    threads: tuple[int, int]
    descriptors: tuple[int, int]
    outbox_kib: int
    findings: list[str]
    samples: list[Sample]


def run_soak(folder: Path, minutes: float) -> Soak:
    """Run it; `folder` is empty, logs lie there afterwards."""
    samples: list[Sample] = []
    outages = 0
    with _running(folder) as (broker, proxy, observer, appliance):
        began_s = time.monotonic()
        outage_s = began_s + OUTAGE_EVERY_S
        for tick in itertools.count(1):
            due_s = began_s + tick * EVERY_S
            if due_s > began_s + 60 * minutes:
                break
            time.sleep(max(0.0, due_s - time.monotonic()))
            if appliance.pid is not None:
                samples.append(_sample(psutil.Process(appliance.pid), folder / "state", due_s - began_s))
            if time.monotonic() > outage_s:
                outage_s, outages = outage_s + OUTAGE_EVERY_S, outages + 1
                _interrupt(broker, proxy, observer)
        lives = len(appliance.lives)
    heard = observer.messages()
    return _figures(samples, heard, minutes, outages, lives)


@contextmanager
def _running(folder: Path) -> Iterator[tuple[PrivateBroker, Proxy, Observer, Appliance]]:
    """Broker, network, observer and appliance on the virtual scanner, when its first pictures have come."""
    with ExitStack() as parts:
        (folder / "state").mkdir()
        memory = Path(parts.enter_context(tempfile.TemporaryDirectory(dir="/dev/shm")))
        broker = parts.enter_context(PrivateBroker())
        proxy = parts.enter_context(Proxy(broker.port))
        observer = Observer(ROOT)
        observer.listen(broker.port)
        parts.callback(observer.leave)
        socket = folder / "scanner.sock"
        scanner = Popen(_scanner_command(socket), stdout=DEVNULL, stderr=DEVNULL)
        parts.callback(scanner.wait)
        parts.callback(scanner.terminate)
        folders = Folders(folder, folder / "state", memory)
        appliance = parts.enter_context(Appliance(folders, proxy.port, (socket, VIDEO), None))
        if not observer.wait_live(STARTED_WITHIN_S):
            raise TimeoutError(f"the appliance does not start, see {folder / 'appliance.log'}")
        yield broker, proxy, observer, appliance


def _scanner_command(socket: Path) -> list[str]:
    return [
        str(Path(sys.executable).parent / "fibrostage-calibrate"), "phantom", "play", "--loop",
        "--patients", "3", "--seed", str(SEED), "--size", f"{VIDEO.width}x{VIDEO.height}",
        "--fps", str(VIDEO.fps), "--socket", str(socket),
    ]  # fmt: skip


def _interrupt(broker: PrivateBroker, proxy: Proxy, observer: Observer) -> None:
    proxy.set_weather(Weather(refusing=True))
    broker.stop()
    observer.leave()
    time.sleep(OUTAGE_S)
    broker.start()
    observer.listen(broker.port)
    proxy.set_weather(FAIR)


def _sample(process: psutil.Process, state: Path, at_s: float) -> Sample:
    memory = process.memory_full_info()
    return Sample(
        at_s=round(at_s, 1),
        rss=memory.rss,
        pss=memory.pss,
        uss=memory.uss,
        threads=process.num_threads(),
        descriptors=process.num_fds(),
        outbox=sum(file.stat().st_size for file in state.glob("outbox.sqlite*")),
        audit=sum(file.stat().st_size for file in state.glob("audit/*")),
    )


def growth_of(times_s: Sequence[float], values: Sequence[float]) -> float:
    """By which share of its level a quantity grows over these times.

    The slope is the median of the slopes between all pairs (Theil and Sen): single outliers do not move it.
    """
    pairs = itertools.combinations(zip(times_s, values, strict=True), 2)
    slope = median((v2 - v1) / (t2 - t1) for (t1, v1), (t2, v2) in pairs)
    return slope * (times_s[-1] - times_s[0]) / median(values)


def _ends(values: Sequence[int]) -> tuple[int, int]:
    """The usual value in the first third, and in the last."""
    third = max(1, len(values) // 3)
    return int(median(values[:third])), int(median(values[-third:]))


def _figures(samples: list[Sample], heard: list[Heard], minutes: float, outages: int, lives: int) -> Soak:
    steady = [sample for sample in samples if sample.at_s >= WARM_UP * 60 * minutes]
    times_s = [sample.at_s for sample in steady]
    contents = [h.content() for h in heard]
    results = {str(c["id"]) for c in contents if c.get("type") == "result"}
    exams = {str(c["exam_id"]) for c in contents if c.get("type") == "acquisition"}
    last = next((c for c in reversed(contents) if c.get("type") == "health"), {})
    frames = last.get("frames")
    frames = frames if isinstance(frames, dict) else {}
    soak = Soak(
        command=f"make soak MINUTES={minutes:g}",
        machine=machine_in_words(),
        date=today(),
        seed=SEED,
        minutes=minutes,
        warm_up_minutes=round(WARM_UP * minutes, 1),
        outages=outages,
        exams=len(exams),
        results=len(results),
        frames=int(frames.get("source", 0)),
        dropped_display=int(frames.get("dropped_display", -1)),
        displayed_hz=round(int(frames.get("displayed", 0)) / (60 * minutes), 1),
        pss_mib=round(median(sample.pss for sample in steady) / (1 << 20), 1),
        uss_growth=round(growth_of(times_s, [sample.uss for sample in steady]), 5),
        pss_growth=round(growth_of(times_s, [sample.pss for sample in steady]), 5),
        rss_growth=round(growth_of(times_s, [sample.rss for sample in steady]), 5),
        threads=_ends([sample.threads for sample in steady]),
        descriptors=_ends([sample.descriptors for sample in steady]),
        outbox_kib=max(sample.outbox for sample in samples) >> 10,
        findings=[],
        samples=samples,
    )
    soak.findings.extend(_findings(soak, lives))
    return soak


def _findings(soak: Soak, lives: int) -> Iterator[str]:
    if lives != 1:
        yield f"the process ended {lives - 1} times"
    if soak.uss_growth > GROWTH:
        yield f"memory grows by {soak.uss_growth:.2%}, allowed {GROWTH:.0%}"
    for what, (first, last) in (("threads", soak.threads), ("descriptors", soak.descriptors)):
        if last > first:
            yield f"{what} grow from {first} to {last}"
    if soak.dropped_display:
        yield f"{soak.dropped_display} frames are missing on the display"
    if soak.exams > 1 and soak.results == 0:
        yield "there is no result"


@click.command()
@click.option("--minutes", default=30.0, show_default=True, help="How long, after the start.")
@click.option("--record/--no-record", default=True, show_default=True, help="Write figures and plot.")
def main(*, minutes: float, record: bool) -> None:
    """Run the soak; exit code 1 if something grows or is missing."""
    folder = Path(tempfile.mkdtemp(prefix="fibrostage-soak-"))
    soak = run_soak(folder, minutes)
    if record:
        write_json(asdict(soak), RESULTS / "soak.json")
        draw_soak(RESULTS / "soak.json")
        update_document()
    click.echo(
        f"{soak.minutes:g} minutes, {soak.frames} frames, {soak.dropped_display} missing on the display, "
        f"{soak.results} results; PSS {soak.pss_mib} MiB, growth of its own {soak.uss_growth:.2%}; "
        f"threads {soak.threads}, descriptors {soak.descriptors}"
    )
    for finding in soak.findings:
        click.echo(f"BROKEN {finding}")
    if soak.findings:
        click.echo(f"logs: {folder}")
        sys.exit(1)


if __name__ == "__main__":
    main()
