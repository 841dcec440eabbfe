"""`fibrostage-export report`: the whole study in one command, from a cohort to the page."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from firmware_app.wording import NOTICE
from model_export.errors import NotInstalledError
from model_export.training_options import TrainingChoice, cohort_option, training_options

STUDY = "study"
"""Folder below --out that holds the tables which the page was made of."""


@click.command()
@cohort_option
@training_options
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the report and its tables."
)
@click.option(
    "--replicates",
    type=click.IntRange(100, 100_000),
    default=2000,
    show_default=True,
    help="Cohorts drawn by the bootstrap of image-level AUCs.",
)
@click.pass_context
def report(
    context: click.Context, /, *, cohort: Path | None, training: TrainingChoice, out: Path, replicates: int
) -> None:
    """Repeat the study of Xue et al. on a cohort: train, score every method, evaluate, write the page.

    Every stage is kept in --work: an interrupted run goes on where it stopped.
    """
    request = training.request()
    try:
        from model_export.evaluate_results import Settings  # noqa: PLC0415 - imports scipy
        from model_export.study.report.write import write_report  # noqa: PLC0415 - imports torch
        from model_export.study.run import StudyRequest, run_study  # noqa: PLC0415 - imports torch
    except ModuleNotFoundError as error:
        raise NotInstalledError(error) from error
    logging.basicConfig(level=logging.WARNING)
    study = run_study(StudyRequest(cohort, request, out / STUDY, command_line(context)))
    settings = Settings(seed=training.seed, replicates=replicates, on_logit_scale=False)
    write_report(study.folder, study.run.work, out, settings)
    click.echo(f"report: {out / 'report.html'}")
    click.echo(NOTICE)


def command_line(context: click.Context) -> str:
    """The options that were given, files and folders by name only, since folders may name people."""
    words = ["fibrostage-export", context.command.name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        words.append(parameter.opts[0])
        if value is not True:
            words.append(value.name if isinstance(value, Path) else str(value))
    return shlex.join(words)
