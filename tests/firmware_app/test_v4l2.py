"""What a capture card says: requests as the kernel's headers have them, and what follows from each answer.

No capture card is at hand: the answers come from a stand-in for the ioctl, on a real file descriptor. That
a real card gives these answers is what the kernel's documentation says; it was not seen here.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from firmware_app.video import v4l2
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.diagnosis import Inquiry
from firmware_app.video.v4l2 import DvTimings, Fault, Input, fault_of

HEADER = Path("/usr/include/linux/videodev2.h")
NULL = Path("/dev/null")


def _c_values(folder: Path, expressions: list[str]) -> list[int]:
    compiler = shutil.which("cc")
    if compiler is None or not HEADER.is_file():
        pytest.skip("no C compiler, or no kernel headers (linux-libc-dev)")
    lines = "".join(f'printf("%lu\\n", (unsigned long)({expression}));' for expression in expressions)
    program = folder / "values.c"
    program.write_text(
        "#include <stdio.h>\n#include <stddef.h>\n#include <linux/videodev2.h>\n"
        f"int main(void) {{ {lines} return 0; }}\n"
    )
    subprocess.run([compiler, "-o", folder / "values", program], check=True, timeout=30)
    told = subprocess.run([folder / "values"], check=True, capture_output=True, text=True, timeout=30)
    return [int(line) for line in told.stdout.split()]


def test_requests_and_structures_are_the_kernels(tmp_path: Path) -> None:
    """Every number, size and place equals what a C program gets from <linux/videodev2.h>."""
    ours = {
        "VIDIOC_QUERY_DV_TIMINGS": v4l2.VIDIOC_QUERY_DV_TIMINGS,
        "VIDIOC_ENUMINPUT": v4l2.VIDIOC_ENUMINPUT,
        "VIDIOC_G_INPUT": v4l2.VIDIOC_G_INPUT,
        "V4L2_IN_ST_NO_POWER": v4l2.IN_ST_NO_POWER,
        "V4L2_IN_ST_NO_SIGNAL": v4l2.IN_ST_NO_SIGNAL,
        "V4L2_IN_ST_NO_H_LOCK": v4l2.IN_ST_NO_H_LOCK,
        "V4L2_IN_ST_NO_V_LOCK": v4l2.IN_ST_NO_V_LOCK,
        "V4L2_IN_ST_NO_STD_LOCK": v4l2.IN_ST_NO_STD_LOCK,
        "V4L2_IN_ST_NO_SYNC": v4l2.IN_ST_NO_SYNC,
        "V4L2_IN_ST_NO_CARRIER": v4l2.IN_ST_NO_CARRIER,
        "sizeof(struct v4l2_dv_timings)": ctypes.sizeof(DvTimings),
        "sizeof(struct v4l2_bt_timings)": ctypes.sizeof(v4l2.BtTimings),
        "sizeof(struct v4l2_input)": ctypes.sizeof(Input),
        "offsetof(struct v4l2_dv_timings, bt.height)": DvTimings.bt.offset + v4l2.BtTimings.height.offset,
        "offsetof(struct v4l2_dv_timings, bt.flags)": DvTimings.bt.offset + v4l2.BtTimings.flags.offset,
        "offsetof(struct v4l2_input, std)": Input.std.offset,
        "offsetof(struct v4l2_input, status)": Input.status.offset,
    }
    assert dict(zip(ours, _c_values(tmp_path, list(ours)), strict=True)) == ours


class Card:
    """Answers as a card would: with an errno, or with the size and the status of its input."""

    def __init__(self, error: int = 0, size: tuple[int, int] = (1920, 1080), status: int = 0) -> None:
        self.error, self.size, self.status = error, size, status

    def __call__(self, file: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> None:
        """As `fcntl.ioctl`."""
        os.fstat(file)  # a real, open file
        if request == v4l2.VIDIOC_QUERY_DV_TIMINGS:
            if self.error:
                raise OSError(self.error, os.strerror(self.error))
            assert isinstance(argument, DvTimings)
            argument.bt.width, argument.bt.height = self.size
        if request == v4l2.VIDIOC_ENUMINPUT:
            assert isinstance(argument, Input)
            argument.status = self.status


@pytest.mark.parametrize(
    ("card", "state"),
    [
        (Card(errno.ENOLINK), CaptureState.NO_CABLE),
        (Card(errno.ENOLCK), CaptureState.NO_SIGNAL),
        (Card(errno.ERANGE), CaptureState.UNSUPPORTED_TIMING),
        (Card(errno.ENODEV), CaptureState.NO_DEVICE),
        (Card(size=(0, 0)), CaptureState.NO_SIGNAL),
        (Card(size=(160, 120)), CaptureState.UNSUPPORTED_TIMING),
        (Card(errno.ENOTTY, status=v4l2.IN_ST_NO_SIGNAL), CaptureState.NO_SIGNAL),
        (Card(errno.ENODATA, status=v4l2.IN_ST_NO_POWER), CaptureState.NO_CABLE),
        (Card(errno.EBUSY, status=v4l2.IN_ST_NO_SYNC), CaptureState.NO_SIGNAL),
        (Card(errno.ENOTTY), None),
        (Card(), None),
    ],
)
def test_each_answer_has_its_state(card: Card, state: CaptureState | None) -> None:
    """What a card answers becomes one of the states; a card that knows nothing leaves it open."""
    fault = fault_of(NULL, card)
    assert (None if fault is None else fault.state) is state


def test_what_is_no_card_knows_nothing(tmp_path: Path) -> None:
    """The kernel itself refuses the question on another device; a missing one is missing."""
    assert fault_of(NULL) is None
    missing = fault_of(tmp_path / "video0")
    assert missing is not None
    assert missing.state is CaptureState.NO_DEVICE
    assert "No such file" in missing.cause


def test_a_card_that_hangs_holds_nobody_up() -> None:
    """While a question is unanswered no other is asked, and the last answer stands."""
    answered = threading.Event()
    calls: list[int] = []

    def ask() -> Fault | None:
        calls.append(1)
        answered.wait(20)
        return Fault(CaptureState.NO_CABLE, "late")

    inquiry = Inquiry(ask)
    assert inquiry.answer() is None
    assert inquiry.answer() is None
    assert len(calls) == 1
    answered.set()
    inquiry.close()
    told = inquiry.answer()
    assert told is not None
    assert told.state is CaptureState.NO_CABLE
    inquiry.close()
