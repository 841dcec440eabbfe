"""The units, the rules and the installer, checked by systemd's own programs and by running them."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from firmware_app import __version__
from firmware_app.safe_mode import RESTART

SYSTEMD = Path(__file__).parents[2] / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def outcome(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
        env={**os.environ, **environment},
    )


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units with programs that exist here in place of those that the installer would lay."""
    made = []
    for unit in UNITS:
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text("utf-8"), flags=re.MULTILINE)
        copy = tmp_path / unit.name
        copy.write_text(text, encoding="utf-8")
        made.append(copy)
    return made


@needs_systemd
def test_units_are_sound(units: list[Path]) -> None:
    """The checker of systemd finds nothing to complain about."""
    assert len(units) == 3
    checked = outcome("systemd-analyze", "verify", *units)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


@needs_systemd
def test_units_are_exposed_as_little_as_they_can(units: list[Path]) -> None:
    """The measure of exposure that systemd has is at most 1.5 of 10 for every unit."""
    for unit in units:
        told = outcome("systemd-analyze", "security", "--offline=true", unit).stdout
        found = re.search(rf"Overall exposure level for {unit.name}: ([\d.]+)", told)
        assert found is not None
        assert float(found[1]) <= 1.5, found[0]


def test_appliance_is_restarted_and_keeps_what_it_must() -> None:
    """Crash, hang and a mended configuration lead to a restart, within limits; an exam outlives it."""
    unit = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # as the documentation has it
    unit.read(SYSTEMD / "fibrostage.service", encoding="utf-8")
    service = unit["Service"]
    assert (service["Type"], service["Restart"]) == ("notify", "always")
    assert service["RestartForceExitStatus"] == service["SuccessExitStatus"] == str(RESTART)
    assert "RestartPreventExitStatus" not in service  # safe mode is for what a start cannot mend
    assert int(service["WatchdogSec"]) <= 15
    assert service["RuntimeDirectoryPreserve"] == "restart"
    assert int(unit["Unit"]["StartLimitBurst"]) * int(service["RestartSec"]) < int(
        unit["Unit"]["StartLimitIntervalSec"]
    )


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="udevadm is not installed")
def test_udev_rule_is_sound() -> None:
    """Udev's own checker finds nothing to complain about."""
    told = outcome("udevadm", "verify", SYSTEMD / "70-fibrostage.rules")
    if "Unknown command" in told.stderr:
        pytest.skip("this udevadm has no verify: it came with systemd 254")
    assert told.returncode == 0, told.stdout + told.stderr


def test_units_call_commands_that_exist() -> None:
    """Every program and sub-command that a unit starts is offered by the product."""
    from calibration.cli import program as calibrate  # noqa: PLC0415 - the three programs, side by side
    from firmware_app.cli import cli as appliance  # noqa: PLC0415 - the three programs, side by side
    from model_export.cli import program as export  # noqa: PLC0415 - the three programs, side by side

    programs = {"fibrostage": appliance, "fibrostage-export": export, "fibrostage-calibrate": calibrate}
    for unit in UNITS:
        started = re.search(r"^ExecStart=\S+/bin/(\S+) (\S+)(.*)$", unit.read_text("utf-8"), re.MULTILINE)
        assert started is not None, unit.name
        command = programs[started[1]].commands[started[2]]
        offered = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--\S+", started[3])) <= offered, unit.name


@needs_systemd
def test_user_and_folders_are_made(tmp_path: Path) -> None:
    """An empty system gets the appliance's user and its folders, closed to others."""
    if os.geteuid() != 0:
        pytest.skip("only root may make users")
    (tmp_path / "etc").mkdir()
    made = outcome("systemd-sysusers", f"--root={tmp_path}", SYSTEMD / "sysusers.conf")
    assert made.returncode == 0, made.stderr
    assert re.search(r"^fibrostage:", (tmp_path / "etc/passwd").read_text("utf-8"), re.MULTILINE)
    groups = (tmp_path / "etc/group").read_text("utf-8")
    assert re.search(r"^video:.*:fibrostage$", groups, re.MULTILINE)
    made = outcome("systemd-tmpfiles", "--create", f"--root={tmp_path}", SYSTEMD / "tmpfiles.conf")
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "etc/fibrostage").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("script", ["install", "uninstall"])
def test_dry_run_tells_everything_and_changes_nothing(tmp_path: Path, script: str) -> None:
    """With --dry-run every step is printed and the system stays as it is."""
    told = outcome(SYSTEMD / script, "--dry-run", "--root", tmp_path)
    assert told.returncode == 0, told.stderr
    assert str(tmp_path / "etc/systemd/system/fibrostage.service") in told.stdout
    assert all(line.startswith("would ") for line in told.stdout.splitlines()[:-1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--frobnicate",), "unknown option --frobnicate"),
        (("--root",), "--root needs a folder"),
        (("--root", "/nowhere/at/all"), "no such folder"),
        (("--rollback", "--root", "/tmp"), "no release to go back to"),  # noqa: S108 - nothing is written
    ],
)
def test_wrong_calls_are_refused_in_one_line(arguments: tuple[str, ...], words: str) -> None:
    """A wrong call ends with exit code 2 and one line that says why."""
    told = outcome(SYSTEMD / "install", *arguments)
    assert told.returncode == 2
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.slow
def test_install_update_rollback_uninstall(tmp_path: Path) -> None:
    """Installed twice nothing changes; the program runs; an update can be taken back; settings survive."""

    def call(script: str, *arguments: str) -> str:
        done = subprocess.run(
            [SYSTEMD / script, *arguments, "--root", tmp_path],
            capture_output=True,
            text=True,
            check=True,
            timeout=1500,
        )
        return done.stdout

    call("install")
    current = tmp_path / "opt/fibrostage/current"
    release = current.readlink()
    assert release.name.startswith(f"{__version__}-")
    told = outcome(current / "venv/bin/fibrostage", "--version")
    assert (told.returncode, told.stderr) == (0, "")
    settings = tmp_path / "etc/fibrostage/fibrostage.toml"
    old = 'room = "7"  # by the window\naudit = "/var/lib/fibrostage/audit"\n'
    settings.write_text(old, encoding="utf-8")  # as an older release had it
    before = (current / "complete").stat().st_mtime_ns
    call("install")
    assert (current.readlink(), (current / "complete").stat().st_mtime_ns) == (release, before)
    assert settings.with_name("fibrostage.toml.v1.bak").read_text("utf-8") == old
    lifted = settings.read_text("utf-8")
    assert 'room = "7"  # by the window' in lifted
    assert "[records]" in lifted

    older = tmp_path / "opt/fibrostage/releases/0.0.9-aaaaaaaaaaaa"
    shutil.copytree(current.resolve(), older, symlinks=True)
    # an older release, which knows settings of version 1 only
    program = older / "venv/bin/fibrostage"
    program.unlink()
    program.write_text('#!/bin/sh\n[ "$1" = show-config ] && ! grep -q ^version "$3"\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "opt/fibrostage/previous").symlink_to("releases/0.0.9-aaaaaaaaaaaa")
    told_back = call("install", "--rollback")
    assert "back to releases/0.0.9" in told_back
    assert "fibrostage.toml.v1.bak" in told_back
    assert settings.read_text("utf-8") == old
    assert settings.with_name("fibrostage.toml.newer").read_text("utf-8") == lifted
    assert current.readlink() == Path("releases/0.0.9-aaaaaaaaaaaa")
    call("install")
    assert current.readlink() == release

    call("uninstall")
    assert settings.exists()
    assert not (tmp_path / "opt/fibrostage").exists()
    call("uninstall", "--purge")
    assert not settings.exists()
