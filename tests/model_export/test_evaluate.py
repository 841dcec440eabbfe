"""`evaluate SCORES.csv`: what it writes, what it refuses, and that its figures are the statistics'."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import re
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from click.testing import CliRunner

from firmware_app.wording import NOTICE
from model_export.errors import WrongInputError
from model_export.evaluate import evaluate
from model_export.evaluate_json import Json, tables
from model_export.evaluate_results import Settings, evaluate_cohort
from model_export.evaluate_scores import read_scores
from model_export.statistics.auc import auc_figure, delong_auc, delong_test
from model_export.statistics.bootstrap import cluster_bootstrap_auc
from model_export.statistics.operating_figures import operating_figures, two_by_two, youden_cutoff

Rows = list[dict[str, object]]
Object = dict[str, Json]

COUNTS = (20, 13, 15, 13, 41)
"""The paper's test cohort, S0 to S4."""


def cohort(seed: int, *, images: int = 1, prefix: str = "p", counts: tuple[int, ...] = COUNTS) -> Rows:
    """Rows of a cohort with three methods of rising quality; ties in APRI."""
    generator = np.random.default_rng(seed)
    rows: Rows = []
    for number, stage in enumerate(np.repeat(np.arange(len(counts)), counts)):
        latent = stage + generator.normal() * 1.2
        for _ in range(images):
            rows.append(
                {
                    "patient": f"{prefix}{number}",
                    "stage": int(stage),
                    "APRI": round(float(latent + generator.normal() * 2.5)) / 4,
                    "LSM": float(np.exp(1.6 + 0.25 * latent + 0.1 * generator.normal())),
                    "GM+EM": float(latent + generator.normal() * 0.2),
                }
            )
    return rows


def write(path: Path, rows: Rows, drop: tuple[str, ...] = ()) -> Path:
    """Write rows as CSV without some columns."""
    names = [name for name in rows[0] if name not in drop]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(*arguments: str | Path) -> str:
    """Run the command and return what it prints; errors come out as they are."""
    outcome = CliRunner().invoke(evaluate, [str(argument) for argument in arguments], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def load(folder: Path) -> Object:
    """tables.json, refusing NaN and infinities."""

    def refuse(constant: str) -> float:
        pytest.fail(f"{constant} in tables.json")

    text = (folder / "tables.json").read_text(encoding="utf-8")
    return cast("Object", json.loads(text, parse_constant=refuse))


def compute(path: Path, train: Path | None = None, replicates: int = 100) -> Object:
    """The content of tables.json without drawing anything, through JSON and back."""
    table, reference = read_scores(path, train, None)
    settings = Settings(seed=3, replicates=replicates, on_logit_scale=False)
    training = None if reference is None else evaluate_cohort(reference, None, settings)
    content = tables(evaluate_cohort(table, reference, settings), training, {})
    return cast("Object", json.loads(json.dumps(content, allow_nan=False)))


def at(content: Json, *path: str) -> Object:
    """The object at a path of keys."""
    for key in path:
        content = cast("Object", content)[key]
    return cast("Object", content)


def refusal(*arguments: str | Path) -> str:
    """The one message of a refused run."""
    with pytest.raises(WrongInputError) as caught:
        run(*arguments)
    return str(caught.value)


def twin_cohort() -> Rows:
    """One row per patient, three methods and a twin without transfer learning."""
    rows = cohort(1)
    for row in rows:
        row["GM+EM non-TL"] = cast("float", row["GM+EM"]) % 2
    return rows


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with scores.csv and, under out, what one run wrote: shared by the tests that only read."""
    folder = tmp_path_factory.mktemp("evaluate")
    path = write(folder / "scores.csv", twin_cohort(), drop=("patient",))
    run(path, "--out", folder / "out", "--seed", "11")
    return folder


def test_one_row_per_patient_gives_the_figures_of_the_statistics(written: Path) -> None:
    """Every number of tables.json is what the statistics give for the columns of the file."""
    rows = twin_cohort()
    content = load(written / "out")
    stage = np.array([cast("int", row["stage"]) for row in rows])
    column = {name: np.array([cast("float", row[name]) for row in rows]) for name in list(rows[0])[2:]}
    for threshold, least in ((">=S2", 2), (">=S3", 3), ("S4", 4)):
        positive = stage >= least
        for name, scores in column.items():
            found = at(content, "thresholds", threshold, "methods", name)
            auc = auc_figure(delong_auc(scores, positive))
            assert (found["auc"], found["auc_ci"]) == (auc.value, [auc.low, auc.high])
            cutoff = youden_cutoff(scores, positive).cutoff
            assert (found["cutoff"], found["cutoff_optimistic"]) == (cutoff, True)
            figures = operating_figures(two_by_two(scores, positive, cutoff))
            for key in ("sensitivity", "specificity", "ppv", "npv", "lr_pos", "lr_neg"):
                figure = getattr(figures, key)
                assert found[key] == figure.value
                assert found[f"{key}_ci"] == (None if figure.low is None else [figure.low, figure.high])
            assert found["image_level"] is None
    comparisons = cast("list[Object]", content["comparisons"])
    assert len(comparisons) == 18
    for comparison in comparisons:
        least = {">=S2": 2, ">=S3": 3, "S4": 4}[cast("str", comparison["threshold"])]
        test = delong_test(
            column[cast("str", comparison["a"])], column[cast("str", comparison["b"])], stage >= least
        )
        assert (comparison["z"], comparison["p"]) == (test.z, test.p)


def test_images_of_one_patient_count_as_one_patient(tmp_path: Path) -> None:
    """With a patient column the score is the mean of the images, and image-level figures stand apart."""
    rows = cohort(2, images=5)
    path = write(tmp_path / "scores.csv", rows)
    content = compute(path, replicates=200)
    assert at(content, "cohort")["n_patients"] == sum(COUNTS)
    assert at(content, "cohort")["n_images"] == 5 * sum(COUNTS)
    images = np.array([cast("float", row["LSM"]) for row in rows])
    stage = np.repeat(np.arange(5), COUNTS)
    found = at(content, "thresholds", "S4", "methods", "LSM")
    assert found["auc"] == pytest.approx(delong_auc(images.reshape(-1, 5).mean(axis=1), stage >= 4).auc)
    patient = np.repeat(np.arange(stage.size), 5)
    drawn = cluster_bootstrap_auc(images, np.repeat(stage >= 4, 5), patient, replicates=200, seed=3)
    assert at(found, "image_level")["auc"] == drawn.auc.value
    assert at(found, "image_level")["auc_ci"] == [drawn.auc.low, drawn.auc.high]
    icc = at(content, "agreement", "LSM")
    assert 0.5 < cast("float", icc["icc_single"]) < cast("float", icc["icc_mean"]) < 1.0


def test_a_patient_column_groups_without_being_named(tmp_path: Path) -> None:
    """Images are never silently taken for patients: a `patient` column is used as soon as it is there."""
    path = write(tmp_path / "scores.csv", cohort(2, images=2))
    named, found = (read_scores(path, None, column)[0] for column in ("patient", None))
    assert found.stage.size == named.stage.size == sum(COUNTS)


def test_cutoffs_come_from_the_training_file_alone(tmp_path: Path) -> None:
    """With --train the cut-off is that of the training patients, and nothing of it is called optimistic."""
    train = cohort(3, prefix="t", counts=(79, 42, 53, 43, 147))
    drop = ("APRI", "GM+EM")
    test_path = write(tmp_path / "test.csv", cohort(4), drop)
    train_path = write(tmp_path / "train.csv", train, drop)
    run(test_path, "--out", tmp_path / "out", "--train", train_path, "--replicates", "100")
    content = load(tmp_path / "out")
    stage = np.array([cast("int", row["stage"]) for row in train])
    scores = np.array([cast("float", row["LSM"]) for row in train])
    found = at(content, "thresholds", ">=S3", "methods", "LSM")
    assert found["cutoff"] == youden_cutoff(scores, stage >= 3).cutoff
    assert found["cutoff_optimistic"] is False
    assert at(found, "calibration")["optimistic"] is False
    assert at(content, "training", "cohort")["n_patients"] == 364
    assert at(content, "training", "thresholds", ">=S3", "methods", "LSM")["cutoff_optimistic"] is True
    assert "Optimistic figures" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_column_for_one_threshold_is_used_there_and_is_a_probability(tmp_path: Path) -> None:
    """`NET@S4` is the score of NET for S4 only; inside [0, 1] it is judged as a probability."""
    rows = cohort(5)
    for row in rows:
        latent = cast("float", row["GM+EM"])
        row["NET@>=S2"] = 1 / (1 + math.exp(1.5 - latent))
        row["NET@S4"] = 1 / (1 + math.exp(3.5 - latent))
    content = compute(write(tmp_path / "scores.csv", rows))
    given = at(content, "thresholds", "S4", "methods", "NET")
    truth = np.array([cast("int", row["stage"]) >= 4 for row in rows])
    predicted = np.array([cast("float", row["NET@S4"]) for row in rows])
    assert at(given, "calibration")["probability"] == "as given"
    assert at(given, "calibration")["brier"] == pytest.approx(np.mean((predicted - truth) ** 2))
    missing = at(content, "thresholds", ">=S3", "methods", "NET")
    assert missing["auc"] is None
    assert "NET@>=S3" in cast("str", at(missing, "reasons")["auc"])


def test_a_threshold_without_patients_is_null_with_a_reason(tmp_path: Path) -> None:
    """Nobody at S4: those figures are null and say why, the other thresholds stand."""
    path = write(tmp_path / "scores.csv", cohort(6, counts=(10, 10, 10, 10, 0)), drop=("APRI",))
    run(path, "--out", tmp_path / "out")
    content = load(tmp_path / "out")
    found = at(content, "thresholds", "S4", "methods", "LSM")
    for key in ("auc", "auc_ci", "sensitivity", "ppv", "lr_pos", "cutoff", "calibration"):
        assert found[key] is None
    assert at(found, "reasons")["auc"] == "no patient at or above the threshold"
    assert at(content, "thresholds", ">=S3", "methods", "LSM")["auc"] is not None
    nothing = [c for c in cast("list[Object]", content["comparisons"]) if c["threshold"] == "S4"]
    assert {(c["z"], c["p"]) for c in nothing} == {(None, None)}
    assert all(c["reason"] for c in nothing)


def test_perfect_and_useless_scores_leave_no_nan(tmp_path: Path) -> None:
    """A perfect, a copied and a constant score give numbers or reasons, never NaN or infinity."""
    rows: Rows = [
        {"stage": stage, "perfect": stage, "copy": stage, "constant": 1} for stage in (0, 0, 1, 2, 3, 4, 4)
    ]
    run(write(tmp_path / "scores.csv", rows), "--out", tmp_path / "out")
    content = load(tmp_path / "out")
    perfect = at(content, "thresholds", "S4", "methods", "perfect")
    assert (perfect["auc"], perfect["lr_pos"]) == (1.0, None)
    assert cast("str", at(perfect, "reasons")["lr_pos"]).startswith("infinite")
    by_pair = {
        (c["a"], c["b"]): c for c in cast("list[Object]", content["comparisons"]) if c["threshold"] == "S4"
    }
    assert (by_pair["perfect", "copy"]["z"], by_pair["perfect", "copy"]["p"]) == (0.0, 1.0)
    infinite = by_pair["perfect", "constant"]
    assert (infinite["z"], infinite["p"]) == (None, 0.0)
    assert "infinite" in cast("str", infinite["reason"])


def test_provenance_names_input_seed_and_versions_but_no_folder(written: Path) -> None:
    """The page can be made again from what it says, and no folder of this machine stands in it."""
    provenance = at(load(written / "out"), "provenance")
    digest = hashlib.sha256((written / "scores.csv").read_bytes()).hexdigest()
    assert provenance["scores_sha256"] == digest
    assert provenance["seed"] == 11
    assert provenance["command"] == (
        "fibrostage-export evaluate scores.csv --out DIR --seed 11 --replicates 2000"
    )
    assert {"fibrostage", "numpy", "scipy", "python"} <= set(provenance)
    for name in ("tables.json", "report.html"):
        assert str(written) not in (written / "out" / name).read_text(encoding="utf-8")


def test_the_same_input_gives_the_same_files(written: Path, tmp_path: Path) -> None:
    """But for the time, a second run writes the same bytes, figures included."""
    run(written / "scores.csv", "--out", tmp_path / "out", "--seed", "11")
    names = sorted(file.name for file in (written / "out").iterdir())
    assert names == sorted(
        [f"{figure}.{kind}" for figure in ("roc", "calibration", "decision") for kind in ("png", "svg")]
        + ["report.html", "tables.json"]
    )
    stamp = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
    for name in names:
        one, two = ((folder / "out" / name).read_bytes() for folder in (written, tmp_path))
        assert stamp.sub(b"", one) == stamp.sub(b"", two), name


def test_the_page_is_self_contained_and_shows_the_tables(written: Path) -> None:
    """The page loads nothing from elsewhere, carries the caution, says optimistic and prints the AUCs."""
    html = (written / "out" / "report.html").read_text(encoding="utf-8")
    assert NOTICE in html
    assert html.index(NOTICE) < html.index("<h1>")
    assert "Optimistic figures" in html
    addresses = re.findall(r'(?:src|href)="([^"]*)"', html)
    assert len(addresses) == 3
    assert all(address.startswith("data:image/svg+xml;base64,") for address in addresses)
    assert "http" not in re.sub(r'src="[^"]*"', "", html)
    auc = at(load(written / "out"), "thresholds", "S4", "methods", "LSM")["auc"]
    printed = re.findall(r'<th scope="row">LSM</th><td><span>([^<]*)</span>', html)
    assert len(printed) == 3
    assert printed[0] == f"{auc:.3f}"
    assert html.count('<th scope="row">GM+EM TL</th>') == 3


def test_names_from_the_file_cannot_become_markup(tmp_path: Path) -> None:
    """A method called <script> is printed, not run."""
    rows: Rows = [{"stage": stage, "<script>alert(1)</script>": stage % 3} for stage in (0, 1, 2, 3, 4, 4)]
    run(write(tmp_path / "scores.csv", rows), "--out", tmp_path / "out")
    assert "<script>" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    """A stage of 7, text or nothing for a score, a patient of two stages, a short row: one message."""
    path = tmp_path / "bad.csv"
    path.write_text(
        "patient,stage,LSM,GM\na,7,5.1,0.2\nb,1,soft,0.1\nc,2,8.0,\nc,3,8.5,0.4\nd,4,9.0\n,4,9.9,nan\n"
    )
    message = refusal(path, "--out", tmp_path / "out")
    for part in (
        '"7" in line 2',
        '`LSM` that are no numbers: "soft" in line 3',
        '`GM` that are no numbers: nothing in line 4, "nan" in line 7',
        '"c" has 2 and 3',
        "line 6 has 3",
        "rows without a patient: line 7",
    ):
        assert part in message
    assert message.startswith("the scores cannot be evaluated; mend these 6 problems:")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"stage,LSM\n", "only a header"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "not UTF-8 text"),
        (b"LSM,GM\n1,2\n", "no `stage` column"),
        (b"stage;LSM\n1;2\n", "not separated by commas"),
        (b"stage\n1\n4\n", "no score column"),
        (b"stage,LSM,LSM\n1,2,3\n4,5,6\n", "twice in the header: LSM"),
        (b"stage,,LSM\n1,2,3\n4,5,6\n", "without a name"),
        (b"stage,LSM\n4,1\n4,2\n", "one side of every threshold"),
        (b"stage,LSM\n0,1\n1,2\n", "one side of every threshold"),
        (b"stage,LSM\n0,1e308\n4,2\n", '"1e308" in line 2'),
        (b"stage,LSM\n-1,1\n2.5,2\n4,1e999\n", '"-1" in line 2, "2.5" in line 3'),
    ],
)
def test_what_is_no_table_of_scores_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    """Each kind of unusable file is named in a sentence, with the name of the file."""
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    message = refusal(path, "--out", tmp_path / "out")
    assert part in message
    assert "bad.csv" in message


def test_a_missing_file_and_an_out_that_is_a_file_are_refused(tmp_path: Path) -> None:
    """Wrong paths are wrong input, in a sentence."""
    assert "No such file" in refusal(tmp_path / "none.csv", "--out", tmp_path / "out")
    path = write(tmp_path / "scores.csv", cohort(1))
    assert "is a file; name a folder" in refusal(path, "--out", path)


def test_training_files_that_cannot_give_cutoffs_are_refused(tmp_path: Path) -> None:
    """A missing column, a shared patient or the very same file are named in one message."""
    test_rows = cohort(1)
    path = write(tmp_path / "test.csv", test_rows)
    train = write(tmp_path / "train.csv", [*cohort(2, prefix="t"), test_rows[0]], drop=("LSM",))
    message = refusal(path, "--out", tmp_path / "out", "--train", train)
    assert "columns of test.csv are missing here: LSM" in message
    assert "patients who are also in test.csv: p0" in message
    same = tmp_path / "same.csv"
    same.write_bytes(path.read_bytes())
    assert "the same data" in refusal(path, "--out", tmp_path / "out", "--train", same)


def test_options_that_name_nothing_are_refused(tmp_path: Path) -> None:
    """--patient, --score and --reference must name what is in the file."""
    path = write(tmp_path / "scores.csv", cohort(1))
    out = ("--out", tmp_path / "out")
    assert "no `subject` column" in refusal(path, *out, "--patient", "subject")
    assert "lacks: MRE" in refusal(path, *out, "--score", "MRE")
    assert "no method of scores.csv: MRE" in refusal(path, *out, "--reference", "MRE")
    assert "twice at most" in refusal(path, *out, *["--reference", "LSM"] * 3)


def test_one_method_can_be_chosen_among_other_columns(tmp_path: Path) -> None:
    """--score leaves columns that are no scores alone, text included."""
    rows = cohort(1)
    for row in rows:
        row["sex"] = "f"
    path = write(tmp_path / "scores.csv", rows)
    assert "`sex`" in refusal(path, "--out", tmp_path / "out")
    output = run(path, "--out", tmp_path / "out", "--score", "LSM", "--logit", "--json")
    content = cast("Object", json.loads(output))
    assert list(at(content, "thresholds", "S4", "methods")) == ["LSM"]
    assert content == load(tmp_path / "out")


def test_a_byte_order_mark_and_spaces_are_read_over(tmp_path: Path) -> None:
    """A table saved by a spreadsheet, with a byte order mark and spaces, reads like any other."""
    path = tmp_path / "scores.csv"
    path.write_bytes("\ufeffstage, LSM\r\n0, 4.1\r\n1, 5.0\r\n\r\n3, 9.5\r\n4.0, 14\r\n".encode())
    table, _ = read_scores(path, None, None)
    assert table.stage.tolist() == [0, 1, 3, 4]
    assert table.columns["LSM"].patients.tolist() == [4.1, 5.0, 9.5, 14.0]


def test_log_odds_of_one_threshold_within_0_and_1_are_no_probabilities(tmp_path: Path) -> None:
    """Only when the columns of all thresholds lie in [0, 1] are they taken for probabilities."""
    rows = cohort(5)
    for row in rows:
        row |= {"N@>=S2": 0.5 + int(str(row["stage"])) / 10, "N@>=S3": 0.1, "N@S4": -0.4}
        row |= {"P@>=S2": 0.9, "P@>=S3": 0.5, "P@S4": 0.1}
    table, _ = read_scores(write(tmp_path / "scores.csv", rows), None, None)
    found = {name: column.is_probability for name, column in table.columns.items() if "@" in name}
    assert found == {name: name.startswith("P") for name in found}
    assert len(found) == 6
