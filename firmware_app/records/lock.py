"""One process writes into a folder; the others are told which one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path

LOCK = "lock"
"""Held by the one process that writes; its number stands in it."""
PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOMEM, errno.EMFILE})
"""What a disk says that is full, read-only or failing: no reason not to examine."""


class LockedError(Exception):
    """Another process holds the lock; `owner` is its number, or "unknown"."""

    def __init__(self, folder: Path, owner: str) -> None:
        """Name the folder and the process."""
        super().__init__(f"{folder} is in use by process {owner}: stop that one, or name another folder")
        self.owner = owner


def lock(folder: Path) -> int:
    """The open lock, to be closed with `os.close`; it goes with the process, however that ends.

    Raises:
        LockedError: another process holds it.
        OSError: the disk refuses.
    """
    descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise LockedError(folder, owner) from None
    except BaseException:
        os.close(descriptor)
        raise
    with contextlib.suppress(OSError):  # the number is for people; a full disk may refuse it
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
