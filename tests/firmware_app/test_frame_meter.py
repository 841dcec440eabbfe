"""Frames are numbered on arrival; gaps and latencies follow from the numbers."""

from __future__ import annotations

import pytest

from firmware_app.video.frame_meter import FrameMeter


def test_passed_over_frames_are_counted() -> None:
    """A frame taken after a gap tells how many were passed over, and all numbers add up."""
    meter = FrameMeter()
    for number in range(6):
        meter.arrived(number * 10, number)
    first, none_passed = meter.taken(0)
    later, passed = meter.taken(40)
    assert (first.number, none_passed, later.number, passed) == (0, 0, 4, 3)
    statistics = meter.statistics()
    assert (statistics.frames_in, statistics.analysed, statistics.dropped_analysis) == (6, 2, 3)


def test_a_gap_on_the_display_is_a_dropped_frame() -> None:
    """The display branch is told from the analysis: its own gaps count, and only they."""
    meter = FrameMeter()
    for number in range(4):
        meter.arrived(number, 0)
    for number in (0, 1, 3):
        meter.displayed(number, 0)
    statistics = meter.statistics()
    assert (statistics.displayed, statistics.dropped_display) == (3, 1)


def test_display_latency_is_from_arrival_to_display() -> None:
    """The percentiles are those of the single latencies, in milliseconds."""
    meter = FrameMeter()
    assert meter.statistics().display_latency is None
    for number in range(100):
        meter.arrived(number, 0)
        meter.displayed(number, (number + 1) * 1_000_000)
    latency = meter.statistics().display_latency
    assert latency is not None
    assert latency.p50_ms == pytest.approx(50.5)
    assert latency.p99_ms == pytest.approx(99.01)
    assert latency.max_ms == pytest.approx(100.0)


def test_a_restart_is_no_drop_on_the_display() -> None:
    """Frames that were under way when the source was lost do not count as dropped by the display."""
    meter = FrameMeter()
    for number in range(3):
        meter.arrived(number, 0)
    meter.displayed(0, 0)
    meter.restarted()
    meter.arrived(0, 0)
    meter.displayed(0, 0)
    statistics = meter.statistics()
    assert (statistics.displayed, statistics.dropped_display, statistics.restarts) == (2, 0, 1)


def test_memory_is_bounded() -> None:
    """A display that never shows anything does not make the meter grow."""
    meter = FrameMeter()
    for number in range(5000):
        meter.arrived(number, 0)
    assert len(meter._arrivals) < 1000
    meter.displayed(0, 0)
    assert meter.statistics().displayed == 0
