"""A message until it is on the department page, in a real Chromium, with many cards on it."""

from __future__ import annotations

import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks.department import humming, opened
from firmware_app.exam.events import PatientChanged
from firmware_app.ward.broker import PrivateBroker
from tests.firmware_app.department_ward import WATCH, Hospital, chromium, page_in, until
from tests.firmware_app.exam_examples import acquired, moment, uid

CALM = "!document.querySelector('.card[data-rank=running]')"


def shown_ms(appliances: int, messages: int, per_second: float) -> tuple[list[float], float]:
    """Milliseconds from just before publication until the card is painted, and until all cards were at first.

    Args:
        appliances: cards on the page.
        messages: to measure, from one appliance after the other.
        per_second: messages of the others meanwhile.
    """
    delays: list[float] = []
    with (
        chromium() as browser,
        tempfile.TemporaryDirectory() as folder,
        PrivateBroker(page=page_in(Path(folder))) as broker,
        Hospital(broker) as hospital,
    ):
        for _ in range(appliances):
            hospital.room()
        page, opened_ms = opened(browser, broker.page_url, appliances, None)
        page.evaluate(WATCH)
        with humming(hospital, per_second):
            for number, room in enumerate(islice(cycle(hospital.rooms), messages)):
                page.evaluate("window.seen.length = 0")
                sent_ms = time.time() * 1000
                room.play(acquired(2 * number + 1))  # an exam of its own: the page takes none twice
                until(page, "window.seen.length")
                delays.append(float(page.evaluate("window.seen[0]")) - sent_ms)
                room.play(PatientChanged(uid(5_000 + number), moment(2 * number + 2)))
                until(page, CALM)
        page.close()
    return delays, opened_ms
