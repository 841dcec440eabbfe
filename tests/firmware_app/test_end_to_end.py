"""One exam from the cable to the ward: drawn video, GStreamer, networks, mosquitto, subscriber."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_app.config import MqttConfig
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.mqtt import Received, Subscriber
from tests.conftest import PROGRAMS, DrawnExam, call, draw_exam

pytestmark = pytest.mark.timeout(300)


def mean_of(truth: dict[str, Any]) -> float:
    """The true LSM: the mean over the five Q-boxes of what was drawn."""
    values = [acquisition["q_box_mean_kpa"] for acquisition in truth["acquisitions"]]
    return float(sum(values) / len(values))


def of_type(lines: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The lines of one type."""
    return [line for line in lines if line["type"] == kind]


@contextmanager
def appliance(folder: Path, broker: PrivateBroker, source: str) -> Iterator[subprocess.Popen[bytes]]:
    """The appliance on a source, stopped at the end of the block."""
    config = folder / "fibrostage.toml"
    config.write_text(
        f'site = "test"\ndevice = "bedside"\n[records]\nsnapshot = "{folder / "overlay.png"}"\n'
        f'[source]\n{source}\n[sink]\nkind = "none"\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\n'
    )
    child = subprocess.Popen([str(PROGRAMS / "fibrostage"), "run", "--config", str(config)])
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(20) == 0


@contextmanager
def heard(broker: PrivateBroker) -> Iterator[queue.Queue[Received]]:
    """Everything that a subscriber of its own hears."""
    inbox: queue.Queue[Received] = queue.Queue()
    config = MqttConfig(host=broker.host, port=broker.port)
    subscriber = Subscriber(config, "fibrostage/#", inbox.put)
    try:
        yield inbox
    finally:
        subscriber.close()


def until(inbox: queue.Queue[Received], topic: str, phase: str | None = None) -> list[tuple[str, Any]]:
    """What is heard up to the first message of this topic (and exam phase)."""
    messages: list[tuple[str, Any]] = []
    deadline_s = time.monotonic() + 150
    while time.monotonic() < deadline_s:
        try:
            received = inbox.get(timeout=1.0)
        except queue.Empty:
            continue
        if not received.payload:
            continue
        name = received.topic.rsplit("/", 1)[1]
        messages.append((name, json.loads(received.payload)))
        if name == topic and (phase is None or messages[-1][1]["phase"] == phase):
            return messages
    raise AssertionError(f"{topic} was never heard, only {[name for name, _ in messages]}")


def test_a_live_exam_reaches_a_subscriber(drawn_exam: DrawnExam, tmp_path: Path) -> None:
    """Five acquisitions and the one refusal of a live exam arrive, and the result agrees with the truth."""
    with PrivateBroker() as broker, heard(broker) as inbox:
        source = f'kind = "file"\npath = "{drawn_exam.video}"'
        with appliance(tmp_path, broker, source):
            messages = until(inbox, "exam", "complete")
            closing = until(inbox, "exam", "closed")[-1][1]
            death = until(inbox, "status")[-1][1]
    acquisitions = [m for name, m in messages if name == "acquisition" and m["type"] == "acquisition"]
    refusals = [m for name, m in messages if name == "acquisition" and m["type"] == "refusal"]
    results = [m for name, m in messages if name == "result"]
    assert [a["n"] for a in acquisitions] == [1, 2, 3, 4, 5]
    assert [r["reason"] for r in refusals] == ["box_unfilled"]
    assert len(results) == 1
    result = results[0]
    assert result["lsm"]["mean_kpa"] == pytest.approx(mean_of(drawn_exam.truth), rel=0.03)
    assert len({a["exam_id"] for a in acquisitions} | {result["exam_id"]}) == 1
    assert (
        result["probabilities"]["ge_s2"] >= result["probabilities"]["ge_s3"] >= result["probabilities"]["s4"]
    )
    assert "simulated data" in result["notice"]
    assert closing["closing"] == "patient_changed"
    assert death["capture"] == "ended"
    assert (tmp_path / "overlay.png").stat().st_size > 10_000


def test_the_virtual_scanner_is_a_live_source(tmp_path: Path) -> None:
    """The appliance waits for the scanner, measures over shared memory, and says when the scanner is gone."""
    socket = tmp_path / "scanner.sock"
    source = f'kind = "phantom"\nsocket = "{socket}"\nwidth = 720\nheight = 540\nfps = 30'
    play = ["phantom", "play", "--seed", "11", "--size", "720x540", "--fps", "30", "--socket", str(socket)]
    with PrivateBroker() as broker, heard(broker) as inbox, appliance(tmp_path, broker, source):
        until(inbox, "status")
        scanner = subprocess.Popen([str(PROGRAMS / "fibrostage-calibrate"), *play])
        try:
            messages = until(inbox, "acquisition")
        finally:
            scanner.kill()
            scanner.wait()
        assert messages[-1][1]["type"] == "acquisition"
        assert until(inbox, "status")[-1][1]["capture"] in {"no_signal", "no_device"}


def test_two_patients_are_never_mixed(tmp_path: Path) -> None:
    """Two exams back to back give two results, each from its own patient's acquisitions."""
    drawn = draw_exam(tmp_path, 1, 23, "--fps", 10, "--patients", 2)
    ended = call("fibrostage", "replay", drawn.video, "--json", timeout_s=200)
    assert ended.code == 0, ended.err
    acquisitions, results = of_type(ended.lines, "acquisition"), of_type(ended.lines, "result")
    exams = drawn.truth["exams"]
    assert len(exams) == len(results) == 2
    assert len(acquisitions) == 10
    for result, exam in zip(results, exams, strict=True):
        own = [a for a in acquisitions if a["exam_id"] == result["exam_id"]]
        assert [a["n"] for a in own] == [1, 2, 3, 4, 5]
        assert result["lsm"]["mean_kpa"] == pytest.approx(mean_of(exam), rel=0.03)
    assert results[0]["exam_id"] != results[1]["exam_id"]


def test_a_replay_is_reproducible(drawn_exam: DrawnExam) -> None:
    """Replayed twice, a recording gives the same lines but for the time it took."""

    def lines() -> list[dict[str, Any]]:
        ended = call("fibrostage", "replay", drawn_exam.video, "--json")
        assert ended.code == 0, ended.err
        return [_without_durations(line) for line in ended.lines]

    first = lines()
    assert [line["type"] for line in first][-1] == "summary"
    assert (first[-1]["acquisitions"], first[-1]["refusals"], first[-1]["results"]) == (5, 1, 1)
    assert lines() == first


def _without_durations(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_durations(v) for k, v in value.items() if k not in {"latency_ms", "elapsed_s"}}
    return [_without_durations(v) for v in value] if isinstance(value, list) else value
