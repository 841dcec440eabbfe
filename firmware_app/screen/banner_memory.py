"""The banner over a crash: salt and digest on a RAM disk, for the next process of the same boot.

With them a process that was started again can tell whether the patient on the screen is still the one of the
exam that it finds. The file must lie in memory (tmpfs): nothing of the banner ever reaches a disk, and a
power cut forgets it. Where there is no such folder, an interrupted exam waits for another sign.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from firmware_app.screen.banner import SALT_BITS, BannerDigest, draw_salt, use_salt

LOG = logging.getLogger(__name__)
NAME = "banner"
_MOUNTS = Path("/proc/self/mountinfo")
_IN_MEMORY = frozenset({"tmpfs", "ramfs"})
_LONGEST = 1 << 16


class BannerMemory:
    """Remembers the banner of the patient on the screen.

    Args:
        folder: in memory; None: nothing is remembered.

    Attributes:
        before: the banner that stood there when the process before went down; None: nobody knows.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path: Path | None = None
        self._salt = draw_salt()
        self._last: BannerDigest | None = None
        self.before: BannerDigest | None = None
        if folder is None:
            return
        if not is_in_memory(folder):
            LOG.warning("%s does not lie in memory: the banner is not remembered over a crash", folder)
            return
        self._path = folder / NAME
        self._recall(self._path)
        use_salt(self._salt)

    def note(self, banner: BannerDigest | None) -> None:
        """Remember another banner; call it when whatever the change brought about is on the disk."""
        if self._path is None or banner is None or banner == self._last:
            return
        self._last = banner
        part = self._path.with_suffix(".part")
        try:
            part.touch(mode=0o600)
            part.write_bytes(self._salt.to_bytes(SALT_BITS // 8, "big") + banner)
            part.replace(self._path)
        except OSError as error:
            LOG.warning("the banner cannot be remembered: %s", error)
            self._path = None

    def _recall(self, path: Path) -> None:
        try:
            content = path.read_bytes() if path.stat().st_size <= _LONGEST else b""
        except OSError:
            return
        salt, banner = content[: SALT_BITS // 8], content[SALT_BITS // 8 :]
        if banner and len(banner) % 2 == 0:
            self._salt = int.from_bytes(salt, "big")
            self.before = self._last = banner


def is_in_memory(folder: Path) -> bool:
    """Whether a folder lies on a RAM disk; False where that cannot be told."""
    try:
        place = f"{os.major(folder.stat().st_dev)}:{os.minor(folder.stat().st_dev)}"
        mounts = [line.split() for line in _MOUNTS.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError):
        return False
    return any(
        fields[2] == place and fields[fields.index("-") + 1] in _IN_MEMORY
        for fields in mounts
        if "-" in fields[:-1]
    )
