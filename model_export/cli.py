"""The program `fibrostage-export`: makes the models. Exit code 0 done, 1 the work failed, 2 wrong input."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from calibration.errors import CalibrationError
from calibration.errors import WrongInputError as CalibrationInputError
from calibration.program import run_program
from firmware_app import __version__
from firmware_app.errors import FibrostageError
from firmware_app.errors import WrongInputError as ApplianceInputError
from firmware_app.wording import NOTICE
from model_export.compile_command import compile_engine
from model_export.errors import ExportError, NotInstalledError, WrongInputError
from model_export.export_command import export_command, quantise_command
from model_export.report_command import report
from model_export.sign_command import keygen, sign
from model_export.study.prepare_command import prepare
from model_export.train_command import train


@click.group(epilog=NOTICE)
@click.version_option(__version__, prog_name="fibrostage-export")
def program() -> None:
    """Make the models of fibrostage: from a cohort to a bundle."""


def _evaluate() -> click.Command:
    """The command `evaluate`; where its libraries are missing (a Jetson), one that says so."""
    try:
        from model_export.evaluate import evaluate  # noqa: PLC0415 - needs matplotlib and scipy
    except ModuleNotFoundError as error:
        missing = NotInstalledError(error)

        def refuse() -> None:
            raise missing

        anything = {"ignore_unknown_options": True, "allow_extra_args": True}
        return click.Command("evaluate", callback=refuse, help=str(missing), context_settings=anything)
    return evaluate


program.add_command(prepare)
program.add_command(train)
program.add_command(_evaluate())
program.add_command(report)
program.add_command(export_command)
program.add_command(quantise_command)
program.add_command(compile_engine)
program.add_command(keygen)
program.add_command(sign)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    wrong_input = (WrongInputError, ApplianceInputError, CalibrationInputError)
    return run_program(program, wrong_input, (ExportError, FibrostageError, CalibrationError), arguments)


if __name__ == "__main__":
    sys.exit(main())
