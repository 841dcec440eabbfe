"""One exam from the cable to the ward: drawn video, GStreamer, networks, mosquitto, subscriber."""

from __future__ import annotations

import hashlib
import json
import queue
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from calibration.phantom import draw_patient
from calibration.phantom.acquisition import begin_study
from firmware_app.config import MqttConfig
from firmware_app.records.chain import content_of, files_in, lines_of
from firmware_app.records.folder import sealed_in
from firmware_app.records.opening import read_evidence
from firmware_app.records.verification import verify
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.subscriber import Received, Subscriber
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
    (folder / "kept").mkdir()
    config = folder / "fibrostage.toml"
    config.write_text(
        f'site = "test"\ndevice = "bedside"\n[records]\nsnapshot = "{folder / "overlay.png"}"\n'
        f'audit = "{folder / "kept" / "audit"}"\nevidence = "{folder / "kept" / "evidence"}"\n'
        f'[source]\n{source}\n[sink]\nkind = "none"\n'
        f'[mqtt]\nhost = "{broker.host}"\nport = {broker.port}\noutbox = "{folder / "kept" / "outbox"}"\n'
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


SERUM = {
    "ast_u_l": 83.2517,
    "ast_uln_u_l": 41.5093,
    "platelets_g_l": 127.7541,
    "alt_u_l": 61.1259,
    "age_years": 57.5173,
}


@dataclass(frozen=True, slots=True)
class LiveExam:
    """One exam on the live appliance with everything on: what a subscriber heard, and what was kept.

    Attributes:
        messages: up to the completed exam, by topic.
        closing: the exam as it was closed.
        death: the last status.
        folder: of the overlay's picture, and of what was kept.
    """

    messages: list[tuple[str, Any]]
    closing: dict[str, Any]
    death: dict[str, Any]
    folder: Path


@pytest.fixture(scope="module")
def live_exam(drawn_exam: DrawnExam, tmp_path_factory: pytest.TempPathFactory) -> LiveExam:
    """The drawn exam in real time; serum values are entered after the first acquisition."""
    folder = tmp_path_factory.mktemp("live")
    with PrivateBroker() as broker, heard(broker) as inbox:
        source = f'kind = "file"\npath = "{drawn_exam.video}"'
        with appliance(folder, broker, source):
            messages = until(inbox, "acquisition")
            command = json.dumps({"exam_id": messages[-1][1]["exam_id"], **SERUM})
            topic = "fibrostage/v1/test/bedside/command/serum"
            words = ("-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", topic, "-m", command)
            subprocess.run(["mosquitto_pub", *words], check=True, timeout=20)
            messages += until(inbox, "exam", "complete")
            closing = until(inbox, "exam", "closed")[-1][1]
            death = until(inbox, "status")[-1][1]
    return LiveExam(messages, closing, death, folder)


def test_a_live_exam_reaches_a_subscriber(drawn_exam: DrawnExam, live_exam: LiveExam) -> None:
    """Five acquisitions and the one refusal of a live exam arrive, and the result agrees with the truth."""
    messages, closing, death = live_exam.messages, live_exam.closing, live_exam.death
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
    assert result["methods"]["APRI"] is not None
    assert (live_exam.folder / "overlay.png").stat().st_size > 10_000


def test_a_live_result_is_reproduced_from_its_evidence(live_exam: LiveExam) -> None:
    """Scored again, the very bytes come out; the audit log is sound, and vouches for the file."""
    kept = live_exam.folder / "kept"
    [file] = sealed_in(kept / "evidence")
    ended = call("fibrostage", "replay", "--evidence", file, "--json")
    assert ended.code == 0, ended.err
    assert ended.lines[0]["verdict"] == "identical"
    assert ended.lines[0]["result"] in [m for name, m in live_exam.messages if name == "result"]
    assert not list((kept / "evidence" / "pending").iterdir())
    verdict = verify(kept / "audit")
    assert verdict.fault is None
    [log] = files_in(kept / "audit")
    lines = [content_of(line) for line in lines_of(log)]
    kinds = [str(line["kind"]) for line in lines]
    assert (kinds[0], kinds[-1]) == ("started", "stopped")
    assert kinds.count("acquisition") == 5
    assert {"status", "refusal", "command", "result", "exam", "evidence", "cleared"} <= set(kinds)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert any(f'"sha256": "{digest}"' in json.dumps(line["content"]) for line in lines)


def test_nothing_of_the_patient_is_kept_or_sent(drawn_exam: DrawnExam, live_exam: LiveExam) -> None:
    """No word of the banner, no serum value, no picture but the crops: not in a file, not in a message."""
    patient = drawn_exam.truth["exams"][0]
    banner = begin_study(draw_patient(np.random.default_rng(0)), patient["seed"]).banner
    family = banner.name.partition(",")[0]
    words = {banner.site, family, banner.identifier[2:], *(str(value) for value in SERUM.values())}
    files = [path for path in (live_exam.folder / "kept").rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"kept", "audit", "evidence"}
    written = b"".join(path.read_bytes() for path in files)
    own = [message for name, message in live_exam.messages if name != "serum"]  # the command is the test's
    said = json.dumps(own, ensure_ascii=False).encode()
    for word in words:
        assert word.encode() not in written, word
        assert word.encode() not in said, word
    assert written.count(b"\x89PNG\r\n\x1a\n") == 10
    frame = cv2.VideoCapture(str(drawn_exam.video)).read()[1]
    name = frame[12:36, 740:792]
    [file] = sealed_in(live_exam.folder / "kept" / "evidence")
    assert shows(frame, name)
    for taken in read_evidence(file).taken.values():
        for crop in (taken.crops.elastogram, taken.crops.gray):
            assert max(crop.shape[:2]) < 200
            assert not shows(crop[..., ::-1], name)


def shows(picture: Any, part: Any) -> bool:
    """Whether a part of a picture stands in another one."""
    return bool(cv2.matchTemplate(np.ascontiguousarray(picture), part, cv2.TM_SQDIFF_NORMED).min() < 0.1)


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
    drawn = draw_exam(tmp_path, 1, 23, "--fps", 5, "--patients", 2)
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
