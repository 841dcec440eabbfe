"""The appliance itself, on a drawn exam with a real broker: what it says about its health is true."""

from __future__ import annotations

import json
import queue
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from firmware_app.assembly import screen_reader
from firmware_app.config import Config, HealthConfig, MqttConfig, RecordsConfig, SinkConfig, SourceConfig
from firmware_app.live import run
from firmware_app.ward import asyncapi
from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.subscriber import Received, Subscriber
from firmware_app.wording import NOTICE
from tests.conftest import DrawnExam

pytestmark = pytest.mark.timeout(180)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(config: Config) -> Iterator[None]:
    """The appliance on a thread of this process; afterwards none of its threads is left."""
    screen_reader(config.profile).warm_up()  # loads what stays for the whole process
    before = set(threading.enumerate())
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(config, stop), name="appliance")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)
        assert set(threading.enumerate()) == before


def scraped(port: int) -> dict[str, list[Any]]:
    """The page as Prometheus' own parser reads it: samples by metric."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {family.name: family.samples for family in text_string_to_metric_families(text)}


def test_a_running_appliance_tells_how_it_is(drawn_exam: DrawnExam, tmp_path: Path) -> None:
    """Health validates against its schema, counts what the video brings, and is what Prometheus scrapes."""
    heard: queue.Queue[Received] = queue.Queue()
    with PrivateBroker() as broker:
        mqtt = MqttConfig(host=broker.host, port=broker.port)
        health = HealthConfig(every_s=1, prometheus_port=free_port())
        config = Config(
            source=SourceConfig(kind="file", path=drawn_exam.video),
            sink=SinkConfig(kind="none"),
            records=RecordsConfig(audit=tmp_path / "audit"),
            mqtt=mqtt,
            health=health,
        )
        with closing(Subscriber(mqtt, "fibrostage/+/+/+/health", heard.put)), running(config):
            told = await_examination(heard)
            page = scraped(health.prometheus_port)
    schema = asyncapi.json_schemas()["health"]
    jsonschema.Draft202012Validator(schema).validate(told)
    assert told["notice"] == NOTICE
    assert told["sequence"] > 1  # one of the series that all messages share
    assert told["capture"] == "live"
    assert told["rates"]["source_hz"] == pytest.approx(15, rel=0.4)
    assert told["frames"]["source"] >= told["frames"]["analysed"] > 0
    assert told["frames"]["dropped_display"] == 0
    assert told["latencies"]["read"]["count"] <= told["frames"]["analysed"]
    assert 0 < told["latencies"]["read"]["p50_ms"] <= told["latencies"]["read"]["max_ms"]
    assert told["latencies"]["overlay"]["p50_ms"] > told["latencies"]["read"]["p50_ms"] / 2
    assert 0 < told["latencies"]["score"]["max_ms"] <= told["latencies"]["overlay"]["max_ms"]
    assert told["latencies"]["display"]["count"] > 0
    assert told["residual_px"] is not None
    assert told["outbox"]["broker"] == "connected"
    assert told["records"] == {"records.audit": None}
    assert told["machine"]["rss_bytes"] > 50_000_000
    assert told["machine"]["disk_free_bytes"]["records.audit"] > 0
    assert told["bundle_id"] is not None
    by_stage = {tuple(sample.labels.values()) for sample in page["fibrostage_latency_seconds"]}
    assert ("0.99", "score") in by_stage
    assert page["fibrostage_frames"][0].value >= told["frames"]["source"] - 60
    assert page["fibrostage_health_age_seconds"][0].value < 30


def await_examination(heard: queue.Queue[Received], timeout_s: float = 100.0) -> dict[str, Any]:
    """The first health after a picture was examined."""
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        try:
            told: dict[str, Any] = json.loads(heard.get(timeout=1.0).payload)
        except queue.Empty:
            continue
        if told["latencies"]["score"] is not None:
            return told
    raise AssertionError("no health told of an examination")


def test_a_taken_port_does_not_stop_the_appliance(drawn_exam: DrawnExam) -> None:
    """Another program has the page's port: the appliance runs, and tells its health over MQTT."""
    heard: queue.Queue[Received] = queue.Queue()
    with PrivateBroker() as broker, socket.create_server(("127.0.0.1", 0)) as other:
        mqtt = MqttConfig(host=broker.host, port=broker.port)
        config = Config(
            source=SourceConfig(kind="file", path=drawn_exam.video),
            sink=SinkConfig(kind="none"),
            mqtt=mqtt,
            health=HealthConfig(every_s=1, prometheus_port=other.getsockname()[1]),
        )
        with closing(Subscriber(mqtt, "fibrostage/+/+/+/health", heard.put)), running(config):
            assert json.loads(heard.get(timeout=90).payload)["frames"]["analysed"] > 0
