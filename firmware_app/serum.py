"""Serum scores beside the pictures: APRI and FIB-4, from values that the operator enters.

The values themselves are never published; the two scores are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from firmware_app.errors import SerumError

Bounds = tuple[float, float]

PLAUSIBLE: dict[str, tuple[str, str, Bounds]] = {
    "ast_u_l": ("AST", "U/L", (1.0, 20_000.0)),
    "ast_uln_u_l": ("upper limit of normal of AST", "U/L", (10.0, 200.0)),
    "platelets_g_l": ("platelets", "10^9/L", (1.0, 2_000.0)),
    "alt_u_l": ("ALT", "U/L", (1.0, 20_000.0)),
    "age_years": ("age", "years", (1.0, 120.0)),
}
"""Name, unit and plausible range of each value; beyond it lies a slip of unit or keyboard."""


@dataclass(frozen=True, slots=True)
class Serum:
    """Serum values of the patient on the couch.

    The upper limit of normal is asked with every AST, because it differs between laboratories.

    Attributes:
        ast_u_l: aspartate aminotransferase in U/L.
        ast_uln_u_l: its upper limit of normal in this laboratory, in U/L.
        platelets_g_l: platelets in 10^9/L.
        alt_u_l: alanine aminotransferase in U/L; None: FIB-4 is left out.
        age_years: age in years; None: FIB-4 is left out.

    Raises:
        SerumError: a value is not a number, not positive or absurd; the sentence names it.
    """

    ast_u_l: float
    ast_uln_u_l: float
    platelets_g_l: float
    alt_u_l: float | None = None
    age_years: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                _check(field.name, value)


def _check(key: str, value: float) -> None:
    name, unit, (low, high) = PLAUSIBLE[key]
    if not math.isfinite(value) or not low <= value <= high:
        raise SerumError(
            f"{name} of {value:g} {unit} is not plausible: enter a value from {low:g} to {high:g} {unit}"
        )


def apri(serum: Serum) -> float:
    """AST-to-platelet ratio index: (AST / ULN of AST) / platelets (10^9/L) x 100 (Wai et al. 2003)."""
    return serum.ast_u_l / serum.ast_uln_u_l / serum.platelets_g_l * 100.0


def fib4(serum: Serum) -> float | None:
    """FIB-4: age x AST / (platelets (10^9/L) x sqrt(ALT)) (Sterling et al. 2006); None without age or ALT."""
    if serum.age_years is None or serum.alt_u_l is None:
        return None
    return serum.age_years * serum.ast_u_l / (serum.platelets_g_l * math.sqrt(serum.alt_u_l))
