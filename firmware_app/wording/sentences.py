"""What a table of sentences holds, the same in every language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from firmware_app.video.capture_state import CaptureState
from firmware_app.wording.reasons import Closing, Doubt, Reason, Rung, Severity, severity_of

Language = Literal["en", "de", "zh"]
"""English, German, simplified Chinese."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What people read: `text` says what is wrong, `remedy` what to do; `detail` is what was measured."""

    text: str
    severity: Severity
    remedy: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """The short words of the overlay, in the order in which they meet the eye; `{}` take numbers.

    Attributes:
        indeterminate: stands before an interval of stages.
        provisional, final: `{n}` acquisitions of `{needed}`.
        elsewhere: the patient whom the outcome is about is not on the screen.
        preview_remark: of probabilities of a live frame.
        mean, median, spread: of the liver stiffness; spread is IQR/median.
        spread_ok, spread_bad: which side of `{limit}` percent it is on.
        activation: caption of the class-activation map.
        no_model, gpu_failed: beside the name of the runtime.
        latency: `{ms}` from the capture of the frame to its value, of the last acquisition.
        delay: `{ms}` that the display lags, and `{dropped}` frames lost.
        done: a command was carried out.
        colon: stands between what is wrong and what to do.
        decimal: the decimal mark.
    """

    stage: str
    no_outcome: str
    indeterminate: str
    provisional: str
    final: str
    elsewhere: str
    preview_remark: str
    stiffness: str
    mean: str
    median: str
    spread: str
    spread_ok: str
    spread_bad: str
    acquisitions: str
    progress: str
    refused: str
    activation: str
    no_model: str
    gpu_failed: str
    latency: str
    delay: str
    done: str
    colon: str
    decimal: str


@dataclass(frozen=True, slots=True)
class Sentences:
    """Everything that the appliance says, in one language.

    Attributes:
        language: which.
        notice: stands on every screen, report and message.
        refusals: by reason.
        details: what was measured; from the English sentence, with `{}` for each number, to this language.
        closings: why an exam ended.
        doubts: why an outcome is not reliable.
        phases: by the exam's phase, what comes next. A complete or closed exam says enough by itself.
        captures: by the state of the video; empty where nothing is wrong.
        rungs: of the degradation ladder: what the appliance goes without.
        faults: by the value of `exam.state.CommandFault`, why a command changes nothing.
        labels: of the overlay.
    """

    language: Language
    notice: str
    refusals: Mapping[Reason, Wording]
    details: Mapping[str, str]
    closings: Mapping[Closing, str]
    doubts: Mapping[Doubt, str]
    phases: Mapping[str, Wording]
    captures: Mapping[CaptureState, Wording]
    rungs: Mapping[Rung, Wording]
    faults: Mapping[str, str]
    labels: Labels

    def refusal(self, reason: Reason, detail: str = "") -> Wording:
        """Why something was refused, with the measured detail (given in English) in this language.

        A detail that is a sentence of its own, with a capital letter, takes the place of the text: "Box 82 %
        filled" says more than "Box not filled".
        """
        general = self.refusals[reason]
        told = self.detail(detail)
        if detail[:1].isupper():
            return Wording(told, general.severity, general.remedy)
        return Wording(general.text, general.severity, general.remedy, told)

    def sentence(self, reason: Reason) -> str:
        """What is wrong and what to do, in one sentence."""
        wording = self.refusals[reason]
        return f"{wording.text}{self.labels.colon}{wording.remedy}"

    def rung(self, rung: Rung) -> str:
        """What the appliance goes without and what to do, in one sentence."""
        wording = self.rungs[rung]
        return f"{wording.text}{self.labels.colon}{wording.remedy}"

    def fault(self, fault: str, detail: str = "") -> str:
        """Why a command changes nothing."""
        return f"{self.faults[fault]}{self.labels.colon}{detail}" if detail else self.faults[fault]

    def detail(self, english: str) -> str:
        """A measured detail in this language; what is not in the table stays as it is."""
        for pattern, translated in self.details.items():
            found = _pattern(pattern).fullmatch(english)
            if found is not None:
                return translated.format(*(self.number(value) for value in found.groups()))
        return english

    def number(self, english: str) -> str:
        """Numbers in a text with this language's decimal mark."""
        return re.sub(r"(?<=\d)\.(?=\d)", self.labels.decimal, english)


@lru_cache(maxsize=128)
def _pattern(english: str) -> re.Pattern[str]:
    return re.compile("(.+?)".join(re.escape(part) for part in english.split("{}")))


def refusals_of(texts: Mapping[Reason, tuple[str, str]]) -> dict[Reason, Wording]:
    """Text and remedy by reason, joined by what is the same in every language: how grave it is."""
    return {reason: Wording(text, severity_of(reason), remedy) for reason, (text, remedy) in texts.items()}
