"""What the records cost on this machine's disk: a line of the audit log, cutting crops, keeping, sealing.

    python benchmarks/records.py FOLDER [--repeats N] [--json]

FOLDER lies on the disk that is to be measured, e.g. /var/lib/fibrostage. `note` waits for the disk on the
frame loop, twice a line; `cut` cuts the crops there and waits for nothing; `keep` and `seal` run on a thread
of their own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

import numpy as np
from pydantic import JsonValue

from firmware_app.crop import crop_pair
from firmware_app.journey import Crops, Frame, Roi, Square
from firmware_app.records.archive import packed, write_whole
from firmware_app.records.audit import Audit
from firmware_app.records.crops import png_of

ROI = Roi(Square(600, 300, 200), Square(600, 750, 200))
"""Larger than the crops of most screens of 1440x1080."""
LINE: JsonValue = {"text": "x" * 1300}
"""About as long as an acquisition's message."""


def main() -> None:
    """Print median, 99th percentile and largest of each, in ms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    pixels = np.random.default_rng(1).integers(0, 256, (1080, 1440, 3), np.uint8)
    frame = Frame(pixels, 0, 0, 0)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        audit = Audit(folder / "audit")
        crops = crop_pair(frame, ROI)
        archive = packed({str(UUID(int=n)): png_of(crops.gray) for n in range(10)})
        tasks: dict[str, Callable[[], object]] = {
            "note": lambda: audit.note("acquisition", LINE, datetime.now(timezone.utc)),
            "cut": lambda: crop_pair(frame, ROI),
            "keep": lambda: write_whole(folder / "kept", packed(pair_of(crops))),
            "seal": lambda: write_whole(folder / "sealed", archive),
        }
        for task, run in tasks.items():
            times = sorted(timed_ms(run) for _ in range(arguments.repeats))
            row = (statistics.median(times), times[int(0.99 * len(times))], times[-1])
            told = dict(zip(("median_ms", "p99_ms", "max_ms"), row, strict=True))
            print(json.dumps({"task": task, **told}) if arguments.json else f"{task:5s} {told}")
        audit.close()


def pair_of(crops: Crops) -> dict[str, bytes]:
    """Both crops as they are kept."""
    return {"elastogram.png": png_of(crops.elastogram), "gray.png": png_of(crops.gray)}


def timed_ms(run: Callable[[], object]) -> float:
    """How long it takes."""
    began_ns = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - began_ns) / 1e6


if __name__ == "__main__":
    main()
