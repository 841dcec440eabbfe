"""Every error of the appliance; each carries one sentence that names what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path


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


class KeyFileError(WrongInputError):
    """A key for signing or for checking a bundle cannot be read or is not one."""


class TargetError(WrongInputError):
    """A TensorRT engine is wanted for a GPU that the library at hand cannot build for."""


class EngineCacheError(WrongInputError):
    """The folder for compiled engines cannot be written to."""


class ProfileError(WrongInputError):
    """A screen profile is missing or not valid."""


class BrokerError(WrongInputError):
    """The MQTT broker cannot be reached or refuses the connection."""


class AuditError(WrongInputError):
    """The audit log is missing or cannot be used."""


class AuditBrokenError(FibrostageError):
    """The audit log was altered. Programs exit with 1."""


class HealthError(FibrostageError):
    """The running appliance does not tell how it is. Programs exit with 1."""


class EvidenceError(WrongInputError):
    """Evidence of a result is missing or damaged, or cannot be written."""


class NotReproducedError(FibrostageError):
    """A result does not come out again from its evidence. Programs exit with 1."""


class WorkersError(WrongInputError):
    """The workers that an archive is to be scored by are not there."""


class ArchiveError(FibrostageError):
    """Some recordings of an archive could not be scored. Programs exit with 1."""


class ReportError(WrongInputError):
    """A recorded result cannot be read, or its report cannot be written."""


class SerumError(WrongInputError):
    """A serum value is missing, not positive or absurd."""


class EngineError(FibrostageError):
    """The inference runtime failed on this machine. Programs exit with 1."""


class NoTensorRtError(EngineError):
    """TensorRT is not installed on this machine, or cannot be loaded."""


class NoGpuError(EngineError):
    """There is no NVIDIA GPU, or no way to reach it."""


class EngineBuildError(EngineError):
    """TensorRT could not build an engine from a sound graph."""


class EngineFileError(EngineError):
    """A compiled engine in the cache is altered, truncated, or of another machine; `path` is the file."""

    def __init__(self, path: Path, defect: str) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(f"engine {path}: {defect}; it is not used; run `fibrostage-export compile` again")
        self.path = path
        self.defect = defect


class GpuError(EngineError):
    """The GPU failed; `device` is its name, `call` what was asked of it."""

    def __init__(self, device: str, call: str, cause: str) -> None:
        """Name the GPU, the call and what the driver said."""
        super().__init__(f"GPU {device}: {call}: {cause}")
        self.device = device
        self.call = call
        self.cause = cause


class GpuOutOfMemoryError(GpuError):
    """The GPU has no memory left for the engine; other programs may hold it."""


class GpuLostError(GpuError):
    """The GPU's context is dead (fault, reset, unplugged); only a new process gets it back."""
