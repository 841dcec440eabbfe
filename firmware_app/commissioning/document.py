"""The profile as TOML that people read: each number with what it means and where it comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from firmware_app.commissioning.marks import Mark
from firmware_app.commissioning.proposal import Proposal


def document(proposal: Proposal) -> str:
    """Write a proposal as a profile that `load_profile` accepts.

    The picture's or video's file is not named: recordings are often called after the patient.
    """
    profile = proposal.profile
    width, height = profile.reference_size
    lines = [
        "# Screen profile, proposed by `fibrostage-calibrate screen`.",
        f"# Geometry in pixels of a {width}x{height} screen: [x, y, width, height].",
        "# Look at the preview, correct what is wrong; commission again after each update of the scanner.",
        "#",
    ]
    if proposal.missing:
        lines.append("# NOT FOUND, a likely place was entered; CHECK BY HAND:")
        lines += [f"#   {mark.setting}: {mark.title}: {mark.detail}" for mark in proposal.missing]
    else:
        lines.append("# Everything was found.")
    numbers = {mark: number for number, mark in enumerate(proposal.marks, start=1)}
    return "\n".join([*lines, "", *_table(profile, "", proposal.marks, numbers)]) + "\n"


def _table(model: BaseModel, path: str, marks: Sequence[Mark], numbers: Mapping[Mark, int]) -> list[str]:
    lines: list[str] = []
    tables: list[str] = []
    for name, field in type(model).model_fields.items():
        value, place = getattr(model, name), f"{path}{name}"
        if isinstance(value, BaseModel):
            tables += ["", f"[{place}]", *_table(value, f"{place}.", marks, numbers)]
        elif isinstance(value, Mapping):
            tables += _words(place, value)
        else:
            about = [field.description] if field.description else []
            about += [
                f"{numbers[mark]} in the preview: {mark.title}"
                + (f", {mark.detail}" if mark.place else ": NOT FOUND, check by hand")
                for mark in marks
                if mark.setting == place
            ]
            lines += [f"# {sentence}" for sentence in about]
            lines.append(f"{name} = {_value(value)}")
    return lines + tables


def _words(place: str, words: Mapping[str, object]) -> list[str]:
    """A table of labels, or a table of such tables."""
    lines: list[str] = []
    nested = {name: value for name, value in words.items() if isinstance(value, Mapping)}
    flat = {name: value for name, value in words.items() if name not in nested}
    if flat:
        lines += ["", f"[{place}]", *(f"{name} = {_value(value)}" for name, value in flat.items())]
    for name, value in nested.items():
        lines += _words(f"{place}.{name}", value)
    return lines


def _value(value: object) -> str:
    """A TOML value; numbers, texts and booleans are written alike in JSON, but for control characters."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(part) for part in value) + "]"
    if isinstance(value, float):
        return repr(round(value, 7))
    return json.dumps(value)
