"""What the overlay tells, as values: pure, comparable, and the same whatever the screen."""

from __future__ import annotations

from dataclasses import dataclass

from firmware_app.journey import Circle, Roi
from firmware_app.wording import Language, Wording

Chances = tuple[float, float, float]
"""Probabilities of >=S2, >=S3 and S4, 0-1, as far as they are shown: to a hundredth."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is said about the patient.

    Attributes:
        stage_text: "S3", or an interval "S2-S3"; None: no model speaks.
        indeterminate: whether the interval is open.
        provisional: it rests on fewer acquisitions than needed.
        n: acquisitions that it rests on.
        chances: None: no model speaks.
        mean_kpa, median_kpa: of the liver stiffness.
        spread: IQR/median, 0-1.
        spread_ok: whether that is at most 30 %.
        doubts: the other reasons for which it is not reliable, in words.
    """

    stage_text: str | None
    indeterminate: bool
    provisional: bool
    n: int
    chances: Chances | None
    mean_kpa: float
    median_kpa: float
    spread: float
    spread_ok: bool = True
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OverlayState:
    """Everything that the two cards tell; what is None is not known and not shown.

    Attributes:
        runtime: where the networks run, for example "OpenVINO CPU INT8".
        bundle_id: which model speaks.
        language: in which it is told.
        accepted, needed, refused: acquisitions.
        estimate: provisional or final.
        preview: what a live frame says; shown as not counted.
        message: a refusal or another thing to know, and what to do about it.
        technical: lines for the technician.
    """

    runtime: str
    bundle_id: str
    language: Language = "en"
    accepted: int = 0
    needed: int = 5
    refused: int = 0
    estimate: Estimate | None = None
    preview: Chances | None = None
    message: Wording | None = None
    technical: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outlines:
    """Where the analysed square and the scanner's measuring circle stand, in pixels of the frame."""

    roi: Roi | None = None
    q_box: Circle | None = None
