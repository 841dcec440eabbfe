"""Precision: bfloat16 only where the processor has instructions for it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`, which is not installed")

from model_export.machine import fastest_dtype, this_machine  # noqa: E402 - after the check that torch is there


@pytest.mark.parametrize(
    ("capabilities", "precision"),
    [
        (
            {"architecture": "x86_64", "avx2": True, "avx512_bf16": False, "amx_bf16": False},
            "float32",
        ),  # Zen 3
        ({"avx2": True, "avx512_f": True, "avx512_vnni": True, "avx512_bf16": False}, "float32"),  # Ice Lake
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, "bfloat16"),  # Zen 4
        ({"avx2": True, "avx512_bf16": True, "amx_bf16": True}, "bfloat16"),  # Sapphire Rapids
        ({"architecture": "aarch64", "neon": True, "bf16": False}, "float32"),  # Cortex-A72
        ({"architecture": "aarch64", "neon": True, "bf16": True}, "bfloat16"),  # Neoverse V1
        ({}, "float32"),
    ],
)
def test_bfloat16_needs_instructions(capabilities: dict[str, object], precision: str) -> None:
    """A processor that would imitate bfloat16 gets float32."""
    assert str(fastest_dtype(capabilities)) == f"torch.{precision}"


def test_mixed_precision_is_what_the_machine_says() -> None:
    """Under `autocast` a convolution computes in the machine's precision."""
    machine = this_machine()
    convolution = torch.nn.Conv2d(8, 8, 3).to(machine.device)
    with torch.inference_mode(), machine.autocast():
        assert convolution(torch.zeros(1, 8, 9, 9, device=machine.device)).dtype is machine.dtype
