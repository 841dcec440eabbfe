"""What the printed texts mean: the bar's maximum, the opacity and the Q-box's values.

The user interface is localised and OCR swaps look-alikes, so labels come from the profile, accents and blanks
are dropped, and comma and point are one. A unit is only ever read; what contradicts itself is not believed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from calibration.profile import Quantity, ReadOutGrammar
from firmware_app.journey import ReadOut

NUMBER = r"((?:\d|[Oo](?=[.,])){1,3}(?:[.,]{1,2}[\dOo]{1,2})?)"  # OCR takes 0 beside a point for an O
KPA_PER_SQUARED_SPEED = 3.0
"""E = 3 rho c^2 with rho = 1000 kg/m3: kPa = 3 x (m/s)^2."""
LARGEST_MM: dict[Quantity, float] = {"diameter": 50.0, "depth": 150.0}
"""More was misread: a lost decimal point."""
_KPA, _SPEED = "k[pP][a-zA-Z]?", "m[/|lI1]?[sS5]"
_UNIT = rf"[.,:]?({_KPA}|{_SPEED}|mm|cm|%)?"
_BAR = re.compile(rf"{NUMBER}[.,:]?({_KPA}|{_SPEED})")
_TICK = re.compile(rf"{NUMBER}$")
WITH_UNIT = re.compile(rf"\d[.,:]?({_KPA}|{_SPEED}|mm|cm|%)")
"""In a plain text: a number with a unit, whatever its label."""
_OPACITY = re.compile(r"[/|lI1][O0Q](\d{2,3})[%9o]?")
_VALUE = re.compile(rf"([a-z./]+?)[:=;.-]?{NUMBER}{_UNIT}", re.IGNORECASE)
_ELSE = re.compile(r"[^A-Za-z0-9.,:;=/%|>-]")
ALIKE = 0.85
"""Share of letters that a label of four or more has in common with the profile's."""
_STIFFNESS: tuple[Quantity, ...] = ("mean", "min", "max", "sd")


@dataclass(frozen=True, slots=True)
class Value:
    """One labelled number: as printed, with its decimals; `unit` is "kPa", "m/s", "mm", "cm", "%" or None."""

    quantity: Quantity
    number: float
    decimals: int
    unit: str | None


def plain(text: str) -> str:
    """A text without blanks, accents and what is no part of a word or number."""
    decomposed = unicodedata.normalize("NFKD", text)
    return _ELSE.sub("", "".join(letter for letter in decomposed if not unicodedata.combining(letter)))


def _parts(text: str) -> list[str]:
    """Digits before and behind the decimal point or comma."""
    return re.split("[.,]+", text.replace("O", "0").replace("o", "0"))


def _number(text: str) -> float:
    return float(".".join(_parts(text)))


def _decimals(text: str) -> int:
    return len("".join(_parts(text)[1:]))


def _unit(text: str) -> str:
    return "m/s" if text.lower().startswith("m") else "kPa"


def parse_bar_maximum(texts: Iterable[str]) -> tuple[float, str] | None:
    """Number and unit ("kPa" or "m/s") printed above the bar; None unless both are there."""
    for text in texts:
        match = _BAR.search(plain(text))
        if match:
            return _number(match[1]), _unit(match[2])
    return None


def bar_maxima(text: str) -> tuple[tuple[float, str], ...]:
    """What may be printed above the bar: OCR takes its sign, at least, for a 2."""
    asread = parse_bar_maximum([text])
    shorter = parse_bar_maximum([plain(text)[1:]]) if plain(text).startswith("2") else None
    return tuple(dict.fromkeys(maximum for maximum in (asread, shorter) if maximum is not None))


def parse_tick(text: str) -> tuple[float, float] | None:
    """A number beside the bar, and by how much it may be rounded."""
    match = _TICK.match(plain(text))
    return (_number(match[1]), 0.5 * 10.0 ** -_decimals(match[1])) if match else None


def parse_opacity(texts: Iterable[str]) -> float | None:
    """Opacity 0-1 out of a setting such as "S 5/O 50 %"."""
    for text in texts:
        match = _OPACITY.search(plain(text))
        if match and 10 <= int(match[1]) <= 100:
            return int(match[1]) / 100
    return None


def parse_values(text: str, grammar: ReadOutGrammar) -> tuple[Value, ...]:
    """Every labelled number of a row, from left to right."""
    meanings = {_shape(label): quantity for quantity, labels in grammar.labels.items() for label in labels}
    found = (_value(match, meanings) for match in _VALUE.finditer(plain(text)))
    return tuple(value for value in found if value is not None)


def _shape(label: str) -> str:
    """A label with its look-alikes made one."""
    return label.replace("l", "i")


def _value(match: re.Match[str], meanings: dict[str, Quantity]) -> Value | None:
    label, digits, printed = _shape(match[1].lower().strip("./")), match[2], (match[3] or "").lower()
    if label not in meanings and len(label) > 3:
        label = next(iter(get_close_matches(label, meanings, 1, ALIKE)), label)
    quantity = meanings.get(label)
    if quantity is None:
        return None
    stiff = quantity in _STIFFNESS
    if stiff and printed in {"mm", "cm", "%"}:
        return None
    unit = _unit(printed) if stiff and printed else printed or None
    return Value(quantity, _number(digits), _decimals(digits), unit)


def parse_readout(texts: Iterable[str], grammar: ReadOutGrammar) -> ReadOut | None:
    """The first Q-box's values in kPa and mm; see `assemble`."""
    return assemble(value for text in texts for value in parse_values(text, grammar))


def assemble(values: Iterable[Value]) -> ReadOut | None:
    """The values of the first Q-box, in the order of the screen.

    Returns:
        None unless a mean is printed, all in one readable unit and with one number of decimals (another has
        lost its point or a digit), and the mean lies between minimum and maximum.
    """
    first: dict[Quantity, Value] = {}
    blocks = 0
    for value in values:
        blocks += value.quantity == "mean"
        if blocks <= 1:
            first.setdefault(value.quantity, value)
    stiffness = {quantity: first[quantity] for quantity in _STIFFNESS if quantity in first}
    units = {value.unit for value in stiffness.values() if value.unit is not None}
    if len(units) != 1 or "mean" not in stiffness or len({v.decimals for v in stiffness.values()}) != 1:
        return None
    numbers = {quantity: value.number for quantity, value in stiffness.items()}
    mean = numbers["mean"]
    if not numbers.get("min", mean) <= mean <= numbers.get("max", mean):
        return None
    return _in_kpa(numbers, units.pop(), first, blocks)


def _in_kpa(
    stiffness: dict[Quantity, float], unit: str, first: dict[Quantity, Value], blocks: int
) -> ReadOut:
    """See `ReadOut` for what becomes of speeds, and with which error."""
    speed = unit == "m/s"

    def in_kpa(quantity: Quantity) -> float | None:
        value = stiffness.get(quantity)
        return KPA_PER_SQUARED_SPEED * value**2 if value is not None and speed else value

    spread = stiffness.get("sd")
    if spread is not None and speed:
        spread = 2 * KPA_PER_SQUARED_SPEED * stiffness["mean"] * spread
    index = first.get("stability_index")
    return ReadOut(
        unit,
        in_kpa("mean"),
        in_kpa("min"),
        in_kpa("max"),
        spread,
        _millimetres(first.get("diameter")),
        _millimetres(first.get("depth")),
        index.number if index is not None and index.number <= 100 else None,
        blocks,
    )


def _millimetres(value: Value | None) -> float | None:
    if value is None or value.unit not in {"mm", "cm"}:
        return None
    length = round(value.number * 10, 3) if value.unit == "cm" else value.number
    return length if length <= LARGEST_MM[value.quantity] else None
