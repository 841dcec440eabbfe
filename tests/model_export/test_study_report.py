"""The report of a study: complete beside the paper, made of its numbers; none from a broken study."""

from __future__ import annotations

import csv
import html
import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from firmware_app.journey import Picture
from firmware_app.wording import NOTICE
from model_export.errors import WrongInputError
from model_export.evaluate_results import Settings, evaluate_cohort
from model_export.evaluate_scores import read_scores
from model_export.figure_files import FigureFile
from model_export.published import COMPARED_WITH, CohortName, published
from model_export.statistics.auc import delong_test
from model_export.study.report import gallery as gallery_module
from model_export.study.report import write as write_module
from model_export.study.report.activation import ActivationMaps
from model_export.study.report.baseline import baseline
from model_export.study.report.comparisons import families
from model_export.study.report.content import provenance_of
from model_export.study.report.figures import StudyFigures, convergence_findings
from model_export.study.report.page import Results, render_study
from model_export.study.report.study_folder import FILES, Curves, Epoch, read_study
from model_export.study.report.write import write_report
from model_export.trained import TrainedRun, load_run
from tests.axe import AXE_JS, violations
from tests.model_export.drawn_study import COUNTS, pictures, stages, write_study

SETTINGS = Settings(seed=3, replicates=100, on_logit_scale=False)
FIGURES = ("figure-3", "figure-4", "figure-5a", "figure-5b", "calibration", "decision", "convergence")
MOST_BYTES = 8_000_000
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def drawn_maps(_: object, gray: Picture, elastogram: Picture) -> ActivationMaps:
    """Maps that change with the picture, without a network; the real ones have tests of their own."""
    gm, em = (picture[::40, ::40, 0].astype(np.float32) / 100.0 for picture in (gray, elastogram))
    return ActivationMaps(gm=gm, em=em)


@pytest.fixture(scope="module")
def trained() -> Iterator[None]:
    """Let the report find pictures and maps instead of a work folder of gigabytes."""
    run = SimpleNamespace(heads="shared", patients=lambda _: pictures(), load_network=lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(write_module, "load_run", lambda _: run)
        patch.setattr(gallery_module, "activation_maps", drawn_maps)
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study folder."""
    return write_study(tmp_path_factory.mktemp("study") / "study")


@pytest.fixture(scope="module")
def report(study: Path, trained: None) -> Path:
    """Its report: shared by the tests that only read."""
    out = study.parent / "report"
    write_report(study, study.parent, out, SETTINGS)
    return out


@pytest.fixture(scope="module")
def page(report: Path) -> str:
    """The page's text."""
    return (report / "report.html").read_text(encoding="utf-8")


def tables_named(page: str, name: str) -> list[str]:
    """The HTML of the tables whose caption begins so."""
    return [one for one in re.findall(r"<table>.*?</table>", page, re.DOTALL) if f"<caption>{name}" in one]


def rows_of(table: str) -> list[tuple[str, list[str]]]:
    """Heading and first line of every cell of every row."""
    rows = re.findall(r'<tr(?: class="published")?><th scope="row"[^>]*>(.*?)</th>(.*?)</tr>', table)
    return [(name, re.findall(r"<td[^>]*><span>([^<]*)</span>", cells)) for name, cells in rows]


def test_the_caution_and_the_notice_come_first(page: str) -> None:
    """Nobody can read a figure without having passed both."""
    assert page.index(NOTICE) < page.index("<h1>")
    assert page.index("Simulated patients.") < page.index("<table>")
    assert "no clinical evidence" in page


@pytest.mark.parametrize(("cohort", "place"), [("training", 0), ("test", 1)])
def test_table_2_has_every_row_and_p_value_of_the_paper(page: str, cohort: CohortName, place: int) -> None:
    """All four rows of each threshold, each with the paper's figures below, and the paper's p-values."""
    rows = rows_of(tables_named(page, "Table 2")[place])
    paper = published(cohort)
    methods = ("GM non-TL", "GM", "EM non-TL", "EM")
    expected = [(threshold, name) for threshold in ("S4", ">=S3", ">=S2") for name in methods]
    shown = {"GM": "GM TL", "EM": "EM TL"}
    assert [name for name, _ in rows[0::2]] == [shown.get(name, name) for _, name in expected]
    for (threshold, name), (heading, cells) in zip(expected, rows[1::2], strict=True):
        row = paper[threshold, name]
        assert heading == "Xue et al."
        p_value = html.escape(row.p_values[0]) if name.endswith("non-TL") else ""
        assert cells[:4] == [f"{row.auc:.3f}", p_value, f"{row.sensitivity:.1f}", f"{row.specificity:.1f}"]
    for _, cells in rows[0::4]:
        assert re.fullmatch(r"&lt; \.001|\.\d{3}|1\.000", cells[1])


@pytest.mark.parametrize(("cohort", "place", "n"), [("training", 0, 5), ("test", 1, 7)])
def test_table_3_has_every_row_and_p_value_of_the_paper(
    page: str, cohort: CohortName, place: int, n: int
) -> None:
    """Every method in the paper's order, its figures below, and both p-values of both."""
    rows = rows_of(tables_named(page, "Table 3")[place])
    paper = published(cohort)
    methods = ("APRI", "FIB-4", "LSM", "GM", "EM", "GM+LSM", "GM+EM")[:n]
    expected = [(threshold, name) for threshold in ("S4", ">=S3", ">=S2") for name in methods]
    assert [name for name, _ in rows[0::2]] == [name for _, name in expected]
    for (threshold, name), (_, ours), (_, theirs) in zip(expected, rows[0::2], rows[1::2], strict=True):
        row = paper[threshold, name]
        assert [html.unescape(cell) for cell in theirs[:3]] == [f"{row.auc:.3f}", *row.p_values]
        # A stroke stands where the paper has one, a p-value everywhere else.
        assert [cell == "/" for cell in ours[1:3]] == [cell == "/" for cell in row.p_values]
        assert name not in COMPARED_WITH[cohort] or "/" in ours[1:3]


def test_our_figures_are_those_of_the_statistics(page: str, study: Path) -> None:
    """AUC and p-value of a row are what the statistics give for the columns of the study's files."""
    table, train = read_scores(study / "test_scores.csv", study / "train_scores.csv", None)
    result = evaluate_cohort(table, train, SETTINGS)
    rows = rows_of(tables_named(page, "Table 3")[1])[0::2]
    methods = ("APRI", "FIB-4", "LSM", "GM", "EM", "GM+LSM", "GM+EM")
    for number, (threshold, least) in enumerate((("S4", 4), (">=S3", 3), (">=S2", 2))):
        positive = table.stage >= least
        for name, (_, cells) in zip(methods, rows[7 * number : 7 * number + 7], strict=True):
            assert cells[0] == f"{result.methods[threshold][name].auc.value:.3f}"
            if name == "GM+EM":
                continue
            columns = [
                table.columns.get(f"{one}@{threshold}") or table.columns[one] for one in (name, "GM+EM")
            ]
            p = delong_test(columns[0].patients, columns[1].patients, positive).p
            assert p is not None
            assert cells[2] == ("&lt; .001" if p < 0.001 else f"{p:.3f}".removeprefix("0"))


def test_table_1_stands_beside_the_papers(page: str, study: Path) -> None:
    """Counts of every stage, the median of the file, and what only the paper recorded."""
    table = tables_named(page, "Table 1")[0]
    for stage, (ours, theirs) in enumerate(zip(COUNTS["train"], (79, 42, 53, 43, 147), strict=True)):
        assert re.search(rf'>S{stage}</th><td>{ours} \([\d.]+\)</td><td class="paper">{theirs}</td>', table)
    with (study / "test_patients.csv").open(encoding="utf-8") as file:
        alt = [float(row["alt_u_l"]) for row in csv.DictReader(file)]
    row = next(one for one in baseline(read_study(study)) if one.label.startswith("ALT"))
    assert row.ours[1].startswith(f"{np.median(alt):.1f} [")
    assert row.paper == ("24 (17–38)", "28 (17–39.5)", ".42")  # noqa: RUF001 - as printed
    assert "48 (27.3–81.8)" in table  # noqa: RUF001 - GGT, which we have not
    assert "unknown" in table  # one age is


def test_the_flow_tells_who_was_left_out(page: str) -> None:
    """The numbers of flow.json, and the rules that nobody could check."""
    words = re.sub(r"<[^>]*>", "", page)
    assert "71 patients given" in words
    assert "7 left out" in words
    assert "4 fewer than 5 usable pictures" in words
    assert "3 younger than 18 years (1 not known, kept)" in words
    assert re.search(r"Not recorded.*congestive heart disease", words)


def test_paired_tests_are_all_there_and_corrected_within_their_family(report: Path) -> None:
    """Two, five and six pairs at three thresholds; Holm's p is at least p, and at most p times the family."""
    found = json.loads((report / "tables.json").read_text(encoding="utf-8"))["paired_tests"]
    assert [len(family["tests"]) for family in found] == [6, 15, 18]
    for family in found:
        smallest = min(family["tests"], key=lambda test: test["p"])
        assert smallest["p_holm"] == pytest.approx(min(1.0, smallest["p"] * len(family["tests"])))
        for test in family["tests"]:
            assert test["p"] <= test["p_holm"] <= 1.0
            assert test["difference_ci"][0] <= test["difference"] <= test["difference_ci"][1]


def test_a_paired_difference_is_first_minus_second(report: Path) -> None:
    """Whatever the order of the columns in the file."""
    content = json.loads((report / "tables.json").read_text(encoding="utf-8"))
    for family in content["paired_tests"]:
        for test in family["tests"]:
            methods = content["thresholds"][test["threshold"]]["methods"]
            difference = methods[test["a"]]["auc"] - methods[test["b"]]["auc"]
            assert test["difference"] == pytest.approx(difference)


def test_every_figure_is_drawn_twice_and_stands_in_the_page(report: Path, page: str) -> None:
    """PNG and SVG of each; the page needs no other file and is small enough to be sent."""
    for name in FIGURES:
        assert (report / f"{name}.png").stat().st_size > 10_000
        assert "<svg" in (report / f"{name}.svg").read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sum(address.startswith("data:image/") for address in addresses) == len(FIGURES)
    assert all(address.startswith(("data:image/", "#")) for address in addresses)
    assert all(re.findall(r'<img [^>]*alt="([^"]+)"', page))
    assert len(page.encode()) < MOST_BYTES


def test_examples_are_of_their_group_and_the_seed_decides(report: Path) -> None:
    """The rightly staged are, the wrongly staged are not, and nobody stands in both."""
    content = json.loads((report / "tables.json").read_text(encoding="utf-8"))["figure_5"]
    names = {0: "S0–S1", 1: "S0–S1", 2: "S2", 3: "S3", 4: "S4"}  # noqa: RUF001 - ranges
    assert content["right"]
    assert all(names[one["stage"]] == one["called"] for one in content["right"])
    assert all(names[one["stage"]] != one["called"] for one in content["wrong"])
    truth = {f"test-{number:03d}": stage for number, stage in enumerate(stages("test"))}
    both = [*content["right"], *content["wrong"]]
    assert all(truth[one["patient"]] == one["stage"] for one in both)
    assert len({one["patient"] for one in both}) == len(both)


def test_networks_are_judged_by_their_own_probabilities(report: Path) -> None:
    """Log-odds of the study need no curve; a stiffness in kPa does."""
    content = json.loads((report / "tables.json").read_text(encoding="utf-8"))
    methods = content["thresholds"][">=S2"]["methods"]
    assert "log-odds" in methods["GM+EM"]["calibration"]["probability"]
    assert "training patients" in methods["LSM"]["calibration"]["probability"]


def test_what_differs_is_said_in_numbers(page: str) -> None:
    """Intervals that contain the paper's value are counted, and those that do not are named."""
    inside, of = map(int, re.findall(r"(\d+) of (\d+) AUC intervals", page)[0])
    assert of == 27
    assert len(re.findall(r"in the paper, (?:above|below) it by", page)) == of - inside
    assert "Transfer learning changes the AUC of GM by" in page


@pytest.mark.slow
def test_the_same_study_gives_the_same_page(study: Path, report: Path, trained: None, tmp_path: Path) -> None:
    """Byte for byte, the tables too."""
    write_report(study, study.parent, tmp_path / "again", SETTINGS)
    for name in ("report.html", "tables.json", "figure-5a.png"):
        assert (tmp_path / "again" / name).read_bytes() == (report / name).read_bytes()


def test_own_patients_and_missing_methods_are_told(tmp_path: Path) -> None:
    """A cohort of one's own carries its own caution; what was left out has a row that says so."""
    folder = write_study(tmp_path / "study", without=("GM non-TL", "EM non-TL", "APRI"), virtual=False)
    page = page_without_pictures(folder)
    assert "internal validation only" in page
    assert "Simulated patients." not in page
    assert "APRI: it was left out" in page
    assert "Table 2 is missing" in page
    apri = next(cells for name, cells in rows_of(tables_named(page, "Table 3")[1]) if name == "APRI")
    assert apri[0] == "–"  # noqa: RUF001 - a stroke


def page_without_pictures(folder: Path) -> str:
    """The page of a study, quickly: its figures are empty."""
    study, settings = read_study(folder), replace(SETTINGS, replicates=0)
    test = evaluate_cohort(study.scores["test"], study.scores["train"], settings)
    empty = FigureFile("empty", "Empty", "Empty.", "empty", "data:image/png;base64,")
    results = Results(
        study=study,
        test=test,
        training=evaluate_cohort(study.scores["train"], None, settings),
        baseline=baseline(study),
        tested=families(test),
        figures=StudyFigures(empty, empty, empty, empty, None),
        gallery=(),
        provenance=provenance_of(study, folder, settings),
        settings=settings,
    )
    return render_study(results)


def test_of_three_binary_networks_the_maps_are_those_of_the_middle_threshold() -> None:
    """The paper's mode has no network for all thresholds; the caption then says whose maps they are."""
    run = SimpleNamespace(heads="three", load_binary_networks=lambda: ("for S2", "for S3", "for S4"))
    network, threshold = write_module._network_of_maps(cast("TrainedRun", run))
    assert (str(network), threshold) == ("for S3", "≥ S3")


def test_a_whole_network_is_drawn_beside_the_fine_tuned_top() -> None:
    """Convergence with and without transfer learning is compared in one panel, however each was trained."""
    epochs = (Epoch(0, None, 2.0), Epoch(1, 0.5, 1.0))
    curves: Curves = {"TL": {"GM": {"top": epochs}}, "non-TL": {"GM": {"whole": epochs}}}
    (sentence,) = convergence_findings(curves)
    assert sentence.startswith("GM, fine-tuning: ")
    assert "TL 1.000 at epoch 1 of 1; non-TL, whole network 1.000" in sentence


def _without_file(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _with_text(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return write


def _edited(name: str, old: str, new: str) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return edit


BROKEN: dict[str, tuple[Callable[[Path], None], str]] = {
    **{f"no {name}": (_without_file(name), re.escape(name)) for name in FILES},
    "flow is no JSON": (_with_text("flow.json", "{"), "flow.json"),
    "flow is a list": (_with_text("flow.json", "[]"), "flow.json"),
    "flow lacks its steps": (_with_text("flow.json", '{"given": 3}'), "flow.json"),
    "flow counts in words": (_edited("flow.json", "71", '"many"'), "flow.json"),
    "curves of another shape": (_with_text("curves.json", '{"TL": [1]}'), "curves.json"),
    "an epoch without number": (_with_text("curves.json", '{"TL": {"GM": {"top": [{}]}}}'), "curves.json"),
    "study is no JSON": (_with_text("study.json", "no"), "study.json"),
    "virtual in words": (_edited("study.json", '"virtual": true', '"virtual": "yes"'), "virtual"),
    "patients is empty": (_with_text("test_patients.csv", ""), "test_patients.csv"),
    "patients is binary": (_with_text("test_patients.csv", "id\0"), "test_patients.csv"),
    "a patient is missing": (_edited("test_patients.csv", "test-003", "test-999"), "same patients"),
    "another stage": (_edited("test_patients.csv", "test-000,0", "test-000,4"), "different stages"),
    "an age in words": (_edited("test_patients.csv", ",40,", ",forty,"), "no number"),
    "scores in words": (_with_text("test_scores.csv", "a;b"), "test_scores.csv"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_study_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    """The file or the fault is named, and nothing is written."""
    spoil, words = BROKEN[case]
    folder = write_study(tmp_path / "study")
    spoil(folder)
    with pytest.raises(WrongInputError, match=words):
        write_report(folder, tmp_path, tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()


def test_a_work_folder_without_training_is_refused(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figure 5 needs the network."""
    monkeypatch.setattr(write_module, "load_run", load_run)
    with pytest.raises(WrongInputError, match="no finished training"):
        write_report(study, tmp_path, tmp_path / "out", SETTINGS)


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
@pytest.mark.skipif(AXE_JS is None, reason="axe-core is not installed: make setup-test")
def test_the_page_stops_nobody_who_sees_or_hears_less(report: Path) -> None:
    """axe-core finds nothing."""
    with sync_playwright() as engine:
        browser = engine.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        try:
            page = browser.new_page()
            page.goto((report / "report.html").as_uri())
            assert violations(page) == []
        finally:
            browser.close()
