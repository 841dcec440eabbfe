"""Puts the department page together: three files that any web server, or the broker, hands out.

Few files, because mosquitto serves each with a delay of its own. The scripts share one scope: mosquitto sends
files without a type, and browsers refuse modules then.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from firmware_app.department.sentences import sentences_script

SOURCE = Path(__file__).parent
STYLES = ("page.css", "card.css", "outcome.css", "layout.css")
SCRIPTS = ("words.js", "ward.js", "card.js", "wall.js", "app.js")


def assemble(folder: Path, mqtt_js: Path) -> Path:
    """Write the page.

    Args:
        folder: made if it is missing.
        mqtt_js: the bundle of mqtt.js for browsers, of the npm package `mqtt`.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCE / "index.html", folder)
    styles = [_text(SOURCE / name) for name in STYLES]
    scripts = [_text(mqtt_js), sentences_script(), *(_text(SOURCE / name) for name in SCRIPTS)]
    (folder / "department.css").write_text("\n".join(styles), encoding="utf-8")
    (folder / "department.js").write_text("\n".join(scripts), encoding="utf-8")
    return folder


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    assemble(Path(sys.argv[1]), Path(sys.argv[2]))
