"""How every program ends: 0 done, 1 the work failed, 2 wrong input; one clear line, never a traceback.

Only where many things are to be mended do further lines follow, one for each, beginning with "- ".
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cached_property

import click

DONE, FAILED, WRONG_INPUT = 0, 1, 2
INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class LoadingGroup(click.Group):
    """A group some of whose commands are loaded when they are asked for, and not before."""

    @cached_property
    def loaders(self) -> dict[str, Callable[[], click.Command]]:
        """Commands that are not loaded yet: name, and what loads it."""
        return {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order of the alphabet."""
        return sorted({*super().list_commands(ctx), *self.loaders})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name; None if there is none."""
        load = self.loaders.get(cmd_name)
        return load() if load is not None else super().get_command(ctx, cmd_name)


def run_program(  # noqa: PLR0911 - one return per way to end
    command: click.Command,
    wrong_input: tuple[type[Exception], ...],
    failed: tuple[type[Exception], ...],
    arguments: Sequence[str] | None = None,
) -> int:
    """Run a click command and turn every expected failure into one line on stderr and an exit code.

    Args:
        command: the program.
        wrong_input: errors that whoever called it can mend (exit code 2).
        failed: its other own errors (exit code 1); an `OSError` is one, too, unless it is a name's fault.
        arguments: instead of the command line, for tests.

    Returns:
        The exit code. An error that nobody foresaw is a fault of the program and keeps its traceback.
    """
    try:
        outcome = command.main(args=arguments, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        return _say(error.format_message(), WRONG_INPUT)
    except wrong_input as error:
        return _say(str(error), WRONG_INPUT)
    except BrokenPipeError:
        # Whoever read our output went away (`| head`). Python must not flush again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        unusable_name = error.errno in {errno.ENAMETOOLONG, errno.ELOOP}
        return _say(str(error), WRONG_INPUT if unusable_name else FAILED)
    except failed as error:
        return _say(str(error), FAILED)
    return outcome if isinstance(outcome, int) else DONE


def _say(sentence: str, code: int) -> int:
    # A list of problems keeps its lines; all else is one.
    lines = (" ".join(line.split()) for line in re.split(r"\n(?=- )", sentence))
    print("error: " + "\n".join(lines), file=sys.stderr)
    return code
