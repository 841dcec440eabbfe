"""The watchdog of a real appliance process: fed by the frame loop, and by nothing else."""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from firmware_app.ward.broker import PrivateBroker
from tests.firmware_app.as_service import service

pytestmark = pytest.mark.timeout(180)
_SEIZE, _INTERRUPT, _DETACH = 0x4206, 0x4207, 17  # of ptrace(2)
_WALL = 0x40000000


@contextmanager
def standing_still(main_thread: int) -> Iterator[None]:
    """Stop one thread of a process, as a call that never returns would; every other thread goes on."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_SEIZE, main_thread, None, None) != 0:
        if ctypes.get_errno() == errno.EPERM:
            pytest.skip("this machine lets nobody stop a single thread (ptrace)")
        raise OSError(ctypes.get_errno(), "ptrace")
    assert libc.ptrace(_INTERRUPT, main_thread, None, None) == 0
    os.waitpid(main_thread, _WALL)
    try:
        yield
    finally:
        assert libc.ptrace(_DETACH, main_thread, None, None) == 0


def test_a_loop_that_hangs_feeds_no_watchdog(tmp_path: Path) -> None:
    """While the main thread stands still and the others run, systemd hears nothing; then it does again."""
    path = tmp_path / "fibrostage.toml"
    with PrivateBroker() as broker:
        path.write_text(
            f'[sink]\nkind = "none"\n[source]\nkind = "phantom"\nsocket = "{tmp_path / "scanner.sock"}"\n'
            f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\nrequired = false\n'
        )
        with service(broker, path, tmp_path) as appliance:
            appliance.told("READY=1")
            appliance.told("WATCHDOG=1")  # with no signal from the scanner, too
            with standing_still(appliance.process.pid):
                appliance.unread()
                time.sleep(3.0)  # longer than the watchdog's time
                assert appliance.unread() == []
                assert appliance.process.poll() is None
            appliance.told("WATCHDOG=1")
