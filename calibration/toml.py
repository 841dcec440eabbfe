"""TOML of whoever wrote it: whatever is wrong with it is one error."""

from __future__ import annotations

import sys
from collections.abc import Iterator

if sys.version_info >= (3, 11):
    import tomllib
else:  # the standard library has it from 3.11 on
    import tomli as tomllib

_LARGEST = 2**63
"""TOML's integers have 64 bits; Python would read longer ones, and break at printing them."""


class TomlError(ValueError):
    """Why a text is no TOML, in one clause."""


def parse(text: str) -> dict[str, object]:
    """What a text holds.

    Raises:
        TomlError: it is no TOML, is nested too deeply, or holds an integer of more than 64 bits.
    """
    try:
        table: dict[str, object] = tomllib.loads(text)
        if any(not -_LARGEST <= number < _LARGEST for number in _integers(table)):
            raise TomlError("a number has more than 64 bits")
    except RecursionError:
        raise TomlError("it is nested too deeply") from None
    except ValueError as error:
        if isinstance(error, tomllib.TOMLDecodeError | TomlError):
            raise TomlError(str(error)) from None
        raise TomlError("a number has too many digits") from None
    return table


def _integers(value: object) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _integers(part)
