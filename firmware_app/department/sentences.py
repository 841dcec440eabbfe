"""What the appliance says, for the page, in every language: a script with one table.

A message carries a code and a sentence in the appliance's language; the page shows the code in the reader's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import TypeVar, get_args

from firmware_app.wording import Language, Wording, sentences

Code = TypeVar("Code", bound=str)


def sentences_script() -> str:
    """A constant of JavaScript: [what is wrong, what to do, how grave it is] by language and code."""
    tables = {language: _of(language) for language in get_args(Language)}
    return f"const SENTENCES = {json.dumps(tables, ensure_ascii=False)};\n"


def _of(language: Language) -> dict[str, object]:
    words = sentences(language)
    return {
        "notice": words.notice,
        "colon": words.labels.colon,
        "phases": _spelt_out(words.phases),
        "captures": _spelt_out(words.captures),
        "refusals": _spelt_out(words.refusals),
        "rungs": _spelt_out(words.rungs),
        "closings": {closing.value: text for closing, text in words.closings.items()},
        "doubts": {doubt.value: text for doubt, text in words.doubts.items()},
    }


def _spelt_out(wordings: Mapping[Code, Wording]) -> dict[str, list[str]]:
    """Text, remedy and severity by code, but for those that have nothing to say."""
    told = {code: wording for code, wording in wordings.items() if wording.text or wording.remedy}
    return {_code(code): [said.text, said.remedy, said.severity.value] for code, said in told.items()}


def _code(code: str) -> str:
    return str(code.value) if isinstance(code, Enum) else code
