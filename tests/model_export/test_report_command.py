"""`fibrostage-export report` on the real command line: refusals, and a tiny cohort's whole study."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from model_export.cli import main
from model_export.report_command import command_line
from tests.model_export.tiny_cohort import write_cohort

TINY = ("--views", "1", "--epochs", "1", "--head-epochs", "2", "--processes", "1")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no initial weights given"),
        (["--random-weights", "--cohort", "nowhere"], "nowhere"),
        (["--random-weights", "--epochs", "-1"], "--epochs"),
        (["--weights", "absent.pth", "--cohort", "."], "absent.pth"),
    ],
)
def test_wrong_input_is_told_in_one_line(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, one line, nothing written."""
    work = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "report")]
    assert main(["report", *options, *work]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("error: ")
    assert words in told[0]
    assert not (tmp_path / "report").exists()


def test_the_recorded_command_names_no_folder() -> None:
    """Options as given, files by name only, defaults not at all."""

    @click.command("report")
    @click.option("--cohort", type=click.Path(path_type=Path))
    @click.option("--seed", default=1)
    @click.option("--random-weights", is_flag=True)
    @click.pass_context
    def report(context: click.Context, /, **_: object) -> None:
        click.echo(command_line(context))

    with pytest.MonkeyPatch.context() as patch:
        said: list[str] = []
        patch.setattr(click, "echo", said.append)
        report.main(["--cohort", "/home/somebody/two words", "--random-weights"], standalone_mode=False)
    assert said == ["fibrostage-export report --cohort 'two words' --random-weights"]


@pytest.mark.slow
def test_a_tiny_cohort_goes_from_pictures_to_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty patients of ready crops; run again, the report is the same but for its times."""
    cohort = write_cohort(tmp_path / "cohort", train=(0, 0, 1, 1, 2, 2, 3, 3, 4, 4), test=(0, 1, 2, 3, 4, 4))
    command = ["report", "--cohort", str(cohort), "--random-weights", *TINY]
    command += ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "report"), "--replicates", "100"]
    assert main(command) == 0
    report = tmp_path / "report"
    page = (report / "report.html").read_text(encoding="utf-8")
    assert "For research use only" in page
    assert str(tmp_path) not in page
    tables = json.loads((report / "tables.json").read_text())
    methods = set(tables["thresholds"]["S4"]["methods"])
    assert methods >= {"LSM", "APRI", "FIB-4", "GM", "EM", "GM+EM", "GM+LSM", "GM non-TL", "EM non-TL"}
    scores = (report / "study" / "test_scores.csv").read_bytes()
    capsys.readouterr()
    assert main(command) == 0
    assert (report / "study" / "test_scores.csv").read_bytes() == scores
    assert "[5/5]" in capsys.readouterr().err


@pytest.mark.slow
def test_three_binary_networks_have_the_same_page(tmp_path: Path) -> None:
    """The paper's own mode; the maps of Figure 5 are those of the networks for >=S3, and the page says so."""
    cohort = write_cohort(tmp_path / "cohort", train=(0, 0, 1, 1, 2, 2, 3, 3, 4, 4), test=(0, 1, 2, 3, 4, 4))
    command = ["report", "--cohort", str(cohort), "--random-weights", *TINY, "--heads", "three"]
    command += ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "report"), "--replicates", "100"]
    assert main(command) == 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "map by the networks for" in page
    tables = json.loads((tmp_path / "report" / "tables.json").read_text())
    assert {"GM", "EM", "GM+EM"} <= set(tables["thresholds"][">=S2"]["methods"])
