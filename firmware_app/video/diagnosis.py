"""Why a live source is silent: what its stream said, whether the device is there, what the device says."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from firmware_app.video import sources, stream_events, v4l2
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.frame_meter import FrameMeter
from firmware_app.video.sources import RtspSource, Source, V4l2Source
from firmware_app.video.stream_events import BusRecord
from firmware_app.video.v4l2 import Fault

_ANSWER_S = 0.1
"""How long an answer of the device is waited for; one that comes later is told with the next report."""


_YOUNG_S = 0.5
"""An opening of a source takes up to so long before its silence means anything."""
_SEVERAL = 5
"""Pictures that arrived and of which nothing came."""


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
    """What is wrong while no frame comes. Remembers what it told."""

    def __init__(self, source: Source, meter: FrameMeter) -> None:
        self._source = source
        self._meter = meter
        self._told: Fault | None = None
        self._inquiry: Inquiry | None = None
        if isinstance(source, V4l2Source):
            self._inquiry = Inquiry(lambda: v4l2.fault_of(source.device))

    def heard(self) -> None:
        """A frame came: what was wrong before is over."""
        self._told = None

    def of(self, record: BusRecord | None, open_s: float, *, answered: bool) -> Fault:
        """What is wrong, and why.

        Args:
            record: how the present opening ended; None: it goes on in silence.
            open_s: seconds since it was opened; one that has only begun leaves standing what was told before.
            answered: a network encoder has promised a picture; other sources make no promises.
        """
        young = record is None and open_s < _YOUNG_S
        if not young or self._told is None:
            self._told = self._looked(record, answered=answered)
        return self._told

    def _looked(self, record: BusRecord | None, *, answered: bool) -> Fault:
        if self._meter.damaged_now:
            return Fault(CaptureState.NO_SIGNAL, "its pictures arrive damaged")
        if sources.is_missing(self._source):
            return Fault(CaptureState.NO_DEVICE, "it is not there")
        told = None if self._inquiry is None else self._inquiry.answer()
        if told is None and record is None and self._meter.is_suspect:
            return Fault(CaptureState.FROZEN_SOURCE, "the device gives its last picture again and again")
        if record is None and self._meter.untaken > _SEVERAL:
            return Fault(CaptureState.UNSUPPORTED_TIMING, "its pictures are not what it says they are")
        if isinstance(self._source, RtspSource) and not answered:
            told = _unanswered(self._source, record)
        return told or Fault(stream_events.state_of(record), stream_events.loss_of(record))

    def close(self) -> None:
        """Let go of the device."""
        if self._inquiry is not None:
            self._inquiry.close()


def _unanswered(source: RtspSource, record: BusRecord | None) -> Fault | None:
    """What is wrong with an encoder of which nothing was heard; None: GStreamer's own word says it better."""
    if is_cut_off(source):
        return Fault(CaptureState.NO_CABLE, "this machine's own network has no way to it")
    if stream_events.state_of(record) is CaptureState.NO_SIGNAL:
        return Fault(CaptureState.NO_DEVICE, "it does not answer as an encoder would")
    return None


def is_cut_off(source: RtspSource) -> bool:
    """Whether this machine has no way to an encoder's network; nothing is sent. Names are not looked up."""
    try:
        address = urlsplit(source.url)
        family = socket.AF_INET6 if ":" in (address.hostname or "") else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((str(ip_address(address.hostname or "")), address.port or 554))
    except ValueError:  # a name, or no address at all
        return False
    except OSError as error:
        return error.errno in {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL}
    return False
