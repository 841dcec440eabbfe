"""The live preview: paced by what it costs, and never of anything but a live elastogram."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from calibration.profile import load_profile
from firmware_app.exam.state import Exam, Phase
from firmware_app.examination import Examiner
from firmware_app.journey import Crops, Frame, ImageScores, Rejected, Roi, ScreenReading, Square, View
from firmware_app.preview import EVERY_NS, NOTHING, REST, SHOWN_NS, previewed
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason
from tests.firmware_app.exam_examples import S3, moment

ROI = Roi(Square(4, 4, 8), Square(4, 20, 8))
LIVE = ScreenReading(40, 40, View.SWE_DUAL, roi=ROI)


class SlowEngine:
    """Answers after a while."""

    name = "slow"

    def __init__(self, takes_s: float) -> None:
        self._takes_s = takes_s
        self.asked = 0

    def score(self, crops: Crops) -> ImageScores:
        """The same for every picture."""
        assert crops.elastogram.shape == (8, 8, 3)
        self.asked += 1
        time.sleep(self._takes_s)
        return ImageScores(S3, S3, S3)

    def close(self) -> None:
        """Nothing to release."""


def examiner(engine: SlowEngine | None, *, previews: bool = True) -> Examiner:
    """Who examines with this engine."""
    return Examiner(ScreenReader(load_profile("aixplorer")), engine, 40.0, uuid4, previews=previews)


def frame() -> Frame:
    """A frame that has just been captured."""
    return Frame(np.zeros((40, 40, 3), np.uint8), 0, 0, time.monotonic_ns())


def test_a_live_elastogram_is_previewed() -> None:
    """Its scores are shown, and for as long as they say something about the picture."""
    shown = frame()
    preview = previewed(NOTHING, examiner(SlowEngine(0.0)), shown, LIVE, Exam())
    assert preview.scores == ImageScores(S3, S3, S3)
    at = replace(moment(0), monotonic_ns=shown.captured_ns)
    assert preview.shown(at) is not None
    assert preview.shown(replace(at, monotonic_ns=at.monotonic_ns + SHOWN_NS + 1)) is None


def test_it_is_paced_by_what_it_costs() -> None:
    """A slow engine leaves the loop nine tenths of its time, a fast one is asked once a second."""
    for takes_s in (0.0, 0.2):
        engine = SlowEngine(takes_s)
        began_ns = time.monotonic_ns()
        preview = previewed(NOTHING, examiner(engine), frame(), LIVE, Exam())
        assert preview.due_ns - began_ns >= max(EVERY_NS, int(REST * takes_s * 1e9))
        again = previewed(preview, examiner(engine), frame(), LIVE, Exam())
        assert again is preview
        assert engine.asked == 1


@pytest.mark.parametrize(
    ("change", "exam"),
    [
        (lambda reading: replace(reading, frozen=True), Exam()),
        (lambda reading: replace(reading, roi=None), Exam()),
        (lambda reading: replace(reading, view=View.B_MODE), Exam()),
        (lambda reading: replace(reading, rejected=Rejected(Reason.BOX_UNFILLED)), Exam()),
        (lambda reading: reading, Exam(phase=Phase.COMPLETE)),
    ],
)
def test_nothing_else_is_previewed(change: Callable[[ScreenReading], ScreenReading], exam: Exam) -> None:
    """No frozen, refused or other picture, and none once the exam is complete."""
    engine = SlowEngine(0.0)
    assert previewed(NOTHING, examiner(engine), frame(), change(LIVE), exam).scores is None
    assert engine.asked == 0


def test_a_refused_picture_takes_the_preview_away() -> None:
    """What is shown must not be of an earlier picture when this one would be refused."""
    asked = examiner(SlowEngine(0.0))
    preview = previewed(NOTHING, asked, frame(), LIVE, Exam())
    refused = replace(LIVE, rejected=Rejected(Reason.BOX_UNFILLED))
    assert previewed(preview, asked, frame(), refused, Exam()).scores is None


def test_without_an_engine_or_in_a_replay_there_is_none() -> None:
    """No bundle, no preview; a replay spends no time on it."""
    assert previewed(NOTHING, examiner(None), frame(), LIVE, Exam()) is NOTHING
    assert previewed(NOTHING, examiner(SlowEngine(0.0), previews=False), frame(), LIVE, Exam()) is NOTHING
