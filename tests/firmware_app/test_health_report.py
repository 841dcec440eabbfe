"""The report: when it is made, what it says, and what it costs to ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from firmware_app.appliance import Step
from firmware_app.config import Config, MqttConfig, RecordsConfig, SinkConfig
from firmware_app.exam.state import Exam
from firmware_app.health.report import HealthReport, state_folders
from firmware_app.health.stopwatch import Latency, Stage
from firmware_app.video.capture_state import CaptureState
from firmware_app.video.frame_meter import PipelineStatistics
from firmware_app.video.stream_events import SignalLost, StreamEnded
from firmware_app.ward import asyncapi
from firmware_app.ward.health_message import Health
from firmware_app.ward.link import Link, LinkState
from tests.firmware_app.exam_examples import appliance, moment
from tests.firmware_app.health_examples import NOTHING, Clock, frame_step, health, witnesses


def test_a_report_follows_after_every_interval() -> None:
    """However many frames come, one report is made in each interval, and none before the first is over."""
    told: list[Health] = []
    clock = Clock()
    report = HealthReport(witnesses(), 10, [told.append], clock)
    for _ in range(349):
        clock.forward(0.1)
        report.tell(frame_step(clock.now_ns), appliance())
    assert [message.clock.uptime_s for message in told] == pytest.approx([10, 20, 30])


def test_rates_are_counted_from_one_report_to_the_next() -> None:
    """Frames since the report before, by the seconds since then; totals beside them."""
    counted = iter(
        [
            replace(NOTHING, frames_in=100, analysed=90, displayed=100),
            PipelineStatistics(700, 390, 310, 699, 1, 2, Latency(600, 5.0, 8.0, 9.0, 12.0)),
        ]
    )
    told = health(witnesses(statistics=lambda: next(counted)))
    assert (told.rates.source_hz, told.rates.analysed_hz, told.rates.displayed_hz) == (60.0, 30.0, 59.9)
    assert (told.frames.source, told.frames.dropped_analysis, told.frames.dropped_display) == (700, 310, 1)
    assert told.frames.restarts == 2
    display = told.latencies.display
    assert display is not None
    assert (display.count, display.p99_ms, display.max_ms) == (600, 9.0, 12.0)


def test_the_way_to_the_overlay_is_timed_by_frame() -> None:
    """From the frame's capture to the moment the report is told, which is last; other stages as noted."""
    asked = witnesses()
    asked.stopwatch.note(Stage.SCORE, 40_000_000, 14_000_000_000)
    told = health(asked)
    overlay, score = told.latencies.overlay, told.latencies.score
    assert overlay is not None
    assert score is not None
    assert (overlay.count, overlay.max_ms) == (1, 20.0)
    assert score.p50_ms == 40.0
    assert told.latencies.text is None


def captures() -> Iterator[tuple[Step, CaptureState]]:
    """What a report says about the video for each kind of step."""
    yield frame_step(), CaptureState.LIVE
    for state in (CaptureState.NO_SIGNAL, CaptureState.NO_DEVICE):
        yield Step(SignalLost(state, 1.0, "no picture arrives", 0), None, moment(0), Exam()), state
    yield Step(StreamEnded(None), None, moment(0), Exam()), CaptureState.ENDED


@pytest.mark.parametrize(("step", "expected"), list(captures()))
def test_the_state_of_the_video_is_told(step: Step, expected: CaptureState) -> None:
    """Live, lost or over; the residual of the registration only while there is a screen."""
    told: list[Health] = []
    clock = Clock()
    report = HealthReport(witnesses(), 1, [told.append], clock)
    clock.forward(1)
    report.tell(step, appliance())
    assert told[0].capture is expected
    assert told[0].residual_px == (0.25 if expected is CaptureState.LIVE else None)


def test_troubles_are_told_in_words() -> None:
    """What cannot be written and a broker that is away are named; without a broker there is no outbox."""
    away = Link(LinkState.LOST, "keep alive timeout", 17, 3, "disk is full")
    told = health(replace(witnesses(), link=lambda: away, records={"records.audit": lambda: "no space left"}))
    assert told.outbox is not None
    assert told.outbox.model_dump() == {
        "broker": "lost",
        "detail": "keep alive timeout",
        "queued": 17,
        "dropped": 3,
        "trouble": "disk is full",
    }
    assert told.records == {"records.audit": "no space left"}
    assert health(replace(witnesses(), link=None)).outbox is None


@pytest.mark.parametrize("trusted", [True, False])
def test_every_report_validates(tmp_path: Path, trusted: bool) -> None:  # noqa: FBT001 - a parameter
    """Against its published schema, with every section present, whatever the machine tells."""
    asked = replace(witnesses({"audit": tmp_path}), time_trusted=lambda: trusted)
    content = json.loads(health(asked).to_json())
    schema = asyncapi.json_schemas()["health"]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(content)
    assert set(schema["required"]) - {"type"} <= set(content)
    assert content["clock"]["trusted"] is content["time_trusted"] is trusted


def test_the_state_folders_are_those_of_the_settings(tmp_path: Path) -> None:
    """Each setting that names a file or folder to be written, and only those."""
    assert state_folders(Config()) == {}
    config = Config(
        records=RecordsConfig(audit=tmp_path / "audit", snapshot=tmp_path / "pictures" / "overlay.png"),
        sink=SinkConfig(kind="file", path=tmp_path / "videos" / "overlay.mkv"),
        mqtt=MqttConfig(outbox=tmp_path / "state" / "outbox.sqlite"),
    )
    assert state_folders(config) == {
        "records.audit": tmp_path / "audit",
        "records.snapshot": tmp_path / "pictures",
        "sink.path": tmp_path / "videos",
        "mqtt.outbox": tmp_path / "state",
    }
