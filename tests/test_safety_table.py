"""The hazards of docs/safety.md: whatever they name is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs/safety.md").read_text(encoding="utf-8")


def test_every_test_that_holds_a_hazard_exists() -> None:
    """A renamed or removed test is noticed here."""
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)
    assert len(named) > 25
    for file, function in named:
        assert (ROOT / file).is_file(), file
        if function:
            assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{function}"


def test_every_piece_of_code_that_holds_a_hazard_exists() -> None:
    """Likewise the code."""
    named = re.findall(r"`((?:firmware_app|systemd)/[\w/.]+)`", TEXT)
    assert len(named) > 25
    assert [place for place in named if not (ROOT / place).exists()] == []


def test_every_hazard_names_code_and_test() -> None:
    """No line of the table is a mere promise."""
    rows = TEXT.split("## Hazards")[1].split("## What is not held")[0].splitlines()
    hazards = [row for row in rows if row.startswith("| ") and not row.startswith("| hazard")]
    assert len(hazards) >= 15
    for row in hazards:
        _, code, test = (cell.strip() for cell in row.strip("| ").rsplit(" | ", 2))
        assert code.startswith("`")
        assert test.startswith("`tests/")
