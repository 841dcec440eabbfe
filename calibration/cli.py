"""`fibrostage-calibrate`: what ties pixels to the world.

Exit code 0 done, 1 the work failed, 2 wrong input; one clear line on stderr and no traceback. This program
stands above the packages whose commands it offers, and loads them when they are called, not before
(docs/decisions/0011-programs-above-packages.md).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from calibration.errors import CalibrationError, WrongInputError
from calibration.phantom.commands import SOFTWARE_VERSION, phantom
from calibration.program import LoadingGroup, run_program


def _screen() -> click.Command:
    from firmware_app.commissioning.command import screen  # noqa: PLC0415 - an upper package, see above

    return screen


def _int8() -> click.Command:
    from model_export.int8_command import int8_command  # noqa: PLC0415 - an upper package, see above

    return int8_command


def _probability() -> click.Command:
    from model_export.recalibrate_command import probability  # noqa: PLC0415 - an upper package, see above

    return probability


def _cohort() -> click.Command:
    from model_export.study.cohort_command import draw_cohort_folder  # noqa: PLC0415 - see above

    return draw_cohort_folder


@click.group(cls=LoadingGroup, no_args_is_help=False)
@click.version_option(SOFTWARE_VERSION, prog_name="fibrostage-calibrate")
def program() -> None:
    """Calibrate fibrostage; draw and play the screens of a virtual scanner.

    For research use only. Not for diagnostic use.
    """


# The commands of the upper packages: name, and what loads it.
program.loaders.update(int8=_int8, probability=_probability, screen=_screen)
phantom.loaders.update(cohort=_cohort)
program.add_command(phantom)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code: 0 done, 1 the work failed, 2 wrong input."""
    from firmware_app import errors as appliance  # noqa: PLC0415 - upper packages, see above
    from model_export import errors as export  # noqa: PLC0415 - see above

    wrong = (WrongInputError, appliance.WrongInputError, export.WrongInputError)
    failed = (CalibrationError, appliance.FibrostageError, export.ExportError)
    return run_program(program, wrong, failed, arguments)


if __name__ == "__main__":
    sys.exit(main())
