"""A real disk that is small, full or read-only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def small_disk_room(disk: Path) -> int:
    """Bytes that are free, less one block."""
    free = os.statvfs(disk)
    return (free.f_bavail - 1) * free.f_bsize


def remount(disk: Path, mode: str) -> None:
    """Make it read-only ("ro") or writable ("rw")."""
    subprocess.run(["mount", "-o", f"remount,{mode}", str(disk)], check=True, timeout=20)
