"""What the computer tells, read from this one and from trees of files laid out like other ones."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from firmware_app.health.clock import largest_error_ms
from firmware_app.health.machine import Machine, free_bytes, temperatures


def put(path: Path, text: str) -> None:
    """A file of sysfs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_jetson_s_zones_have_their_names(tmp_path: Path) -> None:
    """Thermal zones by type, other sensors by chip and label; what is switched off is left out."""
    for number, (name, degrees) in enumerate([("cpu-thermal", "48500"), ("gpu-thermal", "47125")]):
        put(tmp_path / f"thermal/thermal_zone{number}/type", f"{name}\n")
        put(tmp_path / f"thermal/thermal_zone{number}/temp", f"{degrees}\n")
    put(tmp_path / "thermal/thermal_zone2/type", "cv0-thermal\n")  # powered down: no temperature to be read
    put(tmp_path / "thermal/thermal_zone3/type", "pmic\n")
    put(tmp_path / "thermal/thermal_zone3/temp", "-256000\n")
    put(tmp_path / "thermal/thermal_zone4/type", "odd\n")
    put(tmp_path / "thermal/thermal_zone4/temp", "warm\n")
    put(tmp_path / "hwmon/hwmon0/name", "nvme\n")
    put(tmp_path / "hwmon/hwmon0/temp1_label", "Composite\n")
    put(tmp_path / "hwmon/hwmon0/temp1_input", "39850\n")
    put(tmp_path / "hwmon/hwmon1/name", "tmp451\n")
    put(tmp_path / "hwmon/hwmon1/temp1_input", "41000\n")
    assert temperatures(tmp_path) == {
        "cpu-thermal": 48.5,
        "gpu-thermal": 47.125,
        "nvme Composite": 39.85,
        "tmp451": 41.0,
    }


def test_of_sensors_with_one_name_the_hottest_counts(tmp_path: Path) -> None:
    """Two chips of one kind share a name; nobody wants to know the cooler one."""
    for number, degrees in enumerate(("51000", "63000", "40000")):
        put(tmp_path / f"hwmon/hwmon{number}/name", "coretemp")
        put(tmp_path / f"hwmon/hwmon{number}/temp1_input", degrees)
    assert temperatures(tmp_path) == {"coretemp": 63.0}


def test_a_machine_without_sensors_tells_none(tmp_path: Path) -> None:
    """A virtual machine has none; that is no error."""
    assert temperatures(tmp_path / "absent") == {}


def test_this_process_is_measured(tmp_path: Path) -> None:
    """Threads and open files that are added are counted; the processor's share needs a first reading."""
    machine = Machine({"audit": tmp_path, "later": tmp_path / "not" / "yet"}, tmp_path)
    before = machine.state()
    assert before.cpu_percent is None
    assert before.rss_bytes > 1_000_000
    assert before.memory_available_bytes > 1_000_000
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait, args=(60,))
    thread.start()
    began_s = time.process_time()
    while time.process_time() - began_s < 0.1:
        pass
    read_end, write_end = os.pipe()
    try:
        after = machine.state()
    finally:
        ended.set()
        thread.join()
        os.close(read_end)
        os.close(write_end)
    assert after.threads == before.threads + 1
    assert after.file_descriptors == before.file_descriptors + 2
    assert after.cpu_percent is not None
    assert after.cpu_percent > 0
    total = shutil.disk_usage(tmp_path).total
    for name in ("audit", "later"):
        free = after.disk_free_bytes[name]
        assert free is not None
        assert 0 < free < total


def test_a_folder_of_which_nobody_knows_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A disk that has gone away is told as unknown."""

    def gone(_path: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", gone)
    assert free_bytes(tmp_path) is None


def test_the_clock_s_error_is_a_bound_or_unknown() -> None:
    """The kernel answers: a bound in milliseconds where a time service keeps the clock, else nothing."""
    error_ms = largest_error_ms()
    assert error_ms is None or 0 <= error_ms < 60_000
