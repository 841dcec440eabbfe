"""What the wall clock is worth, as the kernel knows it: adjtimex(2), which any time service feeds."""

from __future__ import annotations

import ctypes

_UNSYNCHRONISED = 0x40
"""STA_UNSYNC of <sys/timex.h>."""


class _Timex(ctypes.Structure):
    """`struct timex`, the beginning by name; the kernel writes the rest, too."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 512),
    )


def largest_error_ms() -> float | None:
    """How far the clock may be off at most, in milliseconds; None: no time service keeps it, nobody knows."""
    asked = _Timex()  # modes of 0: only ask
    failed = ctypes.CDLL(None).adjtimex(ctypes.byref(asked)) < 0
    return None if failed or asked.status & _UNSYNCHRONISED else float(asked.maxerror) / 1000.0
