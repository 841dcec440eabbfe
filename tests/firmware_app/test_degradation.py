"""Down the ladder, end to end: whatever fails meanwhile, five acquisitions and their result arrive."""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firmware_app import audience, live
from firmware_app.config import Config, HealthConfig, MqttConfig, RecordsConfig, SinkConfig, SourceConfig
from firmware_app.inference import ChosenEngine
from firmware_app.journey import Crops, ImageScores
from firmware_app.model import Opened, open_model
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.subscriber import Received, Subscriber
from tests.conftest import draw_exam
from tests.firmware_app.test_health_live import running
from tests.firmware_app.test_mqtt import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]  # exams in real time, on a machine of their own
SLOW_S = 0.3
"""What the networks take on a processor that is far too slow."""
Told = tuple[str, dict[str, Any]]


class SlowEngine:
    """An engine on a slow processor."""

    def __init__(self, engine: ChosenEngine) -> None:
        self._engine = engine
        self.name = engine.name

    def score(self, crops: Crops) -> ImageScores:
        """As the engine, late."""
        time.sleep(SLOW_S)
        return self._engine.score(crops)

    def close(self) -> None:
        """As the engine."""
        self._engine.close()


def open_slow_model(config: Config) -> Opened:
    """What the appliance opens, slowed down."""
    opened = open_model(config)
    assert opened.model is not None
    engine = ChosenEngine(SlowEngine(opened.model.engine), "the test slows it down")
    return replace(opened, model=replace(opened.model, engine=engine))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, larger than twice the reserve."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(folder)]
    if subprocess.run(words, capture_output=True, timeout=20, check=False).returncode != 0:
        pytest.skip("a file system cannot be mounted here: run as root to try a full disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=20)


def fill(disk: Path) -> None:
    """Write until nothing more goes."""
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(1 << 16))


def until(heard: queue.Queue[Received], wanted: Callable[[list[Told]], bool]) -> list[Told]:
    """Everything that is heard until that is enough."""
    told: list[Told] = []
    until_s = time.monotonic() + 150
    while not wanted(told):
        assert time.monotonic() < until_s, [(name, m.get("n"), m.get("reason")) for name, m in told]
        with suppress(queue.Empty):
            received = heard.get(timeout=1.0)
            if received.payload:
                told.append((received.topic.rsplit("/", 1)[1], json.loads(received.payload)))
    return told


def accepted(told: list[Told]) -> set[int]:
    """The numbers of the acquisitions that count; a later picture of a freeze may take an earlier one's."""
    return {m["n"] for name, m in told if name == "acquisition" and m["type"] == "acquisition"}


def test_results_go_out_from_the_lowest_rungs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, disk: Path
) -> None:
    """A slow processor, a taken port, a clock of its own, and a disk that is full from the second one on."""
    monkeypatch.setattr(live, "open_model", open_slow_model)
    monkeypatch.setattr(audience, "time_trusted", lambda: False)
    exam = draw_exam(tmp_path, 3, 11, "--fps", 5, "--size", "720x540", "--patients", 2)
    heard: queue.Queue[Received] = queue.Queue()
    with PrivateBroker() as broker, socket.create_server(("127.0.0.1", 0)) as other:
        mqtt = MqttConfig(host=broker.host, port=broker.port, outbox=disk / "outbox.sqlite")
        config = Config(
            source=SourceConfig(kind="file", path=exam.video),
            sink=SinkConfig(kind="file", path=disk / "recording.mp4"),
            records=RecordsConfig(
                audit=disk / "audit", evidence=disk / "evidence", snapshot=disk / "overlay.png"
            ),
            mqtt=mqtt,
            health=HealthConfig(every_s=1, prometheus_port=other.getsockname()[1]),
        )
        with closing(Subscriber(mqtt, "fibrostage/#", heard.put)), running(config):
            before = until(heard, lambda told: accepted(told) == {1, 2})
            wait_for(lambda: len(list((disk / "evidence" / "pending").rglob("*.zip"))) >= 2, 30.0)
            fill(disk)
            after = until(heard, lambda told: any(name == "result" for name, _ in told))
            after += until(heard, lambda told: [name for name, _ in told].count("health") == 2)
            (disk / "filler").unlink()
            until(
                heard, lambda told: any(n == "health" and "disk_full" not in m["degraded"] for n, m in told)
            )
    assert accepted(before + after) == {1, 2, 3, 4, 5}
    (result,) = [message for name, message in after if name == "result"]
    assert result["n_acquisitions"] == 5
    assert result["probabilities"] is not None
    assert not result["time_trusted"]
    _told_which_rungs(before, after)
    _previews_were_rare([message for name, message in after if name == "health"][-1])
    _results_came_first(disk)


def _told_which_rungs(before: list[Told], after: list[Told]) -> None:
    """On status and health, from the moment on at which something failed; every message is in order."""
    first = [message for name, message in before if name == "health"][-1]
    assert "disk_full" not in first["degraded"]
    assert {"page_missing", "clock_untrusted"} <= set(first["degraded"])
    health = [message for name, message in after if name == "health"][-1]
    down = {"outbox_in_memory", "disk_full", "records_lost", "page_missing", "clock_untrusted"}
    assert down | {"fewer_previews"} == set(health["degraded"])
    status = [message for name, message in after if name == "status"][-1]
    assert down <= set(status["degraded"])
    assert len(status["degraded_texts"]) == len(status["degraded"])
    assert health["outbox"]["trouble"] is not None
    assert health["records"]["sink.path"] is not None
    assert health["records"]["records.evidence"] is not None
    assert health["pages"]["health.prometheus"] is not None
    in_order = [m["sequence"] for name, m in before + after if name in {"acquisition", "result"}]
    assert in_order == sorted(set(in_order))


def _previews_were_rare(health: dict[str, Any]) -> None:
    """Some came, and they took no more than a tenth of the time; every examination was scored."""
    preview, score = health["latencies"]["preview"], health["latencies"]["score"]
    assert preview["p50_ms"] >= SLOW_S * 1e3
    tenth_s = 0.1 * health["clock"]["uptime_s"]
    assert 1 <= preview["count"] <= tenth_s / SLOW_S + 1
    assert score["count"] >= 5


def _results_came_first(disk: Path) -> None:
    """The recording is whole and ended early; no evidence and no snapshot of the result took the room."""
    assert not (disk / "overlay.png").exists()
    assert not list((disk / "evidence").glob("*.zip"))
    assert 0 < (disk / "recording.mp4").stat().st_size < 60_000_000
