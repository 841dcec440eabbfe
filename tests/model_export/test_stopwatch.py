"""The times of a study: told in one line a stage, added up over interrupted runs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from model_export.study import stopwatch
from model_export.study.stopwatch import Stopwatch, in_words


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Instead of the system's."""
    clock = Clock()
    monkeypatch.setattr(stopwatch, "time", clock)
    return clock


def test_times_are_added_up_over_runs_and_told(
    clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An interrupted stage keeps its time; the next run adds to it and says so."""
    file = tmp_path / "times.json"
    with contextlib.suppress(KeyboardInterrupt), Stopwatch(file, 2).stage("train"):
        clock.now += 61.0
        raise KeyboardInterrupt
    watch = Stopwatch(file, 2)
    with watch.stage("train"):
        clock.now += 4.0
    with watch.stage("score"):
        clock.now += 0.26
    assert watch.seconds() == {"train": 65.0, "score": 0.3}
    assert json.loads(file.read_text()) == pytest.approx({"train": 65.0, "score": 0.26})
    told = capsys.readouterr().err
    assert "[1/2] train: 4.0 s, 1 min 5 s with earlier runs" in told
    assert "[2/2] score: 0.3 s\n" in told


def test_times_in_words() -> None:
    """Minutes from a minute on."""
    assert [in_words(seconds) for seconds in (0.04, 59.4, 60.0, 3661.0)] == [
        *("0.0 s", "59.4 s", "1 min 0 s", "61 min 1 s"),
    ]
