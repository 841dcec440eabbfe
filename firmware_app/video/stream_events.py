"""What happens to a stream, as values: what GStreamer's bus says and what the consumer hears.

Pure: nothing here imports GStreamer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware_app.errors import SourceError
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.sources import Source, name_of, patience_s

_RETRY_S = 1.0
"""Between two openings of a source that answers with an error."""
_BREAK_NS = 500_000_000
"""A file whose last frame lies this far before the end that it announces broke off."""


@dataclass(frozen=True, slots=True)
class SignalLost:
    """No frame for a while; repeated once per time-out until the signal is back.

    Attributes:
        state: what is wrong, as far as it is known by now; may become more exact while the silence lasts.
        silent_s: seconds since the last frame, or since the opening.
        cause: what is known about it, one clause.
        attempts: how often the source was opened again in this silence.
    """

    state: CaptureState
    silent_s: float
    cause: str
    attempts: int


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The file is over; `error` is None, or one sentence when it broke off before its end."""

    error: str | None = None


@dataclass(frozen=True, slots=True)
class BusError:
    """An error on GStreamer's bus: its element, domain and code, its text, and details for the log."""

    element: str
    domain: str
    code: int
    text: str
    debug: str


@dataclass(frozen=True, slots=True)
class EndOfStream:
    """The end of the stream on GStreamer's bus."""


BusRecord = BusError | EndOfStream


_CORE, _STREAM = "gst-core-error-quark", "gst-stream-error-quark"
_RESOURCE = "gst-resource-error-quark"
_CAUSES: dict[tuple[str, int], str] = {
    (_CORE, 10): "it does not offer this size, rate or format",  # NEGOTIATION
    (_STREAM, 4): "it is of an unknown type",  # TYPE_NOT_FOUND
    (_STREAM, 5): "it holds no picture",  # WRONG_TYPE
    (_STREAM, 6): "no decoder is installed for its format",  # CODEC_NOT_FOUND
    (_STREAM, 7): "its pictures cannot be decoded",  # DECODE
    (_STREAM, 9): "it is cut off or damaged",  # DEMUX
    (_RESOURCE, 3): "it does not exist or does not answer",  # NOT_FOUND
    (_RESOURCE, 4): "it is used by another program",  # BUSY
    (_RESOURCE, 5): "it cannot be opened for reading",  # OPEN_READ
    (_RESOURCE, 7): "it cannot be opened",  # OPEN_READ_WRITE
    (_RESOURCE, 9): "reading from it failed",  # READ
    (_RESOURCE, 13): "it does not offer this size, rate or format",  # SETTINGS
    (_RESOURCE, 15): "it refuses the user name or password",  # NOT_AUTHORIZED
}
"""GStreamer's error codes in words (GstCoreError, GstStreamError and GstResourceError)."""
_STATES: dict[tuple[str, int], CaptureState] = {
    (_CORE, 10): CaptureState.UNSUPPORTED_TIMING,  # NEGOTIATION
    (_STREAM, 4): CaptureState.UNSUPPORTED_TIMING,  # TYPE_NOT_FOUND
    (_STREAM, 5): CaptureState.UNSUPPORTED_TIMING,  # WRONG_TYPE
    (_STREAM, 6): CaptureState.UNSUPPORTED_TIMING,  # CODEC_NOT_FOUND
    (_STREAM, 9): CaptureState.NO_SIGNAL,  # DEMUX
    (_RESOURCE, 3): CaptureState.NO_DEVICE,  # NOT_FOUND
    (_RESOURCE, 4): CaptureState.NO_DEVICE,  # BUSY
    (_RESOURCE, 5): CaptureState.NO_DEVICE,  # OPEN_READ
    (_RESOURCE, 7): CaptureState.NO_DEVICE,  # OPEN_READ_WRITE
    (_RESOURCE, 13): CaptureState.UNSUPPORTED_TIMING,  # SETTINGS
    (_RESOURCE, 15): CaptureState.NO_DEVICE,  # NOT_AUTHORIZED
}
"""What GStreamer's error codes say about the video; all others: no signal."""


def cause_of(error: BusError) -> str:
    """What a bus error says about its source, one clause; GStreamer's own text where we have no words."""
    known = _CAUSES.get((error.domain, error.code))
    if known is None and any(sign in error.debug for sign in ("not-linked", "no suitable plugins")):
        known = "it holds no picture that can be decoded here"
    return known or error.text.rstrip(".")


def gravest(records: Sequence[BusRecord]) -> BusRecord | None:
    """The first error, since the others follow from it; without an error the end of the stream; or None."""
    return next((record for record in records if isinstance(record, BusError)), next(iter(records), None))


def loss_of(record: BusRecord | None) -> str:
    """Why a live source is silent, one clause."""
    match record:
        case BusError():
            return cause_of(record)
        case EndOfStream():
            return "the sender has stopped"
        case None:
            return "no picture arrives"


def state_of(record: BusRecord | None) -> CaptureState:
    """What is wrong with a live source that is silent, as far as its stream tells."""
    if not isinstance(record, BusError):
        return CaptureState.NO_SIGNAL
    if "not-negotiated" in record.debug:
        return CaptureState.UNSUPPORTED_TIMING
    return _STATES.get((record.domain, record.code), CaptureState.NO_SIGNAL)


def is_due(
    source: Source, record: BusRecord | None, open_s: float, silent_s: float, *, flowing: bool = False
) -> bool:
    """Whether to open a live source again: soon after an error, with patience while it is only silent.

    Args:
        source: the live source.
        record: how its stream ended; None: it is open and silent.
        open_s: seconds since it was opened.
        silent_s: seconds since the last frame.
        flowing: data arrives, though no picture has come of it yet.
    """
    if record is not None:
        return open_s >= _RETRY_S
    return min(open_s, silent_s) >= patience_s(source, flowing=flowing)


def break_of(source: Source, record: BusRecord, last_pts_ns: int, end_ns: int | None) -> str | None:
    """One sentence when a file broke off before the end that it announces; None when it simply ended."""
    at = f"{name_of(source)} breaks off after {last_pts_ns / 1e9:.1f} s"
    if isinstance(record, BusError):
        return f"{at}: {cause_of(record)}."
    if end_ns is not None and end_ns - last_pts_ns > _BREAK_NS:
        return f"{at} of {end_ns / 1e9:.1f} s: copy or record it again."
    return None


def no_picture(source: Source, record: BusRecord | None) -> SourceError:
    """The error of a file that never showed a picture."""
    if isinstance(record, BusError):
        return SourceError(f"{name_of(source)} is not a video that can be played: {cause_of(record)}.")
    return SourceError(f"{name_of(source)} holds no picture: record or copy it again.")
