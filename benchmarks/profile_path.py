"""Where the time goes: the start of the appliance, and a frame's path from the cable to the exam.

The start is clocked in fresh processes: its parts one after the other, then as the appliance does it, with
the texts' recogniser beside the model. The path is the appliance's own loop on a virtual exam of 15 frames a
second at 1440x1080, with a clock on every function that it calls, for frames and for the examinations of
frozen ones. CPU time is that of all threads, so that other work on the machine counts less; the wall time is
what somebody waits for. In an examination texts are read while the networks score: the CPU time of each of
the two holds some of the other's.

    python -m benchmarks.profile_path [--seconds 30]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TypeVar
from uuid import UUID

from benchmarks.record import Run, keep, parser

Answer = TypeVar("Answer")
Cost = tuple[float, float]
"""Milliseconds: wall, CPU."""
Costs = dict[str, list[Cost]]
FPS, WIDTH, HEIGHT = 15, 1440, 1080
WHOLE = "start: ready for the first frame, as it is"


def timed(step: Callable[[], Answer]) -> tuple[Answer, Cost]:
    """What a step gives, and what it takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = step()
    return answer, ((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3)


def start_in_parts() -> dict[str, Cost]:
    """What the appliance does before its first frame, one after the other; in a fresh process."""
    costs = {"imports": timed(_import_all)[1]}
    from firmware_app.assembly import screen_reader  # noqa: PLC0415 - the imports are what is clocked
    from firmware_app.inference import load_bundle  # noqa: PLC0415 - as above
    from firmware_app.inference.familiarity import read_familiarity  # noqa: PLC0415 - as above
    from firmware_app.inference.golden import self_test  # noqa: PLC0415 - as above
    from firmware_app.inference.openvino_engine import OpenVinoEngine  # noqa: PLC0415 - as above
    from firmware_app.model import DEMONSTRATION_BUNDLE  # noqa: PLC0415 - as above

    bundle, reader = load_bundle(DEMONSTRATION_BUNDLE), screen_reader("aixplorer")
    costs["signature and digests"] = timed(lambda: load_bundle(DEMONSTRATION_BUNDLE))[1]
    costs["out-of-range check"] = timed(lambda: read_familiarity(bundle))[1]
    graph, precision = bundle.graph_path, bundle.manifest.graph.precision
    engine, costs["engine compiled"] = timed(lambda: OpenVinoEngine(graph, precision))
    costs["self-test"] = timed(lambda: self_test(bundle, engine))[1]
    costs["recogniser of texts"] = timed(reader.warm_up)[1]
    return costs


def start_as_it_is() -> dict[str, Cost]:
    """From the imports until model and reader are ready, as `live` does it; in a fresh process."""

    def whole() -> None:
        _import_all()
        from firmware_app.config import Config  # noqa: PLC0415 - the imports are what is clocked
        from firmware_app.live import prepared  # noqa: PLC0415 - as above

        with ThreadPoolExecutor(1) as texts:
            prepared(Config(), texts)

    return {WHOLE: timed(whole)[1]}


def _import_all() -> None:
    import firmware_app.cli  # noqa: PLC0415 - what is clocked
    import firmware_app.live  # noqa: F401, PLC0415 - what is clocked


def in_fresh_process(part: str) -> dict[str, Cost]:
    """What a part of the start costs where nothing has been imported yet."""
    command = [sys.executable, "-m", "benchmarks.profile_path", "--part", part]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    costs: dict[str, Cost] = {name: (wall, cpu) for name, (wall, cpu) in json.loads(told.stdout).items()}
    return costs


@contextmanager
def clocked(steps: dict[str, tuple[object, str]]) -> Iterator[Costs]:
    """Clock functions, by the names under which they are called, for as long as the block lasts."""
    costs: Costs = defaultdict(list)
    originals = {name: getattr(owner, attribute) for name, (owner, attribute) in steps.items()}

    def clock(name: str, *arguments: object, **named: object) -> object:
        answer, cost = timed(partial(originals[name], *arguments, **named))
        costs[name].append(cost)
        return answer

    for name, (owner, attribute) in steps.items():
        setattr(owner, attribute, partial(clock, name))
    try:
        yield costs
    finally:
        for name, (owner, attribute) in steps.items():
            setattr(owner, attribute, originals[name])


def path(seconds: float, seed: int, texts: Executor) -> Costs:
    """The loop over the first seconds of a virtual exam, without previews: see `benchmarks.inference`."""
    from calibration.phantom import Viewport  # noqa: PLC0415 - must not count as the appliance's start
    from calibration.phantom.exam import write_script  # noqa: PLC0415 - as above
    from calibration.phantom.scanner import Scanner  # noqa: PLC0415 - as above
    from calibration.phantom.video import I420Converter  # noqa: PLC0415 - as above
    from firmware_app import appliance, assembly, examination  # noqa: PLC0415 - as above
    from firmware_app.journey import Frame  # noqa: PLC0415 - as above
    from firmware_app.model import load_model  # noqa: PLC0415 - as above
    from firmware_app.video.pixels import Layout, to_bgr  # noqa: PLC0415 - as above

    scanner, converter = Scanner(write_script(seed, 3, FPS, 1), Viewport.fit(WIDTH, HEIGHT)), I420Converter()
    size = WIDTH * HEIGHT
    layout = Layout("I420", WIDTH, HEIGHT, (0, size, size * 5 // 4), (WIDTH, WIDTH // 2, WIDTH // 2))
    copied: list[Cost] = []

    def video() -> Iterator[Frame]:
        for number in range(min(round(FPS * seconds), scanner.script.frame_count)):
            buffer = memoryview(converter.convert(scanner.picture(number)))
            pixels, cost = timed(partial(to_bgr, buffer, layout))
            copied.append(cost)
            yield Frame(pixels, number, number * 1_000_000_000 // FPS, time.monotonic_ns())

    reader, model, numbers = assembly.screen_reader("aixplorer"), load_model(None), count()
    texts.submit(reader.warm_up).result()
    examiner = assembly.examiner_of(reader, model, lambda: UUID(int=next(numbers)), texts=texts)
    steps: dict[str, tuple[object, str]] = {
        "screen reading": (reader, "read"),
        "watch for a freeze": (appliance, "watch"),
        "examination": (appliance, "examine"),
        "examination: texts (OCR)": (reader, "read_text"),
        "examination: crops": (examination, "crop_pair"),
        "examination: inference": (model.engine, "score"),
        "exam": (appliance, "advance"),
    }
    with clocked(steps) as costs:
        for _ in appliance.follow(video(), examiner, assembly.recorded_at):
            pass
    return {"copy of the frame": copied, **costs}


def note_costs(run: Run, costs: Costs) -> None:
    """CPU time of each part; what somebody waits for beside it where it is long."""
    for name, each in costs.items():
        run.measure(f"{name}, CPU", [cpu for _, cpu in each], "ms")
        if name in {WHOLE, "frame: examination"}:
            run.measure(f"{name}, wall", [wall for wall, _ in each], "ms")


def main() -> int:
    """Measure and keep."""
    made = parser(__doc__)
    made.add_argument("--seconds", type=float, default=30.0, help="of the virtual exam")
    made.add_argument("--part", choices=("parts", "whole"), help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.part is not None:
        print(json.dumps(start_in_parts() if options.part == "parts" else start_as_it_is()))
        return 0
    run = Run()
    for part in ("parts", "whole"):
        note_costs(run, {_start(name): [cost] for name, cost in in_fresh_process(part).items()})
    seconds = 9.0 if options.smoke else options.seconds
    with ThreadPoolExecutor(1) as texts:
        frames = path(seconds, options.seed + 6, texts)
    note_costs(run, {f"frame: {name}": each for name, each in frames.items()})
    return keep("profile_path", run, options)


def _start(name: str) -> str:
    return name if name == WHOLE else f"start: {name}"


if __name__ == "__main__":
    sys.exit(main())
