"""`fibrostage-calibrate`: what ties pixels to the world.

Exit code 0 done, 1 the work failed, 2 wrong input; one clear line on stderr and no traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from calibration.errors import CalibrationError, WrongInputError
from calibration.phantom.commands import SOFTWARE_VERSION, phantom
from calibration.program import run_program


@click.group(no_args_is_help=False)
@click.version_option(SOFTWARE_VERSION, prog_name="fibrostage-calibrate")
def program() -> None:
    """Calibrate fibrostage; draw and play the screens of a virtual scanner.

    For research use only. Not for diagnostic use.
    """


program.add_command(phantom)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the program and returns its exit code: 0 done, 1 the work failed, 2 wrong input."""
    return run_program(program, (WrongInputError,), (CalibrationError,), arguments)


if __name__ == "__main__":
    sys.exit(main())
