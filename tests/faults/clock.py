"""The appliance's clock on the wall, which the campaign sets as it likes; the monotonic clock stays true.

`clock.c` stands between the process and the C library. (libfaketime 0.9.10, which Debian 12 has, makes
`time.sleep` of Python 3.11 fail, so it cannot be used.)
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("clock.c")
COMPILERS = ("cc", "tcc")


class WallClock:
    """A clock that can be set.

    Args:
        folder: the library and the offset lie there.

    Attributes:
        environment: what a process needs to look at this clock.

    Raises:
        FileNotFoundError: there is no C compiler.
    """

    def __init__(self, folder: Path) -> None:
        compiler = next((name for name in COMPILERS if shutil.which(name)), None)
        if compiler is None:
            raise FileNotFoundError("there is no C compiler: install the package tcc")
        library = folder / "clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(SOURCE)], check=True)
        self._offset = folder / "clock"
        self._offset.write_bytes(bytes(8))
        self.environment = {"LD_PRELOAD": str(library), "WRONG_CLOCK": str(self._offset)}

    def set_offset(self, seconds: int) -> None:
        """Let the clock run so many seconds before (or, negative, behind) the true time."""
        with self._offset.open("r+b", buffering=0) as stream:
            stream.write(struct.pack("q", seconds))
