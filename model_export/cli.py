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
from model_export.errors import ExportError, WrongInputError
from model_export.evaluate import evaluate
from model_export.train_command import train


@click.group(epilog=NOTICE)
@click.version_option(__version__, prog_name="fibrostage-export")
def program() -> None:
    """Make the models of fibrostage: from a cohort to a bundle."""


program.add_command(train)
program.add_command(evaluate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code."""
    wrong_input = (WrongInputError, ApplianceInputError, CalibrationInputError)
    return run_program(program, wrong_input, (ExportError, FibrostageError, CalibrationError), arguments)


if __name__ == "__main__":
    sys.exit(main())
