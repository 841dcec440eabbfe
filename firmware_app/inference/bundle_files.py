"""Reading the files of a bundle that may be hostile: plain files only, nothing larger than expected.

Every function raises `BundleError` with one sentence that names the bundle and the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue, TypeAdapter, ValidationError

from firmware_app.errors import BundleError

MOST_FILES = 32
"""No bundle has more; a folder with more is not read to its end."""
_BLOCK = 1 << 20


def digest(stream: BinaryIO) -> str:
    """SHA-256 of what an open file holds, as hexadecimal digits."""
    state = hashlib.sha256()
    while block := stream.read(_BLOCK):
        state.update(block)
    return state.hexdigest()


def names_in(folder: Path) -> frozenset[str]:
    """Names of what lies in a bundle's folder: plain files, and nothing else."""
    names = set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise BundleError(
                        f"bundle {folder}: {entry.name!r} is a link; a bundle holds plain files"
                    )
                if not entry.is_file(follow_symlinks=False):
                    raise BundleError(
                        f"bundle {folder}: {entry.name!r} is not a plain file; a bundle holds nothing else"
                    )
                names.add(entry.name)
                if len(names) > MOST_FILES:
                    raise BundleError(f"bundle {folder}: more than {MOST_FILES} files; this is no bundle")
    except OSError as error:
        raise BundleError(f"bundle {folder} cannot be read: {error.strerror}") from error
    return frozenset(names)


def read_small(folder: Path, name: str, limit: int) -> bytes:
    """The content of a file of at most `limit` bytes."""
    with _opened(folder, name, limit) as stream:
        return stream.read(limit + 1)


def check_digest(folder: Path, name: str, limit: int, expected: str) -> None:
    """Compare a file with the digest that the manifest gives it."""
    with _opened(folder, name, limit) as stream:
        found = digest(stream)
    if found != expected:
        raise BundleError(
            f"bundle {folder}: {name} was altered or truncated: its SHA-256 is {found[:12]}..., "
            f"bundle.json says {expected[:12]}..."
        )


def copy_file(folder: Path, name: str, limit: int, target: Path) -> None:
    """Copy a file to `target`, which must not exist; every user may read the copy, and it is on the disk."""
    with _opened(folder, name, limit) as stream:
        content = stream.read(limit + 1)
    with target.open("xb") as copy:
        copy.write(content)
        os.fchmod(copy.fileno(), 0o644)
        copy.flush()
        os.fsync(copy.fileno())


def read_object(folder: Path, name: str, content: bytes) -> dict[str, JsonValue]:
    """One JSON object, in which no key stands twice and every number is finite."""
    where = f"bundle {folder}: {name}"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{where} is not UTF-8 text") from error
    try:
        fields = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
        return TypeAdapter(dict[str, JsonValue]).validate_python(fields)
    except json.JSONDecodeError as error:
        raise BundleError(f"{where} is not JSON: line {error.lineno}: {error.msg}") from error
    except (ValidationError, RecursionError) as error:
        raise BundleError(f"{where} does not hold one JSON object") from error
    except ValueError as error:  # after its subclasses: a key that stands twice, a number without end
        raise BundleError(f"{where} is not JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class ArrayForm:
    """What an array must look like: its type, and its shape with None for a length that is free."""

    dtype: str
    shape: tuple[int | None, ...]

    def fits(self, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> bool:
        """Whether an array of this type and shape is meant."""
        return (
            dtype == np.dtype(self.dtype)
            and len(shape) == len(self.shape)
            and all(wanted in {None, found} for wanted, found in zip(self.shape, shape, strict=True))
        )


def read_arrays(
    folder: Path, name: str, forms: Mapping[str, ArrayForm], limit: int
) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of an .npz file, each of the form it must have, together at most `limit` bytes.

    What an archive claims is checked before anything is unpacked, and nothing in it is ever executed.
    """
    where = f"bundle {folder}: {name}"
    with _opened(folder, name, limit) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                if sorted(archive.namelist()) != sorted(f"{key}.npy" for key in forms):
                    raise BundleError(f"{where} does not hold exactly {', '.join(forms)}")
                if sum(member.file_size for member in archive.infolist()) > limit:
                    raise BundleError(f"{where} would unpack to more than {limit >> 20} MiB")
                return {key: _array(archive, key, form, where) for key, form in forms.items()}
        except (
            zipfile.BadZipFile,
            ValueError,
            EOFError,
            NotImplementedError,
            RuntimeError,
            OSError,
        ) as error:
            raise BundleError(f"{where} is not a sound archive of arrays: {error}") from error


def _array(archive: zipfile.ZipFile, key: str, form: ArrayForm, where: str) -> npt.NDArray[np.generic]:
    with archive.open(f"{key}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise BundleError(f"{where}: {key} has an array format {version} that is not expected")
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        size = archive.getinfo(f"{key}.npy").file_size
        # An array can claim any shape; memory is only given for what is really there.
        if not form.fits(dtype, shape) or dtype.itemsize * int(np.prod(shape, dtype=object)) > size:
            raise BundleError(f"{where}: {key} is {dtype} {shape}, not {form.dtype} {form.shape}")
    with archive.open(f"{key}.npy") as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


@contextmanager
def _opened(folder: Path, name: str, limit: int) -> Iterator[BinaryIO]:
    """A plain file of the folder, not a link and not larger than the limit."""
    # Without O_NONBLOCK, a named pipe in place of a file would stop the appliance for ever.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with os.fdopen(os.open(folder / name, flags), "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise BundleError(f"bundle {folder}: {name} is not a plain file")
            if found.st_size > limit:
                raise BundleError(
                    f"bundle {folder}: {name} has {found.st_size} bytes, at most {limit} are allowed"
                )
            yield stream
    except FileNotFoundError as error:
        raise BundleError(f"bundle {folder}: {name} is missing") from error
    except OSError as error:
        raise BundleError(f"bundle {folder}: {name} cannot be read: {error.strerror}") from error


def _unique(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {}
    for key, value in pairs:
        if key in fields:
            raise ValueError(f"the key {key!r} stands twice")
        fields[key] = value
    return fields


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
