"""The processor is named as its kernel names it, with the instructions that decide how it rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_app.processor import processor, processor_name, sums_int8_exactly

SERVER = (
    "processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu avx2 avx512f avx512_vnni\n\nmodel name\t: other\n"
)
ORIN = "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU part\t: 0xd42\n"


@pytest.mark.parametrize(
    ("cpuinfo", "board", "name"),
    [
        (SERVER, None, "AMD EPYC (avx2 avx512f avx512_vnni)"),
        (ORIN, "NVIDIA Jetson AGX Orin Developer Kit\0", "NVIDIA Jetson AGX Orin Developer Kit (asimddp)"),
    ],
)
def test_processor_is_named(tmp_path: Path, cpuinfo: str, board: str | None, name: str) -> None:
    """Once, however many cores there are; an ARM board by its own name."""
    (tmp_path / "cpuinfo").write_text(cpuinfo, encoding="utf-8")
    if board is not None:
        (tmp_path / "model").write_text(board, encoding="utf-8")
    assert processor(tmp_path / "cpuinfo", tmp_path / "model") == name
    assert processor_name(tmp_path / "cpuinfo", tmp_path / "model") == name.partition(" (")[0]


def test_this_machine_has_a_name() -> None:
    """Whatever it is."""
    assert processor().partition(" (")[0]


@pytest.mark.parametrize(
    ("flags", "exact"),
    [
        ("fpu sse2", True),  # too old for the kernels that overflow
        ("fpu avx2", False),
        ("fpu avx2 avx512f avx512bw", False),
        ("fpu avx2 avx512f avx512_vnni", True),
        ("fpu avx2 avx_vnni", True),
        ("fpu avx2 avx512f amx_int8", True),
    ],
)
def test_which_processors_sum_int8_exactly(tmp_path: Path, flags: str, *, exact: bool) -> None:
    """Those with instructions that sum in 32 bits."""
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\n", encoding="utf-8")
    assert sums_int8_exactly(tmp_path / "cpuinfo") is exact


def test_arm_sums_int8_exactly(tmp_path: Path) -> None:
    """Whatever its features."""
    (tmp_path / "cpuinfo").write_text(ORIN, encoding="utf-8")
    assert sums_int8_exactly(tmp_path / "cpuinfo")
