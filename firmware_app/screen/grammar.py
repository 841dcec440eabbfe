"""What the printed texts mean: the bar's maximum, the opacity and the Q-box's values.

The user interface is localised and OCR swaps look-alikes, so labels come from the profile, accents and blanks
are dropped, and comma and point are one. A unit is only ever read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from calibration.profile import Quantity, ReadOutGrammar
from firmware_app.journey import ReadOut

NUMBER = r"((?:\d|[Oo](?=[.,])){1,3}(?:[.,][\dOo]{1,2})?)"  # OCR takes 0 beside a point for an O
KPA_PER_SQUARED_SPEED = 3.0
"""E = 3 rho c^2 with rho = 1000 kg/m3: kPa = 3 x (m/s)^2."""
_UNIT = r"(k[pP][aA]|m/[sS5]|mm|cm)?"
_BAR = re.compile(rf"{NUMBER}(k[pP][aA]|m/[sS5])")
_OPACITY = re.compile(r"[/|lI1][O0Q](\d{2,3})[%9o]?")
_VALUE = re.compile(rf"([a-z./]+?)[:=;.]?{NUMBER}{_UNIT}$", re.IGNORECASE)


def plain(text: str) -> str:
    """A text without blanks and accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(
        letter for letter in decomposed if not unicodedata.combining(letter) and not letter.isspace()
    )


def _number(text: str) -> float:
    return float(text.replace(",", ".").replace("O", "0").replace("o", "0"))


def _unit(text: str) -> str:
    return "m/s" if text.lower().startswith("m/") else "kPa"


def parse_bar_maximum(texts: Iterable[str]) -> tuple[float, str] | None:
    """Number and unit ("kPa" or "m/s") printed above the bar; None unless both are there."""
    for text in texts:
        match = _BAR.search(plain(text))
        if match:
            return _number(match[1]), _unit(match[2])
    return None


def parse_opacity(texts: Iterable[str]) -> float | None:
    """Opacity 0-1 out of a setting such as "S 5/O 50 %"."""
    for text in texts:
        match = _OPACITY.search(plain(text))
        if match and 10 <= int(match[1]) <= 100:
            return int(match[1]) / 100
    return None


def _quantity(label: str, grammar: ReadOutGrammar) -> Quantity | None:
    for quantity, labels in grammar.labels.items():
        if label.lower().strip("./") in labels:
            return quantity
    return None


def parse_readout(texts: Iterable[str], grammar: ReadOutGrammar) -> ReadOut | None:
    """The Q-box's values in kPa and mm; None unless a mean with its unit is printed, between min and max."""
    stiffness: dict[Quantity, float] = {}
    unit: str | None = None
    diameter: float | None = None
    for text in texts:
        match = _VALUE.search(plain(text))
        quantity = _quantity(match[1], grammar) if match else None
        if match is None or quantity is None:
            continue
        value, printed = _number(match[2]), (match[3] or "").lower()
        if quantity == "diameter":
            diameter = value * 10 if printed == "cm" else value
        elif quantity not in stiffness and printed not in {"mm", "cm"}:
            stiffness[quantity] = value
            unit = unit or (_unit(printed) if printed else None)
    if unit is None or "mean" not in stiffness:
        return None
    mean = stiffness["mean"]
    if stiffness.get("min", mean) > mean or stiffness.get("max", mean) < mean:
        return None  # a lost decimal point

    def in_kpa(quantity: Quantity) -> float | None:
        value = stiffness.get(quantity)
        return KPA_PER_SQUARED_SPEED * value**2 if value is not None and unit == "m/s" else value

    # A spread in m/s has no kPa of its own; it follows from E = 3 c^2 as dE = 6 c dc.
    spread = stiffness.get("sd")
    if spread is not None and unit == "m/s":
        spread = 2 * KPA_PER_SQUARED_SPEED * stiffness["mean"] * spread
    return ReadOut(unit, in_kpa("mean"), in_kpa("min"), in_kpa("max"), spread, diameter)
