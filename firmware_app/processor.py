"""What this machine computes with: another processor, or other instructions, may round in another way."""

from __future__ import annotations

import platform
from pathlib import Path

INSTRUCTIONS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "asimddp", "i8mm", "sve")
"""Those that the INT8 kernels of OpenVINO choose between."""
EXACT_INT8 = frozenset({"avx_vnni", "avx512_vnni", "amx_int8"})
"""Of an x86 processor: these sum INT8 products in 32 bits. Older ones sum pairs in 16, which overflows."""
CPUINFO, BOARD = Path("/proc/cpuinfo"), Path("/proc/device-tree/model")


def processor(cpuinfo: Path = CPUINFO, board: Path = BOARD) -> str:
    """Name of the processor (of an ARM board: of the board), and which of the `INSTRUCTIONS` it has."""
    fields = _fields(cpuinfo)
    known = " ".join(i for i in INSTRUCTIONS if i in _instructions(fields))
    return f"{_name(fields, board)} ({known or 'none of the known instructions'})"


def processor_name(cpuinfo: Path = CPUINFO, board: Path = BOARD) -> str:
    """Name of the processor alone, of an ARM board that of the board."""
    return _name(_fields(cpuinfo) if cpuinfo.exists() else {}, board)


def sums_int8_exactly(cpuinfo: Path = CPUINFO) -> bool:
    """Whether a sum of INT8 products is exact here (ADR 24): not on x86 with AVX2 or AVX-512 alone."""
    known = _instructions(_fields(cpuinfo))
    return "avx2" not in known or bool(known & EXACT_INT8)


def _fields(cpuinfo: Path) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    return fields


def _name(fields: dict[str, str], board: Path) -> str:
    if board.exists():
        return board.read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    return fields.get("model name") or platform.machine()


def _instructions(fields: dict[str, str]) -> frozenset[str]:
    return frozenset((fields.get("flags") or fields.get("Features") or "").split())
