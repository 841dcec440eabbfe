"""Every error of the appliance; each carries one sentence that names what is wrong and what to do."""

from __future__ import annotations


class FibrostageError(Exception):
    """Root of the appliance's own errors."""


class WrongInputError(FibrostageError):
    """Something given from outside is wrong: a file, a configuration, a bundle. Programs exit with 2."""


class ConfigError(WrongInputError):
    """The configuration cannot be used."""


class SourceError(WrongInputError):
    """The video source cannot be opened or holds no picture."""


class SinkError(WrongInputError):
    """The display, the recording or the snapshot cannot be written."""


class BundleError(WrongInputError):
    """The model bundle is missing, altered or not meant for this software."""


class ProfileError(WrongInputError):
    """A screen profile is missing or not valid."""


class BrokerError(WrongInputError):
    """The MQTT broker cannot be reached or refuses the connection."""


class SerumError(WrongInputError):
    """A serum value is missing, not positive or absurd."""


class EngineError(FibrostageError):
    """The inference runtime failed on this machine. Programs exit with 1."""
