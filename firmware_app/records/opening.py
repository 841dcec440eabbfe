"""From a file of evidence to what a result rests on, every digest checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from pydantic import ValidationError

from firmware_app.errors import EvidenceError
from firmware_app.examination import crop_digests_of
from firmware_app.journey import Crops
from firmware_app.records.archive import read_archive
from firmware_app.records.crops import crop_of
from firmware_app.records.manifest import RESULT, Manifest, Taken, names_of, read_manifest
from firmware_app.ward.messages import AcquisitionMessage, CropDigests, ResultMessage

Message = TypeVar("Message", AcquisitionMessage, ResultMessage)


@dataclass(frozen=True, slots=True)
class TakenAcquisition:
    """An acquisition as it was published, and its crops as they were scored.

    Attributes:
        message: what was published.
        payload: the very bytes.
        crops: checked against the digests in the message.
    """

    message: AcquisitionMessage
    payload: bytes
    crops: Crops


@dataclass(frozen=True, slots=True)
class Evidence:
    """A result as it was published, and all that was kept of what it rests on.

    Attributes:
        manifest: what is there, and what is not.
        result: what was published.
        payload: the very bytes.
        taken: acquisitions whose crops were kept.
    """

    manifest: Manifest
    result: ResultMessage
    payload: bytes
    taken: Mapping[UUID, TakenAcquisition]


def read_evidence(path: Path) -> Evidence:
    """Open a file of evidence and check everything in it.

    Raises:
        EvidenceError: it is missing, or anything in it was changed.
    """
    members, where = read_archive(path), str(path)
    manifest = read_manifest(members, where)
    result = _message(ResultMessage, members[RESULT], f"{where}: {RESULT}")
    counted = [taken.id for taken in manifest.acquisitions if taken.counted]
    if (
        (manifest.result_id, manifest.exam_id) != (result.id, result.exam_id)
        or manifest.bundle_id != result.bundle_id
        or counted != [evidence.id for evidence in result.evidence.acquisitions]
    ):
        raise EvidenceError(f"{where}: the manifest and the result do not belong together")
    taken = {one.id: _taken(one, manifest, members, where) for one in manifest.acquisitions if one.kept}
    return Evidence(manifest, result, members[RESULT], taken)


def _taken(one: Taken, manifest: Manifest, members: Mapping[str, bytes], where: str) -> TakenAcquisition:
    name, elastogram, gray = names_of(one.id)
    message = _message(AcquisitionMessage, members[name], f"{where}: {name}")
    crops = Crops(
        crop_of(members[elastogram], f"{where}: {elastogram}"), crop_of(members[gray], f"{where}: {gray}")
    )
    digests = crop_digests_of(crops)
    if message.evidence.crop_digests != CropDigests(elastogram=digests.elastogram, gray=digests.gray):
        raise EvidenceError(f"{where}: the crops of acquisition {one.id} are not those that were scored")
    if (message.id, message.exam_id) != (one.id, manifest.exam_id):
        raise EvidenceError(f"{where}: {name} belongs to another acquisition")
    seen = message.evidence
    if seen.stiffness is None or seen.q_box is None or seen.roi is None:
        raise EvidenceError(f"{where}: {name} has no stiffness, no Q-box or no region of interest")
    return TakenAcquisition(message, members[name], crops)


def _message(kind: type[Message], payload: bytes, where: str) -> Message:
    try:
        return kind.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "content"
        raise EvidenceError(
            f"{where} is not what this software publishes ({place}: {first['msg']}); "
            "use the software that wrote it"
        ) from error
