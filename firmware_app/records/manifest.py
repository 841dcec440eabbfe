"""What a file of evidence holds, and under which names.

manifest.json               this: what is beside it, with digests, and what else the result rests on
result.json                 the result, byte for byte as it was published
ACQUISITION/acquisition.json    likewise the acquisition
ACQUISITION/elastogram.png      the crop that was scored, lossless
ACQUISITION/gray.png
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from firmware_app.errors import EvidenceError
from firmware_app.ward.messages import Sha256
from firmware_app.wording import Language, Reason

MANIFEST = "manifest.json"
RESULT = "result.json"
ACQUISITION = "acquisition.json"
ELASTOGRAM, GRAY = "elastogram.png", "gray.png"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Taken(_Model):
    """One acquisition of the exam."""

    id: UUID
    counted: bool = Field(description="false: taken out by the operator, or by a later verdict")
    kept: bool = Field(description="false: its crops could not be kept")


class RefusedOne(_Model):
    """One refusal of the exam; its pictures are not kept."""

    reason: Reason
    dropped: Annotated[int, Field(ge=0)]


class Manifest(_Model):
    """Everything that a result rests on, but for the model and the serum values."""

    format: Literal[1] = 1
    notice: str
    result_id: UUID
    exam_id: UUID
    bundle_id: str | None
    graph_sha256: Sha256 | None
    processor: str = Field(description="of the machine that scored")
    language: Language
    acquisitions: list[Taken] = Field(description="in the order of the exam; those taken out stand last")
    refusals: list[RefusedOne]
    files: dict[str, Sha256]


def read_manifest(members: Mapping[str, bytes], where: str) -> Manifest:
    """The manifest of an archive, after everything beside it was held against it.

    Raises:
        EvidenceError: the manifest is missing, of another format, or does not fit what is beside it.
    """
    try:
        manifest = Manifest.model_validate_json(members.get(MANIFEST, b""))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "content"
        raise EvidenceError(f"{where}: {MANIFEST}: {place}: {first['msg']}") from error
    named = {RESULT, *(name for taken in manifest.acquisitions if taken.kept for name in names_of(taken.id))}
    if set(manifest.files) != named or set(members) != {MANIFEST, *named}:
        raise EvidenceError(f"{where}: {MANIFEST} does not list exactly what is beside it")
    for name, digest in manifest.files.items():
        if digest_of(members[name]) != digest:
            raise EvidenceError(f"{where}: {name} was altered: its digest is not the one in {MANIFEST}")
    return manifest


def names_of(acquisition: UUID) -> tuple[str, str, str]:
    """Names of an acquisition's message and of its two crops."""
    return (
        f"{acquisition}/{ACQUISITION}",
        f"{acquisition}/{ELASTOGRAM}",
        f"{acquisition}/{GRAY}",
    )


def digest_of(content: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
