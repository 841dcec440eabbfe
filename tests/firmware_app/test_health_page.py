"""The page: Prometheus reads it, a taken port harms nobody, and no thread is left behind."""

from __future__ import annotations

import json
import re
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from firmware_app.health import page as page_module
from firmware_app.health.page import HealthPage
from firmware_app.health.stopwatch import Stage
from firmware_app.ward.link import Link, LinkState
from tests.firmware_app.health_examples import Clock, health, witnesses

HOST = "127.0.0.1"
DOCUMENT = Path(__file__).parents[2] / "docs" / "health.md"


@pytest.fixture
def page() -> Iterator[HealthPage]:
    """A page on a free port; afterwards its thread is gone."""
    before = set(threading.enumerate())
    with closing(HealthPage(HOST, 0)) as served:
        yield served
    assert set(threading.enumerate()) == before


def fetch(page: HealthPage, path: str) -> str:
    """What the page answers."""
    with urllib.request.urlopen(f"http://{HOST}:{page.port}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def samples(page: HealthPage) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample as Prometheus' own parser reads it, by name and label values, sorted by label."""
    families = text_string_to_metric_families(fetch(page, "/metrics"))
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_prometheus_reads_what_the_message_says(page: HealthPage, tmp_path: Path) -> None:
    """Names, labels and base units, parsed by Prometheus' own parser."""
    asked = witnesses({"audit": tmp_path})
    asked.stopwatch.note(Stage.READ, 4_000_000, 14_000_000_000)
    told = health(replace(asked, link=lambda: Link(LinkState.LOST, "", 17, 3, "disk is full")))
    page.show(told)
    found = samples(page)
    assert found["fibrostage_latency_seconds", ("0.95", "read")] == pytest.approx(0.004)
    assert found["fibrostage_outbox_messages", ()] == 17
    assert found["fibrostage_outbox_dropped_total", ()] == 3
    assert found["fibrostage_record_trouble", ("mqtt.outbox",)] == 1
    assert found["fibrostage_record_trouble", ("records.audit",)] == 0
    assert found["fibrostage_broker", ("lost",)] == 1
    assert found["fibrostage_broker", ("connected",)] == 0
    assert found["fibrostage_capture", ("live",)] == 1
    assert found["fibrostage_registration_residual_pixels", ()] == 0.25
    assert found["fibrostage_resident_memory_bytes", ()] == told.machine.rss_bytes
    assert found["fibrostage_disk_free_bytes", ("audit",)] == told.machine.disk_free_bytes["audit"]
    assert ("fibrostage_latency_seconds", ("0.5", "text")) not in found


def test_the_documentation_lists_every_metric(page: HealthPage) -> None:
    """docs/health.md names each metric that is served, and none that is not."""
    page.show(health())
    served = set(re.findall(r"^# TYPE (\S+)", fetch(page, "/metrics"), re.MULTILINE))
    listed = set(re.findall(r"^\| `(fibrostage_[a-z_]+)", DOCUMENT.read_text(), re.MULTILINE))
    assert served == listed


def test_a_loop_that_hangs_shows_in_the_age() -> None:
    """The page answers without the loop, and says how old its values are."""
    clock = Clock()
    with closing(HealthPage(HOST, 0, lambda: clock.now_ns / 1e9)) as page:
        page.show(health())
        clock.forward(95)
        assert samples(page)["fibrostage_health_age_seconds", ()] == pytest.approx(95)


def test_the_message_itself_is_served(page: HealthPage) -> None:
    """`/health` is the payload of the topic; before the first one the page says so."""
    for path, status in (("/health", 503), ("/", 404), ("/../etc/passwd", 404)):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            fetch(page, path)
        assert refusal.value.code == status
        refusal.value.close()
    assert fetch(page, "/metrics") == ""
    told = health()
    page.show(told)
    assert json.loads(fetch(page, "/health")) == json.loads(told.to_json())


def test_a_taken_port_is_noted_and_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Another program has the port: one line, and everything else goes on."""
    with socket.create_server((HOST, 0)) as other:
        page = HealthPage(HOST, other.getsockname()[1])
        assert page.trouble is not None
        assert "Address already in use" in page.trouble
        assert page.trouble in caplog.text
        page.show(health())
        page.close()
        page.close()
    assert page.port == 0


def test_an_address_that_is_none_is_noted() -> None:
    """A host that this machine does not have is no reason not to start."""
    page = HealthPage("192.0.2.1", 9)
    assert page.trouble is not None
    page.close()


def test_a_visitor_who_says_nothing_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent connection holds the page up for its patience only, and a rude one not at all."""
    monkeypatch.setattr(page_module, "PATIENCE_S", 0.2)
    with closing(HealthPage(HOST, 0)) as page, socket.create_connection((HOST, page.port)) as silent:
        page.show(health())
        rude = HTTPConnection(HOST, page.port, timeout=10)
        rude.request("GET", "/metrics")
        rude.close()
        assert "fibrostage_uptime_seconds" in fetch(page, "/metrics")
        silent.settimeout(10)
        assert silent.recv(1) == b""
