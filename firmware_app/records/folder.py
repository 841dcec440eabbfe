"""The evidence on the disk: one file for each result, and what the exam in progress has so far.

    FOLDER/000042-RESULT.zip            sealed: all that a result rests on, see `manifest`
    FOLDER/pending/EXAM/ACQUISITION.zip an acquisition of the exam in progress, until that exam ends

The number tells the order, for the clock may be wrong. When the files have grown beyond the limit, those of
the oldest results go. Everything here waits for the disk: `evidence` calls it on a thread of its own.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from calibration.whole_file import remove_half_written, sync, write_durably
from firmware_app.errors import EvidenceError
from firmware_app.exam.events import Acquisition
from firmware_app.exam.state import ResultIssued
from firmware_app.examination import crop_digests_of
from firmware_app.journey import Crops
from firmware_app.records.archive import SUFFIX, packed, read_archive
from firmware_app.records.crops import crop_of, png_of
from firmware_app.records.lock import LockedError, lock
from firmware_app.records.manifest import (
    ACQUISITION,
    ELASTOGRAM,
    GRAY,
    MANIFEST,
    RESULT,
    Manifest,
    RefusedOne,
    Taken,
    digest_of,
    names_of,
)
from firmware_app.wording import NOTICE, Language

LOG = logging.getLogger(__name__)
PENDING = "pending"
PENDING_S = 24 * 60 * 60
"""What an exam left behind that never went on goes after a day."""
TAKEN_OUT = 10
"""Of the acquisitions that were taken out, the crops of so many are kept: the latest ones."""
_SEALED = re.compile(r"([0-9]{6,9})-([0-9a-f-]{36})\.zip")


@dataclass(frozen=True, slots=True)
class Sealing:
    """A result that has been issued, and what is true of the appliance that issued it.

    Attributes:
        issued: the result, with its exam.
        payload: as published.
        bundle_id, graph_sha256: what scored; None: no bundle.
        processor: of this machine.
        language: of the payload.
    """

    issued: ResultIssued
    payload: bytes
    bundle_id: str | None
    graph_sha256: str | None
    processor: str
    language: Language


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file of evidence; its digest is that of the whole file, as `sha256sum` prints it."""

    file: str
    sha256: str
    complete: bool
    removed: tuple[str, ...]


class EvidenceFolder:
    """Writes evidence; one process at a time, and in it one thread.

    Args:
        folder: made if it is missing.
        limit_bytes: of all files together.

    Every method raises OSError if the disk refuses; what was there before is untouched then.
    """

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder, self._limit_bytes = folder, limit_bytes
        self._lock: int | None = None

    def open(self) -> None:
        """Make the folder this process's own, and remove what a power cut left behind; harmless when open.

        Raises:
            EvidenceError: another process writes into it.
        """
        if self._lock is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # pictures are for nobody else
        (self._folder / PENDING).mkdir(exist_ok=True)
        try:
            self._lock = lock(self._folder)
        except LockedError as error:
            raise EvidenceError(f"the evidence {error}") from error
        remove_half_written(self._folder)
        for exam in self._pending():
            if time.time() - exam.stat().st_mtime > PENDING_S:
                shutil.rmtree(exam)

    def close(self) -> None:
        """Let another process write; harmless when repeated."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def keep(self, exam_id: UUID, acquisition: Acquisition, payload: bytes, crops: Crops) -> tuple[str, ...]:
        """Keep the crops of an acquisition until its exam ends.

        Args:
            exam_id: of its exam.
            acquisition: counted.
            payload: the acquisition as published.
            crops: as they were scored.

        Returns:
            Names of the evidence that went for it.

        Raises:
            EvidenceError: these are not the crops that were scored.
        """
        if crop_digests_of(crops) != acquisition.crop_digests:
            raise EvidenceError(f"the crops of acquisition {acquisition.id} are not those that were scored")
        members = {ACQUISITION: payload, ELASTOGRAM: png_of(crops.elastogram), GRAY: png_of(crops.gray)}
        data = packed(members)
        removed = self._make_room(len(data))
        exam = self._folder / PENDING / str(exam_id)
        exam.mkdir(parents=True, exist_ok=True)
        write_durably(exam / f"{acquisition.id}{SUFFIX}", data)
        sync(exam.parent)
        return removed

    def seal(self, sealing: Sealing) -> Sealed:
        """Write the evidence of a result from what was kept of its acquisitions.

        Raises:
            EvidenceError: it is larger than the limit.
        """
        exam = sealing.issued.exam
        if exam.id is None:
            raise ValueError("a result belongs to an exam that was opened")
        counted, taken_out = exam.acquisitions, exam.discarded
        members = {RESULT: sealing.payload}
        taken = []
        for acquisition in (*counted, *taken_out):
            wanted = acquisition not in taken_out[:-TAKEN_OUT]
            kept = self._kept(exam.id, acquisition) if wanted else {}
            members |= kept
            taken.append(Taken(id=acquisition.id, counted=acquisition in counted, kept=bool(kept)))
        manifest = Manifest(
            notice=NOTICE,
            result_id=sealing.issued.result_id,
            exam_id=exam.id,
            bundle_id=sealing.bundle_id,
            graph_sha256=sealing.graph_sha256,
            processor=sealing.processor,
            language=sealing.language,
            acquisitions=taken,
            refusals=[RefusedOne(reason=r.reason, dropped=r.dropped) for r in exam.refusals],
            files={name: digest_of(content) for name, content in members.items()},
        )
        data = packed({MANIFEST: manifest.model_dump_json(indent=1).encode() + b"\n", **members})
        removed = self._make_room(len(data))
        number = max((int(file.name.split("-")[0]) for file in sealed_in(self._folder)), default=0) + 1
        name = f"{number:06d}-{manifest.result_id}{SUFFIX}"
        write_durably(self._folder / name, data)
        complete = all(one.kept for one in taken if one.counted)
        return Sealed(name, digest_of(data), complete, removed)

    def forget(self, but: UUID | None) -> None:
        """Remove what exams have kept that are over.

        Args:
            but: the exam in progress; None: there is none.
        """
        for exam in self._pending():
            if exam.name != str(but):
                shutil.rmtree(exam)

    def _pending(self) -> list[Path]:
        return [path for path in (self._folder / PENDING).glob("*") if path.is_dir()]

    def _kept(self, exam_id: UUID, acquisition: Acquisition) -> dict[str, bytes]:
        """What was kept of an acquisition, under the names that it has in the evidence; empty: nothing."""
        path = self._folder / PENDING / str(exam_id) / f"{acquisition.id}{SUFFIX}"
        try:
            members = read_archive(path)
            payload, pictures = members[ACQUISITION], (members[ELASTOGRAM], members[GRAY])
            crops = Crops(*(crop_of(picture, str(path)) for picture in pictures))
        except (EvidenceError, KeyError) as error:
            LOG.warning("the crops of an acquisition were not kept: %s", error)
            return {}
        if crop_digests_of(crops) != acquisition.crop_digests:
            LOG.warning("%s does not hold the crops that were scored", path)
            return {}
        return dict(zip(names_of(acquisition.id), (payload, *pictures), strict=True))

    def _make_room(self, size: int) -> tuple[str, ...]:
        """Remove the evidence of the oldest results until the limit holds; names of what went."""
        pending = (self._folder / PENDING).rglob(f"*{SUFFIX}")
        total = size + sum(file.stat().st_size for file in pending)
        if total > self._limit_bytes:
            raise EvidenceError(f"{total >> 10} KiB of one exam do not fit into evidence_limit_mb: raise it")
        sealed = [(file, file.stat().st_size) for file in sealed_in(self._folder)]
        total += sum(size for _, size in sealed)
        removed = []
        for oldest, freed in sealed:
            if total <= self._limit_bytes:
                break
            oldest.unlink()
            total -= freed
            removed.append(oldest.name)
        return tuple(removed)


def sealed_in(folder: Path) -> list[Path]:
    """The files of evidence in a folder, oldest first."""
    found = [(file, _SEALED.fullmatch(file.name)) for file in folder.iterdir()]
    numbered = [(int(match[1]), file) for file, match in found if match is not None]
    return [file for _, file in sorted(numbered)]
