"""The newest frame wins, nobody waits too long, and what was passed over is counted."""

from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as st

from firmware_app.video.mailbox import Mailbox


def test_the_newest_item_wins() -> None:
    """Of several items put in a row only the last is taken, and the others count as dropped."""
    box: Mailbox[int] = Mailbox()
    for item in range(5):
        box.put(item)
    assert box.take(0) == 4
    assert box.dropped == 4
    assert box.take(0) is None


@given(st.lists(st.booleans(), max_size=60))
def test_every_item_is_taken_or_dropped_or_waiting(steps: list[bool]) -> None:
    """Whatever the order of putting and taking, no item is lost without being counted."""
    box: Mailbox[int] = Mailbox()
    put, taken = 0, []
    for is_put in steps:
        if is_put:
            box.put(put)
            put += 1
        elif (item := box.take(0)) is not None:
            taken.append(item)
    waiting = box.take(0) is not None
    assert put == len(taken) + box.dropped + waiting
    assert taken == sorted(set(taken))


def test_taking_waits_no_longer_than_its_time_out() -> None:
    """An empty box gives None after the time-out, neither at once nor much later."""
    began = time.monotonic()
    assert Mailbox[int]().take(0.1) is None
    assert 0.09 <= time.monotonic() - began < 2


def test_an_item_from_another_thread_ends_the_waiting() -> None:
    """A taker that waits is given the item as soon as it is put."""
    box: Mailbox[str] = Mailbox()
    sender = threading.Timer(0.05, box.put, ["frame"])
    sender.start()
    began = time.monotonic()
    assert box.take(10) == "frame"
    assert time.monotonic() - began < 5
    sender.join()


def test_waking_ends_the_waiting_once_and_never_loses_an_item() -> None:
    """A wake-up makes one empty-handed take return at once; an item that lies there comes first."""
    box: Mailbox[str] = Mailbox()
    box.put("frame")
    box.wake()
    assert box.take(10) == "frame"
    began = time.monotonic()
    assert box.take(10) is None
    assert time.monotonic() - began < 5
    assert box.take(0.05) is None


def test_a_closed_box_lets_nobody_wait() -> None:
    """After closing, taking returns at once, the last item may still be taken, and new ones are dropped."""
    box: Mailbox[str] = Mailbox()
    box.put("last")
    box.close()
    box.put("too late")
    assert box.take(10) == "last"
    assert box.take(10) is None
    assert box.dropped == 1
