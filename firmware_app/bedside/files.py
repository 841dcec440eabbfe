"""The files of the page, read once, with the words of the language filled in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

from firmware_app.bedside.view import unit_text
from firmware_app.bedside.words import words_of
from firmware_app.serum import PLAUSIBLE
from firmware_app.wording import Sentences

FOLDER = Path(__file__).with_name("page")
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_PLACE = re.compile(r"\{\{([a-z0-9_.]+)\}\}")
OPEN_FILES = ("/pin", "/pin.js", "/dom.js", "/style.css", "/icon.svg")
"""What is served before the PIN is known."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is served."""

    content: bytes
    media_type: str


def page_files(said: Sentences, *, locked: bool) -> dict[str, File]:
    """Every file by its address.

    Args:
        said: the language.
        locked: whether a PIN is set; without one there is nothing to lock.

    Raises:
        KeyError: a file names a word that is not in the table.
    """
    values = _values(said) | {"locked": "true" if locked else "false"}
    found = {}
    for path in sorted(FOLDER.iterdir()):
        content = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            content = _PLACE.sub(lambda place: escape(values[place[1]]), content)
        address = {"index.html": "/", "pin.html": "/pin"}.get(path.name, f"/{path.name}")
        found[address] = File(content.encode(), _TYPES[path.suffix])
    return found


def _values(said: Sentences) -> dict[str, str]:
    words = words_of(said.language)
    texts = {name: getattr(words, name) for name in words.__slots__}
    values = {name: text for name, text in texts.items() if isinstance(text, str)}
    values["notice"] = said.notice
    for key, (_, unit, (low, high)) in PLAUSIBLE.items():
        values |= {f"{key}.name": words.serum_names[key], f"{key}.unit": unit_text(unit)}
        values |= {f"{key}.low": f"{low:g}", f"{key}.high": f"{high:g}"}
    return values
