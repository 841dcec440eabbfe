"""The configuration: one TOML file, checked key by key, every setting with its unit, range and effect.

`settings` says what there is, `loading` reads and checks a file, `migrations` lifts an older file to this
version, `showing` prints what is in effect, `secrecy` hides passwords and finds files that too many can read.
"""

from firmware_app.config.loading import SYSTEM_PATH, load_config, system_path
from firmware_app.config.picture import SinkConfig, SourceConfig
from firmware_app.config.secrecy import MASK
from firmware_app.config.settings import (
    ENGINES,
    BedsideConfig,
    Config,
    HealthConfig,
    InferenceConfig,
    MqttConfig,
    RecordsConfig,
)
from firmware_app.config.showing import render_config

__all__ = [
    "ENGINES",
    "MASK",
    "SYSTEM_PATH",
    "BedsideConfig",
    "Config",
    "HealthConfig",
    "InferenceConfig",
    "MqttConfig",
    "RecordsConfig",
    "SinkConfig",
    "SourceConfig",
    "load_config",
    "render_config",
    "system_path",
]
