"""An exam that is interrupted in the middle of a drawn video: the whole path, before and after."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID

from calibration.profile import load_profile
from firmware_app.appliance import Beginning, Step, follow
from firmware_app.assembly import recorded_at
from firmware_app.exam.keeping import from_bytes, to_bytes
from firmware_app.exam.resumption import resumed
from firmware_app.exam.state import AcquisitionAccepted, Exam, ExamChanged, Phase, ResultIssued
from firmware_app.examination import Examiner
from firmware_app.screen import ScreenReader
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sources import FileSource
from firmware_app.wording import Closing
from tests.conftest import DrawnExam


def ids(prefix: int) -> Iterator[UUID]:
    """Fresh ids."""
    number = prefix << 32
    while True:
        number += 1
        yield UUID(int=number)


def examiner(prefix: int) -> Examiner:
    """A process that has just been started: it knows nothing of the one before. Stiffness is enough here."""
    fresh = ids(prefix)
    return Examiner(ScreenReader(load_profile("aixplorer")), None, 40.0, lambda: next(fresh))


def interrupted(drawn: DrawnExam, *, banner: bool, live: bool) -> tuple[Exam, list[Step]]:
    """Kill the first process after two acquisitions, and follow the second one to the end.

    Args:
        drawn: the exam.
        banner: whether the second process remembers the banner.
        live: whether the scanner is live again by then, and shows nothing of what was counted.

    Returns:
        What was kept, and the steps of the second process that brought something about.
    """
    told: list[Step] = []
    with open_pipeline(FileSource(drawn.video), every_frame=True) as pipeline:
        video = pipeline.frames(threading.Event())
        for step in follow(video, examiner(1), recorded_at):
            frozen = step.reading is not None and step.reading.frozen
            if len(step.exam.acquisitions) == 2 and frozen is not live:
                break
        kept = from_bytes(to_bytes(step.exam, None), None)
        assert kept is not None
        beginning = Beginning(resumed(kept, step.at, 0), step.banner if banner else None)
        assert beginning.exam.phase is Phase.HELD
        told.extend(step for step in follow(video, examiner(2), recorded_at, beginning) if step.effects)
    return kept, told


def test_the_same_patient_goes_on_after_a_crash(drawn_exam: DrawnExam) -> None:
    """The next process sees the same banner: the exam is completed under its id, nothing counted twice."""
    kept, told = interrupted(drawn_exam, banner=True, live=True)
    accepted = [e for step in told for e in step.effects if isinstance(e, AcquisitionAccepted)]
    assert [e.n for e in accepted] == [3, 4, 5]
    issued = [e for step in told for e in step.effects if isinstance(e, ResultIssued)]
    assert [e.exam.id for e in issued] == [kept.id]
    means = [a.stiffness.mean_kpa for a in issued[0].exam.acquisitions]
    truth = [a["q_box_mean_kpa"] for a in drawn_exam.truth["acquisitions"]]
    assert all(abs(mean - true) < 0.5 for mean, true in zip(means, truth, strict=True))


def test_after_a_power_cut_nobody_knows_the_patient(drawn_exam: DrawnExam) -> None:
    """Without the banner the next freeze closes the held exam by name and begins another one."""
    kept, told = interrupted(drawn_exam, banner=False, live=True)
    accepted = [e for step in told for e in step.effects if isinstance(e, AcquisitionAccepted)]
    assert [e.n for e in accepted] == [1, 2, 3]
    assert kept.id not in {e.exam_id for e in accepted}
    closings = {
        e.exam.closing
        for step in told
        for e in step.effects
        if isinstance(e, ExamChanged) and e.exam.id == kept.id
    }
    assert Closing.INTERRUPTED in closings


def test_a_screen_that_still_shows_the_exam_tells_whose_it_is(drawn_exam: DrawnExam) -> None:
    """After a power cut the frozen picture that was counted last proves the patient: the exam goes on."""
    kept, told = interrupted(drawn_exam, banner=False, live=False)
    accepted = [e for step in told for e in step.effects if isinstance(e, AcquisitionAccepted)]
    assert [e.n for e in accepted] == [3, 4, 5]
    assert {e.exam_id for e in accepted} == {kept.id}
