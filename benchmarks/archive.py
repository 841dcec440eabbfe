"""An archive of recorded exams scored again, by one worker, by two, and by a cluster of either size.

The exams are drawn by the virtual scanner, which does not count. "Ours" is `fibrostage replay FOLDER --out`,
on this machine and with the workers of a Dask scheduler on this machine. Beside it what a shell does with
`fibrostage replay VIDEO`: one after the other, and two at a time with `xargs -P 2`. Every program starts anew
in each run, the cluster's workers do not. All files must come out equal. Three recordings fall to two workers
as two and one: at most 1.5 times as many a minute.

    python -m benchmarks.archive [--recordings 3] [--fps 15]
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from tqdm import tqdm

from benchmarks.record import Run, keep, parser

PROGRAMS = Path(sys.executable).parent
READY_S = 120.0
KEEPS_MEMORY = {"MALLOC_TRIM_THRESHOLD_": "268435456", "MALLOC_MMAP_THRESHOLD_": "268435456"}
"""As docs/records.md says: Dask would make its workers give all memory back at once, and ask for it anew."""
SHELL = {1: "`fibrostage replay VIDEO`, one by one", 2: "`fibrostage replay VIDEO` with xargs -P 2"}
"""What a shell does instead, by the number of workers."""


def draw(folder: Path, recordings: int, seed: int, *form: str) -> Path:
    """A folder of exams; `form` are options of the virtual scanner: size and rate."""
    archive = folder / "archive"
    archive.mkdir()
    for n in tqdm(range(recordings), desc="drawing", unit="exam", disable=None, file=sys.stderr):
        words = ["phantom", "exam", "--stage", str(n % 5), "--seed", str(1000 * seed + n), *form]
        program = str(PROGRAMS / "fibrostage-calibrate")
        subprocess.run([program, *words, "--out", str(archive / f"{n}.mp4")], check=True, capture_output=True)
    return archive


@contextmanager
def cluster(workers: int) -> Iterator[str]:
    """A Dask scheduler and so many workers of one thread on this machine; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    commands = (
        [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"],
        [*dask, "worker", address, "--nworkers", str(workers), "--nthreads", "1", "--no-dashboard"],
    )
    environment = os.environ | KEEPS_MEMORY
    children = [subprocess.Popen(c, stderr=subprocess.DEVNULL, env=environment) for c in commands]
    try:
        _wait_for(address, workers)
        yield address
    finally:
        for child in reversed(children):
            child.terminate()
            child.wait(READY_S)


def _wait_for(address: str, workers: int) -> None:
    """Until the scheduler has its workers."""
    from distributed import Client  # noqa: PLC0415 - an optional extra

    with Client(address, timeout=READY_S, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=READY_S)


def ours_s(archive: Path, out: Path, *words: str) -> tuple[float, float]:
    """Seconds of one run of ours, and the most memory that one of its processes took, MiB."""
    command = [str(PROGRAMS / "fibrostage"), "replay", str(archive), "--out", str(out), *words]
    began_s, most = time.monotonic(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as running:
        while running.poll() is None:
            most = max([most, *(_memory_of(child) for child in psutil.Process(running.pid).children())])
            time.sleep(0.1)
    if running.returncode:
        raise SystemExit(f"error: {shlex.join(command)} ended with {running.returncode}")
    return time.monotonic() - began_s, most / (1 << 20)


def _memory_of(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def shell_s(archive: Path, out: Path, processes: int) -> float:
    """Seconds of `xargs` with so many `fibrostage replay VIDEO` at a time."""
    out.mkdir()
    videos = "\n".join(path.name for path in sorted(archive.iterdir()))
    program, kept = shlex.quote(str(PROGRAMS / "fibrostage")), shlex.quote(str(out))
    replay = f"{program} replay {{}} --json > {kept}/{{}}.jsonl"
    words = ["xargs", "-P", str(processes), "-I", "{}", "sh", "-c", replay]
    began_s = time.monotonic()
    subprocess.run(words, input=videos, text=True, cwd=archive, check=True)
    return time.monotonic() - began_s


def content_of(folder: Path) -> dict[str, bytes]:
    """What was written, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--recordings", type=int, default=3)
    options.add_argument("--fps", type=int, default=15, help="of the recordings")
    chosen = options.parse_args()
    recordings, form = chosen.recordings, ["--fps", str(chosen.fps)]
    if chosen.smoke:
        recordings, form = 1, ["--fps", "5", "--size", "720x540"]
    run, found = Run(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        archive = draw(folder, recordings, chosen.seed, *form)

        def per_minute(seconds: float) -> list[float]:
            return [60 * recordings / seconds]

        for workers in (1,) if chosen.smoke else (1, 2):
            row = f"{workers} worker{'s' if workers > 1 else ''}"
            seconds, memory = ours_s(archive, folder / row, "--workers", str(workers))
            found.append(content_of(folder / row))
            run.measure(row, per_minute(seconds), "recordings/min", better="more")
            run.compare(
                row, SHELL[workers], per_minute(shell_s(archive, folder / f"shell-{workers}", workers))
            )
            run.measure(f"memory of a worker, of {workers}", [memory], "MiB")
            row = f"Dask cluster of {row}"
            with cluster(workers) as address:
                seconds, _ = ours_s(archive, folder / row, "--cluster", address)
            found.append(content_of(folder / row))
            run.measure(row, per_minute(seconds), "recordings/min", better="more")
    equal = all(one == found[0] for one in found)
    files = "equal" if equal else "NOT equal"
    run.note(f"{recordings} recordings; the files of all {len(found)} runs of ours are {files}.")
    return keep("archive", run, chosen) or int(not equal)


if __name__ == "__main__":
    sys.exit(main())
