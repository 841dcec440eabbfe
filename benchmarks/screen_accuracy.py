"""Measures the screen reading against everything that issue "Read every SuperSonic screen" asks of it.

Draws elastography screens of all variety through every capture chain, pictures of everything else, and reads
them with the product's own reader; real pictures are read, too. The work is done in chunks, each kept as soon
as it is done, so that a run that was stopped goes on where it stood.

    python -m benchmarks.screen_accuracy --frames 2000 --negatives 2000 --seed 900000

Seeds from 900,000 on are used nowhere else. The exit code is 1 if a criterion is not met. The region of
interest is compared with a search over all squares (`largest_square_by_search`), which shares no code with
the product. pydicom, if it is installed, gives its own ultrasound samples.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.screen.figures import criteria_of, figures_of, table_of, values
from benchmarks.screen.judge import Row, judge
from benchmarks.screen.real import SCREENS, real_pictures
from calibration.phantom.capture import Chain, capture_many, capture_pictures
from calibration.phantom.negative import Negative, draw_negative
from calibration.phantom.scene import draw_scene, random_scene
from calibration.profile import load_profile
from firmware_app.journey import Frame, Picture
from firmware_app.screen import ScreenReader
from firmware_app.screen.printed import read_ticks
from firmware_app.screen.registration import Registration, register

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "screen_accuracy.json"
CHUNK = 12


@dataclass(frozen=True, slots=True)
class Job:
    """One chunk: `count` pictures of one kind from `seed` on."""

    kind: str
    what: str
    seed: int
    count: int
    with_text: bool

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.kind}-{self.what}-{self.seed}-{self.count}-{int(self.with_text)}.json"


def elastography(job: Job) -> list[Row]:
    """Read drawn elastography screens through one chain."""
    seeds = [job.seed + number for number in range(job.count)]
    drawn = [(random_scene(seed), *draw_scene(random_scene(seed), seed)) for seed in seeds]
    natives = [truth for _, _, truth in drawn]
    pictures, truths = capture_many([p for _, p, _ in drawn], natives, Chain(job.what), seeds)
    rows = []
    for seed, (scene, _, native), pixels, truth in zip(seeds, drawn, pictures, truths, strict=True):
        row: Row = {"kind": "swe", "seed": seed, "chain": job.what, "layout": scene.layout}
        row |= {"probe": scene.probe, "holes": scene.holes, "opacity": scene.opacity, "text": job.with_text}
        row |= {"range": native.bar_max_kpa, "unit": scene.unit, "annotated": scene.annotated}
        row |= {"language": scene.language, "at_edge": scene.at_edge}
        reader, frame = ScreenReader(load_profile(scene.layout)), Frame(pixels, 0, 0, 0)
        reading = reader.inspect(frame) if job.with_text else reader.read(frame)
        judge(reading, native, truth, row)
        rows.append(row)
    return rows


def nothing_of_it(job: Job) -> list[Row]:
    """Read drawn pictures of one kind that are no elastography, half of them through some chain."""
    rows = []
    chains = [chain for chain in Chain if "h264" not in chain.value]
    for seed in range(job.seed, job.seed + job.count):
        picture = draw_negative(Negative(job.what), seed)
        chain = chains[seed % len(chains)] if seed % 2 else Chain.NATIVE
        pixels = capture_pictures([picture], chain, [seed])[0] if seed % 2 else picture
        layout = ("aixplorer", "mach30")[seed // 2 % 2]
        rows.append(_refused(pixels, job.what, layout, {"seed": seed, "chain": chain.value}))
    return rows


def _refused(pixels: Picture, what: str, profile: str, about: Row) -> Row:
    reading = ScreenReader(load_profile(profile)).read(Frame(np.ascontiguousarray(pixels), 0, 0, 0))
    rejected = reading.rejected
    reason = rejected.reason.value if rejected else None
    return {
        "kind": "negative",
        "what": what,
        "layout": profile,
        "view": reading.view.value,
        "reason": reason,
    } | about


def real(job: Job) -> list[Row]:
    """Read every real picture: none of them is an elastography screen but the Aixplorer's."""
    rows = []
    for name, pixels in real_pictures():
        about: Row = {"name": name, "real": True}
        rows += [_refused(pixels, name.split(" ")[0], profile, about) for profile in ("aixplorer", "mach30")]
    path = SCREENS / "aixplorer_trapezius_150kpa.png"
    if path.is_file():
        rows.append(_real_aixplorer(np.asarray(cv2.imread(str(path)), np.uint8)))
    del job
    return rows


def _real_aixplorer(pixels: Picture) -> Row:
    reading = ScreenReader(load_profile("aixplorer")).inspect(Frame(pixels, 0, 0, 0))
    box, bar = reading.colour_box, reading.colour_bar
    row: Row = {"kind": "aixplorer", "view": reading.view.value, "frozen": reading.frozen}
    row |= {
        "opacity": reading.opacity,
        "range": bar.maximum if bar else None,
        "unit": bar.unit if bar else None,
    }
    row["box_error"] = None
    if box is not None:  # the orange outline's centre lines, measured by hand
        corners = np.concatenate([box.min(axis=0), box.max(axis=0)])
        row["box_error"] = float(np.abs(corners - (312.5, 151.5, 615.5, 260.5)).max())
    placed = register(pixels, load_profile("aixplorer"))
    ticks = read_ticks(pixels, placed, load_profile("aixplorer")) if isinstance(placed, Registration) else ()
    row["ticks"] = " ".join(f"{number:g}" for _, number, _ in ticks)
    return row


KINDS: dict[str, Callable[[Job], list[Row]]] = {"swe": elastography, "negative": nothing_of_it, "real": real}


def work(job: Job, folder: str) -> list[Row]:
    """Do one chunk and keep it; a chunk that is kept is not done again."""
    path = Path(folder) / job.name
    for known in (Path(folder) / replace(job, with_text=True).name, path):
        if known.is_file():
            kept: list[Row] = json.loads(known.read_text())
            return kept
    cv2.setNumThreads(1)
    rows = KINDS[job.kind](job)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rows, default=float))
    part.replace(path)
    return rows


def jobs_of(frames: int, negatives: int, seed: int, text_every: int) -> list[Job]:
    """All chunks of a run; elastography and everything else take different seeds."""
    chains, kinds = list(Chain), list(Negative)
    elastograms, others = [], []
    for number in range(math.ceil(frames / CHUNK)):
        count = min(CHUNK, frames - number * CHUNK)
        # Every chain has its turn of the texts, whatever the number of chains.
        turn, which = divmod(number, len(chains))
        with_text = (turn + which) % text_every == 0
        chain = chains[which].value
        elastograms.append(Job("swe", chain, seed + number * CHUNK, count, with_text))
    for number in range(math.ceil(negatives / CHUNK)):
        count = min(CHUNK, negatives - number * CHUNK)
        kind = kinds[number % len(kinds)].value
        others.append(Job("negative", kind, seed + 50_000 + number * CHUNK, count, with_text=False))
    # In turn, so that a run that is stopped has some of everything.
    mixed = [job for pair in zip_longest(elastograms, others) for job in pair if job is not None]
    return [Job("real", "pictures", 0, 1, with_text=True), *mixed]


def swe_of(rows: list[Row]) -> list[Row]:
    """The rows of drawn elastography screens."""
    return [row for row in rows if row["kind"] == "swe"]


def report_of(rows: list[Row], arguments: argparse.Namespace) -> dict[str, object]:
    """Everything that is written down."""
    swe = swe_of(rows)
    refusals = Counter(f"{row['what']}: {row['reason']}" for row in rows if row["kind"] == "negative")
    return {
        "command": (
            f"python -m benchmarks.screen_accuracy --frames {arguments.frames} "
            f"--negatives {arguments.negatives} --seed {arguments.seed} --text-every {arguments.text_every}"
        ),
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "machine": {"processor": platform.machine(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("fibrostage", "numpy", "opencv-python", "rapidocr")},
        "seeds": [arguments.seed, arguments.seed + arguments.frames - 1],
        "pydicom": find_spec("pydicom") is not None,
        "criteria": criteria_of(rows),
        "all": figures_of(swe),
        "chains": {
            c: figures_of([r for r in swe if r["chain"] == c]) for c in sorted({str(r["chain"]) for r in swe})
        },
        "ranges": {
            str(k): figures_of([r for r in swe if r["range"] == k]) for k in sorted(set(values(swe, "range")))
        },
        "not_seen": [row for row in swe if row["view"] != "swe_dual"],
        "falsely_seen": [row for row in rows if row["kind"] == "negative" and row["view"] == "swe_dual"],
        "refusals": dict(sorted(refusals.items())),
    }


def main() -> int:
    """Measure, write the result, print the criteria."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=216)
    parser.add_argument("--negatives", type=int, default=204)
    parser.add_argument("--seed", type=int, default=400_000)
    parser.add_argument("--text-every", type=int, default=1, help="read the texts of every n-th chunk only")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder of the finished chunks; default: a temporary one")
    parser.add_argument("--results", type=Path, default=RESULT.parent, help="folder of the result file")
    parser.add_argument("--smoke", action="store_true", help="some seconds; the numbers mean nothing")
    arguments = parser.parse_args()
    if arguments.smoke:
        arguments.frames = arguments.negatives = arguments.processes = 1
        arguments.work = Path(tempfile.mkdtemp())
    folder = arguments.work or Path(tempfile.gettempdir()) / f"fibrostage-screen-accuracy-{arguments.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = jobs_of(arguments.frames, arguments.negatives, arguments.seed, arguments.text_every)
    rows: list[Row] = []
    with ProcessPoolExecutor(arguments.processes) as pool, tqdm(total=len(jobs), unit="chunk") as progress:
        for done in as_completed([pool.submit(work, job, str(folder)) for job in jobs]):
            rows += done.result()
            progress.update()
    report = report_of(rows, arguments)
    if not arguments.smoke:
        arguments.results.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report, indent=1, default=float)
        (arguments.results / RESULT.name).write_text(f"{text}\n", encoding="utf-8")
    chains = [c.value for c in Chain if any(row.get("chain") == c.value for row in swe_of(rows))]
    by_chain = {name: figures_of([r for r in swe_of(rows) if r["chain"] == name]) for name in chains}
    print("\n".join(table_of({**by_chain, "all": figures_of(swe_of(rows))})))
    criteria = criteria_of(rows)
    for name, (measured, asked, met) in criteria.items():
        print(f"{'met    ' if met else 'NOT MET'}  {name:52s} {measured}  (asked: {asked})")
    return 0 if arguments.smoke or all(met for _, _, met in criteria.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
