"""Why a live source is silent: what its stream said, whether the device is there, what the device says."""

from __future__ import annotations

import threading
from collections.abc import Callable

from firmware_app.video import sources, stream_events, v4l2
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.frame_meter import FrameMeter
from firmware_app.video.sources import Source, V4l2Source
from firmware_app.video.stream_events import BusRecord
from firmware_app.video.v4l2 import Fault

_ANSWER_S = 0.1
"""How long an answer of the device is waited for; one that comes later is told with the next report."""


class Inquiry:
    """Asks a device on a thread of its own, since it may take as long as it likes; one question at a time."""

    def __init__(self, ask: Callable[[], Fault | None]) -> None:
        self._ask = ask
        self._thread: threading.Thread | None = None
        self._answer: Fault | None = None

    def answer(self) -> Fault | None:
        """The newest answer; None: nothing is wrong, or the device has not said so far."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="video inquiry", daemon=True)
            self._thread.start()
        self._thread.join(_ANSWER_S)
        return self._answer

    def close(self) -> None:
        """Wait for a question in progress, but not for ever."""
        if self._thread is not None:
            self._thread.join(1.0)

    def _run(self) -> None:
        self._answer = self._ask()


class Diagnosis:
    """What is wrong while no frame comes. Remembers only whether pictures came that could not be used."""

    def __init__(self, source: Source, meter: FrameMeter) -> None:
        self._source = source
        self._meter = meter
        self.unusable = False
        self._inquiry: Inquiry | None = None
        if isinstance(source, V4l2Source):
            self._inquiry = Inquiry(lambda: v4l2.fault_of(source.device))

    def of(self, record: BusRecord | None) -> Fault:
        """What is wrong, and why.

        Args:
            record: how the present opening ended; None: it goes on in silence.
        """
        if self._meter.repeats_now:
            return Fault(CaptureState.FROZEN_SOURCE, "the device gives its last picture again and again")
        if self.unusable:
            return Fault(CaptureState.UNSUPPORTED_TIMING, "its pictures are smaller than it says")
        if sources.is_missing(self._source):
            return Fault(CaptureState.NO_DEVICE, "it is not there")
        told = None if self._inquiry is None else self._inquiry.answer()
        return told or Fault(stream_events.state_of(record), stream_events.loss_of(record))

    def close(self) -> None:
        """Let go of the device."""
        if self._inquiry is not None:
            self._inquiry.close()
