"""Texts are read while the networks score: the answer is the very one of reading first and scoring then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from calibration.phantom import draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.errors import EngineError
from firmware_app.exam.events import Acquired, FreezeEvidence, Refused
from firmware_app.examination import Examiner, Subject, examine
from firmware_app.journey import Crops, Frame, ImageScores, Rejected, Roi, ScreenReading
from firmware_app.screen import ScreenReader
from firmware_app.wording import Reason
from tests.firmware_app.exam_examples import moment


class MeanEngine:
    """Scores are the mean of a crop, so that another square has other ones."""

    name = "mean"

    def __init__(self) -> None:
        self.asked = 0

    def score(self, crops: Crops) -> ImageScores:
        """The same for the same crops."""
        self.asked += 1
        mean = float(crops.elastogram.mean())
        return ImageScores((mean, 0.0, 0.0), (mean, 0.0, 0.0), (mean, 0.0, 0.0))

    def close(self) -> None:
        """Nothing to release."""


class BrokenEngine(MeanEngine):
    """Fails."""

    def score(self, crops: Crops) -> ImageScores:
        """Never scores."""
        raise EngineError(f"cannot score {crops.gray.shape}")


class ChangedReader(ScreenReader):
    """Changes its mind once it has read the text."""

    def __init__(self, change: Callable[[ScreenReading], ScreenReading]) -> None:
        super().__init__(load_profile("aixplorer"))
        self._change = change
        self.read_by = ""

    def read_text(self, frame: Frame, reading: ScreenReading) -> ScreenReading:
        """What was read, changed."""
        read = self._change(super().read_text(frame, reading))
        self.read_by = threading.current_thread().name
        return read


@pytest.fixture
def texts() -> Iterator[Executor]:
    """The thread that reads texts."""
    with ThreadPoolExecutor(1, thread_name_prefix="texts") as executor:
        yield executor


@pytest.fixture(scope="module")
def frame() -> Frame:
    """A drawn acquisition of 40 kPa, frozen, with its Q-box."""
    picture, _ = draw_acquisition(draw_patient(np.random.default_rng(5), stage=2), 0, 5)
    return Frame(np.ascontiguousarray(picture), 0, 0, 0)


def examined(
    frame: Frame,
    engine: MeanEngine,
    texts: Executor | None,
    change: Callable[[ScreenReading], ScreenReading] = lambda reading: reading,
) -> tuple[Acquired | Refused, ChangedReader]:
    """What becomes of the frame."""
    numbers, reader = iter(range(1, 100)), ChangedReader(change)
    examiner = Examiner(reader, engine, 40.0, lambda: UUID(int=next(numbers)), texts=texts)
    subject = Subject(frame, reader.read(frame), moment(0), FreezeEvidence(0, None), 0)
    return examine(examiner, subject), reader


def test_reading_beside_scoring_changes_nothing(frame: Frame, texts: Executor) -> None:
    """Every value of the acquisition is the same, latency apart, and the networks are asked once."""
    one_by_one, beside = MeanEngine(), MeanEngine()
    first, _ = examined(frame, one_by_one, None)
    second, reader = examined(frame, beside, texts)
    assert isinstance(first, Acquired)
    assert isinstance(second, Acquired)
    assert reader.read_by.startswith("texts")
    assert replace(second.acquisition, latency_ms=0.0) == replace(first.acquisition, latency_ms=0.0)
    assert first.acquisition.scores is not None
    assert (one_by_one.asked, beside.asked) == (1, 1)


def test_scores_of_another_square_count_for_nothing(frame: Frame, texts: Executor) -> None:
    """Where the square is another one with the text, it is scored anew."""

    def moved(reading: ScreenReading) -> ScreenReading:
        assert reading.roi is not None
        smaller = replace(reading.roi.elastogram, side=reading.roi.elastogram.side // 2)
        return replace(reading, roi=Roi(smaller, replace(reading.roi.gray, side=smaller.side)))

    engine = MeanEngine()
    expected, _ = examined(frame, MeanEngine(), None, moved)
    found, _ = examined(frame, engine, texts, moved)
    assert isinstance(expected, Acquired)
    assert isinstance(found, Acquired)
    assert engine.asked == 2
    assert found.acquisition.scores == expected.acquisition.scores


def test_what_the_text_refuses_stays_refused(frame: Frame, texts: Executor) -> None:
    """Scores that are there already do not make an acquisition of a refused picture."""

    def refused(reading: ScreenReading) -> ScreenReading:
        return replace(reading, rejected=Rejected(Reason.READOUT_DISAGREES))

    found, _ = examined(frame, MeanEngine(), texts, refused)
    assert isinstance(found, Refused)
    assert found.refusal.reason is Reason.READOUT_DISAGREES


def test_an_engine_that_fails_leaves_nobody_reading(frame: Frame, texts: Executor) -> None:
    """Its error comes once the text is read: the reader is used by one thread at a time."""
    done = threading.Event()

    def told(reading: ScreenReading) -> ScreenReading:
        done.set()
        return reading

    with pytest.raises(EngineError):
        examined(frame, BrokenEngine(), texts, told)
    assert done.is_set()
