"""What every section of the configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, field_validator


class Section(BaseModel):
    """What all sections have in common: unknown settings are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _printable(cls, value: object) -> object:
        """No name, path or address holds a control character; a zero byte would break every call with it."""
        if isinstance(value, str) and not all(character.isprintable() for character in value):
            raise ValueError("it holds a character that cannot be printed")
        return value
