"""What this machine computes with: another processor, or other instructions, may round in another way."""

from __future__ import annotations

import platform
from pathlib import Path

INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "asimddp", "i8mm", "sve")
"""Those that the INT8 kernels of OpenVINO choose between."""
CPUINFO, BOARD = Path("/proc/cpuinfo"), Path("/proc/device-tree/model")


def processor(cpuinfo: Path = CPUINFO, board: Path = BOARD) -> str:
    """Name of the processor (of an ARM board: of the board), and which of the `INSTRUCTIONS` it has."""
    fields: dict[str, str] = {}
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    name = fields.get("model name") or platform.machine()
    if board.exists():
        name = board.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    known = (fields.get("flags") or fields.get("Features") or "").split()
    return f"{name} ({' '.join(i for i in INSTRUCTIONS if i in known) or 'none of the known instructions'})"
