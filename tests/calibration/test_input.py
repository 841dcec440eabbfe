"""TOML and JSON of whoever wrote it: whatever is wrong ends in the one error that is expected."""

from __future__ import annotations

import pytest

from calibration import json_input, toml


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a = \nb = 1", "line 1"),
        ("a = " + "9" * 5000, "too many digits"),
        ("a = 0x" + "f" * 17, "64 bits"),
        ("a = [{b = [-9223372036854775809]}]", "64 bits"),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_toml_is_one_error(text: str, why: str) -> None:
    """Syntax, digits that Python refuses, numbers that TOML does not have, and depth."""
    with pytest.raises(toml.TomlError, match=why):
        toml.parse(text)


def test_the_largest_numbers_of_toml_are_read() -> None:
    """64 bits, signed."""
    assert toml.parse("a = 9223372036854775807\nb = -9223372036854775808") == {"a": 2**63 - 1, "b": -(2**63)}


@pytest.mark.parametrize("text", ["{", "9" * 5000, "[" * 100_000, b"\xff\xfe"])
def test_what_is_no_json_is_one_error(text: str | bytes) -> None:
    """Cut off, too many digits, too deep, no text."""
    with pytest.raises(ValueError, match=r"."):
        json_input.parse(text)
