"""What stands in a room of the demonstration: a virtual scanner and an appliance that watches it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from firmware_app.ward.broker import LOOPBACK, PrivateBroker, free_ports

PROGRAMS = Path(sys.executable).parent
NAMES = (
    "Ultrasound 1",
    "Ultrasound 2",
    "Liver clinic",
    "Endoscopy",
    "Day ward",
    "Paediatrics",
    "Ward 7",
    "Ward 8",
)
"""As many rooms as can be shown; a computer for a demonstration does not carry more."""
FULL, FAST = (1440, 1080), 60
"""Width and height in pixels, and pictures per second, as the scanner's own."""
SMALL, SLOW = (720, 540), 10
"""The same where the processors do not suffice; with fewer pictures a second, freezes are missed."""
PATIENTS = 5
"""One after the other: where the machine is busy with something else, an acquisition may be missed."""
PROCESSORS_PER_ROOM = 4
"""What drawing and reading a full picture sixty times a second wants, with room to spare."""


@dataclass(frozen=True, slots=True)
class Room:
    """One room.

    Attributes:
        device: of the appliance, on the topics.
        name: for people.
        folder: its files.
        size: width and height of the scanner's picture, in pixels.
        fps: its pictures per second.
        stage: of the first patient.
        seed: from which the patients follow.
        threads: processor threads for the networks; 0: as many as there are.
        bedside_port: where its bedside page is served, on this machine only.
    """

    device: str
    name: str
    folder: Path
    size: tuple[int, int]
    fps: int
    stage: int
    seed: int
    threads: int
    bedside_port: int

    @property
    def bedside_url(self) -> str:
        """Address of its bedside page."""
        return f"http://{LOOPBACK}:{self.bedside_port}/"

    @property
    def snapshot(self) -> Path:
        """The overlay at the latest result."""
        return self.folder / "overlay.png"

    @property
    def truth(self) -> Path:
        """What is truly shown, once the scanner runs."""
        return self.folder / "truth.json"

    @property
    def _socket(self) -> Path:
        return self.folder / "scanner.sock"

    def true_patient(self, at: datetime) -> dict[str, float] | None:
        """Stage and stiffness of the patient whom the scanner showed then; None: nobody wrote it down.

        The scanner writes its truth when it begins to play, and keeps time from then on.
        """
        truth = json.loads(self.truth.read_text(encoding="utf-8"))
        frame = (at.timestamp() - self.truth.stat().st_mtime) * truth["fps"]
        shown = [exam for exam in truth["exams"] if exam["start_frame"] <= frame < exam["end_frame"]]
        return dict(shown[0]["patient"]) if shown else None

    def appliance(self, broker: PrivateBroker) -> list[str]:
        """How its appliance is started; writes the configuration."""
        width, height = self.size
        path = self.folder / "fibrostage.toml"
        path.write_text(
            f"""version = 2
site = "demo"
device = "{self.device}"
room = "{self.name}"

[source]
kind = "phantom"
socket = "{self._socket}"
width = {width}
height = {height}
fps = {self.fps}

[sink]
kind = "none"

[inference]
threads = {self.threads}

[records]
snapshot = "{self.snapshot}"

[mqtt]
host = "{broker.host}"
port = {broker.port}

[bedside]
enabled = true
host = "{LOOPBACK}"
port = {self.bedside_port}
""",
            encoding="utf-8",
        )
        return [str(PROGRAMS / "fibrostage"), "run", "--config", str(path)]

    def scanner(self, *, loop: bool) -> list[str]:
        """How its virtual scanner is started."""
        width, height = self.size
        return [
            str(PROGRAMS / "fibrostage-calibrate"), "phantom", "play",
            "--stage", str(self.stage), "--seed", str(self.seed), "--patients", str(PATIENTS),
            "--size", f"{width}x{height}", "--fps", str(self.fps),
            "--socket", str(self._socket), "--truth", str(self.truth),
            "--loop" if loop else "--once",
        ]  # fmt: skip


def furnish(folder: Path, count: int, stage: int, seed: int, *, small: bool) -> list[Room]:
    """The rooms, each with its own folder and patient, and pictures that the processors can carry."""
    processors = os.cpu_count() or 1
    small = small or (count > 1 and processors < PROCESSORS_PER_ROOM * count)
    size, fps = (SMALL, SLOW) if small else (FULL, FAST)
    threads = 0 if count == 1 else max(1, processors // count)
    rooms = []
    for number, (name, port) in enumerate(zip(NAMES, free_ports(count), strict=False)):
        device = f"bedside-{number + 1}"
        home = folder if count == 1 else folder / device
        home.mkdir(parents=True, exist_ok=True)
        patient = (stage + 2 * number) % 5, seed + number
        made = Room(device, name, home, size, fps, *patient, threads, port)
        made.snapshot.unlink(missing_ok=True)
        made.truth.unlink(missing_ok=True)
        rooms.append(made)
    return rooms
