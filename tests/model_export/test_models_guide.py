"""docs/models.md: its commands exist with the options that it names, and lead to a running device."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from calibration.cli import main as calibrate
from calibration.cli import program as calibrate_program
from calibration.program import run_program
from firmware_app.cli import cli
from firmware_app.errors import FibrostageError, WrongInputError
from model_export.cli import main as export
from model_export.cli import program as export_program

GUIDE = Path(__file__).parents[2] / "docs" / "models.md"
PROGRAMS: dict[str, click.Group] = {
    "fibrostage": cli,
    "fibrostage-export": export_program,
    "fibrostage-calibrate": calibrate_program,
}


def commands() -> list[str]:
    """Every command line that the guide shows."""
    blocks = re.findall(r"```\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition("#")[0].strip() for line in lines if line.startswith("fibrostage")]


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_guide_exists_with_its_options(line: str) -> None:
    """No option and no command of the guide is misspelt or gone."""
    program, *words = shlex.split(line)
    command: click.Command = PROGRAMS[program]
    while isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
    offered = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= offered


def fibrostage(*words: object) -> int:
    """Exit code of `fibrostage`."""
    return run_program(cli, (WrongInputError,), (FibrostageError,), [str(word) for word in words])


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_guide_leads_from_a_cohort_to_a_running_device(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tiny cohort and random weights go the whole way; float32 stands for INT8, which they would fail.

    The gate of INT8 is meant for trained networks: forty patients and one epoch move too many stages.
    """
    key, work, bundle = tmp_path / "liver-centre.pem", tmp_path / "work", tmp_path / "bundle"
    assert export(["keygen", "--out", str(key)]) == 0
    sizes = ["--patients-train", "20", "--patients-test", "20", "--views", "1", "--epochs", "0"]
    draft = ["--work", str(work), "--out", str(tmp_path / "draft"), "--random-weights", "--head-epochs", "1"]
    ended = export(["train", *draft, *sizes])
    assert ended in {0, 1}
    assert ended == 0 or "INT8" in capsys.readouterr().err
    assert export(["export", "--precision", "fp32", "--work", str(work), "--out", str(bundle)]) == 0
    assert export(["sign", str(bundle), "--key", str(key)]) == 0
    config = tmp_path / "fibrostage.toml"
    config.write_text(
        f'bundle_store = "{tmp_path}/bundles"\nbundle_keys = "{tmp_path}"\n'
        '[sink]\nkind = "none"\n[mqtt]\nenabled = false\n',
        encoding="utf-8",
    )
    (tmp_path / "bundle.pub").unlink()
    assert fibrostage("bundle", "install", bundle, "--config", config) == 0
    capsys.readouterr()
    assert fibrostage("selftest", "--config", config, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    details = {check["name"]: check["detail"] for check in answer["checks"]}
    assert details["bundle"].endswith("signed by liver-centre")
    assert calibrate(["probability", "--help"]) == 0
