"""A file of evidence: an ordinary ZIP archive of plain files that ends in the digest of all before it.

Its comment is the SHA-256 of every byte before the comment. So any program opens the archive, and whoever
changes a byte of it is found. It comes into being under another name, and under its own when it is whole.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

from firmware_app.errors import EvidenceError

SUFFIX = ".zip"
LARGEST_BYTES = 256 << 20
"""An archive larger than this is not read."""
_DIGITS = 64
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that an archive can carry; ours carry no other, for the same content is the same file."""


def packed(members: Mapping[str, bytes]) -> bytes:
    """The archive of these files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
        archive.comment = b"0" * _DIGITS
    body = stream.getvalue()[:-_DIGITS]
    return body + hashlib.sha256(body).hexdigest().encode()


def unpacked(data: bytes, where: str) -> dict[str, bytes]:
    """The files in an archive.

    Args:
        data: the archive.
        where: what to call it in a complaint.

    Raises:
        EvidenceError: a byte of it was changed, or it never was such an archive.
    """
    body, digest = data[:-_DIGITS], data[-_DIGITS:]
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise EvidenceError(f"{where} is damaged, or is no evidence: its digest does not fit")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = [entry.filename for entry in entries]
            if len(set(names)) != len(names) or any(e.compress_type != zipfile.ZIP_STORED for e in entries):
                raise EvidenceError(f"{where} was packed by another program: take the file as it was written")
            return {name: archive.read(name) for name in names}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise EvidenceError(f"{where} is no sound archive: {error}") from error


def read_archive(path: Path) -> dict[str, bytes]:
    """The files in an archive on the disk.

    Raises:
        EvidenceError: it is missing, damaged or too large.
    """
    try:
        if not path.is_file():
            raise EvidenceError(f"{path} is no file of evidence: name one, or a folder of them")
        if path.stat().st_size > LARGEST_BYTES:
            raise EvidenceError(f"{path} is larger than {LARGEST_BYTES >> 20} MiB: it is no evidence")
        data = path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read: {error.strerror}") from error
    return unpacked(data, str(path))
