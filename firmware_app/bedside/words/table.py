"""What a table of the page's words holds, the same in every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_app.exam.state import CommandFault


@dataclass(frozen=True, slots=True)
class Words:
    """Every label and sentence of the page; `{}` and `{name}` take values.

    Attributes:
        done: by the name of a command, what was done.
        faults: why a command changes nothing.
        serum_names: name of each serum value, by its key in `serum.PLAUSIBLE`.
        implausible: name, value, unit, lowest and highest plausible value.
    """

    # Top and tabs
    language_tag: str
    exam: str
    technician: str
    connecting: str
    connected: str
    lost: str
    leave: str
    # Video
    video: str
    video_waits: str
    video_full: str
    enlarge: str
    # Exam
    control: str
    start: str
    discard: str
    finish: str
    cancel: str
    resume: str
    held_question: str
    summary: str
    yes: str
    back: str
    ask_start: str
    ask_discard: str
    ask_finish: str
    ask_finish_early: str
    ask_cancel: str
    complete_hint: str
    phases: Mapping[str, str]
    done: Mapping[str, str]
    faults: Mapping[CommandFault, str]
    no_answer: str
    not_understood: str
    # Acquisitions
    acquisitions: str
    acquisition: str
    empty_place: str
    elastogram: str
    gray: str
    no_pictures: str
    filled: str
    printed: str
    range: str
    refused: str
    refused_none: str
    # Outcome
    outcome: str
    outcome_none: str
    provisional: str
    final: str
    reliable: str
    methods: str
    method: str
    # Serum
    serum: str
    serum_hint: str
    serum_names: Mapping[str, str]
    age_unit: str
    optional: str
    calculate: str
    implausible: str
    missing: str
    # Technician
    capture: str
    registration: str
    look: str
    look_none: str
    software: str
    runtime: str
    because: str
    bundle: str
    profile: str
    rates: str
    frames: str
    delay: str
    without: str
    temperatures: str
    stages: Mapping[str, str]
    watchers: str
    log: str
    selftest: str
    selftest_run: str
    selftest_runs: str
    selftest_ok: str
    selftest_failed: str
    # PIN
    pin: str
    pin_hint: str
    enter: str
    pin_wrong: str
    pin_wait: str
    # Summary
    summary_title: str
    patient_line: str
    examiner_line: str
    date: str
    clock_untrusted: str
    evidence: str
