"""Health on its way: never in the outbox, never before a result, and only the newest one."""

from __future__ import annotations

import json
import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_app.ward.broker import PrivateBroker
from firmware_app.ward.link import LinkState
from tests.firmware_app.health_examples import health
from tests.firmware_app.test_mqtt import acquisition_publication, heard, retained, settings, wait_for, ward

pytestmark = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin") is None,
    reason="mosquitto is not installed",
)


@pytest.fixture
def broker() -> Iterator[PrivateBroker]:
    """A real broker."""
    with PrivateBroker() as running:
        yield running


def test_health_is_heard_and_not_kept(broker: PrivateBroker) -> None:
    """A subscriber that listens hears it; one that comes late is told nothing."""
    with ward(settings(broker)) as running, heard(settings(broker), "health") as messages:
        running.publish_health(health())
        assert json.loads(messages.get(timeout=20).payload)["type"] == "health"
        assert retained(settings(broker), "health", wait_s=0.3) is None


def test_only_the_newest_health_waits_and_it_goes_last(broker: PrivateBroker, tmp_path: Path) -> None:
    """Over an outage results wait, on the disk, and health does not; afterwards one health follows them."""
    config = settings(broker, queue=10, outbox=tmp_path / "outbox.sqlite")
    with ward(config) as running:
        wait_for(lambda: running.link.state is LinkState.CONNECTED)
        broker.stop()
        wait_for(lambda: running.link.state is LinkState.LOST)
        for number in range(1, 11):
            running.publish(acquisition_publication(number))
            running.publish_health(health())
        assert (running.link.queued, running.link.dropped) == (10, 0)
        newest = health()
        running.publish_health(newest)
        broker.start()
        with heard(settings(broker), "#") as messages:
            topics, payload = [], b""
            while "health" not in topics:
                message = messages.get(timeout=20)
                payload = message.payload
                topics.append(message.topic.rsplit("/", 1)[1])
        assert topics.count("acquisition") == 10
        assert json.loads(payload) == json.loads(newest.to_json())
        with heard(settings(broker), "health") as messages, pytest.raises(queue.Empty):
            messages.get(timeout=0.5)
