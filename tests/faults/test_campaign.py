"""A short fault campaign with the real appliance and a real broker."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.campaign import run_campaign

SLACK = 6.0
"""The machine that runs the tests does other things at the same time."""


@pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None,
    reason="mosquitto is not installed",
)
@pytest.mark.timeout(600)
def test_a_short_campaign_keeps_every_promise(tmp_path: Path) -> None:
    """Whatever strikes in a minute, results arrive once, whole, and for the right patient."""
    report = run_campaign(tmp_path, exams=2, faults=8, seed=3, slack=SLACK)
    assert report.findings == [], (tmp_path / "appliance.log").read_text()[-4000:]
    assert report.faults >= 8
    assert report.exams >= 2
    assert report.messages > 0
