"""The whole appliance on virtual exams, live at 1440x1080 and 60 Hz, beside a loop written in an afternoon.

A real broker, a real subscriber, the installed program with its records on the disk. The player shows frames
that were drawn beforehand, each stamped with the moment at which it is put out. The other one is
`benchmarks/afternoon_loop.py`: VideoCapture, a still picture, HoughCircles, the same graph in ONNX Runtime,
OpenCV drawing and paho, all in one loop. It sees the same frames, through a pipe with four buffers as a
capture card has them. It reads no printed text, no stiffness and no banner, and keeps no records, so its
result comes of less work.

Exams are brisk, about 17 s each. The result's time runs from the first frame with the Q-box of the fifth
freeze; from then on the appliance waits until it has stood still for 0.4 s, and only then the freeze is
stable. The start is that of a new process whose files the system has read before.

    python -m benchmarks.whole_appliance [--exams 8] [--starts 3]
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

import firmware_app
from benchmarks import afternoon_loop
from benchmarks.exam import stamp
from benchmarks.exam.drawing import FPS, NEEDED, Shown, draw_exams
from benchmarks.exam.measuring import (
    ROOT,
    Clocked,
    Player,
    Usage,
    child,
    clocked,
    configuration,
    first_after,
    observing,
    process,
    wait_until,
)
from benchmarks.record import Run, keep, parser
from firmware_app.screen.watch import SETTLED_NS
from firmware_app.ward.broker import PrivateBroker
from tests.faults.observer import Heard
from tests.faults.scanner import tidy_shared_memory

GRAPH = Path(firmware_app.__file__).parent / "bundles" / "demo" / "graph.onnx"
PATIENTS = 3
STARTS_WITHIN_S, QUIET_S, RESULT_WITHIN_S = 180.0, 2.0, 5.0
LOOP = "OpenCV, ONNX Runtime and paho in one loop"


@dataclass(frozen=True, slots=True)
class Played:
    """What became of the exams with one of the two.

    Attributes:
        started_s: when its process was started.
        player: when what was shown.
        heard: by the subscriber.
        clocks: of its process.
        usage: by process: percent of one core, and MiB.
    """

    started_s: float
    player: Player
    heard: list[Heard]
    clocks: Clocked
    usage: dict[str, tuple[float, float]]

    @property
    def start_s(self) -> float:
        """From the start of the process to its first frame."""
        return self.clocks.first_frame_s - self.started_s

    @property
    def window_ns(self) -> int:
        """When the first exam began; what was before does not count."""
        return int(1e9 * self.player.began_s("search", -1)[0]) - stamp.UNIT_NS

    def results_s(self) -> list[float]:
        """From the Q-box of the fifth freeze to the result at the subscriber, for every exam that has one."""
        return first_after(self.heard, "result", self.player.began_s("measured", NEEDED - 1), RESULT_WITHIN_S)

    def ages_ms(self) -> list[float]:
        """From the scanner to the frame with its overlay, for every frame that was shown."""
        now_ns, ages_ns = self.clocks.shown[:, 0], self.clocks.shown[:, 1]
        return [float(age_ns) / 1e6 for age_ns in ages_ns[now_ns - ages_ns >= self.window_ns]]


@contextmanager
def playing(folder: Path, where: str, path: Path) -> Iterator[Player]:
    """The player's process, when its cable is there."""
    words = (str(folder / "frames"), str(folder / "exams"), where, str(path))
    with process("benchmarks.exam.player", *words) as running:
        wait_until(path.exists, STARTS_WITHIN_S, "the player does not start")
        time.sleep(QUIET_S)
        yield Player(running)
    tidy_shared_memory(running.pid)


def _examine(player: Player, pids: dict[str, int], seconds: float) -> dict[str, tuple[float, float]]:
    """Show the exams; what the processes took meanwhile."""
    time.sleep(QUIET_S)
    usage = Usage(pids | {"player": player.pid})
    player.go()
    wait_until(lambda: player.has_ended, seconds + STARTS_WITHIN_S, "the exams do not end")
    time.sleep(QUIET_S)
    return usage.taken()


def appliance(folder: Path, seconds: float, *, starts_only: bool = False) -> Played:
    """The appliance on the player's exams; or only its start."""
    clocks, usage = folder / "appliance.npz", {}
    clocks.unlink(missing_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        PrivateBroker() as broker,
        observing(ROOT, broker.port) as observer,
        playing(folder, "--socket", Path(state) / "scanner.sock") as player,
    ):
        config = configuration(
            folder / "fibrostage.toml", Path(state) / "scanner.sock", Path(state), broker.port
        )
        started_s = time.monotonic()
        words = ("benchmarks.exam.clocked_appliance", "run", "--config", str(config))
        with process(*words, FIBROSTAGE_CLOCKS=str(clocks)) as running:
            if not observer.wait_live(STARTS_WITHIN_S):
                raise TimeoutError("the appliance does not start")
            if not starts_only:
                usage = _examine(player, {"process": running.pid, "broker": child("mosquitto")}, seconds)
        heard = observer.messages()
    return Played(started_s, player, heard, clocked(clocks), usage)


def afternoon(folder: Path, seconds: float) -> Played:
    """The loop on the same exams."""
    clocks, pipe = folder / "loop.npz", folder / "cable.y4m"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    with (
        PrivateBroker() as broker,
        observing(afternoon_loop.ROOT, broker.port) as observer,
        playing(folder, "--pipe", pipe) as player,
    ):
        started_s = time.monotonic()
        words = (str(pipe), str(GRAPH), broker.host, str(broker.port), "--clock", str(clocks))
        with process("benchmarks.afternoon_loop", *words) as running:
            if not observer.wait_live(STARTS_WITHIN_S):
                raise TimeoutError("the loop does not start")
            usage = _examine(player, {"process": running.pid, "broker": child("mosquitto")}, seconds)
            player.pull()
            running.wait(STARTS_WITHIN_S)
        heard = observer.messages()
    return Played(started_s, player, heard, clocked(clocks), usage)


def compared(run: Run, ours: Played, theirs: Played, exams: list[Shown]) -> None:
    """What both were measured by."""
    number = exams[-1].exam + 1
    samples = {
        "Q-box of the fifth freeze until the result is at a subscriber": (
            "s", ours.results_s(), theirs.results_s(),
        ),
        "frame put out until its overlay is on it": ("ms", ours.ages_ms(), theirs.ages_ms()),
    }  # fmt: skip
    for name, (unit, our_samples, their_samples) in samples.items():
        if our_samples:
            run.measure(name, our_samples, unit)
        if our_samples and their_samples:
            run.compare(name, LOOP, their_samples)
    put_out = [one.player.frames for one in (ours, theirs)]
    counts: dict[str, tuple[str, list[float]]] = {
        "frames that never had an overlay": (
            "frames",
            [count - len(one.ages_ms()) for count, one in zip(put_out, (ours, theirs), strict=True)],
        ),
        "exams without a result": ("exams", [number - len(one.results_s()) for one in (ours, theirs)]),
        "processor of the process": ("% of one core", [one.usage["process"][0] for one in (ours, theirs)]),
        "memory of the process (PSS)": ("MiB", [one.usage["process"][1] for one in (ours, theirs)]),
    }
    for name, (unit, (our_value, their_value)) in counts.items():
        run.measure(name, [our_value], unit)
        run.compare(name, LOOP, [their_value])
    run.note(f"{number} exams and {put_out[0]} frames each.")


def budgeted(run: Run, ours: Played, theirs: Played, starts: list[Played]) -> None:
    """The budgets, the appliance's own clocks, the starts, the other processes."""
    shown = ours.clocks.shown
    inside = shown[shown[:, 0] - shown[:, 1] >= ours.window_ns]
    branch_ms = [float(ns) / 1e6 for ns in inside[:, 2]]
    run.measure("display branch, from a frame's arrival to its end", branch_ms, "ms")
    dropped, passed_over = (int(inside[-1, column] - inside[0, column]) for column in (3, 4))
    run.measure("frames that the display dropped", [dropped], "frames")
    run.measure("frames that the analysis passed over", [100 * passed_over / (len(inside) + dropped)], "%")
    moments = sorted(at_s for shot in range(NEEDED) for at_s in ours.player.began_s("measured", shot))
    settled_s = SETTLED_NS / 1e9
    accepted = first_after(ours.heard, "acquisition", moments, RESULT_WITHIN_S)
    if accepted:
        name = "freeze stable until the acquisition is at a subscriber"
        run.measure(name, [delay_s - settled_s for delay_s in accepted], "s")
    stable_s = [delay_s - settled_s for delay_s in ours.results_s()]
    if stable_s:
        run.measure("fifth freeze stable until the result is at a subscriber", stable_s, "s")
        run.budget("result_p95_s", float(np.quantile(stable_s, 0.95)))
    run.budget("display_latency_p99_frames", float(np.quantile(branch_ms, 0.99)) * FPS / 1e3)
    run.budget("display_dropped_frames", dropped)
    start_s = [one.start_s for one in (*starts, ours)]
    name = "start of the process until the first frame is analysed"
    run.measure(name, start_s, "s")
    run.compare(name, LOOP, [theirs.start_s])
    run.budget("cold_start_s", max(start_s))
    for name in ("broker", "player"):
        run.measure(f"processor of the {name}", [ours.usage[name][0]], "% of one core")
    run.note(f"The player showed {ours.player.late} frames a frame late or later; {os.cpu_count()} cores.")


def main() -> int:
    """Draw, play for both, keep."""
    options = parser(__doc__)
    options.add_argument("--exams", type=int, default=8)
    options.add_argument("--starts", type=int, default=3, help="starts of the appliance; the longest counts")
    chosen = options.parse_args()
    number, starts, pace = (1, 1, 0.65) if chosen.smoke else (chosen.exams, chosen.starts, 1.0)
    run = Run()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        exams = draw_exams(folder / "frames", min(PATIENTS, number), number, chosen.seed, pace)
        lines = "\n".join(json.dumps(asdict(shown)) for shown in exams)
        (folder / "exams").write_text(lines, encoding="utf-8")
        ours, theirs, others = _play(folder, exams, starts)
    compared(run, ours, theirs, exams)
    budgeted(run, ours, theirs, others)
    return keep("whole_appliance", run, chosen)


def _play(folder: Path, exams: list[Shown], starts: int) -> tuple[Played, Played, list[Played]]:
    """The exams with the appliance, with the loop, and the appliance's other starts."""
    seconds = sum(shown.count for shown in exams) / FPS
    with tqdm(total=starts + 1, desc="plays", disable=not sys.stderr.isatty()) as progress:
        others = []
        for _ in range(starts - 1):
            others.append(appliance(folder, seconds, starts_only=True))
            progress.update()
        ours = appliance(folder, seconds)
        progress.update()
        theirs = afternoon(folder, seconds)
        progress.update()
    return ours, theirs, others


if __name__ == "__main__":
    sys.exit(main())
