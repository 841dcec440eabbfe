"""How soon each fault of the video is told, and how soon the picture is back once it is mended.

Real GStreamer throughout: its v4l2src on the tests' stand-in for a capture card, its RTSP client on its RTSP
server, its shared memory. Times are from the moment the fault is brought about (or mended) to the event that
the appliance's loop receives; the largest of all rounds counts.

    python -m benchmarks.capture_states [--rounds 5]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.record import Run, keep, parser
from firmware_app.journey import Frame
from firmware_app.video.pipeline import Event, open_pipeline
from firmware_app.video.sources import PhantomSource, RtspSource, Source, V4l2Source
from firmware_app.video.stream_events import SignalLost
from tests.firmware_app.test_capture_rtsp import encoder
from tests.firmware_app.video import sender

CARD = Path(__file__).parents[1] / "tests" / "firmware_app" / "fake_card.c"
PORT = 8610
LONGEST_S = 20.0


@dataclass(frozen=True, slots=True)
class Row:
    """One fault: what was told, the longest time until then, and until the picture was back."""

    source: str
    fault: str
    told: str
    told_s: float
    back_s: float


def _until(events: Iterator[Event], holds: Callable[[Event], bool]) -> float:
    began_s = time.monotonic()
    for event in events:
        if holds(event):
            return time.monotonic() - began_s
        if time.monotonic() - began_s > LONGEST_S:
            raise AssertionError(f"it never came about; last: {event}")
    raise AssertionError("the events ended")


def _round(events: Iterator[Event], fault: Callable[[], object], mend: Callable[[], object]) -> Row:
    _until(events, lambda event: isinstance(event, Frame))
    fault()
    told_s = _until(events, lambda event: isinstance(event, SignalLost))
    state = ""
    stands_s = time.monotonic() + 2.5  # long enough for the source to be opened again
    for event in events:
        if isinstance(event, SignalLost):
            state = event.state.value
        if time.monotonic() > stands_s:
            break
    mend()
    return Row("", "", state, told_s, _until(events, lambda event: isinstance(event, Frame)))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is brought about, and how it is mended."""

    name: str
    bring: Callable[[], object]
    mend: Callable[[], object]


def _rounds(name: str, source: Source, rounds: int, fault: Fault) -> Row:
    with open_pipeline(source, patient=True) as pipeline:
        events = pipeline.frames(threading.Event())
        found = [_round(events, fault.bring, fault.mend) for _ in range(rounds)]
    states = "/".join(sorted({row.told for row in found}))
    told_s, back_s = max(row.told_s for row in found), max(row.back_s for row in found)
    return Row(name, fault.name, states, round(told_s, 2), round(back_s, 2))


def _card(rounds: int) -> Iterator[Row]:
    """Runs in a process of its own, with the card in front of the C library."""
    mode = Path(os.environ["FAKE_CARD_MODE"])

    def turn(word: str) -> None:
        part = mode.with_suffix(".part")
        part.write_text(word)
        part.replace(mode)

    source = V4l2Source(Path(os.environ["FAKE_CARD"]))
    for word in ("gone", "no_cable", "no_lock", "range", "silent", "frozen"):
        yield _rounds("v4l2", source, rounds, Fault(word, partial(turn, word), partial(turn, "ok")))


def _card_apart(folder: Path, rounds: int) -> Iterator[Row]:
    library, device, mode = folder / "card.so", folder / "video0", folder / "mode"
    compiler = shutil.which("cc") or shutil.which("tcc")
    if compiler is None:
        return
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", str(library), str(CARD), "-ldl", "-lpthread"], check=True
    )
    device.symlink_to("/dev/null")
    mode.write_text("ok")
    fake = {"FAKE_CARD": str(device), "FAKE_CARD_MODE": str(mode), "LD_PRELOAD": str(library)}
    command = [sys.executable, "-m", "benchmarks.capture_states", "--card", "--rounds", str(rounds)]
    told = subprocess.run(command, env=os.environ | fake, capture_output=True, text=True, check=True)
    yield from (Row(**json.loads(line)) for line in told.stdout.splitlines())


Begin = Callable[[], AbstractContextManager[subprocess.Popen[Any]]]


class _Sender:
    """A process that can be begun, ended, stopped and let go on as often as one likes."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self.start()

    def start(self) -> None:
        """Begin to send."""
        self._running = self._begin()
        self._process = self._running.__enter__()

    def kill(self) -> None:
        """End at once."""
        self._running.__exit__(None, None, None)

    def stop(self) -> None:
        """Stand still, the connection open."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Go on where it stood still."""
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def _sending(begin: Begin) -> Iterator[_Sender]:
    made = _Sender(begin)
    try:
        yield made
    finally:
        made.kill()


def _network(rounds: int) -> Iterator[Row]:
    source = RtspSource(f"rtsp://127.0.0.1:{PORT}/video")
    with _sending(lambda: encoder(PORT)) as made:
        yield _rounds("rtsp", source, rounds, Fault("sender gone", made.kill, made.start))
        yield _rounds("rtsp", source, rounds, Fault("sender stands still", made.stop, made.go_on))


def _phantom(folder: Path, rounds: int) -> Iterator[Row]:
    socket = folder / "scanner"
    source = PhantomSource(socket, 320, 240, 30)
    with _sending(lambda: sender(socket)) as made:
        yield _rounds("phantom", source, rounds, Fault("scanner gone", made.kill, made.start))


def _rows_of(rounds: int, *, smoke: bool) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if smoke:
            return list(_phantom(folder, 1))
        return [*_card_apart(folder, rounds), *_network(rounds), *_phantom(folder, rounds)]


def main() -> int:
    """Measure, keep, print the table of docs/capture.md."""
    options = parser(__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--card", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.card:
        for row in _card(chosen.rounds):
            print(json.dumps(asdict(row)), flush=True)
        return 0
    rows, run = _rows_of(chosen.rounds, smoke=chosen.smoke), Run()
    print("| source | fault | told as | told after, s | back after, s |\n|---|---|---|---|---|")
    for row in rows:
        print(f"| {row.source} | {row.fault} | `{row.told}` | {row.told_s:.2f} | {row.back_s:.2f} |")
        run.measure(f"{row.source}, {row.fault}: told, longest", [row.told_s], "s")
        run.measure(f"{row.source}, {row.fault}: back, longest", [row.back_s], "s")
    run.budget("signal_loss_told_s", max(row.told_s for row in rows))
    run.budget("signal_back_s", max(row.back_s for row in rows))
    if not any(row.source == "v4l2" for row in rows):
        run.note("Without a C compiler there is no stand-in for a capture card: only the other sources.")
    return keep("capture_states", run, chosen)


if __name__ == "__main__":
    sys.exit(main())
