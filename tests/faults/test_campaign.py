"""A short fault campaign with the real appliance and a real broker."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.appliance import RESTART_PAUSE_S, START_TIMEOUT_S, WATCHDOG_S
from tests.faults.campaign import run_campaign

UNIT = Path(__file__).parents[2] / "systemd" / "fibrostage.service"
SEED = 504
"""Its first faults strike process, clock, video, network, disk and broker."""
SLACK = 6.0
"""The machine that runs the tests does other things at the same time."""


@pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None,
    reason="mosquitto is not installed",
)
@pytest.mark.timeout(600)
def test_a_short_campaign_keeps_every_promise(tmp_path: Path) -> None:
    """Whatever strikes in a minute, results arrive once, whole, and for the right patient."""
    report = run_campaign(tmp_path, exams=1, faults=8, seed=SEED, slack=SLACK)
    assert report.findings == [], (tmp_path / "appliance.log").read_text()[-4000:]
    assert report.faults >= 8
    assert report.exams >= 1
    assert report.messages > 0


def test_the_service_manager_is_as_patient_as_systemd() -> None:
    """The campaign restarts and kills after the times that the unit names."""
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line)
    assert float(settings["RestartSec"]) == RESTART_PAUSE_S
    assert float(settings["WatchdogSec"]) == WATCHDOG_S
    assert float(settings["TimeoutStartSec"]) == START_TIMEOUT_S
