"""The model bundle: a folder with `bundle.json`, the graph, the model card and golden crops.

`bundle.json` is checked against the models below; unknown keys, another format, a graph whose digest
differs or a path that leaves the folder are refused by name. `load_bundle` is the only way in.
The bundle's id ends in the digest of `bundle.json` itself, so one id stands for one content.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, model_validator

from firmware_app.errors import BundleError

FORMAT = 1
"""The bundle format that this software reads."""
MANIFEST_NAME = "bundle.json"
"""The file that describes all others of a bundle."""
ID_DIGITS = 12
"""How many hexadecimal digits of the manifest's digest end a bundle's id."""
Threshold = Literal["ge_s2", "ge_s3", "s4"]
"""A question that is asked of a patient: stage 2 or worse, 3 or worse, 4."""
THRESHOLDS: tuple[Threshold, ...] = ("ge_s2", "ge_s3", "s4")
"""In the order of the logits."""

Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Graph(_Model):
    """The ONNX graph: `gray` and `elastogram`, uint8 RGB (n, 299, 299, 3), to three log-odds (n, 3)."""

    file: str = Field(description="file name inside the bundle's folder")
    sha256: Sha256
    precision: Literal["fp32", "fp16", "int8"]


class OperatingPoint(_Model):
    """Where a patient's probability passes a threshold; between `low` and `high` it is indeterminate."""

    cutoff: Probability = Field(description="Youden's cut-off on the training cohort")
    low: Probability
    high: Probability

    @model_validator(mode="after")
    def _ordered(self) -> OperatingPoint:
        if not self.low <= self.cutoff <= self.high:
            raise ValueError(f"low {self.low}, cutoff {self.cutoff}, high {self.high} are not in order")
        return self


class LsmConfidence(_Model):
    """GM+LSM at one threshold.

    The confidence of a stiffness is c = 1 / (1 + exp(-(ln LSM - ln cutoff) / scale)) with the LSM in kPa;
    the method's log-odds are intercept + w_gm * gm_confidence + w_lsm * c.
    """

    ln_cutoff_kpa: float
    scale: float = Field(gt=0)
    intercept: float
    w_gm: float
    w_lsm: float


class LsmCutoffs(_Model):
    """Stiffness cut-offs of the LSM method in kPa, and where they come from."""

    source: str
    ge_s2: float = Field(gt=0)
    ge_s3: float = Field(gt=0)
    s4: float = Field(gt=0)


class Manifest(_Model):
    """The content of `bundle.json`."""

    format: int
    bundle_id: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9._-]+$")
    created: str = Field(description="UTC, ISO 8601")
    notice: str
    graph: Graph
    bar_range_kpa: float = Field(gt=0, description="range of the colour bar that the networks know")
    operating_points: dict[Threshold, OperatingPoint] = Field(description="of GM+EM, for patients")
    gm_lsm: dict[Threshold, LsmConfidence]
    lsm_cutoffs: LsmCutoffs
    files: dict[str, Sha256] = Field(description="every other file of the bundle and its digest")
    training: dict[str, str | int | float] = Field(description="command, seeds, versions, digests and times")

    @model_validator(mode="after")
    def _complete(self) -> Manifest:
        for name in ("operating_points", "gm_lsm"):
            missing = [key for key in THRESHOLDS if key not in getattr(self, name)]
            if missing:
                raise ValueError(f"{name} lacks {', '.join(missing)}")
        if self.graph.file in self.files or MANIFEST_NAME in self.files:
            raise ValueError("files lists the graph or bundle.json, which are checked apart")
        return self


class Bundle(_Model):
    """A bundle that has been checked."""

    folder: Path
    manifest: Manifest

    @property
    def graph_path(self) -> Path:
        """Where the graph lies."""
        return self.folder / self.manifest.graph.file


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def id_of(name: str, fields: dict[str, JsonValue]) -> str:
    """The id of a bundle: a name, and the digest of its manifest's fields without `bundle_id`."""
    content = {key: value for key, value in fields.items() if key != "bundle_id"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]}"


def load_bundle(folder: Path) -> Bundle:
    """Check a bundle and return it.

    Raises:
        BundleError: one sentence that names the bundle and what is wrong with it.
    """
    if not folder.is_dir():
        raise BundleError(f"bundle {folder}: no such folder; give the folder that holds {MANIFEST_NAME}")
    fields = _read_fields(folder)
    manifest = _parse(folder, fields)
    name = manifest.bundle_id.rpartition("-")[0]
    if manifest.bundle_id != id_of(name, fields):
        raise BundleError(f"bundle {folder}: {MANIFEST_NAME} was altered: it does not fit its bundle_id")
    for file, digest in {manifest.graph.file: manifest.graph.sha256, **manifest.files}.items():
        _check_file(folder, file, digest)
    return Bundle(folder=folder.resolve(), manifest=manifest)


def _read_fields(folder: Path) -> dict[str, JsonValue]:
    path = _inside(folder, MANIFEST_NAME)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"bundle {folder}: {MANIFEST_NAME} is not UTF-8 text") from error
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise BundleError(f"bundle {folder}: {MANIFEST_NAME} cannot be read: {reason}") from error
    try:
        return TypeAdapter(dict[str, JsonValue]).validate_python(json.loads(text))
    except json.JSONDecodeError as error:
        raise BundleError(
            f"bundle {folder}: {MANIFEST_NAME} is not JSON: line {error.lineno}: {error.msg}"
        ) from error
    except (ValidationError, RecursionError) as error:
        raise BundleError(f"bundle {folder}: {MANIFEST_NAME} does not hold one JSON object") from error


def _parse(folder: Path, fields: dict[str, JsonValue]) -> Manifest:
    # The format is looked at first: a later format may have keys that this software cannot know.
    version = fields.get("format")
    if isinstance(version, int) and version != FORMAT:
        remedy = "update the software" if version > FORMAT else "export the bundle anew"
        raise BundleError(f"bundle {folder}: format {version}, this software reads format {FORMAT}; {remedy}")
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        message = first["msg"].removeprefix("Value error, ")
        raise BundleError(f"bundle {folder}: {MANIFEST_NAME}: {where}: {message}") from error


def _inside(folder: Path, file: str) -> Path:
    """The file's path, after every link is followed, if it lies inside the bundle's folder."""
    try:
        path = (folder / file).resolve()
        leaves = not path.is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError) as error:
        raise BundleError(f"bundle {folder}: {file!r} is not a usable file name") from error
    if leaves:
        raise BundleError(f"bundle {folder}: {file!r} leads outside the bundle's folder")
    if not path.is_file():
        raise BundleError(f"bundle {folder}: {file} is missing")
    return path


def _check_file(folder: Path, file: str, digest: str) -> None:
    path = _inside(folder, file)
    try:
        found = digest_of(path)
    except OSError as error:
        raise BundleError(f"bundle {folder}: {file} cannot be read: {error.strerror}") from error
    if found != digest:
        raise BundleError(
            f"bundle {folder}: {file} was altered or truncated: its SHA-256 is {found[:12]}..., "
            f"{MANIFEST_NAME} says {digest[:12]}..."
        )
