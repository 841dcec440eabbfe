"""`make demo` as its user sees it: what it prints, what it shows, and that nothing of it is left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_app.demo.rooms import FULL, SLOW, SMALL, furnish
from firmware_app.wording import NOTICE
from tests.firmware_app.department_ward import MQTT_JS, page_in

pytestmark = [
    pytest.mark.timeout(480),
    pytest.mark.skipif(MQTT_JS is None, reason="mqtt.js is not installed: make setup-test"),
    pytest.mark.skipif(shutil.which("mosquitto_sub") is None, reason="mosquitto is not installed"),
]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The demonstration at its smallest."""
    page = page_in(tmp_path / "page")
    program = [sys.executable, "-u", "-m", "firmware_app.demo", "--small"]
    return [*program, "--department", str(page), "--build", str(tmp_path / "demo")]


def left_of(folder: Path) -> list[str]:
    """Processes that still have to do with a folder."""
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(folder) in words:
            left.append(words)
    return left


def lines_until(stream: Iterator[str], pattern: str) -> str:
    """What is printed up to the line that has this in it."""
    printed = ""
    for line in stream:
        printed += line
        if re.search(pattern, line):
            return printed
    raise AssertionError(f"{pattern} was never printed, only: {printed}")


def test_ctrl_c_ends_everything(command: list[str], tmp_path: Path) -> None:
    """While an exam runs, Ctrl-C ends the demonstration with all its processes."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert child.stdout is not None
    with child.stdout as stream:
        try:
            printed = lines_until(stream, "scanning  1 of 5")
            assert printed.startswith(NOTICE)
            assert re.search(r"^Department page +http://127\.0\.0\.1:\d+/", printed, re.MULTILINE)
            (bedside,) = re.findall(r"^Bedside page +(\S+)", printed, re.MULTILINE)
            with urllib.request.urlopen(bedside, timeout=20) as answer:  # noqa: S310 -- our own page
                assert answer.status == 200
            assert len(left_of(tmp_path)) >= 4  # the demonstration, mosquitto, the scanner and the appliance
            child.send_signal(signal.SIGINT)
            child.send_signal(signal.SIGINT)  # impatience does no harm
            assert stream.read().strip().endswith("Ended.")
            assert child.wait(60) == 0
        finally:
            child.kill()
            child.wait()
    deadline_s = time.monotonic() + 20
    while left_of(tmp_path) and time.monotonic() < deadline_s:
        time.sleep(0.1)
    assert left_of(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("scanners", [1, 2])
def test_once_ends_after_every_rooms_result(command: list[str], tmp_path: Path, scanners: int) -> None:
    """Each room has a result beside its truth and an overlay; then everything ends."""
    ended = subprocess.run(
        [*command, "--once", "--scanners", str(scanners)],
        capture_output=True,
        text=True,
        timeout=450,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert len(re.findall("virtual patient$", ended.stdout, re.MULTILINE)) == scanners
    for seen, true in re.findall(r"^LSM, kPa +([\d.]+) +([\d.]+)$", ended.stdout, re.MULTILINE):
        assert float(seen) == pytest.approx(float(true), rel=0.05)
    overlays = re.findall(r"^Overlay +(\S+)", ended.stdout, re.MULTILINE)
    assert len(set(overlays)) == scanners
    assert all(Path(overlay).stat().st_size > 10_000 for overlay in overlays)
    assert left_of(tmp_path) == []


def test_rooms_take_what_the_processors_can_carry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One room has the scanner's own pictures; four have them where there are processors enough."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    (alone,) = furnish(tmp_path, 1, 3, 7, small=False)
    assert (alone.size, alone.threads) == (FULL, 0)
    four = furnish(tmp_path, 4, 3, 7, small=False)
    assert {(room.size, room.fps) for room in four} == {(SMALL, SLOW)}
    assert len({(room.seed, room.name, room.folder) for room in four}) == 4
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    assert {room.size for room in furnish(tmp_path, 4, 3, 7, small=False)} == {FULL}
