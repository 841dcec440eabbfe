"""A bedside page for tests: real exam, inbox, board, mirror and server; events come by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from uuid import uuid4

import numpy as np

from calibration.phantom import draw_acquisition, draw_patient
from calibration.profile import load_profile
from firmware_app.appliance import Step
from firmware_app.bedside.desk import Desk, Surroundings, open_bedside
from firmware_app.config import BedsideConfig
from firmware_app.exam.events import Acquired, Event, Moment, Refused
from firmware_app.exam.machine import advance
from firmware_app.exam.state import CommandFault, CommandRefused, Effect, Exam, Phase
from firmware_app.health.stopwatch import Latency
from firmware_app.journey import Frame, ScreenReading
from firmware_app.screen import ScreenReader
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.video.mirror import Mirror
from firmware_app.video.stream_events import SignalLost
from firmware_app.ward.commands import Answer, CommandError, event_of
from firmware_app.ward.inbox import Inbox, Request
from firmware_app.ward.publication import Appliance
from firmware_app.wording import Language
from tests.firmware_app.exam_examples import appliance

PICTURES = 5
STATISTICS = PipelineStatistics(3600, 3550, 50, 3600, 0, 1, Latency(3600, 1.2, 2.4, 4.8, 9.6))


@lru_cache(maxsize=1)
def seen() -> tuple[tuple[Frame, ScreenReading], ...]:
    """Frozen screens of the virtual scanner, and what the appliance reads in them."""
    reader, rng = ScreenReader(load_profile("aixplorer")), np.random.default_rng(4711)
    patient, found = draw_patient(rng, stage=3), []
    for number in range(20):
        picture, _ = draw_acquisition(patient, number % 5, number)
        frame = Frame(np.ascontiguousarray(picture), number, 0, time.monotonic_ns())
        reading = reader.read(frame)
        if reading.roi is not None and reading.q_box is not None:
            found.append((frame, reading))
        if len(found) == PICTURES:
            break
    return tuple(found)


def now() -> Moment:
    """This moment."""
    return Moment(datetime.now(timezone.utc), time.monotonic_ns())


class Bench:
    """The frame loop's place, taken by a thread that carries out commands and tells the page."""

    def __init__(self, speaker: Appliance, *, answering: bool = True) -> None:
        self.speaker = speaker
        self.exam = Exam()
        self.mirror, self.inbox = Mirror(), Inbox()
        self.desk: Desk | None = None
        self.commands: list[str] = []
        self._answering = answering
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._frame = 0
        self._thread = threading.Thread(target=self._run, name="bench")

    @property
    def url(self) -> str:
        """Where the page is."""
        assert self.desk is not None
        return f"http://127.0.0.1:{self.desk.port}"

    def play(self, *events: Event) -> None:
        """What the frame loop would make of these events; verdicts get a picture that was really read."""
        with self._lock:
            for event in events:
                self.exam, effects = advance(self.exam, self._pictured(event))
                self._tell(effects)

    def hold(self) -> None:
        """The appliance went down and comes back: the exam is held, and its crops are gone."""
        with self._lock:
            assert self.desk is not None
            self.desk._board.album.keep_only(())
            self.exam = replace(self.exam, phase=Phase.HELD)
            self._tell(())

    def lose(self, lost: SignalLost) -> None:
        """The signal goes."""
        with self._lock:
            self._tell((), lost)

    def _pictured(self, event: Event) -> Event:
        self._frame = (self._frame + 1) % PICTURES
        roi = seen()[self._frame][1].roi
        assert roi is not None
        match event:
            case Acquired():
                return replace(event, acquisition=replace(event.acquisition, roi=roi))
            case Refused():
                return replace(event, refusal=replace(event.refusal, roi=roi))
            case _:
                return event

    def _tell(self, effects: tuple[Effect, ...], event: SignalLost | None = None) -> None:
        frame, reading = seen()[self._frame]
        assert self.desk is not None
        if event is None:
            self.desk.tell(Step(frame, reading, now(), self.exam, effects), self.speaker)
        else:
            self.desk.tell(Step(event, None, now(), self.exam, effects), self.speaker)

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            if not self._answering:
                continue
            for request in self.inbox.take_all():
                self._carry_out(request)
            if self.mirror.watchers:
                frame = seen()[self._frame][0]
                self.mirror.put(frame.pixels, time.monotonic_ns())

    def _carry_out(self, request: Request) -> None:
        with self._lock:
            fault: CommandFault | None = None
            assert not isinstance(request.command, CommandError)
            self.commands.append(request.name)
            try:
                event = event_of(request.command, self.exam, uuid4(), now())
                self.exam, effects = advance(self.exam, event)
                fault = next((e.fault for e in effects if isinstance(e, CommandRefused)), None)
                self._tell(effects)
            except CommandError as error:
                fault = error.fault
        header = self.speaker.header(now().utc, time_trusted=True)
        request.answer(
            Answer(
                **dict(header),
                command=request.name,
                ok=fault is None,
                fault=fault,
                text="",
                exam_id=self.exam.id,
            )
        )

    @contextmanager
    def running(self, config: BedsideConfig) -> Iterator[Bench]:
        """The page is open for the length of the block."""
        around = Surroundings(
            appliance=self.speaker,
            profile=load_profile("aixplorer"),
            mirror=self.mirror,
            inbox=self.inbox,
            statistics=lambda: STATISTICS,
            time_trusted=lambda: True,
            config_path=None,
        )
        with open_bedside(config, around) as self.desk:
            self._tell(())
            self._thread.start()
            try:
                yield self
            finally:
                self._stop.set()
                self._thread.join(10)


@contextmanager
def bench(
    config: BedsideConfig | None = None, language: Language = "en", *, answering: bool = True
) -> Iterator[Bench]:
    """A page on a free port of this machine."""
    config = config or BedsideConfig()
    free = config.model_copy(update={"port": 0})
    speaker = replace(appliance(), language=language)
    with Bench(speaker, answering=answering).running(free) as made:
        yield made
