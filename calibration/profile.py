"""Screen profiles: where a scanner family draws what, as versioned TOML files.

All geometry is in pixels of the scanner's native reference screen; `firmware_app.screen` finds the scale,
offset and stretch of the picture that arrives. `load_profile` is the only way in.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from calibration.errors import ProfileError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROFILES = Path(__file__).parent / "profiles"
"""The profiles that ship with the product, one TOML file per scanner family."""

Area = tuple[int, int, int, int]
"""x, y, width, height in pixels of the reference screen."""
Label = Annotated[str, Field(min_length=1, pattern=r"^[a-z./]+$")]
Quantity = Literal["mean", "min", "max", "sd", "diameter"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PaneAreas(_Model):
    """The two panes: the elastogram and the plain gray-scale picture of the same plane; of one size."""

    elastogram: Area
    gray: Area


class ColourBarArea(_Model):
    """The colour bar and what is printed above it."""

    rect: Area
    maximum_area: Area = Field(description="where the bar's maximum is printed")
    allowed_maxima_kpa: tuple[float, ...] = Field(min_length=1, description="ranges that are accepted, kPa")
    plausible_maxima_kpa: tuple[float, float] = Field(description="outside of it the text was misread, kPa")


class Blend(_Model):
    """How the colour is laid over the gray-scale picture."""

    opacity: float = Field(gt=0.0, le=1.0, description="0-1; used until the printed opacity has been read")
    area: Area = Field(description="where the opacity is printed")


class QBoxLimits(_Model):
    """The Q-box ring."""

    radius: tuple[float, float] = Field(description="smallest and largest radius, reference pixels")


class Freeze(_Model):
    """The sign of a frozen picture."""

    snowflake_area: Area = Field(description="inside the gray pane")


class BannerAreas(_Model):
    """The patient's banner: only whether it changed is ever looked at."""

    areas: tuple[Area, ...] = Field(min_length=1, description="name and identifier, never the clock")


class Units(_Model):
    """How the units of stiffness are printed."""

    kpa: str = Field(min_length=1)
    mps: str = Field(min_length=1)


class ReadOutGrammar(_Model):
    """Where the Q-box's values are printed, and with which labels."""

    areas: tuple[Area, ...] = Field(min_length=1)
    units: Units
    labels: dict[Quantity, tuple[Label, ...]] = Field(description="in lower case, without accents")


class ScreenProfile(_Model):
    """One scanner family's screen layout."""

    format: Literal[1]
    profile_id: str = Field(min_length=1, max_length=80, pattern=r"^[a-z0-9.-]+$")
    scanner: str = Field(min_length=1)
    reference_size: tuple[int, int] = Field(description="width and height of the native screen, pixels")
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
        )
        for x, y, w, h in areas:
            if x < 0 or y < 0 or w <= 0 or h <= 0 or x + w > width or y + h > height:
                raise ValueError(f"area [{x}, {y}, {w}, {h}] leaves the {width}x{height} screen")
        if self.panes.elastogram[2:] != self.panes.gray[2:]:
            raise ValueError("the two panes differ in size")
        if not 0 < self.q_box.radius[0] < self.q_box.radius[1]:
            raise ValueError("q_box.radius is not a rising pair of positive numbers")
        return self


@cache
def _load(path: Path) -> ScreenProfile:
    try:
        return ScreenProfile.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ProfileError(f"screen profile {path}: {error.strerror}; give a file or a known name") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProfileError(f"screen profile {path} is not TOML ({error}); correct or replace it") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "profile"
        raise ProfileError(f"screen profile {path}: {place}: {first['msg']}; correct it") from error


def load_profile(path_or_name: str | Path) -> ScreenProfile:
    """Load a profile by file, or by the name of one that ships with the product ("aixplorer").

    Raises:
        ProfileError: one sentence that names the file and what is wrong with it.
    """
    path = Path(path_or_name)
    shipped = PROFILES / f"{path_or_name}.toml"
    if path.suffix != ".toml":
        if not shipped.is_file():
            known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.toml")))
            raise ProfileError(
                f"screen profile '{path_or_name}' is not known; use a .toml file or one of: {known}"
            )
        path = shipped
    return _load(path.resolve())
