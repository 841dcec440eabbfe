"""`fibrostage-export evaluate SCORES.csv`: the paper's statistics for anybody's scores.

Reads a table of scores, writes `tables.json`, `report.html` and the figures `roc`, `calibration` and
`decision` as PNG and SVG. The journey: `evaluate_scores` reads and checks, `evaluate_results` computes,
`evaluate_json`, `evaluate_figures` and `evaluate_report` write.
"""

from __future__ import annotations

import json
import platform
import shlex
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import click

from firmware_app.wording import NOTICE
from model_export.errors import ExportError, WrongInputError
from model_export.evaluate_figures import draw_figures
from model_export.evaluate_json import Json, tables
from model_export.evaluate_report import references_of, render
from model_export.evaluate_results import CohortResult, Settings, evaluate_cohort
from model_export.evaluate_scores import THRESHOLDS, ScoreTable, read_scores
from model_export.statistics.figure import Figure


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate and how.

    Attributes:
        scores: CSV with one row per patient, or per image when `patient_column` says which belong together.
        train: CSV of other patients, who give the cut-offs; None takes them from `scores`, marked optimistic.
        patient_column: None takes `patient` when the file has it.
        only: methods to evaluate; empty means all.
        references: methods of the p-value columns; empty chooses.
        beside_paper: print the figures of Xue et al. under each method of that name.
        settings: intervals and bootstrap.
    """

    scores: Path
    train: Path | None
    patient_column: str | None
    only: tuple[str, ...]
    references: tuple[str, ...]
    beside_paper: bool
    settings: Settings


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was found: the content of `tables.json` and the results it was made of."""

    tables: dict[str, Json]
    result: CohortResult


def evaluate_scores(request: EvaluationRequest, out: Path, now: datetime) -> Evaluation:
    """Evaluate a table of scores and write everything into a folder.

    Args:
        request: what to evaluate and how.
        out: folder for `tables.json`, `report.html` and the figures; made when it is not there.
        now: time of the run, printed in the report.

    Raises:
        WrongInputError: lists every problem of the files and options.
        ExportError: the folder cannot be written.
    """
    table, train = read_scores(request.scores, request.train, request.patient_column, request.only)
    references = references_of(table.methods(), request.references)
    unknown = [name for name in references if name not in table.methods()]
    if unknown:
        raise WrongInputError(f"--reference names no method of {table.name}: {', '.join(unknown)}")
    result = evaluate_cohort(table, train, request.settings)
    # Image-level figures are a second look at the evaluated patients only.
    training = (
        None if train is None else evaluate_cohort(train, None, replace(request.settings, replicates=0))
    )
    provenance = _provenance(request, table, train, now)
    content = tables(result, training, provenance)
    try:
        out.mkdir(parents=True, exist_ok=True)
        figures = draw_figures(result, out)
        page = render(result, training, figures, references, provenance, beside_paper=request.beside_paper)
        (out / "report.html").write_text(page, encoding="utf-8")
        # Last, so that a tables.json is never there without its page. NaN would raise here.
        (out / "tables.json").write_text(
            json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )
    except FileExistsError as error:
        raise WrongInputError(f"--out {out} is a file; name a folder") from error
    except OSError as error:
        raise ExportError(f"{out} cannot be written: {error.strerror}") from error
    return Evaluation(content, result)


def _provenance(
    request: EvaluationRequest, table: ScoreTable, train: ScoreTable | None, now: datetime
) -> dict[str, str | int | None]:
    """Everything needed to make the same page again."""
    return {
        "command": _command(request),
        "time": now.isoformat(timespec="seconds"),
        "scores": table.name,
        "scores_sha256": table.sha256,
        "train": None if train is None else train.name,
        "train_sha256": None if train is None else train.sha256,
        "cutoffs": "Youden on the evaluated patients (optimistic)"
        if train is None
        else "Youden on the training patients",
        "auc_interval": "logit" if request.settings.on_logit_scale else "delong",
        "seed": request.settings.seed,
        "replicates": request.settings.replicates,
        "fibrostage": version("fibrostage"),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
        "scikit_learn": version("scikit-learn"),
        "matplotlib": version("matplotlib"),
    }


def _command(request: EvaluationRequest) -> str:
    """The command that gives this page again; files by name only, since folders may name people."""
    settings = request.settings
    words = ["fibrostage-export", "evaluate", request.scores.name, "--out", "DIR"]
    words += ["--train", request.train.name] if request.train else []
    words += ["--patient", request.patient_column] if request.patient_column else []
    words += [word for name in request.only for word in ("--score", name)]
    words += [word for name in request.references for word in ("--reference", name)]
    words += ["--beside-paper"] if request.beside_paper else []
    words += ["--logit"] if settings.on_logit_scale else []
    return shlex.join([*words, "--seed", str(settings.seed), "--replicates", str(settings.replicates)])


@click.command()
@click.argument("scores", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the report.")
@click.option(
    "--patient",
    metavar="COL",
    help="Column that says which rows are images of one patient; the patient's score is their mean. "
    "Default: `patient`, when there is such a column.",
)
@click.option(
    "--train",
    type=click.Path(path_type=Path),
    metavar="TRAIN.csv",
    help="Scores of the training patients, which give the cut-offs. Without it they come from the evaluated "
    "patients themselves and are marked optimistic.",
)
@click.option("--score", "only", multiple=True, metavar="NAME", help="Evaluate this method only; repeatable.")
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="NAME",
    help="Method of a p-value column; at most two.",
)
@click.option(
    "--beside-paper",
    is_flag=True,
    help="Print the figures of Xue et al. 2020 under each method that bears a name of that paper.",
)
@click.option("--logit", "on_logit_scale", is_flag=True, help="AUC intervals on the logit scale.")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Of the bootstrap.")
@click.option(
    "--replicates",
    type=click.IntRange(100, 100_000),
    default=2000,
    show_default=True,
    help="Cohorts drawn by the bootstrap of image-level AUCs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print tables.json instead of the summary.")
def evaluate(  # noqa: PLR0913 - one parameter per option of the command
    *,
    scores: Path,
    out: Path,
    patient: str | None,
    train: Path | None,
    only: tuple[str, ...],
    references: tuple[str, ...],
    beside_paper: bool,
    on_logit_scale: bool,
    seed: int,
    replicates: int,
    as_json: bool,
) -> None:
    """Evaluate the scores in SCORES.csv as the study does: tables, figures and a page.

    SCORES.csv has one row per patient (or per image), a `stage` column 0-4 and any number of numeric score
    columns, higher meaning worse. A column `NAME@>=S2`, `NAME@>=S3` or `NAME@S4` holds the score of NAME for
    that threshold only.
    """
    if len(references) > 2:
        raise WrongInputError("--reference can be given twice at most; the table has two p-value columns")
    settings = Settings(seed=seed, replicates=replicates, on_logit_scale=on_logit_scale)
    request = EvaluationRequest(scores, train, patient, only, references, beside_paper, settings)
    evaluation = evaluate_scores(request, out, datetime.now(timezone.utc))
    if as_json:
        click.echo(json.dumps(evaluation.tables, indent=1, allow_nan=False))
        return
    click.echo(summary(evaluation.result))
    click.echo(f"report: {out / 'report.html'}")
    click.echo(NOTICE)


def summary(result: CohortResult) -> str:
    """AUCs with their intervals, one line per method and one column per threshold."""
    names = list(result.methods[THRESHOLDS[0].name])
    width = max(len(name) for name in names)
    lines = [" " * width + "".join(f"  {f'AUC {threshold.name}':<21}" for threshold in THRESHOLDS)]
    for name in names:
        cells = (_auc_text(result.methods[threshold.name][name].auc) for threshold in THRESHOLDS)
        lines.append(f"{name:<{width}}" + "".join(f"  {cell:<21}" for cell in cells))
    if result.optimistic:
        lines.append(
            "Cut-offs come from the evaluated patients themselves: optimistic. Give others with --train."
        )
    return "\n".join(line.rstrip() for line in lines)


def _auc_text(auc: Figure) -> str:
    if auc.value is None:
        return "not defined"
    if auc.low is None or auc.high is None:
        return f"{auc.value:.3f}"
    return f"{auc.value:.3f} ({auc.low:.3f}-{auc.high:.3f})"
