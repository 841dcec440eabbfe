"""What is made of the exams once they were played: whose clock counts, and from when on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from benchmarks.exam.drawing import NEEDED, Shown
from benchmarks.exam.measuring import Clocked, Player
from benchmarks.record import Run
from benchmarks.whole_appliance import LOOP, Played, budgeted, compared
from tests.faults.observer import Heard

BEGAN_S, FRAME_NS = 100.0, 16_666_667
FRAMES, BEFORE = 600, 60
EXAMS = [Shown("measured", 0, NEEDED - 1, (0,), FRAMES)]


def played(age_ms: float, result_s: float | None, columns: int, missing: int = 0) -> Played:
    """An exam in which every frame is so old, and the result comes so late after the fifth Q-box.

    Args:
        age_ms: from the scanner to the overlay, of the frames that count; those before are a second old.
        result_s: None: there is none.
        columns: of the clocks; three more than two has the appliance.
        missing: so many frames of the exam are never shown.
    """
    player: Any = Player.__new__(Player)
    player.phases = [{"kind": "search", "exam": 0, "shot": -1, "at_s": BEGAN_S}]
    player.phases += [
        {"kind": "measured", "exam": 0, "shot": shot, "at_s": BEGAN_S + 2 * shot} for shot in range(NEEDED)
    ]
    player.phases.append({"kind": "end", "frames": FRAMES, "late": 3, "lost": missing})
    put_out = int(BEGAN_S * 1e9) + FRAME_NS * np.arange(-BEFORE, FRAMES - missing)
    age = np.where(np.arange(-BEFORE, FRAMES - missing) < 0, 1_000_000_000, int(1e6 * age_ms))
    extra = [age // 2, np.full(len(age), 7), np.arange(len(age))][: columns - 2]
    shown = np.stack([put_out + age, age, *extra], axis=1).astype(np.int64)
    heard = []
    if result_s is not None:
        at_s = player.phases[-2]["at_s"] + result_s
        heard = [Heard(at_s, kind, json.dumps({"type": kind}).encode(), retained=False)
                 for kind in ("acquisition", "result")]  # fmt: skip
    usage = dict.fromkeys(("process", "broker", "player"), (25.0, 300.0))
    return Played(90.0, player, heard, Clocked(94.0, shown), usage)


def test_compared() -> None:
    """Both are measured alike, and what was shown before the exams does not count."""
    run = Run()
    compared(run, played(10.0, 1.0, 5), played(40.0, 2.0, 2, missing=100), EXAMS)
    age = run.measures["frame put out until its overlay is on it"]
    assert (age.n, age.p50, age.max) == (FRAMES, 10.0, 10.0)
    assert run.ratios["frame put out until its overlay is on it"] == {LOOP: 4.0}
    assert run.ratios["Q-box of the fifth freeze until the result is at a subscriber"] == {LOOP: 2.0}
    assert run.measures["frames that never had an overlay"].p50 == 0
    assert run.alternatives["frames that never had an overlay"][LOOP].p50 == 100
    assert run.measures["exams without a result"].p50 == 0


def test_budgeted() -> None:
    """Stable is 0.4 s after the Q-box; the latency is in frames; drops are those of the exams."""
    run = Run()
    budgeted(run, played(10.0, 1.0, 5), played(40.0, 2.0, 2), [])
    assert run.budgets == {
        "result_p95_s": pytest.approx(0.6),
        "display_latency_p99_frames": pytest.approx(0.3),
        "display_dropped_frames": 0,
        "cold_start_s": 4.0,
    }
    assert run.measures["frames that the analysis passed over"].p50 == pytest.approx(100, rel=0.01)


def test_no_result() -> None:
    """An exam without a result is told, and its budget is not taken for measured."""
    run = Run()
    compared(run, played(10.0, None, 5), played(40.0, None, 2), EXAMS)
    budgeted(run, played(10.0, None, 5), played(40.0, None, 2), [])
    assert run.measures["exams without a result"].p50 == 1
    assert "result_p95_s" not in run.budgets
