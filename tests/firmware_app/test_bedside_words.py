"""The words of the bedside page: complete in three languages, and every place of its files is filled."""

from __future__ import annotations

import re
from dataclasses import fields
from string import Formatter

import pytest

from firmware_app.bedside.files import FOLDER, page_files
from firmware_app.bedside.words import Words, words_of
from firmware_app.exam.state import CommandFault, Phase
from firmware_app.serum import PLAUSIBLE
from firmware_app.ward.commands import COMMANDS
from firmware_app.wording import Language, sentences

LANGUAGES: tuple[Language, ...] = ("en", "de", "zh")
SAME = {
    "language_tag",
    "pin",
    "connected",
    "elastogram",
    "capture",
    "yes",
    "profile",
    "software",
    "patient_line",
}
"""Words that may be the same in two languages."""


def places(text: str) -> set[str]:
    """What a sentence takes."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_is_there(language: Language) -> None:
    """No word is empty, each table holds every key, and each sentence takes what the English one takes."""
    words, english = words_of(language), words_of("en")
    for field in fields(Words):
        given, wanted = getattr(words, field.name), getattr(english, field.name)
        if isinstance(wanted, str):
            assert given.strip(), field.name
            assert places(given) == places(wanted), field.name
        else:
            assert given.keys() == wanted.keys(), field.name
            assert all(text.strip() for text in given.values())
    assert set(words.phases) == {phase.value for phase in Phase}
    assert set(words.done) == set(COMMANDS)
    assert set(words.faults) == set(CommandFault)
    assert set(words.serum_names) == set(PLAUSIBLE)


@pytest.mark.parametrize("language", ["de", "zh"])
def test_nothing_was_left_in_english(language: Language) -> None:
    """A translation that is the English word was forgotten, but for those that are the same."""
    words, english = words_of(language), words_of("en")
    texts = {f.name: getattr(words, f.name) for f in fields(Words) if isinstance(getattr(words, f.name), str)}
    same = {name for name, text in texts.items() if text == getattr(english, name)}
    assert same <= SAME


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_file_is_filled_and_carries_the_notice(language: Language) -> None:
    """Every page of the folder is served, without an open place, a script or a style inside it."""
    said = sentences(language)
    files = page_files(said, locked=True)
    assert len(files) == len(list(FOLDER.iterdir()))
    for address in ("/", "/pin"):
        html = files[address].content.decode()
        assert "{{" not in html
        assert said.notice in html
        assert f'lang="{words_of(language).language_tag}"' in html
        assert not re.search(r"<script(?![^>]*src=)|<style|style=| on[a-z]+=|javascript:", html)
    for address, file in files.items():
        if address.endswith(".js"):
            assert not re.search(
                r"innerHTML|insertAdjacentHTML|document\.write|eval\(", file.content.decode()
            )
