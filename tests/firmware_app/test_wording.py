"""Every sentence of the appliance stands in three languages, with the same places for numbers."""

from __future__ import annotations

import ast
import dataclasses
import string
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import firmware_app
from firmware_app.exam.state import CommandFault, Phase
from firmware_app.overlay.canvas import font
from firmware_app.video.capture_state import CaptureState
from firmware_app.wording import Closing, Doubt, Language, Reason, Rung, Severity, sentences

LANGUAGES: tuple[Language, ...] = get_args(Language)
OTHERS = [language for language in LANGUAGES if language != "en"]


def _places(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_closing_doubt_phase_capture_and_rung_has_its_sentence(language: Language) -> None:
    """No name that MQTT carries is without words, and no words are without a name."""
    words = sentences(language)
    assert words.language == language
    assert set(words.refusals) == set(Reason)
    assert set(words.closings) == set(Closing)
    assert set(words.doubts) == set(Doubt)
    assert set(words.phases) == {phase.value for phase in Phase} | {"held"}
    assert set(words.captures) == set(CaptureState)
    assert set(words.rungs) == set(Rung)
    assert all(wording.text and wording.remedy for wording in words.rungs.values())
    assert set(words.faults) == {fault.value for fault in CommandFault}
    assert all(wording.text and wording.remedy for wording in words.refusals.values())
    assert all([words.notice, *words.closings.values(), *words.doubts.values(), *words.faults.values()])


@pytest.mark.parametrize("language", OTHERS)
def test_the_tables_are_the_same_in_every_language(language: Language) -> None:
    """The same keys, the same gravity, the same places for numbers."""
    english, other = sentences("en"), sentences(language)
    assert set(other.details) == set(english.details)
    pairs = [(english.refusals[reason], other.refusals[reason]) for reason in Reason]
    pairs += [(wording, other.captures[state]) for state, wording in english.captures.items()]
    pairs += [(wording, other.rungs[rung]) for rung, wording in english.rungs.items()]
    pairs += [(wording, other.phases[phase]) for phase, wording in english.phases.items()]
    for mine, theirs in pairs:
        assert mine.severity is theirs.severity
        assert [bool(mine.text), bool(mine.remedy)] == [bool(theirs.text), bool(theirs.remedy)]
    for sentence, translated in other.details.items():
        assert _places(translated) == _places(sentence), translated
    for field in dataclasses.fields(english.labels):
        label, foreign = getattr(english.labels, field.name), getattr(other.labels, field.name)
        assert foreign, field.name
        assert _places(foreign) == _places(label), field.name


def _told_details() -> Iterator[str]:
    """Each literal detail of a `Rejected` in the source, with `{}` for what is filled in."""
    for path in Path(firmware_app.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id != "Rejected" or len(node.args) != 2:
                continue
            match node.args[1]:
                case ast.Constant(value=str(sentence)):
                    yield sentence
                case ast.JoinedStr(values=parts):
                    yield "".join(str(p.value) if isinstance(p, ast.Constant) else "{}" for p in parts)


@pytest.mark.parametrize("language", OTHERS)
def test_every_detail_that_the_source_tells_is_translated(language: Language) -> None:
    """Whoever words a new measured detail is told to translate it."""
    details = sorted(set(_told_details()))
    assert len(details) > 20
    for detail in details:
        measured = detail.replace("{}", "7.5")
        assert sentences(language).detail(measured) != measured, f"{detail!r} is not in the table"


def test_a_refusal_tells_what_was_measured() -> None:
    """A detail that is a sentence takes the place of the text; another one stands beside it."""
    filled = sentences("en").refusal(Reason.BOX_UNFILLED, "Box 82 % filled")
    assert (filled.text, filled.detail) == ("Box 82 % filled", "")
    assert filled.remedy == "hold breath, wait for a full map"
    printed = sentences("de").refusal(Reason.READOUT_DISAGREES, "printed 10.4 kPa, decoded 12.0 kPa")
    assert printed.text == "Angezeigte und gemessene Steifigkeit weichen ab"
    assert printed.detail == "angezeigt 10,4 kPa, gemessen 12,0 kPa"
    assert printed.severity is Severity.NOTICE
    unfilled = sentences("zh").refusal(Reason.BOX_UNFILLED, "Box 82 % filled")
    assert unfilled.text == "取样框充满 82%"


def test_an_unknown_detail_stays_as_it_was_measured() -> None:
    """A detail of a newer part is shown in English rather than not at all."""
    assert sentences("de").detail("tilted by 3.5 degrees") == "tilted by 3.5 degrees"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_can_be_drawn(language: Language) -> None:
    """The overlay's font has a glyph for every character of the language."""
    words = sentences(language)
    wordings = [*words.refusals.values(), *words.phases.values(), *words.captures.values()]
    told = [
        words.notice,
        *words.faults.values(),
        *words.details.values(),
        *words.closings.values(),
        *words.doubts.values(),
    ]
    told += [text for w in wordings for text in (w.text, w.remedy)]
    told += [getattr(words.labels, field.name) for field in dataclasses.fields(words.labels)]
    face = font(24, language=language)
    missing = bytes(face.getmask("\U000f0000"))
    for letter in sorted(set("".join(told)) - {" ", "\u3000"}):
        assert bytes(face.getmask(letter)) != missing, letter
