"""An examination that is advanced by hand, on noise for pictures, and told to an evidence store."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from firmware_app.appliance import Step
from firmware_app.crop import crop_pair
from firmware_app.exam.events import Acquired, Acquisition, Event
from firmware_app.exam.machine import advance
from firmware_app.exam.state import Exam
from firmware_app.examination import crop_digests_of
from firmware_app.health.stopwatch import Stopwatch
from firmware_app.inference import Engine
from firmware_app.journey import Crops, Frame, Roi, Square
from firmware_app.records.audit import Audit
from firmware_app.records.evidence import EvidenceStore
from firmware_app.records.folder import sealed_in
from firmware_app.records.opening import Evidence, read_evidence
from firmware_app.ward.outbox import Outbox
from firmware_app.ward.publication import Appliance
from firmware_app.ward.publisher import Publisher
from tests.firmware_app.exam_examples import acquisition, appliance, uid

ROI = Roi(Square(20, 30, 64), Square(20, 230, 64))


def noise(number: int) -> Frame:
    """A frame of noise; each number gives another one."""
    pixels = np.random.default_rng(number).integers(0, 256, (360, 200, 3), np.uint8)
    return Frame(pixels, number, number, number)


def crops_of(number: int) -> Crops:
    """The crops that its acquisition is scored with."""
    return crop_pair(noise(number), ROI)


def measured(number: int, engine: Engine | None = None) -> Acquisition:
    """The acquisition of that frame, scored if there is an engine."""
    crops = crops_of(number)
    made = replace(acquisition(number), roi=ROI, crop_digests=crop_digests_of(crops))
    return made if engine is None else replace(made, scores=engine.score(crops))


class Examination:
    """Advances an exam, lets the real publisher write it down for nobody, and tells a store."""

    def __init__(
        self,
        folder: Path,
        limit_mb: int = 2000,
        audit: Audit | None = None,
        speaker: Appliance | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.publisher = Publisher(Outbox(1000), None, None, lambda: True, Stopwatch())
        self.store = EvidenceStore(folder, limit_mb, lambda: self.publisher.published, audit)
        self.speaker = speaker or appliance()
        self.engine = engine
        self.exam = Exam()

    def take(self, *numbers: int) -> Examination:
        """Acquisitions with these numbers; number 7 is of the seventh second."""
        for number in numbers:
            made = measured(number, self.engine)
            if self.speaker.manifest is None:
                made = replace(made, scores=None)
            self.happen(Acquired(uid(1000 + number), made.at, made), noise(number))
        return self

    def happen(self, event: Event, frame: Frame | None = None) -> Examination:
        """One event of the exam."""
        self.exam, effects = advance(self.exam, event)
        return self.tell(Step(frame or noise(0), None, event.at, self.exam, effects))

    def tell(self, step: Step) -> Examination:
        """One step, to everybody."""
        self.publisher.tell(step, self.speaker)
        self.store.tell(step, self.speaker)
        return self


def wait_for(condition: Callable[[], bool]) -> None:
    """Until it holds; a minute at most."""
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def until_sealed(folder: Path, count: int = 1) -> list[Evidence]:
    """The evidence in a folder, as soon as there is so much of it."""
    wait_for(lambda: len(sealed_in(folder)) >= count)
    return [read_evidence(file) for file in sealed_in(folder)]


def pending_in(folder: Path) -> list[str]:
    """Ids of the acquisitions that wait for their result."""
    return sorted(file.stem for file in folder.glob("pending/*/[!.]*.zip"))
