"""The model bundle: a folder with `bundle.json`, its signature, the graph, the card and golden crops.

`load_bundle` is the only way in. It wants the signature of a trusted key over `bundle.json`, the digest of
every file that `bundle.json` lists, and no other file; links, other formats and unknown keys are refused by
name. The bundle's id ends in the digest of the manifest's content, so one id stands for one content.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from firmware_app.errors import BundleError
from firmware_app.inference.bundle_files import check_digest, digest, names_in, read_object, read_small
from firmware_app.inference.signature import (
    SIGNATURE_NAME,
    SignatureError,
    TrustedKey,
    trusted_keys,
    verify,
)

FORMAT = 2
"""The bundle format that this software reads."""
MANIFEST_NAME = "bundle.json"
"""The file that describes all others of a bundle."""
MANIFEST_LIMIT = 1 << 20
"""Bytes of `bundle.json`; it has about 4000."""
SIGNATURE_LIMIT = 1 << 10
"""Bytes of `bundle.sig`; it has 202."""
GRAPH_LIMIT = 1 << 30
"""Bytes of the graph; two Inception-V3 in float32 have 0.2e9."""
FILE_LIMIT = 1 << 26
"""Bytes of any other file, and of what it unpacks to."""
ID_DIGITS = 12
"""How many hexadecimal digits of the manifest's digest end a bundle's id."""
Threshold = Literal["ge_s2", "ge_s3", "s4"]
"""A question that is asked of a patient: stage 2 or worse, 3 or worse, 4."""
THRESHOLDS: tuple[Threshold, ...] = ("ge_s2", "ge_s3", "s4")
"""In the order of the logits."""
NetworkMethod = Literal["GM", "EM", "GM+EM"]
"""What the graph scores: gray-scale picture, elastogram, both."""

FILE_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""No folder, no dots in front, nothing that a file system or a shell could take for something else."""
Probability = Annotated[float, Field(ge=0.0, le=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Graph(_Model):
    """The ONNX graph: `gray` and `elastogram`, uint8 RGB (n, 299, 299, 3), to three log-odds (n, 3)."""

    file: str = Field(description="file name inside the bundle's folder")
    sha256: Sha256
    precision: Literal["fp32", "fp16", "int8"]


class Affine(_Model):
    """What calibration makes of a network's raw log-odds: scale * raw + offset."""

    scale: float = Field(gt=0)
    offset: float


class Calibration(_Model):
    """How the probabilities were calibrated; the graph holds it already, nobody applies it again."""

    method: str = Field(description="in words, e.g. one factor and three ordered offsets, maximum likelihood")
    fitted_on: str = Field(description="which patients, in words")
    patients: int = Field(ge=0)
    parameters: dict[NetworkMethod, dict[Threshold, Affine]]


class OperatingPoint(_Model):
    """Where a patient's probability passes a threshold; between `low` and `high` it is indeterminate."""

    cutoff: Probability = Field(description="Youden's cut-off on the training cohort")
    low: Probability
    high: Probability
    rule_out: Probability = Field(description="below it the stage is ruled out, with high sensitivity")
    rule_in: Probability = Field(description="from it on the stage is ruled in, with high specificity")

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


class SelfTest(_Model):
    """What the appliance asks of the bundle on its own processor before it trusts it."""

    file: str = Field(description="golden crops and the recorded answers, listed in files")
    tolerance: float = Field(gt=0, le=1, description="largest allowed difference of a probability")


class Manifest(_Model):
    """The content of `bundle.json`."""

    format: int
    bundle_id: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9._-]+$")
    created: str = Field(description="UTC, ISO 8601")
    software: str = Field(description="what wrote the bundle, with its version")
    notice: str
    graph: Graph
    bar_range_kpa: float = Field(gt=0, description="range of the colour bar that the networks know")
    calibration: Calibration
    operating_points: dict[Threshold, OperatingPoint] = Field(description="of GM+EM, for patients")
    gm_lsm: dict[Threshold, LsmConfidence]
    lsm_cutoffs: LsmCutoffs
    self_test: SelfTest
    files: dict[str, Sha256] = Field(description="every other file of the bundle and its digest")
    training: dict[str, str | int | float] = Field(description="command, seeds, versions, digests and times")

    @model_validator(mode="after")
    def _complete(self) -> Manifest:
        for name in ("operating_points", "gm_lsm"):
            missing = [key for key in THRESHOLDS if key not in getattr(self, name)]
            if missing:
                raise ValueError(f"{name} lacks {', '.join(missing)}")
        apart = {self.graph.file, MANIFEST_NAME, SIGNATURE_NAME}
        if apart & set(self.files):
            raise ValueError("files lists the graph, bundle.json or bundle.sig, which are checked apart")
        for name in (self.graph.file, *self.files):
            if re.fullmatch(FILE_NAME, name) is None:
                raise ValueError(f"{name!r} leads outside the bundle's folder or is not a usable file name")
        if self.self_test.file not in self.files:
            raise ValueError(f"self_test names {self.self_test.file!r}, which files does not list")
        return self


class Bundle(_Model):
    """A bundle that has been checked."""

    folder: Path
    manifest: Manifest
    signed_by: str = Field(description="name of the trusted key")
    fingerprint: Sha256 = Field(description="of that key")

    @property
    def graph_path(self) -> Path:
        """Where the graph lies."""
        return self.folder / self.manifest.graph.file


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return digest(stream)


def id_of(name: str, fields: dict[str, JsonValue]) -> str:
    """The id of a bundle: a name, and the digest of its manifest's fields without `bundle_id`."""
    content = {key: value for key, value in fields.items() if key != "bundle_id"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:ID_DIGITS]}"


def load_bundle(folder: Path, keys: Sequence[TrustedKey] | None = None) -> Bundle:
    """Check a bundle and return it.

    Args:
        folder: the bundle's.
        keys: who is trusted; None: the demonstration's key and the site's.

    Raises:
        BundleError: one sentence that names the bundle and what is wrong with it.
        KeyFileError: a trusted key cannot be read.
    """
    if not folder.is_dir():
        raise BundleError(f"bundle {folder}: no such folder; give the folder that holds {MANIFEST_NAME}")
    names = names_in(folder)
    content = read_small(folder, MANIFEST_NAME, MANIFEST_LIMIT)
    if SIGNATURE_NAME not in names:
        raise BundleError(f"bundle {folder} is not signed; sign it with `fibrostage-export sign`")
    line = read_small(folder, SIGNATURE_NAME, SIGNATURE_LIMIT)
    try:
        key = verify(content, line, trusted_keys() if keys is None else keys)
    except SignatureError as error:
        raise BundleError(f"bundle {folder}: {error}") from error
    manifest = check_content(folder, names, content)
    return Bundle(folder=folder.resolve(), manifest=manifest, signed_by=key.name, fingerprint=key.fingerprint)


def check_content(folder: Path, names: AbstractSet[str], content: bytes) -> Manifest:
    """Check everything in a bundle but its signature.

    Args:
        folder: the bundle's.
        names: of the files that lie in it.
        content: bytes of `bundle.json`.

    Raises:
        BundleError: the manifest is of another format or not valid, or a file does not fit it.
    """
    fields = read_object(folder, MANIFEST_NAME, content)
    manifest = _parse(folder, fields)
    if manifest.bundle_id != id_of(manifest.bundle_id.rpartition("-")[0], fields):
        raise BundleError(f"bundle {folder}: {MANIFEST_NAME} was altered: it does not fit its bundle_id")
    listed = _listed(manifest)
    extra = sorted(names - set(listed) - {MANIFEST_NAME, SIGNATURE_NAME})
    if extra:
        raise BundleError(f"bundle {folder}: {extra[0]!r} is not listed in {MANIFEST_NAME}; remove it")
    for file, (sha256, limit) in listed.items():
        check_digest(folder, file, limit, sha256)
    return manifest


def _listed(manifest: Manifest) -> dict[str, tuple[str, int]]:
    """Digest and largest size of every listed file."""
    others = {name: (sha256, FILE_LIMIT) for name, sha256 in manifest.files.items()}
    return {manifest.graph.file: (manifest.graph.sha256, GRAPH_LIMIT), **others}


def _parse(folder: Path, fields: dict[str, JsonValue]) -> Manifest:
    # The format is looked at first: a later format may have keys that this software cannot know.
    version = fields.get("format")
    # Not `isinstance`: true is an int, too; and a "3" must not pass for a number.
    if version is not None and (type(version) is not int or version != FORMAT):
        later = isinstance(version, int) and version > FORMAT
        remedy = "update the software" if later else "export the bundle anew"
        found = repr(version)[:ID_DIGITS]
        raise BundleError(f"bundle {folder}: format {found}, this software reads format {FORMAT}; {remedy}")
    try:
        return Manifest.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        message = first["msg"].removeprefix("Value error, ")
        raise BundleError(f"bundle {folder}: {MANIFEST_NAME}: {where}: {message}") from error
