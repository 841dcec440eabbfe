"""Screen profiles: where a scanner family draws what, as versioned TOML files.

All geometry is in pixels of the scanner's native reference screen; `firmware_app.screen` finds the scale,
offset and stretch of the picture that arrives. `load_profile` is the only way in. A site's own profile is
any `.toml` file with the same fields.
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from calibration import toml
from calibration.errors import ProfileError

PROFILES = Path(__file__).parent / "profiles"
"""The profiles that ship with the product, one TOML file per scanner family."""
FORMAT = 1
"""The newest format of a profile that this version reads."""

SMALLEST_PANE = 64
"""Reference pixels: nobody could see liver in less."""

Area = tuple[int, int, int, int]
"""x, y, width, height in pixels of the reference screen."""
Label = Annotated[str, Field(min_length=1, pattern=r"^[a-z./]+$")]
Quantity = Literal["mean", "min", "max", "sd", "diameter", "depth", "stability_index"]
"""What a scanner prints for a Q-box."""
Language = Literal["en", "de", "fr", "it"]
"""Languages of the scanner's user interface: English, German, French, Italian."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PaneAreas(_Model):
    """The two panes of one plane; of one size, one above the other or side by side."""

    elastogram: Area = Field(description="pane with the coloured map, reference pixels")
    gray: Area = Field(description="pane with the plain gray-scale picture, reference pixels")


class ColourBarArea(_Model):
    """The colour bar and what is printed above it."""

    rect: Area = Field(description="the bar itself, without frame and ticks, reference pixels")
    maximum_area: Area = Field(description="where the bar's maximum is printed, reference pixels")
    allowed_maxima_kpa: tuple[float, ...] = Field(
        min_length=1, description="ranges that acquisitions may have, kPa; others are refused"
    )
    plausible_maxima_kpa: tuple[float, float] = Field(
        description="smallest and largest maximum, kPa; outside of it the text counts as misread"
    )


class Blend(_Model):
    """How the colour is laid over the gray-scale picture."""

    opacity: float = Field(gt=0.0, le=1.0, description="0-1; used until the printed opacity has been read")
    area: Area = Field(description="where the opacity is printed, reference pixels")


class QBoxLimits(_Model):
    """The Q-box ring."""

    radius: tuple[float, float] = Field(
        description="smallest and largest radius, reference pixels; other rings are no Q-box"
    )


class Freeze(_Model):
    """The sign of a frozen picture."""

    snowflake_area: Area = Field(description="where the snowflake stands, inside the gray pane")


class BannerAreas(_Model):
    """The patient's banner: only whether it changed is ever looked at."""

    areas: tuple[Area, ...] = Field(
        min_length=1, description="name and identifier, never the clock; a change ends the exam"
    )


class FreeAreas(_Model):
    """Where the scanner shows nothing."""

    areas: tuple[Area, ...] = Field(
        default=(),
        max_length=2,
        description="room for the overlay's left and right card; empty: low in the outer columns",
    )


class Units(_Model):
    """How the units of stiffness are printed."""

    kpa: str = Field(min_length=1, description="Young's modulus, usually kPa")
    mps: str = Field(min_length=1, description="shear-wave speed, usually m/s")


class ReadOutGrammar(_Model):
    """Where the Q-box's values are printed, and with which labels."""

    require_readout: bool = Field(
        default=True,
        description="true: an acquisition without printed values is refused; false: kept and marked so",
    )
    areas: tuple[Area, ...] = Field(min_length=1, description="searched in this order, reference pixels")
    units: Units
    languages: dict[Language, dict[Quantity, tuple[Label, ...]]] = Field(
        min_length=1, description="labels per language, in lower case, without accents and blanks"
    )

    @property
    def labels(self) -> dict[Quantity, tuple[str, ...]]:
        """Every label of each quantity, over all languages."""
        merged: dict[Quantity, tuple[str, ...]] = {}
        for labels in self.languages.values():
            for quantity, words in labels.items():
                merged[quantity] = tuple(dict.fromkeys((*merged.get(quantity, ()), *words)))
        return merged

    @model_validator(mode="after")
    def _unambiguous(self) -> ReadOutGrammar:
        if "mean" not in self.labels:
            raise ValueError("no label for the mean, without which nothing can be read")
        meanings: dict[str, Quantity] = {}
        for quantity, labels in self.labels.items():
            for label in labels:
                if meanings.setdefault(label, quantity) != quantity:
                    raise ValueError(f"label '{label}' means both {meanings[label]} and {quantity}")
        return self


class ScreenProfile(_Model):
    """One scanner family's screen layout."""

    format: Literal[1] = Field(description="of this file; rises when a field changes its meaning")
    profile_id: str = Field(
        min_length=1,
        max_length=80,
        pattern=r"^[a-z0-9.-]+$",
        description="stands in the evidence of every result; give each change of the file a new one",
    )
    scanner: str = Field(min_length=1, description="for people")
    reference_size: tuple[Annotated[int, Field(ge=320, le=8192)], Annotated[int, Field(ge=240, le=8192)]] = (
        Field(description="width and height of the native screen, pixels; the unit of every area")
    )
    stretches: tuple[Annotated[float, Field(ge=0.5, le=2.0)], ...] = Field(
        min_length=1, description="horizontal over vertical scale that a capture chain may add"
    )
    panes: PaneAreas
    colour_bar: ColourBarArea
    blend: Blend
    q_box: QBoxLimits
    freeze: Freeze
    banner: BannerAreas
    readout: ReadOutGrammar
    overlay: FreeAreas = FreeAreas()

    @model_validator(mode="after")
    def _inside(self) -> ScreenProfile:
        width, height = self.reference_size
        areas = (
            self.panes.elastogram,
            self.panes.gray,
            self.colour_bar.rect,
            self.colour_bar.maximum_area,
            self.blend.area,
            self.freeze.snowflake_area,
            *self.banner.areas,
            *self.readout.areas,
            *self.overlay.areas,
        )
        for x, y, w, h in areas:
            if x < 0 or y < 0 or w <= 0 or h <= 0 or x + w > width or y + h > height:
                raise ValueError(f"area [{x}, {y}, {w}, {h}] leaves the {width}x{height} screen")
        if self.panes.elastogram[2:] != self.panes.gray[2:]:
            raise ValueError("the two panes differ in size")
        if min(self.panes.gray[2:]) < SMALLEST_PANE:
            raise ValueError(f"a pane has fewer than {SMALLEST_PANE} pixels a side")
        return self

    @model_validator(mode="after")
    def _rising(self) -> ScreenProfile:
        if not 0 < self.q_box.radius[0] < self.q_box.radius[1]:
            raise ValueError("q_box.radius is not a rising pair of positive numbers")
        if self.q_box.radius[1] > max(self.panes.gray[2:]):
            raise ValueError("q_box.radius does not fit into a pane")
        low, high = self.colour_bar.plausible_maxima_kpa
        if not 0 < low < high:
            raise ValueError("colour_bar.plausible_maxima_kpa is not a rising pair of positive numbers")
        for maximum in self.colour_bar.allowed_maxima_kpa:
            if not low <= maximum <= high:
                raise ValueError(f"allowed range {maximum:g} kPa is not among the plausible {low:g}-{high:g}")
        return self


def _known_names(place: tuple[str | int, ...]) -> list[str]:
    """Names that may stand in the table at a place of the profile."""
    model: type[BaseModel] = ScreenProfile
    for part in place:
        if part == "languages":  # not models but dictionaries of known keys
            return [*get_args(Language), *get_args(Quantity)]
        field = model.model_fields.get(str(part))
        kind = field.annotation if field else None
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            return []
        model = kind
    return list(model.model_fields)


def _names_unknown(mistake: ErrorDetails) -> bool:
    return mistake["type"] == "extra_forbidden" or "[key]" in mistake["loc"]


def _told(error: ValidationError) -> str:
    """The first mistake in one line; before all others an unknown name, with the nearest known one."""
    first = min(error.errors(), key=lambda mistake: not _names_unknown(mistake))
    place = tuple(part for part in first["loc"] if part != "[key]")
    where = ".".join(str(part) for part in place) or "profile"
    if _names_unknown(first):
        near = get_close_matches(str(place[-1]), _known_names(place[:-1]), n=1, cutoff=0.5)
        advice = f"did you mean '{near[0]}'?" if near else "remove it"
        return f"{where}: unknown name; {advice}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message}; correct it"


def _refuse_newer(path: Path, table: dict[str, object]) -> None:
    stated = table.get("format")
    if isinstance(stated, int) and stated > FORMAT:
        raise ProfileError(
            f"screen profile {path} has format {stated}, but this version reads format {FORMAT}; "
            "update fibrostage, or use a profile of this version"
        )


@cache
def _load(path: Path) -> ScreenProfile:
    try:
        table = toml.parse(path.read_text(encoding="utf-8"))
        _refuse_newer(path, table)
        return ScreenProfile.model_validate(table)
    except OSError as error:
        raise ProfileError(f"screen profile {path}: {error.strerror}; give a file or a known name") from error
    except (UnicodeDecodeError, toml.TomlError) as error:
        raise ProfileError(f"screen profile {path} is not TOML ({error}); correct or replace it") from error
    except ValidationError as error:
        raise ProfileError(f"screen profile {path}: {_told(error)}") from error


def load_profile(path_or_name: str | Path) -> ScreenProfile:
    """Load a profile by file, or by the name of one that ships with the product ("aixplorer", "mach30").

    Raises:
        ProfileError: one sentence that names the file and what is wrong with it.
    """
    path = Path(path_or_name)
    shipped = PROFILES / f"{path_or_name}.toml"
    if path.suffix != ".toml":
        if not shipped.is_file():
            names = sorted(file.stem for file in PROFILES.glob("*.toml"))
            near = get_close_matches(str(path_or_name), names, n=1)
            advice = f"did you mean '{near[0]}'? " if near else ""
            raise ProfileError(
                f"screen profile '{path_or_name}' is not known; {advice}use a .toml file or one of: "
                + ", ".join(names)
            )
        path = shipped
    return _load(Path(os.path.realpath(path)))  # `resolve` fails at links that lead in a circle
