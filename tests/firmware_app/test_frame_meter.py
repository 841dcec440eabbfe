"""Frames are numbered on arrival; gaps and latencies follow from the numbers."""

from __future__ import annotations

import pytest

from firmware_app.video.frame_meter import NO_TIME_STAMP, FrameMeter


def test_passed_over_frames_are_counted() -> None:
    """A frame taken after a gap tells how many were passed over, and all numbers add up."""
    meter = FrameMeter()
    for number in range(6):
        meter.arrived(number * 10, number)
    first, later = meter.taken(0), meter.taken(40)
    assert first is not None
    assert later is not None
    assert (first[0].number, first[1], later[0].number, later[1]) == (0, 0, 4, 3)
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
    meter.opened(0)
    for number in range(3):
        meter.arrived(number, 0)
    meter.displayed(0, 0)
    meter.opened(10)
    arrival = meter.arrived(0, 0)
    assert arrival is not None
    assert arrival.pts_ns == 10  # time stamps go on after a restart
    meter.displayed(10, 0)
    statistics = meter.statistics()
    assert (statistics.displayed, statistics.dropped_display, statistics.restarts) == (2, 0, 1)


def test_memory_is_bounded() -> None:
    """A display that never shows anything does not make the meter grow."""
    meter = FrameMeter()
    for number in range(5000):
        meter.arrived(number, 0)
    assert len(meter._arrived) < 1000
    assert len(meter._shown) < 1000
    meter.displayed(0, 0)
    assert meter.statistics().displayed == 0


def _rate(meter: FrameMeter, stamps_ns: list[int], sequence: list[int] | None = None) -> list[bool]:
    numbers = sequence or [NO_TIME_STAMP] * len(stamps_ns)
    pairs = zip(stamps_ns, numbers, strict=True)
    return [meter.arrived(stamp, 0, number) is not None for stamp, number in pairs]


def test_a_live_stamp_that_comes_again_is_not_let_in() -> None:
    """A device that repeats its last picture is told by the stamp; in a file such a picture is one more."""
    live, recorded = FrameMeter(live=True), FrameMeter()
    assert _rate(live, [0, 10, 10, 10, 20]) == [True, True, False, False, True]
    assert _rate(recorded, [0, 10, 10, 10, 20]) == [True] * 5
    assert (live.statistics().repeated, live.repeats_now) == (2, 0)
    assert _rate(live, [20, 20]) == [False, False]
    assert live.repeats_now == 2


def test_a_sequence_number_that_comes_again_counts_only_where_numbers_went_up() -> None:
    """A driver that numbers every picture 0 is none that repeats itself."""
    zeros, counting = FrameMeter(live=True), FrameMeter(live=True)
    assert all(_rate(zeros, list(range(100)), [0] * 100))
    numbers = [*range(40), 39, 39, 40]
    assert _rate(counting, list(range(43)), numbers) == [True] * 40 + [False, False, True]


def test_after_repeats_one_picture_proves_nothing() -> None:
    """Opened again, a frozen device gives its old picture once more: the second, newer one is let in."""
    meter = FrameMeter(live=True)
    meter.opened(0)
    _rate(meter, [0, 10, 10])
    meter.opened(1000)
    assert _rate(meter, [5, 5, 5]) == [False] * 3
    assert meter.repeats_now == 3
    assert _rate(meter, [6, 7]) == [True, True]


def test_time_never_goes_back() -> None:
    """A sender that counts its stamps anew without a word goes on where it was."""
    meter = FrameMeter(live=True)
    meter.opened(0)
    places = [meter.arrived(stamp, 0) for stamp in (1000, 2000, 0, 1000)]
    pts_ns = [place.pts_ns for place in places if place is not None]
    assert pts_ns == [1000, 2000, 2001, 3001]


def test_a_frame_of_an_opening_that_is_over_is_not_taken() -> None:
    """What still lies in the mailbox when the source is opened again belongs to nothing any more."""
    meter = FrameMeter()
    meter.opened(0)
    meter.arrived(0, 0)
    meter.opened(1)
    assert meter.taken(0) is None
