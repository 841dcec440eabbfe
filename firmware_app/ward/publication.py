"""From the exam's effects to what goes over the wire: topic, payload, retained or not, for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from firmware_app.exam.events import Moment
from firmware_app.exam.state import (
    AcquisitionAccepted,
    AcquisitionRefused,
    CommandRefused,
    Effect,
    ExamChanged,
    ResultCleared,
    ResultIssued,
)
from firmware_app.inference.bundle import Manifest
from firmware_app.inference.shadow import Disagreement
from firmware_app.outcome import decide
from firmware_app.video.capture_state import CaptureState
from firmware_app.ward import messages
from firmware_app.ward.payloads import acquisition_message, exam_message, refusal_message, result_message
from firmware_app.wording import NOTICE, Language, Rung, Sentences, sentences

ROOT = "fibrostage/v1"
EXAM_EXPIRY_S = 60 * 60
"""A broker forgets the state of an exam after an hour: longer than any exam may stand still."""
HEALTH_EXPIRY_S = 60
"""A broker keeps health for a subscriber that is away for a minute: nobody wants to know how it was."""
RESULT_EXPIRY_S = 12 * 60 * 60
"""A broker forgets a result after twelve hours: a shift, never the next morning's patient."""


@dataclass(frozen=True, slots=True)
class Appliance:
    """Who speaks.

    Attributes:
        site: topic level; letters, digits, `.`, `_` and `-`.
        device: topic level, unique within the site.
        room: name of the room for displays.
        software: name and version.
        runtime: where the networks run, for people; None: no bundle.
        runtime_reason: why they run there, in one sentence; None: no bundle.
        runtime_degraded: whether the GPU failed and another runtime took over.
        shadow: what a second runtime found that runs beside; None: there is none.
        profile_id: of the screen profile.
        manifest: of the loaded bundle; None: stiffness only.
        versions: of the software beneath, by name.
        bundle_event: what happened to the installed bundle at the start; None: it runs.
        trouble: why it gives no results (safe mode); None: it works.
        language: in which it speaks to people.
        degraded: what it goes without, the gravest first; empty: nothing.
    """

    site: str
    device: str
    room: str
    software: str
    runtime: str | None = None
    profile_id: str | None = None
    manifest: Manifest | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    runtime_reason: str | None = None
    runtime_degraded: bool = False
    shadow: Disagreement | None = None
    bundle_event: messages.BundleEvent | None = None
    trouble: str | None = None
    language: Language = "en"
    degraded: tuple[Rung, ...] = ()

    @property
    def root(self) -> str:
        """The topic above all topics of this appliance."""
        return f"{ROOT}/{self.site}/{self.device}"

    @property
    def words(self) -> Sentences:
        """Everything that it says to people."""
        return sentences(self.language)

    @property
    def bundle_id(self) -> str | None:
        """Which model scores; None: no bundle."""
        return None if self.manifest is None else self.manifest.bundle_id

    def header(self, time: datetime, *, time_trusted: bool, sequence: int = 0) -> messages.Header:
        """What stands on every message."""
        return messages.Header(
            runtime=self.runtime,
            bundle_id=self.bundle_id,
            profile_id=self.profile_id,
            software=self.software,
            time=time,
            time_trusted=time_trusted,
            sequence=sequence,
            notice=NOTICE,
        )


@dataclass(frozen=True, slots=True)
class Publication:
    """One message on its way: `message` of None clears the retained one."""

    topic: messages.Topic
    message: messages.Message | None
    retain: bool
    expiry_s: int | None = None

    @property
    def payload(self) -> bytes:
        """UTF-8 JSON, or nothing."""
        return b"" if self.message is None else self.message.to_json().encode()


def publication_of(
    effect: Effect, at: Moment, appliance: Appliance, *, time_trusted: bool, sequence: int = 0
) -> Publication | None:
    """What an effect publishes; None: nothing (a refused command is answered, not published)."""
    header = appliance.header(at.utc, time_trusted=time_trusted, sequence=sequence)
    words = appliance.words
    match effect:
        case ExamChanged():
            message = exam_message(effect.exam, appliance.manifest, header, words)
            return Publication("exam", message, retain=True, expiry_s=EXAM_EXPIRY_S)
        case AcquisitionAccepted():
            return Publication("acquisition", acquisition_message(effect, header), retain=False)
        case AcquisitionRefused():
            return Publication("acquisition", refusal_message(effect, header, words), retain=False)
        case ResultIssued():
            outcome = decide(effect.exam.acquisitions, effect.exam.serum, appliance.manifest)
            result = result_message(effect, outcome, header, words)
            return Publication("result", result, retain=True, expiry_s=RESULT_EXPIRY_S)
        case ResultCleared():
            return Publication("result", None, retain=True)
        case CommandRefused():
            return None


def status_message(
    appliance: Appliance,
    capture: CaptureState | None,
    time: datetime,
    *,
    time_trusted: bool,
    sequence: int = 0,
) -> messages.Status:
    """Birth and life of the appliance; its death with a capture of None.

    Who reads it has the broker at hand: that the appliance had not is no news.
    """
    told: list[Rung] = [rung for rung in appliance.degraded if rung is not Rung.BROKER_AWAY]
    return messages.Status(
        **dict(appliance.header(time, time_trusted=time_trusted, sequence=sequence)),
        state="offline" if capture is None else "online",
        site=appliance.site,
        device=appliance.device,
        room=appliance.room,
        capture=capture,
        versions=dict(appliance.versions),
        runtime_reason=appliance.runtime_reason,
        runtime_degraded=appliance.runtime_degraded,
        shadow=None if appliance.shadow is None else _shadow_of(appliance.shadow),
        bundle_event=appliance.bundle_event,
        degraded=told,
        degraded_texts=[appliance.words.rung(rung) for rung in told],
        trouble=appliance.trouble,
    )


def _shadow_of(found: Disagreement) -> messages.Shadow:
    return messages.Shadow(
        runtime=found.name,
        compared=found.compared,
        passed_by=found.passed_by,
        largest_difference=found.largest_difference,
        stage_flips=found.stage_flips,
        failure=found.failure,
    )
