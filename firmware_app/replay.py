"""`fibrostage replay`: the same path over a recorded file, faster than real time, with no broker."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import UUID, uuid5

from firmware_app.appliance import follow
from firmware_app.assembly import examiner_of, recorded_at
from firmware_app.exam.state import AcquisitionAccepted, AcquisitionRefused, ResultIssued
from firmware_app.inference.bundle import digest_of
from firmware_app.journey import Frame
from firmware_app.model import Model
from firmware_app.screen import ScreenReader
from firmware_app.video.pipeline import open_pipeline
from firmware_app.video.sources import FileSource
from firmware_app.video.stream_events import StreamEnded
from firmware_app.ward.messages import AcquisitionMessage, Message, RefusalMessage, ResultMessage
from firmware_app.ward.publication import Appliance, publication_of
from firmware_app.wording import NOTICE

_NAMESPACE = UUID("5f1b0a52-6d0e-5a0c-9f53-6a5d3a0f9f11")
"""Ids of a replay are derived from the recording's digest: replayed again, it gives the same ids."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a replay amounted to.

    Attributes:
        video: SHA-256 of the recording.
        frames: frames analysed.
        video_s: time stamp of the last frame.
        elapsed_s: how long the replay took.
        acquisitions: accepted.
        refusals: refused.
        results: outcomes issued.
        broke_off: None, or one sentence when the recording ends before its end.
    """

    video: str
    frames: int
    video_s: float
    elapsed_s: float
    acquisitions: int
    refusals: int
    results: int
    broke_off: str | None


def replay(
    path: Path,
    reader: ScreenReader,
    model: Model,
    appliance: Appliance,
    on_frame: Callable[[], object] = lambda: None,
) -> Iterator[Message | Summary]:
    """Play a recording through the appliance.

    Yields:
        The very payloads that MQTT would carry (acquisitions, refusals, results), then one summary.

    Raises:
        SourceError: the file is missing, is not a video, or holds no picture.
    """
    with open_pipeline(FileSource(path), every_frame=True) as pipeline:
        digest, began_ns = digest_of(path), time.monotonic_ns()
        examiner = examiner_of(reader, model, _ids(digest))
        frames, pts_ns, broke_off = 0, 0, None
        acquisitions = refusals = results = 0
        for step in follow(pipeline.frames(threading.Event()), examiner, recorded_at):
            if isinstance(step.event, StreamEnded):
                broke_off = step.event.error
            elif isinstance(step.event, Frame):
                frames, pts_ns = frames + 1, step.event.pts_ns
                on_frame()
                for effect in step.effects:
                    publication = publication_of(effect, step.at, appliance, time_trusted=False)
                    match effect:
                        case AcquisitionAccepted():
                            acquisitions += 1
                        case AcquisitionRefused():
                            refusals += 1
                        case ResultIssued():
                            results += 1
                        case _:
                            continue
                    if publication is not None and publication.message is not None:
                        yield publication.message
        elapsed_s = (time.monotonic_ns() - began_ns) / 1e9
        yield Summary(digest, frames, pts_ns / 1e9, elapsed_s, acquisitions, refusals, results, broke_off)


def _ids(digest: str) -> Callable[[], UUID]:
    numbers = iter(range(1 << 62))
    return lambda: uuid5(_NAMESPACE, f"{digest}:{next(numbers)}")


def line_of(told: Message | Summary) -> str:
    """One JSON object: the payload as MQTT would carry it, or the summary."""
    if isinstance(told, Summary):
        return json.dumps({"type": "summary", **asdict(told), "notice": NOTICE})
    return told.to_json()


def sentence_of(told: Message | Summary) -> str:
    """One line for people."""
    match told:
        case AcquisitionMessage():
            stiffness = told.evidence.stiffness
            value = "" if stiffness is None else f": {stiffness.mean_kpa:.1f} kPa"
            return f"acquisition {told.n} of {told.needed}{value}"
        case RefusalMessage():
            return f"refused: {told.text}" + (f" ({told.detail})" if told.detail else "")
        case ResultMessage():
            return f"result: {told.stage_text}, LSM {told.lsm.mean_kpa:.1f} kPa. {told.notice}"
        case Summary():
            speed = told.video_s / told.elapsed_s if told.elapsed_s > 0 else 0.0
            return (
                f"{told.frames} frames, {told.acquisitions} acquisitions, {told.refusals} refusals, "
                f"{told.results} results; {speed:.1f} times real time"
            )
        case _:
            return told.to_json()
