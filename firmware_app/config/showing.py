"""The settings in effect, secrets masked, as TOML or JSON; and what there is to set, as JSON Schema."""

from __future__ import annotations

import json

from firmware_app.config.secrecy import masked
from firmware_app.config.section import Section
from firmware_app.config.settings import Config
from firmware_app.wording import NOTICE


def render_config(config: Config) -> str:
    """The settings as TOML, for `fibrostage show-config`."""
    shown = masked(config)
    lines: list[str] = []
    sections: list[tuple[str, Section]] = [("", shown)]
    sections += [(name, value) for name, value in shown if isinstance(value, Section)]
    for heading, section in sections:
        if heading:
            lines += ["", f"[{heading}]"]
        for key, value in section:
            if not isinstance(value, Section):
                lines.append(f"{key} = {_toml(value)}" if value is not None else f"# {key} is not set")
    return "\n".join(lines) + "\n"


def config_as_json(config: Config) -> str:
    """The settings as one JSON object, for `fibrostage show-config --json`."""
    return json.dumps({"settings": masked(config).model_dump(mode="json"), "notice": NOTICE})


def schema_as_json() -> str:
    """Every setting with title, unit, range, default and effect, as JSON Schema (2020-12)."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$comment": NOTICE}
    content = Config.model_json_schema() | {"title": "fibrostage.toml"}
    return json.dumps(schema | content, indent=1, ensure_ascii=False) + "\n"


def _toml(value: object) -> str:
    # TOML knows the escapes of JSON
    return json.dumps(value if isinstance(value, (bool, int, float)) else str(value), ensure_ascii=False)
