"""What the computer tells about itself: temperatures, processor, memory, disks.

Some tell less than others; what one does not tell is left out, or None.

psutil reads what /proc says about the process, which is the same everywhere. Temperatures are read here:
psutil leaves the kernel's thermal zones out where there is any other sensor, and a Jetson has both.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

SYSFS = Path("/sys/class")
_PLAUSIBLE_C = (-60.0, 200.0)
"""Sensors that are switched off tell nonsense, such as -256 degrees."""
_SENSORS = 64
"""More than any board has; a message stays small whatever the kernel lists."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """The computer, as it is now.

    Attributes:
        temperatures_c: degrees Celsius by the sensor's own name.
        cpu_percent: of this process since the reading before, of one processor; None: there was none before.
        rss_bytes: physical memory of this process.
        memory_available_bytes: what the computer could still give to a process.
        threads: of this process.
        file_descriptors: that this process holds open.
        disk_free_bytes: of the file system under each folder, by the setting that names it; None: unknown.
    """

    temperatures_c: Mapping[str, float]
    cpu_percent: float | None
    rss_bytes: int
    memory_available_bytes: int
    threads: int
    file_descriptors: int
    disk_free_bytes: Mapping[str, int | None]


class Machine:
    """Reads the computer's state; a few milliseconds each time.

    Args:
        folders: whose disks matter, by the setting that names them.
        sysfs: where the kernel shows its sensors.
    """

    def __init__(self, folders: Mapping[str, Path], sysfs: Path = SYSFS) -> None:
        self._folders = folders
        self._sysfs = sysfs
        self._process = psutil.Process()
        self._process.cpu_percent()  # the beginning of the first interval
        self._read_before = False

    def state(self) -> MachineState:
        """The computer, as it is now."""
        cpu_percent = self._process.cpu_percent()
        measured, self._read_before = self._read_before, True
        return MachineState(
            temperatures_c=temperatures(self._sysfs),
            cpu_percent=cpu_percent if measured else None,
            rss_bytes=self._process.memory_info().rss,
            memory_available_bytes=psutil.virtual_memory().available,
            threads=self._process.num_threads(),
            file_descriptors=self._process.num_fds(),
            disk_free_bytes=self.disk_free_bytes(),
        )

    def disk_free_bytes(self) -> dict[str, int | None]:
        """What may still be written under each folder, by the setting that names it; None: unknown."""
        return {name: free_bytes(folder) for name, folder in self._folders.items()}


def temperatures(sysfs: Path = SYSFS) -> dict[str, float]:
    """Degrees Celsius by the sensor's own name, the hottest of those that share one."""
    found: dict[str, float] = {}
    for name, file in [*_zones(sysfs / "thermal"), *_sensors(sysfs / "hwmon")]:
        try:
            degrees = int(file.read_text(encoding="ascii")) / 1000.0
        except (OSError, ValueError):  # a part that is powered down does not answer
            continue
        if _PLAUSIBLE_C[0] < degrees < _PLAUSIBLE_C[1] and len(found) < _SENSORS:
            found[name] = max(degrees, found.get(name, degrees))
    return found


def free_bytes(folder: Path) -> int | None:
    """What may still be written under a folder, which need not be there yet; None: nobody knows."""
    try:
        there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        return shutil.disk_usage(there).free
    except OSError:
        return None


def _zones(folder: Path) -> Iterator[tuple[str, Path]]:
    for zone in sorted(folder.glob("thermal_zone*")):
        yield _line(zone / "type") or zone.name, zone / "temp"


def _sensors(folder: Path) -> Iterator[tuple[str, Path]]:
    for chip in sorted(folder.glob("hwmon*")):
        name = _line(chip / "name") or chip.name
        for file in sorted(chip.glob("temp*_input")):
            label = _line(chip / file.name.replace("_input", "_label"))
            yield f"{name} {label}" if label else name, file


def _line(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()[:64] or None
    except OSError:
        return None
