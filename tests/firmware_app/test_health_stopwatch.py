"""The stopwatch: right percentiles of the last minute, in memory that never grows, in next to no time."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from firmware_app.health.stopwatch import CAPACITY, WINDOW_NS, Stage, Stopwatch, Window


def test_percentiles_are_those_of_the_single_durations() -> None:
    """p50, p95, p99 and the maximum agree with numpy over the same values, in milliseconds."""
    rng = np.random.default_rng(5)
    took_ns = rng.integers(1_000_000, 90_000_000, 500)
    window = Window()
    for number, took in enumerate(took_ns):
        window.note(int(took), number)
    latency = window.latency(500)
    assert latency is not None
    assert latency.count == 500
    found = (latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms)
    assert found == pytest.approx(np.percentile(took_ns, (50, 95, 99, 100)) / 1e6)


def test_what_is_older_than_a_minute_counts_no_more() -> None:
    """A slow frame is forgotten a minute later; with nothing new, nothing is told."""
    window = Window()
    window.note(900_000_000, 0)
    window.note(1_000_000, WINDOW_NS // 2)
    both, later = window.latency(WINDOW_NS - 1), window.latency(WINDOW_NS)
    assert both is not None
    assert later is not None
    assert (both.count, both.max_ms) == (2, 900.0)
    assert (later.count, later.max_ms) == (1, 1.0)
    assert window.latency(2 * WINDOW_NS) is None


def test_at_higher_rates_the_newest_stay() -> None:
    """Beyond the capacity the oldest make room."""
    window = Window(capacity=10)
    for number in range(25):
        window.note(number * 1_000_000, number)
    latency = window.latency(25)
    assert latency is not None
    assert (latency.count, latency.max_ms) == (10, 24.0)
    assert latency.p50_ms == pytest.approx(19.5)


def test_a_stage_is_timed_even_when_it_fails() -> None:
    """The block's duration is noted under its stage, also when the block raises."""
    watch = Stopwatch()
    with watch.timing(Stage.READ):
        time.sleep(0.01)
    with pytest.raises(RuntimeError), watch.timing(Stage.SCORE):
        raise RuntimeError
    latencies = watch.latencies(time.monotonic_ns())
    read, score = latencies[Stage.READ], latencies[Stage.SCORE]
    assert read is not None
    assert score is not None
    assert read.max_ms >= 10
    assert score.max_ms < read.max_ms
    assert latencies[Stage.TEXT] is None


def test_timing_a_frame_costs_less_than_fifty_microseconds() -> None:
    """Two stages of a frame, the best of several runs on a machine that may be busy."""
    watch, rounds = Stopwatch(), 2000

    def once_s() -> float:
        began = time.perf_counter()
        for number in range(rounds):
            with watch.timing(Stage.READ):
                pass
            watch.note(Stage.OVERLAY, 1000, number)
        return (time.perf_counter() - began) / rounds

    assert min(once_s() for _ in range(5)) < 50e-6


def test_memory_is_bounded() -> None:
    """Ten minutes of frames take no more memory than one."""
    watch = Stopwatch()
    tracemalloc.start()
    try:
        for number in range(CAPACITY):
            watch.note(Stage.READ, 1000, number)
        before, _ = tracemalloc.get_traced_memory()
        for number in range(10 * CAPACITY):
            watch.note(Stage.READ, 1000, number)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 10_000
