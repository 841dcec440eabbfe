"""What the records cost on this machine's disk: a line of the audit log, cutting crops, keeping, sealing.

`note` waits for the disk on the frame loop, twice a line; `cut` cuts the crops there and waits for nothing;
`keep` and `seal` run on a thread of their own.

    python -m benchmarks.records --folder /var/lib/fibrostage [--repeats N]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from uuid import UUID

import numpy as np
from pydantic import JsonValue

from benchmarks.record import Run, keep, parser
from calibration.whole_file import write_durably
from firmware_app.crop import crop_pair
from firmware_app.journey import Crops, Frame, Roi, Square
from firmware_app.records.archive import packed
from firmware_app.records.audit import Audit
from firmware_app.records.crops import png_of

ROI = Roi(Square(600, 300, 200), Square(600, 750, 200))
"""Larger than the crops of most screens of 1440x1080."""
LINE: JsonValue = {"text": "x" * 1300}
"""About as long as an acquisition's message."""


def main() -> int:
    """Measure, keep, print."""
    options = parser(__doc__)
    options.add_argument("--folder", type=Path, help="on the disk in question; default: a temporary one")
    options.add_argument("--repeats", type=int, default=300)
    arguments = options.parse_args()
    repeats, run = 3 if arguments.smoke else arguments.repeats, Run()
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
            "keep": lambda: write_durably(folder / "kept", packed(pair_of(crops))),
            "seal": lambda: write_durably(folder / "sealed", archive),
        }
        for task, work in tasks.items():
            run.measure(task, [timed_ms(work) for _ in range(repeats)], "ms")
        audit.close()
    run.note(f"On the disk of {arguments.folder or 'the temporary folder'}.")
    return keep("records", run, arguments)


def pair_of(crops: Crops) -> dict[str, bytes]:
    """Both crops as they are kept."""
    return {"elastogram.png": png_of(crops.elastogram), "gray.png": png_of(crops.gray)}


def timed_ms(run: Callable[[], object]) -> float:
    """How long it takes."""
    began_ns = time.perf_counter_ns()
    run()
    return (time.perf_counter_ns() - began_ns) / 1e6


if __name__ == "__main__":
    sys.exit(main())
