"""Whether a proposed profile holds: the rest of the video, read by the product's own reader."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from calibration.profile import ScreenProfile
from firmware_app.journey import Frame, ScreenReading, View
from firmware_app.screen import ScreenReader
from firmware_app.wording import WORDINGS, Reason

LEAST_SEEN = 0.9
"""Share of the frames with a stiffness bar that must be seen as the elastography view. The rest may be a box
that still waits for its map."""
MOST_TEXTS = 8
"""Frozen frames whose texts are read."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of the frames.

    Attributes:
        frames: all; `with_bar` those that show the stiffness bar, `seen` those seen as the view itself.
        complete: of these, frames without any reason against an acquisition.
        refused: how often each reason stood against a frame.
        texts: frames whose texts were read; `ranges` those with a maximum and its unit, `means` with a mean.
        median_ms: time to read one frame, texts apart.
    """

    frames: int
    with_bar: int
    seen: int
    complete: int
    refused: tuple[tuple[Reason, int], ...]
    texts: int
    ranges: int
    means: int
    median_ms: float

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the profile does not hold; empty if it does."""
        found = []
        if self.with_bar == 0:
            found.append("no frame shows the colour bar where the profile has it")
        elif self.seen < LEAST_SEEN * self.with_bar:
            found.append(f"only {self.seen} of {self.with_bar} frames with a colour bar are seen as the view")
        if self.texts and not self.ranges:
            found.append("the bar's maximum and unit were never read")
        if self.seen and not self.texts:
            found.append("no text could be looked at")
        return tuple(found)

    @property
    def holds(self) -> bool:
        """Whether the profile can be used."""
        return not self.faults


def _wants_text(reading: ScreenReading, last: ScreenReading | None) -> bool:
    """At the first frame of the view, whenever a freeze begins, and when a frozen one gets its Q-box."""
    if reading.view is not View.SWE_DUAL:
        return False
    if last is None or (reading.frozen and not last.frozen):
        return True
    return reading.frozen and reading.q_box is not None and last.q_box is None


def try_out(profile: ScreenProfile, frames: Iterable[Frame]) -> Trial:
    """Read frames with a profile; texts only of a few."""
    reader = ScreenReader(profile)
    last: ScreenReading | None = None
    count = with_bar = seen = complete = texts = ranges = means = 0
    refused: Counter[Reason] = Counter()
    times: list[float] = []
    for frame in frames:
        began = time.perf_counter()
        reading = reader.read(frame)
        times.append(time.perf_counter() - began)
        if texts < MOST_TEXTS and _wants_text(reading, last):
            reading = reader.read_text(frame, reading)
            texts += 1
            ranges += reading.colour_bar is not None and reading.colour_bar.unit is not None
            means += reading.readout is not None
        count += 1
        with_bar += reading.colour_bar is not None
        seen += reading.view is View.SWE_DUAL
        if reading.rejected is None:
            complete += 1
        else:
            refused[reading.rejected.reason] += 1
        last = reading if reading.view is View.SWE_DUAL else last
    median = sorted(times)[len(times) // 2] * 1e3 if times else 0.0
    return Trial(count, with_bar, seen, complete, tuple(refused.most_common()), texts, ranges, means, median)


def table_of(trial: Trial) -> list[str]:
    """The trial as lines for people, the verdict last."""
    lines = [
        f"frames read                     {trial.frames:6d}",
        f"  with the stiffness bar        {trial.with_bar:6d}",
        f"  seen as the elastography view {trial.seen:6d}",
        f"  nothing against them          {trial.complete:6d}",
        f"texts read                      {trial.texts:6d}",
        f"  with the bar's range and unit {trial.ranges:6d}",
        f"  with a printed mean           {trial.means:6d}",
        f"time per frame, median          {trial.median_ms:6.1f} ms",
    ]
    lines += [f"  refused: {WORDINGS[reason].text:34s} {count:6d}" for reason, count in trial.refused]
    verdict = "the profile holds" if trial.holds else f"the profile does NOT hold: {'; '.join(trial.faults)}"
    return [*lines, verdict]
