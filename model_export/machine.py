"""Where networks are trained, and in which precision.

bfloat16 is about twice as fast as float32 on a processor that has instructions for it. On one that has not,
torch imitates it without a word: the stem took 1.33 s for a picture on a core of an EPYC Milan, and 0.17 s in
float32.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import torch

BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "bf16")
"""Any of these multiplies bfloat16: Intel's tiles, AVX-512 of Intel and AMD, Arm. Plain AVX-512 does not."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What computes.

    Attributes:
        device: a CUDA device if there is one, else the processor.
        dtype: of convolutions and matrix products; parameters, losses and optimisers are float32.
    """

    device: torch.device
    dtype: torch.dtype

    @property
    def precision(self) -> str:
        """`float32` or `bfloat16`."""
        return str(self.dtype).removeprefix("torch.")

    def autocast(self) -> torch.autocast:
        """Mixed precision where it is faster, nothing elsewhere."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not torch.float32)


@functools.cache
def this_machine() -> Machine:
    """The machine that this process runs on."""
    if torch.cuda.is_available():
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        return Machine(torch.device("cuda"), torch.bfloat16 if fast else torch.float32)
    return Machine(torch.device("cpu"), fastest_dtype(torch.cpu.get_capabilities()))


def fastest_dtype(capabilities: Mapping[str, object]) -> torch.dtype:
    """bfloat16 if the processor multiplies it by itself, else float32.

    Args:
        capabilities: as `torch.cpu.get_capabilities` tells them.
    """
    has = any(capabilities.get(name) is True for name in BFLOAT16_INSTRUCTIONS)
    return torch.bfloat16 if has else torch.float32
