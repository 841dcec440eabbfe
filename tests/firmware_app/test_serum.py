"""Serum scores: worked examples, and the values that are refused."""

from __future__ import annotations

import math

import pytest

from firmware_app.errors import SerumError
from firmware_app.serum import Serum, apri, fib4


def test_apri_worked_example() -> None:
    """AST of twice the upper limit with 200 x 10^9/L platelets gives an APRI of 1."""
    assert apri(Serum(ast_u_l=80, ast_uln_u_l=40, platelets_g_l=200)) == pytest.approx(1.0)
    assert apri(Serum(ast_u_l=48, ast_uln_u_l=40, platelets_g_l=160)) == pytest.approx(0.75)


def test_fib4_worked_example() -> None:
    """Age 50, AST 64, ALT 64, platelets 200 gives 50 x 64 / (200 x 8) = 2."""
    serum = Serum(ast_u_l=64, ast_uln_u_l=40, platelets_g_l=200, alt_u_l=64, age_years=50)
    assert fib4(serum) == pytest.approx(2.0)


@pytest.mark.parametrize("missing", ["alt_u_l", "age_years"])
def test_fib4_needs_age_and_alt(missing: str) -> None:
    """Without age or ALT there is no FIB-4."""
    values: dict[str, float | None] = {"alt_u_l": 64.0, "age_years": 50.0, missing: None}
    serum = Serum(64, 40, 200, alt_u_l=values["alt_u_l"], age_years=values["age_years"])
    assert fib4(serum) is None


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ((0, 40, 200, 50, 50), "AST of 0 U/L"),
        ((-5, 40, 200, 50, 50), "AST of -5 U/L"),
        ((math.nan, 40, 200, 50, 50), "AST of nan U/L"),
        ((48, 0.7, 200, 50, 50), "upper limit of normal of AST of 0.7 U/L"),
        ((48, 40, 200_000, 50, 50), "platelets of 200000 10^9/L"),
        ((48, 40, 200, math.inf, 50), "ALT of inf U/L"),
        ((48, 40, 200, 50, 1956), "age of 1956 years"),
    ],
)
def test_absurd_value_is_refused_by_name(values: tuple[float, float, float, float, float], name: str) -> None:
    """A value that is not positive or absurd is refused; the sentence names it and the plausible range."""
    with pytest.raises(SerumError, match="enter a value from") as refusal:
        Serum(*values)
    assert str(refusal.value).startswith(name)
