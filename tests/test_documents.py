"""The documents: each says what it must say, and no link leads nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_app.wording import NOTICE

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *PAGES,
    *sorted((ROOT / "docs/decisions").glob("*.md")),
]


def name_of(path: Path) -> str:
    """A document as it is called."""
    return path.relative_to(ROOT).as_posix()


def anchors_of(path: Path) -> set[str]:
    """What a link can lead to inside a page, as GitHub names it."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_begins_with_the_notice(page: Path) -> None:
    """For research use only, not for diagnostic use, simulated data: below the title."""
    assert page.read_text(encoding="utf-8").split("\n", 3)[2] == f"*{NOTICE}*"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_no_link_leads_nowhere(document: Path) -> None:
    """Files and headings that are linked to exist; what lies on the internet is not asked."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = document.parent / file if file else document
        assert path.exists(), target
        if anchor:
            assert anchor in anchors_of(path), target
