"""`fibrostage selftest` and `fibrostage bundle` tell a technician what works, and what to do if not."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from calibration.program import run_program
from firmware_app.cli import cli
from firmware_app.errors import FibrostageError, WrongInputError
from firmware_app.model import DEMONSTRATION_BUNDLE
from firmware_app.selftest import Check, run_checks


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration without broker and screen, with its own store."""
    file = tmp_path / "fibrostage.toml"
    file.write_text(
        f'bundle_store = "{tmp_path}/state/bundles"\nbundle_keys = "{tmp_path}/keys"\n'
        '[sink]\nkind = "none"\n[mqtt]\nenabled = false\n',
        encoding="utf-8",
    )
    return file


def call(*arguments: object) -> int:
    """Exit code of `fibrostage`."""
    return run_program(cli, (WrongInputError,), (FibrostageError,), [str(one) for one in arguments])


def by_name(checks: list[Check]) -> dict[str, Check]:
    """The checks by name."""
    return {check.name: check for check in checks}


def test_sound_machine_passes_and_says_what_it_found(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every check runs for real; the golden crops, the runtime and its reason are in the answer."""
    assert call("selftest", "--config", config, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    details = {check["name"]: check["detail"] for check in answer["checks"]}
    assert {"configuration", "screen profile", "bundle", "video", "overlay's font"} <= set(details)
    assert "virtual patients" in details["bundle"]
    assert details["golden crops"].startswith("largest |dp| 0.0")
    assert details["runtime"].startswith("OpenVINO")
    assert "no TensorRT engine" in details["runtime"]
    assert "kPa" in details["screen reading"]


def test_each_fault_is_one_failed_line_and_the_others_still_run(config: Path) -> None:
    """A missing profile, a missing bundle and a silent broker are told apart, each with what to do."""
    text = config.read_text(encoding="utf-8").replace("enabled = false", "port = 1")
    config.write_text('bundle = "/nowhere"\nprofile = "unheard-of"\n' + text, encoding="utf-8")
    checks = by_name(list(run_checks(config)))
    failed = {name for name, check in checks.items() if not check.ok}
    assert failed == {"screen profile", "bundle", "broker"}
    assert "/nowhere" in checks["bundle"].detail
    assert "unheard-of" in checks["screen profile"].detail
    assert checks["screen reading"].ok


def test_damaged_installed_bundle_fails_but_is_not_switched(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Installed, listed and verified through the program; damaged, it is named with exit code 1 and 2."""
    assert call("bundle", "install", DEMONSTRATION_BUNDLE, "--config", config) == 0
    assert call("bundle", "list", "--config", config, "--json") == 0
    assert call("bundle", "verify", "--config", config) == 0
    out = capsys.readouterr().out
    assert "installed; restart" in out
    assert '"role": "current"' in out
    installed = tmp_path / "state" / "bundles" / "current"
    (installed / "model_card.md").write_text("better than it is", encoding="utf-8")
    assert call("bundle", "verify", "--config", config) == 2
    assert call("bundle", "rollback", "--config", config) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert "model_card.md was altered" in errors[0]
    assert "no previous bundle" in errors[1]
    found = by_name(list(run_checks(config)))["bundle"]
    assert not found.ok
    assert "stiffness only" in found.detail
    assert "fibrostage bundle install" in found.detail


def test_each_hostile_bundle_is_one_line_and_exit_code_2(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unsigned, altered, truncated, of the future or with a link: refused by name, no traceback."""

    def damaged(name: str) -> Path:
        shutil.copytree(DEMONSTRATION_BUNDLE, tmp_path / name)
        return tmp_path / name

    unsigned, truncated, future, link = (damaged(name) for name in ("unsigned", "cut", "future", "link"))
    (unsigned / "bundle.sig").unlink()
    (truncated / "graph.onnx").write_bytes((truncated / "graph.onnx").read_bytes()[:-1])
    text = (future / "bundle.json").read_text(encoding="utf-8")
    (future / "bundle.json").write_text(text.replace('"format": 2', '"format": 3'), encoding="utf-8")
    (link / "metrics.json").unlink()
    (link / "metrics.json").symlink_to(sys.executable)
    expected = {unsigned: "is not signed", truncated: "graph.onnx", future: "altered", link: "is a link"}
    for folder, named in expected.items():
        assert call("bundle", "verify", folder, "--config", config) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: bundle {folder}")
        assert named in line
