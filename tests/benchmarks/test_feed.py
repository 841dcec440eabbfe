"""The benchmark of the feed in small: what is handed over arrives, and polling misses what is overwritten."""

from __future__ import annotations

import json

import pytest

from benchmarks.feed import Ear, by_http, by_mqtt
from benchmarks.ward.appliances import MINUTE_S, minute_of
from firmware_app.exam.machine import advance
from firmware_app.exam.state import Effect, Exam, ResultIssued

pytestmark = pytest.mark.timeout(180)


def test_a_minute_is_an_exam() -> None:
    """Within the minute, in order: five acquisitions give a result, health comes six times."""
    doings = minute_of(0.2 * MINUTE_S)
    assert all(0 <= at_s <= MINUTE_S for at_s, _ in doings)
    assert sum(doing == "health" for _, doing in doings) == 6
    exam = Exam()
    effects: list[Effect] = []
    for _, doing in doings:
        if not isinstance(doing, str):
            exam, brought_about = advance(exam, doing)
            effects += brought_about
    assert sum(isinstance(effect, ResultIssued) for effect in effects) == 1


def test_everything_arrives_through_the_broker() -> None:
    """Two appliances at thirty times the pace: nothing is missing, nothing comes twice."""
    heard = by_mqtt(2, pace=30.0, seed=1)
    assert heard.sent > 30
    assert (heard.missing, heard.doubled) == (0, 0)
    assert heard.overtaken < heard.sent / 2
    assert min(heard.latencies_ms) > 0
    assert max(heard.latencies_ms) < 60_000


def test_polling_sees_the_newest_only() -> None:
    """What the display sees was sent, and what was overwritten is counted as missing."""
    heard = by_http(1, pace=30.0, seed=1)
    assert len(heard.latencies_ms) + heard.missing + heard.overtaken == heard.sent
    assert len(heard.latencies_ms) >= 1


def test_an_ear_hears_a_message_once() -> None:
    """The first arrival counts; an empty payload clears a topic and is no message."""
    ear = Ear()
    for payload in (b"", json.dumps({"sequence": 3}).encode(), json.dumps({"sequence": 3}).encode()):
        ear.hear("fibrostage/v1/site/us-1/health", payload)
    assert list(ear.heard) == [("fibrostage/v1/site/us-1", 3)]
    assert ear.again == [("fibrostage/v1/site/us-1", 3)]
