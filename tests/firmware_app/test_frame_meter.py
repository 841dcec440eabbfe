"""Frames are numbered on arrival; gaps and latencies follow from the numbers."""

from __future__ import annotations

import pytest

from firmware_app.video.frame_meter import FrameMeter


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


def _rate(meter: FrameMeter, stamps_ns: list[int]) -> list[bool]:
    return [meter.arrived(stamp, 0) is not None for stamp in stamps_ns]


def test_a_live_stamp_that_comes_again_is_not_let_in() -> None:
    """A device that gives its last picture again is told by the stamp; in a file it is one more picture."""
    live, recorded = FrameMeter(live=True), FrameMeter()
    assert _rate(live, [0, 10, 10, 20, 20, 30]) == [True, True, False, True, False, True]
    assert _rate(recorded, [0, 10, 10, 20, 20, 30]) == [True] * 6
    assert live.statistics().repeated == 2
    assert not live.is_suspect  # one repeat is an accident


def test_stamps_that_only_tremble_are_one() -> None:
    """A card that repeats its last picture is told although its stamps are read a little differently."""
    card = FrameMeter(live=True, closest_ns=500)
    assert _rate(card, [0, 10_000, 9_800, 10_300, 10_000]) == [True, True, False, False, False]
    assert card.is_suspect


def test_after_repeats_only_another_picture_counts() -> None:
    """Opened again or not, new stamps on the old picture prove nothing: GStreamer makes them up."""
    meter = FrameMeter(live=True)
    meter.opened(0)
    _rate(meter, [0, 10, 10, 10, 10])
    for _ in range(2):
        assert meter.is_suspect
        assert [meter.arrived(stamp, 0, 7) for stamp in (20, 30, 40)] == [None] * 3
        meter.opened(1000)
    assert meter.arrived(50, 0, 7) is None
    assert meter.arrived(60, 0, 8) is not None
    assert not meter.is_suspect
    assert meter.arrived(70, 0) is not None


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
