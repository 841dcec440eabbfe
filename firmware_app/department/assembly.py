"""Puts the department page together: one file that any web server, or the broker itself, hands out.

One file, because mosquitto hands out each with a delay of its own. Its security policy names its only style
and its only script by their digests: nothing else runs on it, whatever a message holds.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path

from firmware_app.department.sentences import sentences_script

SOURCE = Path(__file__).parent
STYLES = ("page.css", "card.css", "outcome.css", "layout.css")
SCRIPTS = ("words.js", "ward.js", "card.js", "wall.js", "app.js")


def assemble(folder: Path, mqtt_js: Path, source: Path = SOURCE) -> Path:
    """Write the page, `index.html`.

    Args:
        folder: made if it is missing.
        mqtt_js: the bundle of mqtt.js for browsers, of the npm package `mqtt`.
        source: where the parts of the page lie.

    Returns:
        The folder.
    """
    style = "\n".join(_text(source / name) for name in STYLES)
    parts = [_text(mqtt_js), sentences_script(), *(_text(source / name) for name in SCRIPTS)]
    script = "\n".join(parts)
    page = _text(source / "index.html")
    for place, content in (
        ("STYLE_DIGEST", _digest(style)),
        ("SCRIPT_DIGEST", _digest(script)),
        ("/* STYLE */", style),
        ("/* SCRIPT */", script),
    ):
        before, found, after = page.partition(place)
        if not found:
            raise ValueError(f"index.html has no place for {place}")
        page = before + content + after
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(page, encoding="utf-8", newline="\n")
    return folder


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), Path(sys.argv[2]))
