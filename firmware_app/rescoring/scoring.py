"""One recording scored again, by whichever worker takes it. Nothing in the answer depends on which one did.

A worker gives a recording one thread for the networks and one for the pictures: many recordings at once use
the processor better than many threads for one, and the same number everywhere gives the same bits.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2

from calibration.errors import CalibrationError
from firmware_app.assembly import appliance_of, screen_reader
from firmware_app.bundle_commands import keys_of
from firmware_app.config import Config
from firmware_app.errors import FibrostageError, WrongInputError
from firmware_app.inference.bundle import digest_of
from firmware_app.model import Model, Opened, load_model
from firmware_app.replay import Summary, replay
from firmware_app.ward.messages import AcquisitionMessage, Message, RefusalMessage, ResultMessage
from firmware_app.ward.publication import Appliance

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who scores: whatever else than the recording decides what the messages say."""

    software: str
    bundle_id: str | None
    profile_id: str | None
    site: str
    device: str
    room: str
    language: str


@dataclass(frozen=True, slots=True)
class Setup:
    """How the archive is scored; the same for every worker. Paths must mean the same on its machine.

    Attributes:
        config: as loaded.
        bundle: folder of the bundle; None: the demonstration's.
        trusted: further files of keys that are trusted.
        profile: screen profile, a name or a file.
        speaker: what whoever asks is; a worker that is another refuses.
    """

    config: Config
    bundle: Path | None
    trusted: tuple[Path, ...]
    profile: str
    speaker: Speaker


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording to score.

    Attributes:
        name: relative to the archive, with `/`.
        path: where it lies.
        known: SHA-256 of the recording that was scored under this name by this very speaker; None: none was.
    """

    name: str
    path: Path
    known: str | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """What came of a recording: the messages in order, and how many frames there were."""

    messages: tuple[Message, ...]
    summary: Summary


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The recording was scored before, and is still the same."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The recording could not be scored; why not, in one line."""

    reason: str


Outcome = Scored | Unchanged | Failed


@dataclass(frozen=True, slots=True)
class _Bench:
    setup: Setup
    model: Model


_BENCHES = threading.local()
"""The open model of each worker's thread: it is opened once, and an engine belongs to one thread."""


def score(setup: Setup, recording: Recording) -> Outcome:
    """Score one recording. Whatever goes wrong with it is its outcome."""
    try:
        if recording.known is not None and digest_of(recording.path) == recording.known:
            return Unchanged()
        return _scored(setup, recording)
    except FileNotFoundError:
        return Failed("the worker does not find it: the archive must lie under the same path everywhere")
    except (FibrostageError, CalibrationError, OSError) as error:
        return Failed(" ".join(str(error).split()))
    except Exception as error:  # the outermost of a worker: the other recordings must not suffer
        LOG.exception("%s", recording.path)
        return Failed(f"a fault of the program: {error!r}")


def speaker_of(appliance: Appliance) -> Speaker:
    """Who an appliance is in a message."""
    return Speaker(
        appliance.software,
        appliance.bundle_id,
        appliance.profile_id,
        appliance.site,
        appliance.device,
        appliance.room,
        appliance.language,
    )


def _scored(setup: Setup, recording: Recording) -> Scored:
    model = _model(setup)
    # A reader follows one stream: with the next recording it begins anew, whatever was played before.
    reader = screen_reader(setup.profile)
    appliance = appliance_of(setup.config, Opened(model), reader)
    speaker = speaker_of(appliance)
    if speaker != setup.speaker:
        raise WrongInputError(
            f"the worker has {speaker.software}, {speaker.bundle_id}, profile {speaker.profile_id}; "
            f"asked for is {setup.speaker.software}, {setup.speaker.bundle_id}, {setup.speaker.profile_id}"
        )
    *messages, summary = replay(recording.path, reader, model, appliance)
    if not isinstance(summary, Summary):
        raise TypeError("a replay ends with its summary")
    return Scored(tuple(_untimed(one) for one in messages if not isinstance(one, Summary)), summary)


def _model(setup: Setup) -> Model:
    bench: _Bench | None = getattr(_BENCHES, "bench", None)
    if bench is not None and bench.setup == setup:
        return bench.model
    if bench is not None:
        _BENCHES.bench = None
        bench.model.engine.close()
    cv2.setNumThreads(1)
    inference = setup.config.inference.model_copy(update={"threads": 1})
    model = load_model(setup.bundle, inference, keys_of(setup.config.bundle_keys, setup.trusted))
    _BENCHES.bench = _Bench(setup, model)
    return model


def _untimed(message: Message) -> Message:
    """Without the only thing that another run says otherwise: how long this machine took.

    By the clock of the recording nobody waited: the latency is 0.
    """
    at_once = {"latency_ms": 0.0}
    match message:
        case AcquisitionMessage(evidence=seen) | RefusalMessage(evidence=seen):
            return message.model_copy(update={"evidence": seen.model_copy(update=at_once)})
        case ResultMessage(evidence=evidence):
            counted = [one.model_copy(update=at_once) for one in evidence.acquisitions]
            untimed = evidence.model_copy(update={**at_once, "acquisitions": counted})
            return message.model_copy(update={"evidence": untimed})
        case _:
            return message
