"""The program `fibrostage` as it is, with three clocks in it; what they say is written when it ends.

    FIBROSTAGE_CLOCKS=FILE python -m benchmarks.exam.clocked_appliance run --config FILE

`FILE`, an npz, then holds:
    first_frame_s: monotonic time at which the first frame had been analysed; nan: none was;
    shown: (n, 5), for each frame that reached the display's end with its overlay: monotonic ns, ns since the
        scanner put it out, ns since it arrived in the appliance, and the counts of frames that the display
        and the analysis have dropped so far.
"""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.exam import stamp
from benchmarks.exam.drawing import HEIGHT, WIDTH
from firmware_app import cli, live
from firmware_app.appliance import Step, follow
from firmware_app.journey import Frame
from firmware_app.video.display import Display
from firmware_app.video.frame_meter import FrameMeter

ROW = (HEIGHT - stamp.ROW) * WIDTH
"""Where in an I420 buffer the stamp is."""


class Clocks:
    """Stand where the appliance counts for itself."""

    def __init__(self) -> None:
        self.first_frame_s = float("nan")
        self.shown: list[tuple[int, ...]] = []
        self._put_out_ns = 0
        self._follow, self._displayed, self._on_displayed = (
            follow, FrameMeter.displayed, Display._on_displayed,  # noqa: SLF001 - clocked, not changed
        )  # fmt: skip

    def follow(self, *arguments: Any, **named: Any) -> Iterator[Step]:
        """The loop; the first frame has been analysed when its step comes."""
        for step in self._follow(*arguments, **named):
            if np.isnan(self.first_frame_s) and isinstance(step.event, Frame):
                self.first_frame_s = time.monotonic()
            yield step

    def on_displayed(self, display: Display, pad: Any, info: Any) -> Any:
        """A composed frame at the display's end: read its stamp."""
        row = info.get_buffer().extract_dup(ROW, stamp.BITS * stamp.SIDE)
        self._put_out_ns = stamp.read(np.frombuffer(row, np.uint8))
        return self._on_displayed(display, pad, info)

    def displayed(self, meter: FrameMeter, pts_ns: int, now_ns: int) -> None:
        """The same frame where the appliance measures its latency."""
        arrived_ns = meter.arrived_ns(pts_ns)
        self._displayed(meter, pts_ns, now_ns)
        if arrived_ns is not None:
            dropped = (meter._dropped_display, meter._dropped_analysis)  # noqa: SLF001 - statistics() is slow
            self.shown.append((now_ns, now_ns - self._put_out_ns, now_ns - arrived_ns, *dropped))

    def write(self, path: Path) -> None:
        """Write everything down."""
        shown = np.array(self.shown, np.int64).reshape(-1, 5)
        np.savez(path, first_frame_s=self.first_frame_s, shown=shown)


def _method(clock: Callable[..., Any]) -> Any:
    """A method of the class that it is set on: it is given the object as its first argument."""
    return lambda *arguments: clock(*arguments)  # noqa: PLW0108 - only a function becomes a method


def main() -> None:
    """Set the clocks, and run the program."""
    clocks = Clocks()
    live.__dict__["follow"] = clocks.follow
    Display._on_displayed = _method(clocks.on_displayed)  # type: ignore[method-assign]  # noqa: SLF001 - as above
    FrameMeter.displayed = _method(clocks.displayed)  # type: ignore[method-assign]
    atexit.register(clocks.write, Path(os.environ["FIBROSTAGE_CLOCKS"]))
    cli.main()


if __name__ == "__main__":
    main()
