"""Nothing leaves the room but what the contract names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

IMPORTED = """
import threading
import firmware_app.inference.openvino_engine, firmware_app.screen.text
firmware_app.screen.text.recogniser()
from openvino.tools.ovc import telemetry_utils
print(telemetry_utils.tm.__name__, [thread.name for thread in threading.enumerate()])
"""


def test_openvino_reports_nothing_to_its_maker(tmp_path: Path) -> None:
    """With a fresh home and no sign of a CI, its import starts no sender and leaves no id behind."""
    clean = {name: value for name, value in os.environ.items() if name not in {"CI", "GITHUB_ACTIONS"}}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        env={**clean, "HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert done.stdout.split("\n")[-2] == "openvino.tools.ovc.telemetry_stub ['MainThread']"
    assert not list(tmp_path.rglob("*openvino*"))
    assert not (tmp_path / "intel").exists()
