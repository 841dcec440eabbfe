"""What a capture card says about its cable: the two questions of Video4Linux, asked with real ioctls.

Structures and numbers are those of <linux/videodev2.h>; the errors are those that the kernel's documentation
gives for VIDIOC_QUERY_DV_TIMINGS. HDMI and SDI bridges know the answer (TC358743, ADV76xx and others),
grabbers of the USB video class mostly do not: they send a picture of their own instead.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firmware_app.video.capture_state import CaptureState

Ioctl = Callable[[int, int, ctypes.Structure | ctypes.c_int], object]
"""As `fcntl.ioctl`: file, request, and what is read and written; raises OSError."""
_SMALLEST = (320, 240)
"""Width and height; with less no line of a scanner's screen is left."""


class BtTimings(ctypes.Structure):
    """`struct v4l2_bt_timings`: a digital picture's size and clock."""

    _pack_ = 1
    _fields_ = (
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("interlaced", ctypes.c_uint32),
        ("polarities", ctypes.c_uint32),
        ("pixelclock", ctypes.c_uint64),
        ("porches", ctypes.c_uint32 * 9),
        ("standards", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("picture_aspect", ctypes.c_uint32 * 2),
        ("cea861_vic", ctypes.c_uint8),
        ("hdmi_vic", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 46),
    )


class DvTimings(ctypes.Structure):
    """`struct v4l2_dv_timings`; the union is as long as its reserved words."""

    _pack_ = 1
    _fields_ = (("type", ctypes.c_uint32), ("bt", BtTimings), ("rest", ctypes.c_uint8 * 4))


class Input(ctypes.Structure):
    """`struct v4l2_input`: one connector of the card, and what it sees."""

    _fields_ = (
        ("index", ctypes.c_uint32),
        ("name", ctypes.c_char * 32),
        ("type", ctypes.c_uint32),
        ("audioset", ctypes.c_uint32),
        ("tuner", ctypes.c_uint32),
        ("std", ctypes.c_uint64),
        ("status", ctypes.c_uint32),
        ("capabilities", ctypes.c_uint32),
        ("reserved", ctypes.c_uint32 * 3),
    )


def _request(direction: int, number: int, kind: type[ctypes.Structure | ctypes.c_int]) -> int:
    """`_IOC(direction, 'V', number, size)` of <asm-generic/ioctl.h>."""
    return direction << 30 | ctypes.sizeof(kind) << 16 | ord("V") << 8 | number


_READ, _READ_WRITE = 2, 3
VIDIOC_ENUMINPUT = _request(_READ_WRITE, 26, Input)
VIDIOC_G_INPUT = _request(_READ, 38, ctypes.c_int)
VIDIOC_QUERY_DV_TIMINGS = _request(_READ, 99, DvTimings)

IN_ST_NO_POWER, IN_ST_NO_SIGNAL = 0x1, 0x2
IN_ST_NO_H_LOCK, IN_ST_NO_V_LOCK, IN_ST_NO_STD_LOCK = 0x100, 0x400, 0x800
IN_ST_NO_SYNC, IN_ST_NO_CARRIER = 0x10000, 0x40000
_UNLOCKED = IN_ST_NO_H_LOCK | IN_ST_NO_V_LOCK | IN_ST_NO_STD_LOCK | IN_ST_NO_SYNC


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with the video, and why, one clause."""

    state: CaptureState
    cause: str


_TIMING_FAULTS = {
    errno.ENOLINK: Fault(CaptureState.NO_CABLE, "the card sees no cable, or nothing switched on behind it"),
    errno.ENOLCK: Fault(CaptureState.NO_SIGNAL, "the card cannot lock on the signal"),
    errno.ERANGE: Fault(CaptureState.UNSUPPORTED_TIMING, "the signal is beyond what the card can take"),
    errno.ENODEV: Fault(CaptureState.NO_DEVICE, "the card was unplugged"),
    errno.ENXIO: Fault(CaptureState.NO_DEVICE, "the card was unplugged"),
}
_OPEN_FAULTS = {
    errno.EACCES: "the appliance may not open it: its user must be in the group video",
    errno.EPERM: "the appliance may not open it: its user must be in the group video",
    errno.EBUSY: "it is used by another program",
    errno.EIO: "the card does not answer",
}


def _kernel_ioctl(file: int, request: int, argument: ctypes.Structure | ctypes.c_int) -> object:
    return fcntl.ioctl(file, request, argument, True)


def fault_of(device: Path, ioctl: Ioctl = _kernel_ioctl) -> Fault | None:
    """Ask a card what is wrong with its input; None: nothing, or it does not know. It may take its time.

    Args:
        device: the card, for example /dev/video0.
        ioctl: how the kernel is asked.
    """
    try:
        with _opened(device) as file:
            return _timing_fault(file, ioctl) or _input_fault(file, ioctl)
    except OSError as error:
        missing = f"it cannot be opened: {os.strerror(error.errno or errno.EIO)}"
        return Fault(CaptureState.NO_DEVICE, _OPEN_FAULTS.get(error.errno or 0, missing))


@contextmanager
def _opened(device: Path) -> Iterator[int]:
    file = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _timing_fault(file: int, ioctl: Ioctl) -> Fault | None:
    timings = DvTimings()
    try:
        ioctl(file, VIDIOC_QUERY_DV_TIMINGS, timings)
    except OSError as error:
        return _TIMING_FAULTS.get(error.errno or 0)
    width, height = timings.bt.width, timings.bt.height
    if width == 0 or height == 0:
        return Fault(CaptureState.NO_SIGNAL, "the card sees no picture")
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        return Fault(CaptureState.UNSUPPORTED_TIMING, f"the signal has {width}x{height} pixels")
    return None


def _input_fault(file: int, ioctl: Ioctl) -> Fault | None:
    try:
        index = ctypes.c_int()
        ioctl(file, VIDIOC_G_INPUT, index)
        connector = Input(index=index.value)
        ioctl(file, VIDIOC_ENUMINPUT, connector)
    except OSError as error:
        return _TIMING_FAULTS.get(error.errno or 0)
    if connector.status & (IN_ST_NO_POWER | IN_ST_NO_CARRIER):
        return Fault(CaptureState.NO_CABLE, "the card says that nothing is switched on behind its cable")
    if connector.status & IN_ST_NO_SIGNAL:
        return Fault(CaptureState.NO_SIGNAL, "the card sees no signal")
    if connector.status & _UNLOCKED:
        return Fault(CaptureState.NO_SIGNAL, "the card cannot lock on the signal")
    return None
