"""Compiled engines on disk: which graph, library, GPU and precision each is for, and whether it is whole.

An engine is two files: `NAME.engine`, and `NAME.json` with its key and its digest. Both are written beside
their place and moved there, the engine first: a half-written pair never passes the check.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from calibration.whole_file import durable_file, remove_half_written, sync
from firmware_app.errors import EngineCacheError, EngineFileError

KEPT_GRAPHS = 3
"""Engines of so many graphs stay per device: the bundle in use, and those that one can go back to."""
ANY_GPU = "any"
"""Stands for the GPU's name where an engine runs on all GPUs of its compute capability (TensorRT-RTX)."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineKey(_Model):
    """What an engine is for; another value anywhere is another engine."""

    graph_sha256: Sha256
    flavour: Literal["TensorRT", "TensorRT-RTX"]
    version: str = Field(description="of the library, in full: engines do not outlive an update")
    gpu: str = Field(description="name of the GPU")
    compute_capability: tuple[int, int]
    precision: Literal["fp32", "fp16", "int8"]
    recipe: int = Field(description="which settings of the builder")

    @property
    def stem(self) -> str:
        """File name without its ending."""
        major, minor = self.compute_capability
        words = (self.flavour, self.version, self.gpu, f"sm{major}{minor}", self.precision, f"r{self.recipe}")
        return "-".join((self.graph_sha256[:16], *(_plain(word) for word in words)))

    def same_device(self, other: EngineKey) -> bool:
        """Whether both are for one kind of library on one GPU, whatever the library's version."""
        return (self.flavour, self.gpu, self.compute_capability) == (
            other.flavour,
            other.gpu,
            other.compute_capability,
        )

    def same_library(self, other: EngineKey) -> bool:
        """Whether one version of the library loads both."""
        return (self.version, self.recipe) == (other.version, other.recipe)


class EngineRecord(_Model):
    """What stands beside an engine."""

    key: EngineKey
    engine_sha256: Sha256
    size_bytes: int = Field(gt=0)
    built: AwareDatetime = Field(description="UTC")
    build_s: float = Field(ge=0)
    software: str


class EngineCache:
    """A folder of engines."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it need not exist."""
        self.folder = folder

    @staticmethod
    def digest(engine: bytes) -> str:
        """SHA-256 of an engine, as hexadecimal digits."""
        return hashlib.sha256(engine).hexdigest()

    def path_of(self, key: EngineKey) -> Path:
        """Where the engine of a key lies, or would lie."""
        return self.folder / f"{key.stem}.engine"

    def records(self) -> list[EngineRecord]:
        """What the folder holds, newest first, without what cannot be read."""
        found = (_read_record(path) for path in self.folder.glob("[!.]*.json"))
        return sorted((r for r in found if isinstance(r, EngineRecord)), key=lambda r: r.built, reverse=True)

    def load(self, key: EngineKey) -> bytes | None:
        """The engine of a key; None: there is none.

        Raises:
            EngineFileError: it is altered, truncated, or not the one that its name says.
        """
        path = self.path_of(key)
        if not path.exists():
            return None
        record = _read_record(path.with_suffix(".json"))
        if isinstance(record, str):
            raise EngineFileError(path, record)
        if record.key != key:
            raise EngineFileError(path, "its record names another graph, library or GPU")
        engine = path.read_bytes()
        found, expected = self.digest(engine), record.engine_sha256
        if found != expected:
            defect = f"it was altered or truncated: its SHA-256 is {found[:12]}..., not {expected[:12]}..."
            raise EngineFileError(path, defect)
        return engine

    def whole(self, key: EngineKey) -> EngineRecord | None:
        """The record of a key's engine if it is there and whole."""
        try:
            found = self.load(key)
        except (EngineFileError, OSError):
            return None
        record = _read_record(self.path_of(key).with_suffix(".json"))
        return record if found is not None and isinstance(record, EngineRecord) else None

    def prepare(self) -> None:
        """Make the folder before a build that takes minutes.

        Raises:
            EngineCacheError: it cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise EngineCacheError(
                f"engines cannot be written to {self.folder}: {error.strerror}; run the command as root, or "
                "name a folder with --cache and set inference.engines to it"
            ) from error

    def store(self, engine: bytes, record: EngineRecord) -> Path:
        """Write an engine and its record into the prepared folder; returns the engine's path."""
        path = self.path_of(record.key)
        _keep(path, engine)
        _keep(path.with_suffix(".json"), (record.model_dump_json(indent=2) + "\n").encode())
        return path

    def timings(self, key: EngineKey) -> bytes:
        """The timing cache of this library on this GPU; empty before the first build."""
        with contextlib.suppress(OSError):
            return self._timing_path(key).read_bytes()
        return b""

    def store_timings(self, key: EngineKey, timings: bytes) -> None:
        """Keep a timing cache for the next build."""
        _keep(self._timing_path(key), timings)

    def clean(self, key: EngineKey) -> list[str]:
        """Remove what can never be used again after an engine for `key` was built.

        That is: engines of this device by another version of the library or recipe, engines of this device
        beyond the newest three graphs, and pairs of files of which one is missing or unreadable. Engines of
        other devices stay.

        Returns:
            The names of the engines that went.
        """
        own = [record.key for record in self.records() if record.key.same_device(key)]
        usable = [other for other in own if other.same_library(key)]
        graphs = list(dict.fromkeys((key.graph_sha256, *(other.graph_sha256 for other in usable))))
        kept = {other.stem for other in usable if other.graph_sha256 in graphs[:KEPT_GRAPHS]}
        foreign = {record.key.stem for record in self.records() if not record.key.same_device(key)}
        stems = {path.stem for ending in ("engine", "json") for path in self.folder.glob(f"[!.]*.{ending}")}
        gone = sorted(stem for stem in stems if stem not in kept | foreign or not self._whole(stem))
        for stem in gone:
            for ending in ("engine", "json"):
                (self.folder / f"{stem}.{ending}").unlink(missing_ok=True)
        remove_half_written(self.folder)  # of a build that a power cut ended
        self._drop_old_timings(key)
        return gone

    def _whole(self, stem: str) -> bool:
        return all((self.folder / f"{stem}.{ending}").is_file() for ending in ("engine", "json"))

    def _drop_old_timings(self, key: EngineKey) -> None:
        current = self._timing_path(key)
        for path in self.folder.glob(f"{_timing_prefix(key)}*.timings"):
            if path != current:
                path.unlink(missing_ok=True)

    def _timing_path(self, key: EngineKey) -> Path:
        return self.folder / f"{_timing_prefix(key)}{_plain(key.version)}.timings"


def _timing_prefix(key: EngineKey) -> str:
    major, minor = key.compute_capability
    return f"{_plain(key.flavour)}-{_plain(key.gpu)}-sm{major}{minor}-"


def _plain(word: str) -> str:
    """A word for a file name: letters, digits, dots, and underscores for everything else."""
    return re.sub(r"[^A-Za-z0-9.]+", "_", word)


def _read_record(path: Path) -> EngineRecord | str:
    """The record, or what is wrong with it."""
    try:
        return EngineRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        return f"its record {path.name} cannot be read ({error.strerror})"
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        return f"its record {path.name} is not valid ({f'{where}: ' if where else ''}{first['msg']})"


def _keep(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, for every user to read."""
    with durable_file(path) as stream:
        stream.write(content)
        os.fchmod(stream.fileno(), 0o644)
    sync(path.parent)
