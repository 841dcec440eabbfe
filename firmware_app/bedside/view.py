"""What the page shows, worded: from a snapshot of the board to values that a browser only lays out. Pure.

Serum values go in and never come out again: the page gets the two scores.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from firmware_app.bedside.board import REFUSALS_SHOWN, Snapshot
from firmware_app.bedside.words import Words, words_of
from firmware_app.exam.events import Acquisition, Refusal
from firmware_app.exam.state import NEEDED, PROVISIONAL_FROM, Exam, Phase
from firmware_app.inference.bundle import Manifest
from firmware_app.outcome import Outcome, Probabilities, decide, probabilities_of
from firmware_app.serum import Serum, apri, fib4
from firmware_app.wording import Closing, Sentences, Severity, Wording

Action = Literal["start", "discard", "finish", "cancel", "resume", "serum", "summary"]
THRESHOLDS = ("\N{GREATER-THAN OR EQUAL TO}S2", "\N{GREATER-THAN OR EQUAL TO}S3", "S4")


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence and how grave it is."""

    text: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class AcquisitionCard:
    """One acquisition that counts; `pictures` tells whether its crops are at hand."""

    id: str
    n: int
    title: str
    value: str
    lines: tuple[str, ...]
    time: str
    pictures: bool
    question: str


@dataclass(frozen=True, slots=True)
class RefusalCard:
    """One acquisition that does not count: what was wrong, what to do."""

    id: str
    text: str
    remedy: str
    severity: Severity
    time: str
    pictures: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A probability, and how it is written."""

    name: str
    value: float
    text: str


@dataclass(frozen=True, slots=True)
class Method:
    """What one method says."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """The outcome; `low` to `high` are the stages that are left open, `remark` says if they are several."""

    title: str
    provisional: bool
    stage: str
    remark: str
    low: int
    high: int
    staged: bool
    bars: tuple[Bar, ...]
    stiffness: str
    spread: str
    reliable: bool
    reliability: str
    methods: tuple[Method, ...]


@dataclass(frozen=True, slots=True)
class PageState:
    """Everything that the exam's tab shows."""

    room: str
    capture: str
    capture_message: Message | None
    exam_id: str | None
    phase: Phase
    phase_text: str
    n: int
    needed: int
    progress: str
    message: Message | None
    may: tuple[Action, ...]
    questions: dict[str, str]
    acquisitions: tuple[AcquisitionCard, ...]
    refusals: tuple[RefusalCard, ...]
    outcome: OutcomeView | None
    serum: tuple[Method, ...]
    foot: str


def page_state(snapshot: Snapshot, pictures: Container[UUID]) -> PageState:
    """Word a snapshot; `pictures` holds the ids of the verdicts whose crops are at hand."""
    appliance, exam = snapshot.appliance, snapshot.exam
    said = appliance.words
    words = words_of(said.language)
    counted = () if exam.phase is Phase.WAITING else exam.acquisitions
    manifest = appliance.manifest
    foot = (appliance.runtime or said.labels.no_model, appliance.bundle_id, appliance.profile_id)
    return PageState(
        room=appliance.room,
        capture=snapshot.capture.value,
        capture_message=_told(said.captures[snapshot.capture], said),
        exam_id=None if exam.id is None else str(exam.id),
        phase=exam.phase,
        phase_text=words.phases[exam.phase.value],
        n=len(counted),
        needed=NEEDED,
        progress=said.labels.progress.format(n=len(counted), needed=NEEDED),
        message=message_of(exam, said, words),
        may=actions_of(exam),
        questions=_questions(exam, words),
        acquisitions=tuple(
            acquisition_card(n, acquisition, said, acquisition.id in pictures)
            for n, acquisition in enumerate(counted, 1)
        ),
        refusals=tuple(
            _refusal_card(refusal, said, refusal.id in pictures)
            for refusal in reversed(exam.refusals[-REFUSALS_SHOWN:])
        ),
        outcome=outcome_view(exam, manifest, said),
        serum=() if exam.serum is None else serum_scores(exam.serum, said),
        foot="  \N{MIDDLE DOT}  ".join(part for part in (*foot, appliance.software) if part),
    )


def actions_of(exam: Exam) -> tuple[Action, ...]:
    """What may be asked of the exam as it stands."""
    found: list[Action] = ["start"]
    if exam.phase is Phase.HELD:
        return ("resume", "start", "finish", "cancel")
    if exam.is_open:
        found += ["finish", "cancel"]
    if exam.is_open and exam.acquisitions:
        found.append("discard")
    if exam.phase is not Phase.CLOSED:
        found.append("serum")
    if has_summary(exam):
        found.append("summary")
    return tuple(found)


def has_summary(exam: Exam) -> bool:
    """Whether there is an outcome to print, and its pictures are not gone."""
    if exam.phase is Phase.CLOSED and exam.closing is not Closing.FINISHED:
        return False
    return exam.phase not in {Phase.WAITING, Phase.HELD} and len(exam.acquisitions) >= PROVISIONAL_FROM


def message_of(exam: Exam, said: Sentences, words: Words) -> Message | None:
    """What to tell about the exam: why it ended, what was last refused, or what comes next."""
    if exam.phase is Phase.HELD:
        return Message(words.held_question, Severity.NOTICE)
    if exam.phase is Phase.CLOSED and exam.closing is not None:
        return Message(said.closings[exam.closing], Severity.NOTICE)
    refusal = exam.last_refusal
    if refusal is not None and exam.is_open:
        return _told(said.refusal(refusal.reason, refusal.detail), said)
    if exam.phase is Phase.COMPLETE:
        return Message(words.complete_hint, Severity.QUIET)
    return _told(said.phases[exam.phase.value], said)


def _told(wording: Wording, said: Sentences) -> Message | None:
    text = wording.text
    if wording.detail:
        text = f"{text} ({wording.detail})"
    sentence = said.labels.colon.join(part for part in (text, wording.remedy) if part)
    return Message(sentence[:1].upper() + sentence[1:], wording.severity) if sentence else None


def _questions(exam: Exam, words: Words) -> dict[str, str]:
    """What to ask before something that cannot be undone; by command."""
    asked = {"cancel": words.ask_cancel}
    early = len(exam.acquisitions) < PROVISIONAL_FROM
    asked["finish"] = words.ask_finish_early if early else words.ask_finish
    if exam.is_current:
        asked["start"] = words.ask_start
    return asked


def acquisition_card(n: int, acquisition: Acquisition, said: Sentences, pictures: bool) -> AcquisitionCard:  # noqa: FBT001 - one of the card's values
    """An acquisition with its values."""
    words, stiffness = words_of(said.language), acquisition.stiffness
    value = said.number(f"{stiffness.mean_kpa:.1f} kPa")
    lines = [
        said.number(words.range.format(low=f"{stiffness.min_kpa:.1f}", high=f"{stiffness.max_kpa:.1f}")),
        said.number(f"SD {stiffness.sd_kpa:.1f} kPa"),
        words.filled.format(n=f"{100 * stiffness.filled_fraction:.0f}"),
    ]
    if acquisition.readout is not None and acquisition.readout.mean_kpa is not None:
        lines.append(said.number(words.printed.format(n=f"{acquisition.readout.mean_kpa:.1f}")))
    if acquisition.scores is not None:
        chances = probabilities_of(acquisition.scores.gm_em)
        lines.append(f"{THRESHOLDS[0]} {percent(chances.ge_s2)}")
    return AcquisitionCard(
        id=str(acquisition.id),
        n=n,
        title=words.acquisition.format(n=n),
        value=value,
        lines=tuple(lines),
        time=_clock(acquisition),
        pictures=pictures,
        question=words.ask_discard.format(n=n, value=value),
    )


def _refusal_card(refusal: Refusal, said: Sentences, pictures: bool) -> RefusalCard:  # noqa: FBT001 - as above
    wording = said.refusal(refusal.reason, refusal.detail)
    text = f"{wording.text} ({wording.detail})" if wording.detail else wording.text
    return RefusalCard(str(refusal.id), text, wording.remedy, wording.severity, _clock(refusal), pictures)


def _clock(verdict: Acquisition | Refusal) -> str:
    """When, on the wall clock of the room."""
    return f"{verdict.at.utc.astimezone():%H:%M:%S}"


def outcome_view(exam: Exam, manifest: Manifest | None, said: Sentences) -> OutcomeView | None:
    """The outcome from three acquisitions on; None: not yet, or the exam ended without one."""
    if exam.phase in {Phase.WAITING, Phase.HELD} or len(exam.acquisitions) < PROVISIONAL_FROM:
        return None
    if exam.phase is Phase.CLOSED and exam.closing is not Closing.FINISHED:
        return None
    words, outcome = words_of(said.language), decide(exam.acquisitions, exam.serum, manifest)
    title = words.provisional if exam.is_provisional else words.final
    staged = outcome.probabilities is not None
    return OutcomeView(
        title=title.format(n=outcome.n_acquisitions, needed=NEEDED),
        provisional=exam.is_provisional,
        stage=outcome.stage_text if staged else said.labels.no_model,
        remark=said.labels.indeterminate if staged and outcome.indeterminate else "",
        low=outcome.stage_interval[0],
        high=outcome.stage_interval[1],
        staged=staged,
        bars=_bars(outcome.probabilities),
        stiffness=said.number(f"{outcome.lsm.mean_kpa:.1f} kPa"),
        spread=said.number(
            f"{said.labels.median} {outcome.lsm.median_kpa:.1f} kPa, "
            f"{said.labels.spread} {100 * outcome.lsm.iqr_over_median:.0f}\N{NO-BREAK SPACE}%"
        ),
        reliable=not outcome.doubts,
        reliability=". ".join(said.doubts[doubt] for doubt in outcome.doubts) or words.reliable,
        methods=methods_of(outcome, said),
    )


def _bars(chances: Probabilities | None) -> tuple[Bar, ...]:
    if chances is None:
        return ()
    values = (chances.ge_s2, chances.ge_s3, chances.s4)
    return tuple(Bar(name, value, percent(value)) for name, value in zip(THRESHOLDS, values, strict=True))


def methods_of(outcome: Outcome, said: Sentences) -> tuple[Method, ...]:
    """Every method that says something, beside the others."""
    methods = outcome.methods
    staged = (("GM", methods.gm), ("EM", methods.em), ("GM+EM", methods.gm_em), ("GM+LSM", methods.gm_lsm))
    found = [Method(name, _percents(chances)) for name, chances in staged if chances is not None]
    stage = "S0-S1" if methods.lsm.stage == 0 else f"S{methods.lsm.stage}"
    found.append(Method("LSM", f"{stage} ({methods.lsm.cutoffs})"))
    scores = (("APRI", methods.apri), ("FIB-4", methods.fib4))
    found += [Method(name, said.number(f"{score:.2f}")) for name, score in scores if score is not None]
    return tuple(found)


def serum_scores(serum: Serum, said: Sentences) -> tuple[Method, ...]:
    """APRI, and FIB-4 where age and ALT are known."""
    scores = (("APRI", apri(serum)), ("FIB-4", fib4(serum)))
    return tuple(Method(name, said.number(f"{score:.2f}")) for name, score in scores if score is not None)


def _percents(chances: Probabilities) -> str:
    values = (chances.ge_s2, chances.ge_s3, chances.s4)
    return "  ".join(f"{name} {percent(value)}" for name, value in zip(THRESHOLDS, values, strict=True))


def unit_text(unit: str) -> str:
    """A unit as it is printed."""
    return unit.replace("^9", "\N{SUPERSCRIPT NINE}")


def percent(probability: float) -> str:
    """A probability for people; nothing is certain."""
    whole = round(100 * probability)
    if whole == 0:
        return "<1 %"
    return ">99 %" if whole == 100 else f"{whole} %"
